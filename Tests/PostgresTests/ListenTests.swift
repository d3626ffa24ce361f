import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ListenTests {
    @Test("a listener hears resync, then notifications, and resync again after a lost connection")
    func resync() async throws {
        let name = try await makeDatabase()
        let server = try await PostgresServer.shared()
        try await withClient(server.url(user: "postgres", database: name)) { client in
            var events = client.listen(channel: "cache \"nudge\"").makeAsyncIterator()
            #expect(await events.next() == .resync)
            try await server.psql("NOTIFY \"cache \"\"nudge\"\"\", 'one'", database: name)
            #expect(await events.next() == .notification("one"))
            try await server.psql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(name)'",
                database: "postgres"
            )
            #expect(await events.next() == .resync)
            try await server.psql("NOTIFY \"cache \"\"nudge\"\"\", 'two'", database: name)
            #expect(await events.next() == .notification("two"))
        }
    }

    @Test("a probe is answered while both lanes are taken")
    func probe() async throws {
        try await withClient(try await makeURL()) {
            $0.sharedConnections = 1
            $0.exclusiveConnections = 1
            $0.unitsPerSharedConnection = 1
        } _: { client in
            _ = try await client.query(BackendPID(), tenant: nil, deadline: seconds(10))
            try await client.withLease(deadline: seconds(30)) { _ in
                let slow = Task {
                    try await client.query(Sleep(milliseconds: 10_000), tenant: nil, deadline: seconds(20))
                }
                try await eventually("the shared lane is taken") { await client.statistics().shared.inFlight == 1 }
                let rows = try await client.probe(BackendPID(), deadline: seconds(5))
                #expect(rows.count == 1)
                slow.cancel()
                let error = await failure { _ = try await slow.value }
                #expect(error?.code == .cancelled, "the lane was taken all the time")
            }
        }
    }
}
