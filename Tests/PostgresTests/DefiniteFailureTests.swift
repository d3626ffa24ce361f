import Postgres
import TestSupport
import Testing

/// What is known of a unit that the server or the clock ended.
@Suite(.timeLimit(.minutes(2)))
struct DefiniteFailureTests {
    /// Where in a unit the time runs out.
    enum Place: CaseIterable {
        /// In its first statement.
        case first
        /// In its last one, each of them being short enough by itself.
        case together
        /// After all of them, while a deferred trigger runs at the commit.
        case commit

        fileprivate func fill(_ unit: inout UnitOfWork) throws {
            switch self {
            case .first:
                try unit.add(Sleep(milliseconds: 20_000))
                try unit.add(InsertItem(id: 1))
            case .together:
                try unit.add(InsertItem(id: 1))
                for _ in 0..<20 { try unit.add(Sleep(milliseconds: 350)) }
            case .commit:
                try unit.add(InsertItem(id: -1))
            }
        }
    }

    private static let schema = """
        CREATE TABLE item (id bigint PRIMARY KEY);
        CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF new.id < 0 THEN PERFORM pg_sleep(20); END IF;
            RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON item DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION dawdle();
        """

    @Test("a write whose time is up has failed for certain, wherever it was", arguments: Place.allCases)
    func timeIsUp(place: Place) async throws {
        try await withClient(try await makeURL()) {
            $0.grace = .seconds(15)
        } _: { client in
            try await run(client, Self.schema)
            var unit = UnitOfWork(tenant: 1, access: .write)
            try place.fill(&unit)
            let error = await failure {
                _ = try await client.perform(unit, on: .exclusive, deadline: seconds(2))
            }
            #expect(error?.outcome == .failed, "\(String(describing: error))")
            #expect(error?.sqlState == .queryCanceled)
            #expect(try await client.itemCount() == 0)
            // The connection it ran on is not needed for this, nor harmed by a late cancel.
            for id in Int64(1)...20 { try await client.insert(id) }
            #expect(try await client.itemCount() == 20)
        }
    }

    @Test("a write that waited too long for a row's lock has failed for certain")
    func lockTimeOut() async throws {
        try await withClient(try await makeURL()) {
            $0.lockTimeout = .milliseconds(100)
        } _: { client in
            try await run(client, Self.schema)
            try await client.withLease(deadline: seconds(10)) { lease in
                try await lease.begin(tenant: 1)
                var held = UnitOfWork(tenant: 1, access: .write)
                try held.add(InsertItem(id: 1))
                _ = try await lease.perform(held)
                let error = await failure { try await client.insert(1) }
                #expect(error?.sqlState == .lockNotAvailable)
                #expect(error?.outcome == .failed)
                try await lease.rollback()
            }
            #expect(try await client.itemCount() == 0)
        }
    }

    @Test("a transaction that lost its connection before COMMIT was sent has failed for certain")
    func lostBeforeCommit() async throws {
        try await withClient(try await makeURL()) { client in
            try await run(client, Self.schema)
            let error = await failure {
                try await client.withLease(deadline: seconds(10)) { lease in
                    try await lease.transaction(tenant: 1) {
                        var unit = UnitOfWork(tenant: 1, access: .write)
                        try unit.add(InsertItem(id: 1))
                        try unit.add(EndMyself())
                        _ = try await lease.perform(unit)
                    }
                }
            }
            #expect(error?.outcome == .failed, "\(String(describing: error))")
            #expect(try await client.itemCount() == 0)
        }
    }

    @Test(
        "what was too much for the server may be asked for again, what is wrong may not",
        arguments: [
            ("53100", true), ("53200", true), ("53400", true), ("57014", true), ("55P03", true), ("40001", true),
            ("40P01", true), ("58030", true), ("25P03", true), ("25P04", true), ("23505", false), ("42P01", false),
            ("22003", false), ("0A000", false), ("58P01", false),
        ]
    )
    func overload(code: String, isOverload: Bool) {
        #expect(SQLState(code).isOverload == isOverload)
    }
}

/// Ends the connection it runs on.
private struct EndMyself: Statement {
    typealias Row = SingleColumn<Bool>
    static let name = "test.end-myself"
    static let sql: SQL = "SELECT pg_terminate_backend(pg_backend_pid())"
}
