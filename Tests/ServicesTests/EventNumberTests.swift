import Kernel
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("Numbers of events")
struct EventNumberTests {
    /// What one drain of a relay does.
    private static let drain = "SELECT count(*) FROM stock.cache_drain_follow(0::smallint, 1000, false, NULL, 1);"

    /// Writes events of these types.
    private static func write(_ types: String...) -> String {
        """
        INSERT INTO stock.domain_event (tenant_id, type, payload)
        SELECT stock.current_tenant(), t.type, '{"name": "Ñandú"}'
        FROM unnest('{\(types.joined(separator: ","))}'::text[]) WITH ORDINALITY AS t (type, place) ORDER BY t.place;
        """
    }

    /// A unit of the shop's tenant, committed.
    private func commit(_ shop: TestShop, _ sql: String) async throws {
        try await shop.database.psql(
            "BEGIN; SELECT set_config('stock.tenant_id', '\(shop.tenant.rawValue)', true); \(sql) COMMIT",
            as: "stock_app"
        )
    }

    private func drain(_ shop: TestShop) async throws {
        try await shop.database.psql(Self.drain, as: "stock_app")
    }

    /// The types of the tests' events in the order of their numbers, each behind its own.
    private func numbered(_ shop: TestShop) async throws -> String {
        try await shop.psql(
            """
            SELECT string_agg(e.type || coalesce('=' || e.seq - f.first, '?'), ' ' ORDER BY e.seq, e.id)
            FROM stock.domain_event e, (SELECT min(n.seq) - 1 AS first FROM stock.domain_event n WHERE n.type LIKE 't.%') f
            WHERE e.type LIKE 't.%'
            """
        )
    }

    /// Opens a shop whose events so far are numbered.
    private func open(_ name: String = #function, _ body: (TestShop) async throws -> Void) async throws {
        try await TestShop.open(name) { (shop) async throws in
            try await drain(shop)
            try await body(shop)
            try await drain(shop)
            #expect(try await shop.violations() == [])
            #expect(try await shop.psql("SELECT count(*) FROM stock.domain_event WHERE seq IS NULL") == "0")
        }
    }

    @Test("are dense, each transaction's events in the order of their writing")
    func dense() async throws {
        try await open { (shop) async throws in
            try await commit(shop, Self.write("t.b", "t.a"))
            try await commit(shop, Self.write("t.c"))
            #expect(try await numbered(shop) == "t.b? t.a? t.c?")
            try await drain(shop)
            try await commit(shop, Self.write("t.d"))
            try await drain(shop)
            #expect(try await numbered(shop) == "t.b=1 t.a=2 t.c=3 t.d=4")
        }
    }

    @Test("of a unit that is held open are given at its commit, and hold up nobody's")
    func heldOpen() async throws {
        try await open { (shop) async throws in
            let (write, tenant) = (Self.write("t.held"), shop.tenant.rawValue)
            try await shop.postgres.withLease(deadline: .now + .seconds(30)) { lease in
                try await lease.begin(tenant: tenant)
                try await lease.execute(script: write)
                try await commit(shop, Self.write("t.later"))
                try await drain(shop)
                #expect(try await numbered(shop) == "t.later=1")
                try await lease.commit()
            }
            try await drain(shop)
            #expect(try await numbered(shop) == "t.later=1 t.held=2")
        }
    }

    @Test("follow the commits of two units that waited for one another, whichever began first")
    func waited() async throws {
        try await open { (shop) async throws in
            let tenant = shop.tenant.rawValue
            let touch = "UPDATE stock.unit SET name = name || '' WHERE id = '\(TestShop.unit(0))';"
            let lock = "UPDATE stock.customer SET name = 'Łódź' WHERE id = '\(TestShop.customer)';"
            try await shop.postgres.withLease(deadline: .now + .seconds(30)) { second in
                // It retires something first, and writes its event last.
                try await second.begin(tenant: tenant)
                try await second.execute(script: touch)
                try await shop.postgres.withLease(deadline: .now + .seconds(30)) { first in
                    try await first.begin(tenant: tenant)
                    try await first.execute(script: lock + Self.write("t.first"))
                    async let waits: Void = second.execute(script: lock + Self.write("t.second"))
                    try await eventually("the second waits for the first") {
                        try await shop.psql(
                            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                        ) == "1"
                    }
                    try await first.commit()
                    try await waits
                }
                try await second.commit()
            }
            try await drain(shop)
            #expect(try await numbered(shop) == "t.first=1 t.second=2")
        }
    }

    @Test("are given once: a relay that meets another leaves them, one that dies in the middle leaves them to the next")
    func relays() async throws {
        try await open { (shop) async throws in
            try await commit(shop, Self.write("t.a", "t.b"))
            let drain = Self.drain
            try await shop.postgres.withLease(deadline: .now + .seconds(30)) { doomed in
                try await doomed.begin(tenant: nil)
                try await doomed.execute(script: drain)
                try await commit(shop, Self.write("t.c"))
                try await self.drain(shop)
                #expect(try await numbered(shop) == "t.a? t.b? t.c?")
                // As the server does for one whose process is gone.
                try await doomed.rollback()
            }
            try await self.drain(shop)
            try await self.drain(shop)
            #expect(try await numbered(shop) == "t.a=1 t.b=2 t.c=3")
        }
    }

    @Test("are given where the transaction has retired nothing, or took back what it had")
    func unretired() async throws {
        try await open { (shop) async throws in
            try await commit(
                shop,
                """
                SAVEPOINT s;
                UPDATE stock.customer SET name = 'Łódź' WHERE id = '\(TestShop.customer)';
                ROLLBACK TO s;
                \(Self.write("t.alone"))
                """
            )
            try await drain(shop)
            #expect(try await numbered(shop) == "t.alone=1")
            #expect(
                try await shop.psql("SELECT module FROM stock.cache_log ORDER BY seq DESC LIMIT 1") == "events"
            )
            // One row of the outbox where something was retired.
            try await commit(
                shop,
                "UPDATE stock.customer SET name = 'Ada' WHERE id = '\(TestShop.customer)'; \(Self.write("t.beside"))"
            )
            let modules = try await shop.psql("SELECT array_to_string(modules, ' ') FROM stock.cache_outbox")
            #expect(modules.split(separator: "\n").count == 1)
            #expect(modules.hasPrefix("customers ") && !modules.contains("events"))
        }
    }

    @Test("are given in steps where a transaction wrote more than a drain takes")
    func many() async throws {
        try await open { (shop) async throws in
            try await commit(
                shop,
                """
                INSERT INTO stock.domain_event (tenant_id, type, payload)
                SELECT stock.current_tenant(), 't.' || n, '{}' FROM generate_series(1, 25) n;
                """
            )
            let few = "SELECT count(*) FROM stock.cache_drain_follow(0::smallint, 10, false, NULL, 1)"
            for left in [15, 5, 0] {
                // What the trigger left for each event is more than one step takes, too.
                try await shop.database.psql(
                    """
                    DELETE FROM stock.cache_outbox;
                    INSERT INTO stock.cache_outbox (tenant_id, modules) VALUES (\(shop.tenant.rawValue), '{events}')
                    """
                )
                try await shop.database.psql(few, as: "stock_app")
                #expect(try await shop.psql("SELECT count(*) FROM stock.domain_event WHERE seq IS NULL") == "\(left)")
                let waiting = try await shop.psql("SELECT count(*) FROM stock.cache_outbox")
                #expect(waiting == (left == 0 ? "0" : "1"))
            }
            #expect(
                try await shop.psql(
                    """
                    SELECT bool_and(e.seq - f.first = substr(e.type, 3)::integer)
                    FROM stock.domain_event e,
                         (SELECT min(n.seq) - 1 AS first FROM stock.domain_event n WHERE n.type LIKE 't.%') f
                    WHERE e.type LIKE 't.%'
                    """
                ) == "t"
            )
        }
    }

    @Test("of thousands that have waited are given in few steps, as each step looks at all that wait")
    func backlog() async throws {
        try await open { (shop) async throws in
            try await commit(
                shop,
                """
                INSERT INTO stock.domain_event (tenant_id, type, payload)
                SELECT stock.current_tenant(), 't.' || n, '{}' FROM generate_series(1, 2000) n;
                """
            )
            var (steps, looked, left) = (0, 0, 2000)
            while left > 0, steps < 200 {
                try await shop.database.psql(
                    """
                    SELECT set_config('stock.tenant_id', '\(shop.tenant.rawValue)', true);
                    SELECT stock.number_events(\(shop.tenant.rawValue), 10)
                    """
                )
                (steps, looked) = (steps + 1, looked + left)
                left = try #require(
                    Int(try await shop.psql("SELECT count(*) FROM stock.domain_event WHERE seq IS NULL"))
                )
            }
            // By ten they would be 200 steps, and 201,000 looks.
            #expect(left == 0 && steps <= 50 && looked <= 12 * 2000, "\(steps) steps, \(looked) looks, \(left) left")
            try await drain(shop)
        }
    }

    @Test("stay dense when old events go, in steps: the oldest first, never the newest, never one without a number")
    func pruned() async throws {
        try await open { (shop) async throws in
            try await commit(shop, Self.write("t.a", "t.b", "t.c", "t.d", "t.e"))
            try await drain(shop)
            try await commit(shop, Self.write("t.open"))
            // The clock of one was ahead: what comes after it stays, old as it is.
            try await shop.psql(
                "UPDATE stock.domain_event SET recorded_at = now() - interval '40 days' WHERE type <> 't.d'"
            )
            let left = "SELECT string_agg(type, ' ' ORDER BY id) FROM stock.domain_event WHERE type LIKE 't.%'"
            func prune(_ limit: Int) async throws -> String {
                try await shop.database.psql(
                    "SELECT next_after IS NULL, pruned FROM stock.prune_events(0, interval '30 days', \(limit))",
                    as: "stock_app"
                )
            }
            let before = try await shop.psql("SELECT count(*) FROM stock.domain_event WHERE type NOT LIKE 't.%'")
            #expect(try await prune(try #require(Int(before)) + 1) == "f|\(try #require(Int(before)) + 1)")
            #expect(try await shop.psql(left) == "t.b t.c t.d t.e t.open")
            #expect(try await prune(1000) == "t|2")
            #expect(try await shop.psql(left) == "t.d t.e t.open")
            try await shop.psql("UPDATE stock.domain_event SET recorded_at = now() - interval '40 days'")
            #expect(try await prune(1000) == "t|1")
            #expect(try await prune(1000) == "t|0")
            #expect(try await shop.psql(left) == "t.e t.open")
            try await drain(shop)
            #expect(try await numbered(shop) == "t.e=1 t.open=2")
        }
    }
}
