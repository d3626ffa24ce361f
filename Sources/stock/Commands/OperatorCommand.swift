import ArgumentParser
import Foundation
import Kernel
import Postgres
import Services
import UnixSignals

/// How a command ends other than well: a line for people and an exit status.
struct CommandFailure: Error {
    /// The exit statuses; docs/http.md lists them.
    enum Status: Int32 {
        case failed = 1
        case rejectedRows = 2
        case usage = 64
        case configuration = 78
        /// Ended by SIGINT or SIGTERM: 128 and the signal's number, as shells have it.
        case interrupted = 130
        /// Nobody reads what is written any more: 128 and SIGPIPE.
        case brokenPipe = 141
        case terminated = 143
    }

    let status: Status
    /// One line; nil if all was said already.
    let message: String?

    init(_ status: Status, _ message: String?) {
        self.status = status
        self.message = message
    }
}

/// A command that tells what went wrong in one line on standard error, and by its exit status.
protocol OperatorCommand: AsyncParsableCommand {
    func execute() async throws
}

extension OperatorCommand {
    mutating func run() async throws {
        do {
            try await execute()
        } catch {
            let failure = CommandFailure(describing: error)
            if let message = failure.message { StandardError.write(message + "\n") }
            throw ExitCode(failure.status.rawValue)
        }
    }
}

extension CommandFailure {
    /// What an error means to whoever typed the command.
    init(describing error: any Error) {
        switch error {
        case let failure as CommandFailure:
            self = failure
        case let interruption as Interruption:
            self.init(interruption)
        case let error as ConfigurationError:
            self.init(.configuration, error.description)
        case let problem as Problem where problem.code == .outcomeUnknown:
            // A command has no key by which the same may be asked again.
            self.init(.failed, "The connection was lost at the moment of committing. Look whether it was done.")
        case let problem as Problem:
            let fields = problem.errors.map { "\($0.pointer.drop { $0 == "/" }): \($0.detail)" }
            self.init(.failed, fields.isEmpty ? problem.detail : fields.joined(separator: " "))
        case let refusal as Admittance.Refusal:
            self.init(.failed, refusal)
        case let error as OperationsError:
            self.init(.failed, error.description)
        case let error as PostgresError
        where error.outcome != .unknown && (error.sqlState == .queryCanceled || error.code == .deadlineExceeded):
            self.init(.failed, "The database took too long and was interrupted; nothing of that step was done.")
        case let error as PostgresError where error.sqlState == nil:
            self.init(.failed, "The database of DATABASE_URL can not be used: \(error.message).")
        case let error as PostgresError:
            self.init(.failed, "the database: \(error)")
        default:
            self.init(.failed, String(describing: error))
        }
    }
}

extension CommandFailure {
    /// What a signal means to whoever sent it.
    ///
    /// - Parameters:
    ///   - interruption: The signal.
    ///   - consequence: What became of the work, where that is worth a word.
    init(_ interruption: Interruption, _ consequence: String? = nil) {
        let isTerm = interruption.signal == .sigterm
        let cause = isTerm ? "ended by SIGTERM" : "interrupted"
        self.init(isTerm ? .terminated : .interrupted, consequence.map { "\(cause); \($0)" } ?? cause)
    }

    /// What a database that must not be worked on means to whoever named it.
    ///
    /// - Parameters:
    ///   - status: What a start ends with, or another command.
    ///   - refusal: Why.
    init(_ status: Status, _ refusal: Admittance.Refusal) {
        switch refusal {
        case .role(let powers):
            let error = ConfigurationError(.databaseURL, "names a role for which tenants are not kept apart: \(powers)")
            self.init(status, error.description)
        case .schema(let lack):
            self.init(status, "The database of \(Variable.databaseURL.name) \(lack)")
        }
    }
}

/// Standard error, unbuffered.
enum StandardError {
    /// Writes text; where it can not be written, a full disk or a closed pipe, the exit status alone still tells.
    static func write(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }

    static var isTerminal: Bool { isatty(FileHandle.standardError.fileDescriptor) == 1 }
}

/// Options every command has that needs configuration.
struct ConfigurationOptions: ParsableArguments {
    @Option(name: .long, help: "A file of NAME=value lines; the environment goes before it.")
    var config: String?

    func settings() throws -> Settings { try Settings(file: config) }
}
