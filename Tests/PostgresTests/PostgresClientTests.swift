import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2)))
struct PostgresClientTests {
    @Test("a unit sees its tenant and the next one none")
    func tenantScope() async throws {
        try await withClient(try await makeURL(), statements: [CurrentTenant.self]) { client in
            let seven = try await client.query(CurrentTenant(), tenant: 7, deadline: seconds(10))
            let none = try await client.query(CurrentTenant(), tenant: nil, deadline: seconds(10))
            #expect(seven.map(\.value) == [7])
            #expect(none.map(\.value) == [nil])
            try await eventually("both lanes have a connection") { client.isAvailable }
            #expect((client.serverVersion ?? 0) >= 150_000)
        }
    }

    @Test("a statement that is not listed is prepared when it is first used")
    func lazyPreparation() async throws {
        try await withClient(try await makeURL()) { client in
            for tenant in Int64(1)...20 {
                let rows = try await client.query(CurrentTenant(), tenant: tenant, deadline: seconds(10))
                #expect(rows.first?.value == tenant)
            }
        }
    }

    @Test("a listed statement whose table comes later works once the table is there")
    func statementBeforeMigration() async throws {
        try await withClient(try await makeURL(), statements: [InsertItem.self, CurrentTenant.self]) { client in
            let error = await failure { try await client.insert(1) }
            #expect(error?.sqlState == .undefinedTable)
            try await run(client, "CREATE TABLE item (id bigint PRIMARY KEY)")
            try await client.insert(1)
            #expect(try await client.itemCount() == 1)
        }
    }

    @Test("a plan is kept for a while, and then made anew", arguments: [Duration.seconds(3_600), .zero])
    func plans(age: Duration) async throws {
        let url = try await makeURL()
        let configure = { (configuration: inout PostgresConfiguration) in
            configuration.sharedConnections = 1
            configuration.maximalPlanAge = age
        }
        try await withClient(url, configure: configure) { client in
            // What calls itself immutable is asked when the plan is made.
            try await run(
                client,
                """
                CREATE TABLE answer AS SELECT 1 AS value;
                CREATE FUNCTION planned() RETURNS integer LANGUAGE plpgsql IMMUTABLE
                AS $$ BEGIN RETURN (SELECT value FROM answer); END $$
                """
            )
            #expect(try await client.query(Planned(), tenant: nil, deadline: seconds(10)).map(\.value) == [1])
            try await run(client, "UPDATE answer SET value = 2")
            let then: Int32 = age == .zero ? 2 : 1
            #expect(try await client.query(Planned(), tenant: nil, deadline: seconds(10)).map(\.value) == [then])
        }
    }

    @Test("units of twenty tenants on four connections never see another's tenant")
    func interleavedTenants() async throws {
        try await withClient(try await makeURL(), statements: [CurrentTenant.self]) {
            $0.sharedConnections = 4
            $0.acquireTimeout = .seconds(10)
        } _: { client in
            let wrong = try await withThrowingTaskGroup(of: Int.self) { group in
                for tenant in Int64(1)...20 {
                    group.addTask {
                        var wrong = 0
                        for round in 0..<1_000 {
                            if round % 97 == 0 {
                                let task = Task {
                                    try await client.query(CurrentTenant(), tenant: tenant, deadline: seconds(30))
                                }
                                task.cancel()
                                _ = try? await task.value
                            }
                            let rows = try await client.query(CurrentTenant(), tenant: tenant, deadline: seconds(30))
                            if rows.map(\.value) != [tenant] { wrong += 1 }
                        }
                        return wrong
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(wrong == 0)
        }
    }

    @Test("a refused statement undoes the whole unit and leaves the next one clean")
    func refusal() async throws {
        try await withClient(try await makeURL()) { client in
            try await run(client, "CREATE TABLE item (id bigint PRIMARY KEY)")
            try await client.insert(1)
            let error = await failure { try await client.insert(2, 1, 3) }
            #expect(error?.sqlState == .uniqueViolation)
            #expect(error?.constraint == "item_pkey")
            #expect(error?.outcome == .failed)
            #expect(error?.statement == InsertItem.name)
            #expect(error?.description.contains("Key (id)") == false)
            #expect(error?.serverDetail?.contains("Key (id)") == true)
            #expect(try await client.itemCount() == 1)
        }
    }

    @Test("a deferred constraint fails the unit although every statement succeeded")
    func deferredConstraint() async throws {
        try await withClient(try await makeURL()) { client in
            try await run(
                client,
                "CREATE TABLE item (id bigint, CONSTRAINT late UNIQUE (id) DEFERRABLE INITIALLY DEFERRED)"
            )
            let error = await failure { try await client.insert(1, 1) }
            #expect(error?.sqlState == .uniqueViolation)
            #expect(error?.outcome == .failed)
            #expect(try await client.itemCount() == 0)
            try await client.insert(1)
            #expect(try await client.itemCount() == 1)
        }
    }

    @Test("a refusal raised in SQL carries its code, message, detail and hint")
    func raisedRefusal() async throws {
        struct Refuse: Statement {
            static let name = "test.refuse"
            static let sql: SQL = "SELECT refuse()"
        }
        try await withClient(try await makeURL()) { client in
            try await run(
                client,
                """
                CREATE FUNCTION refuse() RETURNS void LANGUAGE plpgsql AS $$
                BEGIN
                  RAISE EXCEPTION USING ERRCODE = 'ST001', MESSAGE = 'insufficient_stock', DETAIL = '[]', HINT = 'Less.';
                END $$
                """
            )
            let error = await failure { _ = try await client.query(Refuse(), tenant: 1, deadline: seconds(10)) }
            #expect(error?.sqlState == "ST001")
            #expect(error?.serverMessage == "insufficient_stock")
            #expect(error?.serverDetail == "[]")
            #expect(error?.serverHint == "Less.")
        }
    }

    @Test("statements made useless by a migration retire their connection, and the unit is repeated")
    func changedColumns() async throws {
        struct ReadAll: Statement {
            struct Row: DecodableRow {
                init(from row: inout RowReader) throws(PostgresError) {}
            }
            static let name = "test.read-all"
            static let sql: SQL = "SELECT * FROM item"
        }
        try await withClient(try await makeURL()) {
            $0.acquireTimeout = .seconds(10)
        } _: { client in
            try await run(client, "CREATE TABLE item (id bigint)")
            for _ in 0..<8 { _ = try await client.query(ReadAll(), tenant: nil, deadline: seconds(10)) }
            try await run(client, "ALTER TABLE item ADD COLUMN name text")
            for _ in 0..<8 { _ = try await client.query(ReadAll(), tenant: nil, deadline: seconds(10)) }
        }
    }

    @Test("a killed backend costs a read nothing, and an interrupted write fails definitely or is repeated")
    func killedBackend() async throws {
        let name = try await makeDatabase()
        let server = try await PostgresServer.shared()
        try await withClient(server.url(user: "postgres", database: name)) { client in
            try await run(client, "CREATE TABLE item (id bigint PRIMARY KEY)")
            _ = try await client.query(BackendPID(), tenant: nil, deadline: seconds(10))
            let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '\(name)'"
            try await server.psql(kill, database: "postgres")
            // More tries than connections: each of them was killed.
            for id in Int64(1)...10 {
                _ = try await client.query(BackendPID(), tenant: nil, deadline: seconds(10))
                let error = await failure { try await client.insert(id) }
                if let error, error.outcome == .unknown { continue }
                #expect(error == nil)
            }
            async let reading = client.query(Sleep(milliseconds: 300), tenant: nil, deadline: seconds(10))
            try await eventually("the sleep is running") {
                try await server.psql(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = '\(name)' AND wait_event = 'PgSleep'",
                    database: "postgres"
                ).hasPrefix("1")
            }
            try await server.psql(kill, database: "postgres")
            _ = try await reading
        }
    }

    @Test("the client serves again by itself after the server was restarted")
    func restart() async throws {
        let server = try await PostgresServer.start()
        try await withClient(server.url(user: "postgres", database: "postgres")) { client in
            _ = try await client.query(BackendPID(), tenant: nil, deadline: seconds(10))
            try await server.stop(.immediate)
            try await eventually("callers learn at once that the database is down") {
                let error = await failure {
                    _ = try await client.query(BackendPID(), tenant: nil, deadline: seconds(5))
                }
                return error?.code == .databaseUnavailable
            }
            #expect(!client.isAvailable)
            try await server.restart()
            try await eventually(within: .seconds(10), "it serves again") {
                await failure { _ = try await client.query(BackendPID(), tenant: nil, deadline: seconds(5)) } == nil
            }
        }
        try await server.stop(.immediate)
    }

    @Test("a server that is frozen costs a caller its deadline and no more")
    func frozenServer() async throws {
        let server = try await PostgresServer.start()
        try await withClient(server.url(user: "postgres", database: "postgres")) { client in
            try await run(client, "CREATE TABLE item (id bigint PRIMARY KEY)")
            try await client.insert(1)
            // A backend that is just being forked would not be stopped.
            try await eventually("every connection is up") {
                let pool = await client.statistics()
                return pool.shared.ready == 2 && pool.exclusive.ready == 3 && pool.listener.ready == 1
            }
            try await server.pause()
            let read = await failure {
                _ = try await client.query(BackendPID(), tenant: nil, deadline: seconds(2))
            }
            #expect(read?.code == .deadlineExceeded)
            #expect(read?.outcome == .failed)
            let write = await failure { try await client.insert(2, deadline: seconds(2)) }
            #expect(write?.outcome == .unknown)
            await server.resume()
            try await eventually(within: .seconds(10), "it serves again") {
                await failure { _ = try await client.query(BackendPID(), tenant: nil, deadline: seconds(5)) } == nil
            }
        }
        try await server.stop(.immediate)
    }

    @Test("a cancelled read resumes at once, a cancelled write takes its course")
    func cancellation() async throws {
        try await withClient(try await makeURL()) { client in
            try await run(client, "CREATE TABLE item (id bigint PRIMARY KEY)")
            let clock = ContinuousClock()
            let start = clock.now
            let read = Task { try await client.query(Sleep(milliseconds: 8_000), tenant: nil, deadline: seconds(20)) }
            try await eventually("it was sent") { await client.statistics().shared.inFlight == 1 }
            read.cancel()
            let error = await failure { _ = try await read.value }
            #expect(error?.code == .cancelled)
            #expect(clock.now - start < .seconds(6))

            let write = Task {
                var unit = UnitOfWork(tenant: 1, access: .write)
                try unit.add(Sleep(milliseconds: 2_000))
                try unit.add(InsertItem(id: 1))
                return try await client.perform(unit, on: .exclusive, deadline: seconds(20))
            }
            try await eventually("it was sent") { await client.statistics().exclusive.inFlight == 1 }
            write.cancel()
            _ = try await write.value
            #expect(try await client.itemCount() == 1)
        }
    }

    @Test("the server gives up at the deadline, and only for that unit")
    func deadline() async throws {
        try await withClient(try await makeURL()) {
            $0.grace = .seconds(15)
        } _: { client in
            _ = try await client.query(BackendPID(), tenant: nil, deadline: seconds(10))
            let error = await failure {
                var unit = UnitOfWork(tenant: nil, access: .write)
                try unit.add(Sleep(milliseconds: 60_000))
                _ = try await client.perform(unit, on: .exclusive, deadline: seconds(2))
            }
            #expect(error?.sqlState == .queryCanceled)
            _ = try await client.query(Sleep(milliseconds: 300), tenant: nil, on: .exclusive, deadline: seconds(10))
        }
    }

    @Test("a queue that is too long or too slow is refused")
    func overload() async throws {
        try await withClient(try await makeURL()) {
            $0.exclusiveConnections = 1
            $0.maximalWaiters = 1
            $0.acquireTimeout = .seconds(2)
        } _: { client in
            _ = try await client.query(BackendPID(), tenant: nil, on: .exclusive, deadline: seconds(10))
            try await client.withLease(deadline: seconds(10)) { _ in
                let waiting = Task {
                    try await client.query(BackendPID(), tenant: nil, on: .exclusive, deadline: seconds(10))
                }
                try await eventually("it waits") { await client.statistics().exclusive.waiting == 1 }
                let refused = await failure {
                    _ = try await client.query(BackendPID(), tenant: nil, on: .exclusive, deadline: seconds(10))
                }
                #expect(refused?.code == .overloaded)
                let late = await failure { _ = try await waiting.value }
                #expect(late?.code == .overloaded)
            }
            _ = try await client.query(BackendPID(), tenant: nil, on: .exclusive, deadline: seconds(10))
        }
    }

    @Test("a database that is not there is an error at once, and shutting down needs no connection")
    func nothingListens() async throws {
        try await withClient("postgres:///x?host=/nonexistent") { client in
            let error = await failure { _ = try await client.query(BackendPID(), tenant: nil, deadline: seconds(5)) }
            #expect(error?.code == .databaseUnavailable)
        }
    }
}

/// What was answered when the plan was made.
private struct Planned: Statement {
    typealias Row = SingleColumn<Int32>
    static let name = "test.planned"
    static let sql: SQL = "SELECT planned()"
}
