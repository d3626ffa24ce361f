import Domain
import Foundation

/// `FILE.rejected.csv`: the rows that were not taken over, each as it stands in the file, with its line, code and reason.
///
/// It is made at the end, by reading the file once more, so that nothing of the file has to be kept; one of an earlier run is
/// taken away at the beginning.
final class RejectedFile {
    private(set) var path: String
    private let isFallbackAllowed: Bool
    private var rejections: [Int: RowRejection] = [:]

    /// How many rows were noted.
    var count: Int { rejections.count }

    init(importedFile: String, named: String?) throws {
        path = named ?? importedFile + ".rejected.csv"
        isFallbackAllowed = named == nil
        guard path != importedFile else {
            throw CommandFailure(.usage, "--rejected: '\(path)' is the file to be imported")
        }
        if FileManager.default.fileExists(atPath: path) {
            try? FileManager.default.removeItem(atPath: path)
        }
    }

    /// Notes a row.
    func add(_ rejection: RowRejection) {
        rejections[rejection.line] = rejection
    }

    /// Writes the file, if there is anything to write.
    ///
    /// - Parameters:
    ///   - source: the imported file's bytes, from their beginning.
    ///   - mapping: how it was read.
    /// - Throws: what `source` throws, `CommandFailure` if the file cannot be written.
    func write<Source: AsyncSequence>(
        from source: Source,
        mapping: ImportMapping
    ) async throws where Source.Element == [UInt8] {
        guard !rejections.isEmpty else { return }
        let handle = try open()
        var rows = RejectedRows(encoding: mapping.encoding)
        var transcoder = UTF16Transcoder(encoding: mapping.encoding)
        var parser = CSVParser(dialect: mapping.dialect, limits: .whole)
        var hasHeader = false
        var isFirst = true
        func take(_ record: borrowing CSVRecord) {
            if !hasHeader {
                hasHeader = true
                rows.header(record)
            } else if let rejection = rejections[record.line] {
                rows.row(record, rejection)
            }
        }
        func flush() throws {
            let bytes = rows.drain()
            guard !bytes.isEmpty else { return }
            defer { isFirst = false }
            guard mapping.encoding.isTranscoded else { return try handle.write(contentsOf: Data(bytes)) }
            let encoded = UTF16Transcoder.encode(bytes, as: mapping.encoding)
            try handle.write(contentsOf: Data(isFirst ? encoded[...] : encoded.dropFirst(2)))
        }
        for try await chunk in source {
            parser.consume(try transcoder.decode(chunk)) { take($0) }
            try flush()
        }
        parser.consume(transcoder.finish()) { take($0) }
        parser.finish { take($0) }
        try flush()
        try handle.close()
    }

    private func open() throws -> FileHandle {
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
        return handle
    }
}
