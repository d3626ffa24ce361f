import Foundation

/// A file's bytes, in portions.
struct FileChunks: AsyncSequence, AsyncIteratorProtocol {
    private let handle: FileHandle

    init(path: String) throws {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw CommandFailure(.failed, "\(path): cannot be read")
        }
        self.handle = handle
    }

    func makeAsyncIterator() -> Self { self }

    func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
        guard let data = try handle.read(upToCount: 1 << 17), !data.isEmpty else { return nil }
        return Array(data)
    }

    /// Whether a file begins as gzip does (RFC 1952).
    static func isGzip(path: String) throws -> Bool {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw CommandFailure(.failed, "\(path): cannot be read")
        }
        defer { try? handle.close() }
        return try handle.read(upToCount: 2) == Data([0x1F, 0x8B])
    }
}
