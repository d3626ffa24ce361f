import Foundation
import TestSupport

/// A session of psql that holds locks until it is told to end: what a long transaction does to everybody else.
struct Blockade {
    private let child: ChildProcess
    private let database: TestDatabase
    private let name: String

    /// Runs statements in a transaction that stays open.
    ///
    /// - Parameters:
    ///   - statements: what takes the locks.
    ///   - database: where.
    /// - Returns: the blockade; the locks are held.
    /// - Throws: what psql says when a statement fails.
    static func begin(_ statements: String..., on database: TestDatabase) async throws -> Blockade {
        let name = "blockade-" + String(UInt64.random(in: 0...UInt64.max), radix: 36)
        var arguments = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database.superuserURL, "-c", "BEGIN"]
        for statement in statements { arguments += ["-c", statement] }
        arguments += ["-c", "\\warn held", "-c", "SELECT pg_sleep(60)"]
        let child = try ChildProcess.spawn(
            PostgresBinaries.path(of: "psql"),
            arguments,
            environment: ["PATH": "/usr/bin:/bin", "PGAPPNAME": name, "HOME": "/nonexistent"],
            directory: "/"
        )
        _ = try await child.output.firstLine("the locks are held") { $0 == "held" }
        return Blockade(child: child, database: database, name: name)
    }

    /// Gives the locks back, and waits until that is done.
    func end() async throws {
        try await database.psql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '\(name)'"
        )
        try await child.waitForExit(within: .seconds(10))
    }

    /// The relay cannot drain: nothing is logged, and after a lease no instance serves from its caches.
    static func ofTheRelay(on database: TestDatabase) async throws -> Blockade {
        try await begin("SELECT FROM stock.cache_lane FOR UPDATE", on: database)
    }
}
