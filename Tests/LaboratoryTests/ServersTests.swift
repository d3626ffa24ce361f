import Foundation
import TestSupport
import Testing

@Suite("Servers for tests")
struct ServersTests {
    @Test("a database of a suite is its own and answers both roles")
    func databases() async throws {
        let server = try await PostgresServer.shared()
        let first = try await server.database(named: "servers")
        let second = try await server.database(named: "servers")
        #expect(first.name != second.name)
        #expect(try await first.psql("SELECT current_user", as: "stock_app") == "stock_app")
        #expect(try await first.psql("SELECT current_user", as: "stock_owner") == "stock_owner")
    }

    @Test("a PostgreSQL server survives a kill, a restart and a freeze")
    func faults() async throws {
        let server = try await PostgresServer.start()
        let database = try await server.emptyDatabase(named: "faults")
        try await database.psql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
        try await server.kill()
        try await server.restart()
        #expect(try await database.psql("SELECT n FROM kept") == "7")
        try await server.restart(.immediate)
        #expect(try await database.psql("SELECT n FROM kept") == "7")
        try await server.pause()
        await server.resume()
        #expect(try await database.psql("SELECT n FROM kept") == "7")
        try await server.stop()
    }

    @Test("a Redis server starts again with its data or without")
    func redis() async throws {
        let server = try await RedisServer.start(tcp: true)
        try await server.command("SET", "a", "1")
        try await server.save()
        try await server.kill()
        try await server.start(keepingData: true)
        #expect(try await server.command("GET", "a") == "1")
        try await server.stop()
        try await server.start(keepingData: false)
        #expect(try await server.command("GET", "a").isEmpty)
        try await server.pause()
        await server.resume()
        #expect(try await server.command("PING") == "PONG")
    }
}
