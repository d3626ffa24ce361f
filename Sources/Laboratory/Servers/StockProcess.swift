import Foundation

/// The built executable `stock`, run as its users run it.
package enum StockCommand {
    /// The program of this process.
    package static let itself: String = {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        return String(decoding: buffer[..<max(count, 0)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }()

    /// The executable beside the test bundle.
    package static let path: String =
        itself.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/") + "/stock"

    /// What a command did.
    package struct Result: Sendable {
        /// How it ended.
        package let status: ExitStatus
        /// Its standard output.
        package let output: String
        /// Its standard error.
        package let errors: String
    }

    /// Runs a command to its end.
    ///
    /// - Parameters:
    ///   - arguments: the command and its options, for instance `["migrate", "up"]`.
    ///   - environment: all of its environment but PATH and HOME.
    ///   - executable: the program.
    ///   - limit: after it the command is killed.
    /// - Returns: its status and output.
    /// - Throws: ``SpawnError`` when it cannot be started, ``TimeLimitExceeded`` when it does not end.
    package static func run(
        _ arguments: [String],
        environment: [String: String],
        executable: String = path,
        within limit: Duration = .seconds(120)
    ) async throws -> Result {
        let child = try spawn(arguments, environment: environment, executable: executable)
        do {
            let status = try await child.waitForExit(within: limit)
            try await eventually("the output of stock ends") { child.output.isClosed && child.errors.isClosed }
            return Result(status: status, output: child.output.text, errors: child.errors.text)
        } catch {
            child.signal(SIGKILL)
            throw error
        }
    }

    /// Starts a command, with standard error kept apart.
    package static func spawn(
        _ arguments: [String],
        environment: [String: String],
        executable: String = path
    ) throws -> ChildProcess {
        let folder = try ScratchFolder.make("stock")
        var environment = environment
        environment["PATH"] = environment["PATH"] ?? "/usr/bin:/bin"
        environment["HOME"] = folder
        // The file is for the watchdog: no instance outlives the tests.
        return try ChildProcess.spawn(
            executable,
            arguments,
            environment: environment,
            directory: folder,
            keepsErrorsApart: true,
            processIDFile: "\(folder)/pid"
        )
    }
}

/// A running `stock serve`, and a client of it.
package struct StockProcess: Sendable {
    /// The process.
    package let process: ChildProcess
    /// Its port on 127.0.0.1.
    package let port: Int
    /// A client of it, without credentials.
    package let client: HTTPClient
    /// A client of its address for operators.
    package let operations: HTTPClient

    /// Starts an instance on a free port and waits until `/health/ready` answers 200.
    ///
    /// - Parameters:
    ///   - environment: configuration; `STOCK_LISTEN` and `STOCK_OPERATIONS_LISTEN` are added.
    ///   - arguments: further options of `stock serve`.
    ///   - port: a port to listen on, to start a killed instance at its old address.
    ///   - limit: how long it may take to become ready.
    ///   - witness: sees every answer to the instance's client.
    /// - Returns: the ready instance.
    /// - Throws: ``TimeLimitExceeded``, or ``OutputEnded`` with its output when it ended instead.
    package static func serve(
        environment: [String: String],
        arguments: [String] = [],
        port: Int? = nil,
        within limit: Duration = .seconds(30),
        witness: HTTPClient.Witness? = nil
    ) async throws -> StockProcess {
        let port = try port ?? FreePort.next()
        let operationsPort = try FreePort.next()
        var environment = environment
        environment["STOCK_LISTEN"] = "127.0.0.1:\(port)"
        environment["STOCK_OPERATIONS_LISTEN"] = "127.0.0.1:\(operationsPort)"
        let process = try StockCommand.spawn(["serve"] + arguments, environment: environment)
        let instance = StockProcess(
            process: process,
            port: port,
            client: HTTPClient(port: port, witness: witness),
            operations: HTTPClient(port: operationsPort)
        )
        do {
            try await eventually(within: limit, every: .milliseconds(20), "stock serve is ready") {
                guard process.isRunning else {
                    throw OutputEnded(expectation: "stock serve is ready", output: instance.log)
                }
                return try await instance.isReady()
            }
        } catch {
            process.signal(SIGKILL)
            throw error
        }
        return instance
    }

    /// Whether `/health/ready` answers 200 now.
    package func isReady() async throws -> Bool {
        do {
            return try await client.send("GET", "/health/ready").status == 200
        } catch is HTTPClientError {
            return false
        }
    }

    /// Everything it has logged.
    package var log: String { process.output.text + "\n" + process.errors.text }

    /// Asks it to drain and stop, and waits until it has.
    @discardableResult
    package func terminate(within limit: Duration = .seconds(30)) async throws -> ExitStatus {
        process.signal(SIGTERM)
        return try await process.waitForExit(within: limit)
    }

    /// Kills it with SIGKILL.
    package func kill() async throws {
        process.signal(SIGKILL)
        try await process.waitForExit(within: .seconds(10))
    }
}
