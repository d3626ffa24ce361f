import Domain
import Foundation

/// `FILE.rejected.csv`: the rows that were not taken over, each with its line, code and reason.
///
/// It is made with the first such row; one of an earlier run is taken away.
final class RejectedFile {
    private(set) var path: String
    private let isFallbackAllowed: Bool
    private var handle: FileHandle?
    private var buffer: [UInt8] = []
    private(set) var count = 0

    init(importedFile: String, named: String?) throws {
        path = named ?? importedFile + ".rejected.csv"
        isFallbackAllowed = named == nil
        if FileManager.default.fileExists(atPath: path) {
            try? FileManager.default.removeItem(atPath: path)
        }
    }

    func add(_ rejection: RowRejection) throws {
        if handle == nil { try open() }
        count += 1
        buffer.append(contentsOf: rejection.csv.utf8)
        if buffer.count > 1 << 16 { try flush() }
    }

    func close() throws {
        try flush()
        try handle?.close()
        handle = nil
    }

    private func open() throws {
        if !FileManager.default.createFile(atPath: path, contents: nil), isFallbackAllowed {
            // The file may lie where nothing can be written: then its rejected rows go where the command was given.
            let name = path.split(separator: "/").last.map(String.init) ?? "rejected.csv"
            StandardError.write("\(path) cannot be written; rejected rows go to ./\(name)\n")
            path = name
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        guard let handle = FileHandle(forWritingAtPath: path) else {
            throw CommandFailure(.failed, "\(path): cannot be written")
        }
        self.handle = handle
        buffer.append(contentsOf: RowRejection.csvHeader.utf8)
    }

    private func flush() throws {
        guard !buffer.isEmpty else { return }
        try handle?.write(contentsOf: Data(buffer))
        buffer.removeAll(keepingCapacity: true)
    }
}
