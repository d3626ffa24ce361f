import Domain
import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// `FILE.KIND.rejected.csv` or `.ndjson`: the rows that were not taken over, each as it stands in the file, with its line, code and
/// reason.
///
/// It is made at the end, by reading the file once more, so that nothing of the file has to be kept. It is written beside and put in
/// the place of one of an earlier run then; nothing else is ever replaced.
final class RejectedFile {
    private(set) var path: String
    private let isFallbackAllowed: Bool
    private let inputs: [(path: String, what: String)]
    private var rejections: [Int: RowRejection] = [:]

    /// Whether a file of an earlier run gave its place to this one's.
    private var hasReplaced = false

    /// Where the rows are, for whoever gave the command, and what was there before.
    var told: String { hasReplaced ? "\(path), which replaces that of an earlier run" : path }

    /// How many rows were noted.
    var count: Int { rejections.count }

    /// Chooses the place, which is looked at and left as it is.
    ///
    /// - Parameters:
    ///   - importedFile: the file to be imported.
    ///   - kind: what its rows are: the rejected rows of another kind are not to be replaced by these.
    ///   - format: how it is written, and so the other.
    ///   - mapping: the file that says how to read it.
    ///   - named: where rejected rows go; nil: beside the file.
    /// - Throws: `CommandFailure` if something else is there, or one of the two.
    init(importedFile: String, kind: String, format: FileFormat, mapping: String?, named: String?) throws {
        path = named ?? "\(importedFile).\(kind).rejected.\(format.rawValue)"
        isFallbackAllowed = named == nil
        inputs = [(importedFile, "the file to be imported")] + (mapping.map { [($0, "the mapping")] } ?? [])
        try check()
    }

    /// How much of a file is looked at: more than any header, or object of a line, is long.
    private static let headBytes = 8 << 20

    /// Refuses a place that holds anything but rejected rows.
    ///
    /// - Returns: Whether it holds some; an empty file holds nothing that could be lost.
    @discardableResult
    private func check() throws -> Bool {
        var about = stat()
        guard lstat(path, &about) == 0 else { return false }
        for input in inputs {
            var other = stat()
            guard stat(input.path, &other) == 0, other.st_dev == about.st_dev, other.st_ino == about.st_ino else {
                continue
            }
            throw CommandFailure(.usage, "--rejected: '\(path)' is \(input.what)")
        }
        guard about.st_mode & S_IFMT == S_IFREG else {
            throw CommandFailure(
                .usage,
                "rejected rows can not go to '\(path)': it is no file; name another by --rejected"
            )
        }
        guard about.st_size > 0 else { return false }
        // It may be the next file that is to be imported, or anything else of which this is the only copy.
        guard let handle = FileHandle(forReadingAtPath: path),
            let head = try handle.read(upToCount: Self.headBytes), RejectedRows.areIn(fileBeginning: Array(head))
        else {
            throw CommandFailure(
                .usage,
                "rejected rows can not go to '\(path)': it holds something else; name another by --rejected"
            )
        }
        return true
    }

    /// Takes away what an earlier run has left, after a run that rejected nothing.
    ///
    /// - Returns: Whether there was anything.
    /// - Throws: `CommandFailure` if it is something else by now.
    func clear() throws -> Bool {
        guard rejections.isEmpty, try check() else { return false }
        return unlink(path) == 0
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
    ///   - fields: those that were read.
    /// - Throws: what `source` throws, `CommandFailure` if the file cannot be written, or something else is there by now.
    func write<Source: AsyncSequence>(
        from source: Source,
        mapping: ImportMapping,
        fields: [String]
    ) async throws where Source.Element == [UInt8] {
        guard !rejections.isEmpty else { return }
        let (handle, written) = try open()
        // Gone once it is in its place; what could not be finished is not left lying there.
        defer { unlink(written) }
        let copy = RejectedCopy(mapping, fields: fields)
        var isFirst = true
        var bytes: [UInt8] = []
        func flush() throws {
            guard !bytes.isEmpty else { return }
            try handle.write(
                contentsOf: Data(RejectedCopy.encoded(bytes, as: mapping.encoding, isFirst: isFirst))
            )
            isFirst = false
            bytes.removeAll(keepingCapacity: true)
        }
        for try await chunk in source {
            try copy.read(chunk, { rejections[$0] }, { bytes += $1 })
            try flush()
        }
        try copy.finish({ rejections[$0] }, { bytes += $1 })
        try flush()
        try handle.close()
        hasReplaced = try check()
        guard rename(written, path) == 0 else { throw CommandFailure(.failed, "\(path): cannot be written") }
    }

    /// A new file beside the place, and its path.
    private func open() throws -> (FileHandle, path: String) {
        if let made = Self.make(beside: path) { return made }
        if isFallbackAllowed {
            // The file may lie where nothing can be written: then its rejected rows go where the command was given.
            let name = path.split(separator: "/").last.map(String.init) ?? "rejected.csv"
            StandardError.write("\(path) cannot be written; rejected rows go to ./\(name)\n")
            path = name
            try check()
            if let made = Self.make(beside: path) { return made }
        }
        throw CommandFailure(.failed, "\(path): cannot be written")
    }

    private static func make(beside path: String) -> (FileHandle, path: String)? {
        let name = "\(path).\(getpid())"
        let descriptor = Glibc.open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { return nil }
        return (FileHandle(fileDescriptor: descriptor, closeOnDealloc: true), name)
    }
}
