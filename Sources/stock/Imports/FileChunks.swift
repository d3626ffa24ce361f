import Foundation

/// A file's bytes, in portions.
struct FileChunks: AsyncSequence, AsyncIteratorProtocol {
    private let path: String
    private let handle: FileHandle

    /// Opens a file.
    ///
    /// - Throws: `CommandFailure` with the reason in one line, if it is no file that can be read.
    init(path: String) throws {
        self.path = path
        var about = stat()
        guard stat(path, &about) == 0 else { throw Self.failure(path, errno) }
        switch about.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw CommandFailure(.failed, "\(path): is a folder; name the file in it")
        // It is read twice, should rows be rejected.
        default:
            throw CommandFailure(.failed, "\(path): is no file but a device or pipe; write what it gives to a file")
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure(path, errno) }
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    func makeAsyncIterator() -> Self { self }

    func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? { try read(upTo: 1 << 17) }

    /// Whether a file begins as gzip does (RFC 1952).
    static func isGzip(path: String) throws -> Bool {
        try FileChunks(path: path).read(upTo: 2) == [0x1F, 0x8B]
    }

    /// The next bytes; nil at the end.
    func read(upTo count: Int) throws -> [UInt8]? {
        do {
            guard let data = try handle.read(upToCount: count), !data.isEmpty else { return nil }
            return Array(data)
        } catch {
            throw CommandFailure(.failed, "\(path): cannot be read any further")
        }
    }

    private static func failure(_ path: String, _ number: Int32) -> CommandFailure {
        CommandFailure(.failed, "\(path): cannot be read: \(String(cString: strerror(number)))")
    }
}
