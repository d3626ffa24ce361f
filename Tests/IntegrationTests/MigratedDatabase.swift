import TestSupport
import Testing

/// A database as `stock migrate up` makes it.
///
/// Deployments on the shared server get copies of one, which cost a tenth of a second where migrations cost three.
actor MigratedDatabase {
    private static let shared = MigratedDatabase()
    private var original: Task<TestDatabase, any Error>?

    /// A copy of the one of the shared server.
    ///
    /// - Throws: What kept the first from being made, each time.
    static func copy() async throws -> TestDatabase {
        try await PostgresServer.shared().copy(of: try await shared.once(), named: "integration")
    }

    /// Makes one.
    ///
    /// - Throws: What `stock migrate up` said.
    static func make(on server: PostgresServer) async throws -> TestDatabase {
        let database = try await server.emptyDatabase(named: "integration")
        let migration = try await StockCommand.run(
            ["migrate", "up"],
            environment: ["DATABASE_URL": database.appURL, "DATABASE_OWNER_URL": database.superuserURL]
        )
        try #require(migration.status == .exited(0), "stock migrate up: \(migration.output)\(migration.errors)")
        return database
    }

    private func once() async throws -> TestDatabase {
        let task = original ?? Task { try await Self.make(on: .shared()) }
        original = task
        return try await task.value
    }
}
