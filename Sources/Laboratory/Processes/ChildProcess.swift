import Foundation
import Synchronization

/// How a child process ended.
package enum ExitStatus: Sendable, Equatable {
    /// It returned this status.
    case exited(Int32)
    /// This signal ended it.
    case signaled(Int32)
}

/// A child process whose output is read line by line.
///
/// Spawned directly, not by Foundation's `Process`: the child gets a process group of its own (a Ctrl-C in the terminal is for the tests, not for
/// the servers) and default signal handling.
package final class ChildProcess: Sendable {
    /// The id of the process.
    package let processID: Int32
    /// What it has printed to standard output, and to standard error unless that was kept apart.
    package let output: OutputLog
    /// What it has printed to standard error; the same object as ``output`` unless it was kept apart.
    package let errors: OutputLog
    private let file: String?
    private let exit = Latch<ExitStatus>()

    private init(processID: Int32, output: OutputLog, errors: OutputLog, file: String?) {
        self.processID = processID
        self.output = output
        self.errors = errors
        self.file = file
    }

    private typealias AddCloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, CInt) -> CInt

    /// `posix_spawn_file_actions_addclosefrom_np`, which glibc has since 2.34 and hides from Swift.
    private static let addCloseFrom: AddCloseFrom? = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np").map {
        // The type is the one of <spawn.h>.
        unsafeBitCast($0, to: AddCloseFrom.self)
    }

    /// Whether the process still runs.
    package var isRunning: Bool { exit.value == nil }

    /// Starts a process; a name without a slash is looked up in PATH.
    ///
    /// - Throws: ``SpawnError`` when it cannot be started.
    package static func spawn(
        _ command: String,
        _ arguments: [String],
        environment: [String: String] = ProcessInfo.processInfo.environment,
        directory: String? = nil,
        inputDescriptor: CInt? = nil,
        newSession: Bool = false,
        keepsErrorsApart: Bool = false,
        processIDFile: String? = nil
    ) throws -> ChildProcess {
        let pipe = try Pipe.make()
        let errorPipe = keepsErrorsApart ? try Pipe.make() : nil

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let inputDescriptor {
            posix_spawn_file_actions_adddup2(&actions, inputDescriptor, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        posix_spawn_file_actions_adddup2(&actions, pipe.writeEnd, 1)
        posix_spawn_file_actions_adddup2(&actions, (errorPipe ?? pipe).writeEnd, 2)
        // A socket that a child holds as well is not closed when it is closed here, and its peer never hears of it.
        _ = Self.addCloseFrom?(&actions, 3)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGINT, SIGTERM, SIGPIPE, SIGHUP, SIGQUIT, SIGCHLD] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        // POSIX_SPAWN_SETSID, which glibc's headers show to C with _GNU_SOURCE only.
        let setSession: Int32 = 0x80
        let group = newSession ? setSession : Int32(POSIX_SPAWN_SETPGROUP)
        posix_spawnattr_setflags(
            &attributes,
            Int16(group | Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF))
        )

        // `env` changes the folder and then replaces itself by the command.
        let words = (directory.map { ["/usr/bin/env", "-C", $0] } ?? []) + [command] + arguments
        var argumentPointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        var environmentPointers: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") }
        argumentPointers.append(nil)
        environmentPointers.append(nil)
        defer { for pointer in argumentPointers + environmentPointers { free(pointer) } }

        var processID: pid_t = 0
        let code = Pipe.whileNoneIsMade {
            posix_spawnp(&processID, words[0], &actions, &attributes, argumentPointers, environmentPointers)
        }
        close(pipe.writeEnd)
        if let errorPipe { close(errorPipe.writeEnd) }
        guard code == 0 else {
            close(pipe.readEnd)
            if let errorPipe { close(errorPipe.readEnd) }
            throw SpawnError(command: command, errno: code)
        }
        let output = OutputLog()
        let errors = errorPipe == nil ? output : OutputLog()
        let child = ChildProcess(processID: processID, output: output, errors: errors, file: processIDFile)
        if let processIDFile {
            try? "\(processID)\n".write(toFile: processIDFile, atomically: false, encoding: .utf8)
        }
        Thread.detachNewThread { output.read(from: pipe.readEnd) }
        if let errorPipe { Thread.detachNewThread { errors.read(from: errorPipe.readEnd) } }
        Thread.detachNewThread { child.reap() }
        return child
    }

    /// Sends a signal, unless the process has already been reaped.
    package func signal(_ number: Int32) {
        if isRunning { kill(processID, number) }
    }

    /// Waits until the process has ended.
    ///
    /// - Throws: `CancellationError` when the waiting task is cancelled.
    @discardableResult
    package func waitForExit() async throws -> ExitStatus {
        try await exit.wait()
    }

    /// Waits until the process has ended, but no longer than the limit.
    ///
    /// - Throws: ``TimeLimitExceeded`` after the limit.
    @discardableResult
    package func waitForExit(within limit: Duration) async throws -> ExitStatus {
        let exit = exit
        return try await withTimeLimit(limit, "process \(processID) ends") { try await exit.wait() }
    }

    private func reap() {
        var info = siginfo_t()
        while waitid(P_PID, id_t(processID), &info, WEXITED | WNOWAIT) < 0, errno == EINTR {}
        // Before the id is free for others: whoever reads the file may send signals.
        if let file { unlink(file) }
        var status: Int32 = 0
        while waitpid(processID, &status, 0) < 0 {
            guard errno == EINTR else {
                exit.set(.exited(-1))
                return
            }
        }
        let signal = status & 0x7f
        exit.set(signal == 0 ? .exited((status >> 8) & 0xff) : .signaled(signal))
    }
}

/// A process could not be started.
package struct SpawnError: Error, CustomStringConvertible {
    /// The command that was to run.
    package let command: String
    /// The system's error number.
    package let errno: Int32
    /// The command and the system's words.
    package var description: String { "cannot run \(command): \(String(cString: strerror(errno)))" }
}

/// A command that was expected to succeed did not.
package struct CommandFailed: Error, CustomStringConvertible {
    /// The command with its arguments.
    package let command: [String]
    /// How it ended.
    package let status: ExitStatus
    /// What it printed.
    package let output: String
    /// Command, status and output.
    package var description: String { "\(command.joined(separator: " ")): \(status)\n\(output)" }
}

/// Runs a command to its end and returns what it printed.
///
/// - Throws: ``CommandFailed`` unless it exits with 0, ``SpawnError`` when it cannot be started.
@discardableResult
package func run(
    _ command: String,
    _ arguments: [String],
    environment: [String: String] = ProcessInfo.processInfo.environment,
    directory: String? = nil
) async throws -> String {
    let child = try ChildProcess.spawn(command, arguments, environment: environment, directory: directory)
    let status = try await child.waitForExit()
    // The pipe may be drained a moment after the process is reaped.
    try await eventually("the output of \(command) ends") { child.output.isClosed }
    guard status == .exited(0) else {
        throw CommandFailed(command: [command] + arguments, status: status, output: child.output.text)
    }
    return child.output.text
}
