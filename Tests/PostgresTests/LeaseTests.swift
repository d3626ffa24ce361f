import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct LeaseTests {
    /// Chunks made on demand; counts how many were asked for.
    struct Chunks: AsyncSequence, AsyncIteratorProtocol {
        struct Broken: Error {}

        var remaining: Int
        var breaksAt: Int?
        var line = 0

        mutating func next() async throws -> [UInt8]? {
            guard remaining > 0 else { return nil }
            if remaining == breaksAt { throw Broken() }
            remaining -= 1
            var bytes: [UInt8] = []
            for _ in 0..<1_000 {
                line += 1
                bytes += Array("\(line)\tname of the item number \(line)\n".utf8)
            }
            return bytes
        }

        func makeAsyncIterator() -> Chunks { self }
    }

    private static let copyIn: StaticString = "COPY item (id, name) FROM STDIN"

    private func makeTable(_ client: PostgresClient) async throws {
        try await run(client, "CREATE TABLE item (id bigint PRIMARY KEY, name text)")
    }

    @Test("a transaction commits when its closure returns and rolls back when it throws")
    func transactions() async throws {
        struct Stop: Error {}
        try await withClient(try await makeURL()) { client in
            try await makeTable(client)
            try await client.withLease(deadline: seconds(10)) { lease in
                try await lease.transaction(tenant: 5) {
                    var unit = UnitOfWork(tenant: 5, access: .write)
                    try unit.add(InsertItem(id: 1))
                    let tenant = try unit.add(CurrentTenant())
                    let result = try await lease.perform(unit)
                    #expect(try result.one(tenant).value == 5)
                }
                await #expect(throws: Stop.self) {
                    try await lease.transaction(tenant: 5) {
                        var unit = UnitOfWork(tenant: 5, access: .write)
                        let slot = try unit.add(InsertItem(id: 2))
                        #expect(try await lease.perform(unit).affectedRows(slot) == 1)
                        throw Stop()
                    }
                }
            }
            #expect(try await client.itemCount() == 1)
        }
    }

    @Test("a part of a transaction is taken back by itself, and can be tried again")
    func nested() async throws {
        try await withClient(try await makeURL()) { client in
            try await makeTable(client)
            try await client.withLease(deadline: seconds(10)) { lease in
                try await lease.transaction(tenant: 5) {
                    func insert(_ ids: Int64...) async throws {
                        for id in ids {
                            var unit = UnitOfWork(tenant: 5, access: .write)
                            try unit.add(InsertItem(id: id))
                            _ = try await lease.perform(unit)
                        }
                    }
                    try await lease.nested { try await insert(1) }
                    let error = await #expect(throws: PostgresError.self) {
                        try await lease.nested { try await insert(2, 1) }
                    }
                    #expect(error?.sqlState == .uniqueViolation)
                    try await lease.nested { try await insert(3) }
                }
            }
            #expect(try await client.itemCount() == 2)
        }
    }

    @Test("committing after a failed statement is an error, as the server rolled back")
    func commitOfFailed() async throws {
        try await withClient(try await makeURL()) { client in
            try await makeTable(client)
            try await client.withLease(deadline: seconds(10)) { lease in
                try await lease.begin(tenant: 1)
                var unit = UnitOfWork(tenant: 1, access: .write)
                try unit.add(InsertItem(id: 1))
                try unit.add(InsertItem(id: 1))
                let refused = unit
                let error = await failure { _ = try await lease.perform(refused) }
                #expect(error?.sqlState == .uniqueViolation)
                let commit = await failure { try await lease.commit() }
                #expect(commit?.outcome == .failed)
            }
            #expect(try await client.itemCount() == 0)
        }
    }

    @Test("a lease left in a transaction does not come back to the pool")
    func abandonedTransaction() async throws {
        try await withClient(try await makeURL()) {
            $0.exclusiveConnections = 1
            $0.acquireTimeout = .seconds(5)
        } _: { client in
            try await client.withLease(deadline: seconds(10)) { try await $0.begin(tenant: 1) }
            let rows = try await client.query(CurrentTenant(), tenant: nil, on: .exclusive, deadline: seconds(10))
            #expect(rows.map(\.value) == [nil])
        }
    }

    @Test("a script's error says where in the script it is")
    func scriptError() async throws {
        try await withClient(try await makeURL()) { client in
            let error = await failure {
                try await run(client, "CREATE TABLE a (id int);\nSELECT nonsense;\nCREATE TABLE b (id int)")
            }
            #expect(error?.position == 33)
            #expect(error?.sqlState == "42703")
        }
    }

    @Test("COPY streams a large input and an output back, row for row")
    func copy() async throws {
        try await withClient(try await makeURL()) { client in
            try await makeTable(client)
            try await client.withLease(deadline: seconds(30)) { lease in
                let copied = try await lease.transaction(tenant: 1) {
                    try await lease.copyIn(Self.copyIn, from: Chunks(remaining: 50))
                }
                #expect(copied == 50_000)
                var lines = 0
                var whole = true
                let rows = try await lease.copyOut("COPY (SELECT id, name FROM item ORDER BY id) TO STDOUT") { chunk in
                    lines += chunk.count { $0 == UInt8(ascii: "\n") }
                    whole = whole && chunk.last == UInt8(ascii: "\n")
                }
                #expect(rows == 50_000)
                #expect(lines == 50_000)
                #expect(whole)
                // And the lease still runs units.
                var unit = UnitOfWork(tenant: nil, access: .read)
                let slot = try unit.add(CountItems())
                #expect(try await lease.perform(unit).one(slot).value == 50_000)
            }
        }
    }

    @Test("a COPY whose producer throws copies nothing, one the server refuses gives its reason")
    func failedCopies() async throws {
        try await withClient(try await makeURL()) { client in
            try await makeTable(client)
            try await client.withLease(deadline: seconds(30)) { lease in
                let aborted = await failure {
                    try await lease.copyIn(Self.copyIn, from: Chunks(remaining: 20, breaksAt: 5))
                }
                #expect(aborted?.code == .copyAborted)
                try await lease.copyIn(Self.copyIn, from: Chunks(remaining: 1))
                let refused = await failure {
                    try await lease.copyIn(Self.copyIn, from: Chunks(remaining: 20))
                }
                #expect(refused?.sqlState == .uniqueViolation)
            }
            #expect(try await client.itemCount() == 1_000)
        }
    }

    @Test("a slow consumer of a COPY does not make the client hold the table")
    func slowConsumer() async throws {
        try await withClient(try await makeURL()) { client in
            try await client.withLease(deadline: seconds(60)) { lease in
                var largest = 0
                var total = 0
                // In a transaction, whose statements have until the lease's deadline.
                let rows = try await lease.transaction(tenant: nil) {
                    try await lease.copyOut(
                        "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 20000)) TO STDOUT"
                    ) {
                        largest = max(largest, $0.count)
                        total += $0.count
                        await Task.yield()
                    }
                }
                #expect(rows == 20_000)
                #expect(total == 20_000 * 1_001)
                #expect(largest <= 256 * 1_024 + 1_001)
            }
        }
    }

    @Test("a long script is cancelled at the server, and its connection is not used again")
    func cancelledScript() async throws {
        try await withClient(try await makeURL()) {
            $0.exclusiveConnections = 1
        } _: { client in
            let clock = ContinuousClock()
            let start = clock.now
            let deadline = await failure {
                try await client.withLease(deadline: seconds(0.3)) {
                    try await $0.execute(script: "SET statement_timeout = 0; SELECT pg_sleep(20)")
                }
            }
            #expect(deadline?.code == .deadlineExceeded)
            let task = Task { try await run(client, "SELECT pg_sleep(20)") }
            try await eventually("it runs") { await client.statistics().exclusive.inFlight == 1 }
            task.cancel()
            let cancelled = await failure { try await task.value }
            #expect(cancelled?.code == .cancelled)
            #expect(clock.now - start < .seconds(18))
            try await eventually("the lane serves again") {
                await failure {
                    _ = try await client.query(BackendPID(), tenant: nil, on: .exclusive, deadline: seconds(5))
                } == nil
            }
        }
    }
}
