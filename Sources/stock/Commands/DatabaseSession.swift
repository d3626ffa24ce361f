import Foundation
import IOLoop
import Logging
import Postgres
import Services
import UnixSignals

/// A client of PostgreSQL for the time of a command.
enum DatabaseSession {
    /// Runs a command's work with a connected client.
    ///
    /// - Parameters:
    ///   - configuration: Where to connect.
    ///   - statements: What every connection prepares as it comes up.
    ///   - signals: What cancels the work, and with it what runs in the server; none where the process has handlers of its own.
    ///   - logger: Where connections report that they come and go.
    ///   - body: The work.
    /// - Returns: What `body` returned.
    /// - Throws: What `body` throws, ``Interruption`` after a signal.
    static func run<Value: Sendable>(
        _ configuration: PostgresConfiguration,
        statements: [any Statement.Type] = [],
        endingOn signals: [UnixSignal] = [.sigterm, .sigint],
        logger: Logger,
        _ body: (PostgresClient) async throws -> Value
    ) async throws -> Value {
        guard !signals.isEmpty else { return try await connected(configuration, statements, logger, body) }
        return try await Interruption.ending(on: signals) {
            try await connected(configuration, statements, logger, body)
        }
    }

    /// Runs an operator's work on the database of a shop; one without the schema that this program knows is refused, with what to do.
    ///
    /// - Parameters:
    ///   - settings: Where the database is.
    ///   - body: The work.
    /// - Returns: What `body` returned.
    /// - Throws: `Admittance.Refusal`, what `body` throws, ``Interruption`` after a signal.
    static func onShop<Value: Sendable>(
        _ settings: Settings,
        _ body: (PostgresClient) async throws -> Value
    ) async throws -> Value {
        try await onSchema(try settings.operatorDatabase(), settings, body)
    }

    /// The same as a role that may become the owner of the schema, for what the service's own role may not.
    static func asOwner<Value: Sendable>(
        _ settings: Settings,
        _ body: (PostgresClient) async throws -> Value
    ) async throws -> Value {
        try await onSchema(try settings.ownerDatabase(), settings, body)
    }

    private static func onSchema<Value: Sendable>(
        _ database: PostgresConfiguration,
        _ settings: Settings,
        _ body: (PostgresClient) async throws -> Value
    ) async throws -> Value {
        // Where the migrations are not beside the program, it is asked whether there is any schema.
        let folder = try? SQLFolder.find(nil)
        return try await run(database, logger: try settings.commandLogger()) { postgres in
            try await Admittance(postgres: postgres, folder: folder).examineSchema(deadline: .now + .seconds(30))
            return try await body(postgres)
        }
    }

    private static func connected<Value: Sendable>(
        _ configuration: PostgresConfiguration,
        _ statements: [any Statement.Type],
        _ logger: Logger,
        _ body: (PostgresClient) async throws -> Value
    ) async throws -> Value {
        let loop = IOLoop()
        loop.start()
        defer { loop.stop() }
        let client = PostgresClient(configuration: configuration, loop: loop, statements: statements, logger: logger)
        let running = Task { await client.run() }
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(client))
        } catch {
            result = .failure(error)
        }
        running.cancel()
        await running.value
        return try result.get()
    }
}

/// Where the migrations are.
enum SQLFolder {
    /// Finds the folder: the one named, else `sql` above the program (a build), `share/stock/sql` beside it (an
    /// installation), or `sql` in the current folder.
    static func find(_ named: String?) throws(OperationsError) -> MigrationFolder {
        if let named { return try MigrationFolder(path: named) }
        var candidates: [String] = []
        var folder = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        while let slash = folder.lastIndex(of: "/"), slash > folder.startIndex {
            folder = String(folder[..<slash])
            candidates.append("\(folder)/sql")
            candidates.append("\(folder)/share/stock/sql")
        }
        candidates.append("sql")
        let found = candidates.first { FileManager.default.fileExists(atPath: "\($0)/roles.sql") }
        return try MigrationFolder(path: found ?? "sql")
    }
}

extension Settings {
    /// A logger for commands, silent about what the command itself will say in its one line.
    func commandLogger() throws -> Logger {
        let level = text(.logLevel) == nil ? Logger.Level.error : try logLevel()
        return Logger(label: "stock") { LineLogHandler(label: $0, format: .text, level: level) }
    }
}
