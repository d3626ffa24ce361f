import Foundation
import Services

#if canImport(Glibc)
import Glibc
#endif

/// Where an export is written to: standard output, or a file that takes its place once it is whole.
final class ExportSink {
    private let path: String?
    /// What is written until then.
    private let draft: String?
    private let handle: FileHandle

    /// - Parameters:
    ///   - path: the file; nil is standard output.
    ///   - permissions: who may read and write it, as far as the process allows.
    /// - Throws: `CommandFailure` if it cannot be written.
    init(path: String?, permissions: mode_t = 0o666) throws {
        // Whoever stops reading is told of by the write that fails, and not by a signal.
        signal(SIGPIPE, SIG_IGN)
        self.path = path
        guard let path else {
            draft = nil
            handle = .standardOutput
            return
        }
        var about = stat()
        let isThere = stat(path, &about) == 0
        guard !isThere || about.st_mode & S_IFMT != S_IFDIR else {
            throw CommandFailure(.usage, "-o: '\(path)' is a folder")
        }
        // A device or pipe is no file that something could take the place of.
        let isFile = !isThere || about.st_mode & S_IFMT == S_IFREG
        let name = isFile ? "\(path).\(getpid())" : path
        let flags = isFile ? O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC : O_WRONLY | O_CLOEXEC
        let descriptor = open(name, flags, permissions)
        guard descriptor >= 0 else { throw Self.failure(path, errno) }
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        draft = isFile ? name : nil
    }

    /// Writes rows.
    func write(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(handle.fileDescriptor, $0.baseAddress, $0.count) }
            guard count < 0 else {
                rest = rest.dropFirst(count)
                continue
            }
            if errno == EINTR { continue }
            if errno == EPIPE { throw CommandFailure(.brokenPipe, nil) }
            throw Self.failure(path ?? "standard output", errno)
        }
    }

    /// Puts the file in its place.
    func finish() throws {
        guard let path, let draft else { return }
        guard rename(draft, path) == 0 else { throw Self.failure(path, errno) }
    }

    /// Takes away what is not whole.
    func discard() {
        if let draft { unlink(draft) }
    }

    private static func failure(_ path: String, _ number: Int32) -> CommandFailure {
        CommandFailure(.failed, "\(path): cannot be written: \(String(cString: strerror(number)))")
    }
}
