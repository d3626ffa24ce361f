import Foundation
import IOLoop
import Logging
import Postgres
import TestSupport
import Testing

@testable import Services

/// A client of a test's own.
func withDatabase<Value>(_ url: String, _ body: (PostgresClient) async throws -> Value) async throws -> Value {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let loop = IOLoop()
    loop.start()
    var configuration = try PostgresConfiguration(url: url)
    configuration.sharedConnections = 1
    configuration.exclusiveConnections = 1
    configuration.acquireTimeout = .seconds(10)
    configuration.idleInTransactionTimeout = .seconds(120)
    let client = PostgresClient(configuration: configuration, loop: loop, statements: [], logger: logger)
    let running = Task { await client.run() }
    let result: Result<Value, any Error>
    do {
        result = .success(try await body(client))
    } catch {
        result = .failure(error)
    }
    running.cancel()
    await running.value
    loop.stop()
    return try result.get()
}

@Suite("The migrator")
struct MigratorTests {
    private var deadline: ContinuousClock.Instant { ContinuousClock.now.advanced(by: .seconds(1_800)) }

    /// A copy of `sql/` that a test may change.
    private func folder(_ change: (String) throws -> Void = { _ in }) throws -> MigrationFolder {
        let path = FileManager.default.temporaryDirectory.path() + "/stock-sql-\(UInt64.random(in: 0 ... .max))"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.copyItem(atPath: SourceTree.sqlFolder, toPath: path)
        try change(path)
        return try MigrationFolder(path: path)
    }

    @Test("makes several databases of one cluster at once, which share their roles")
    func together() async throws {
        let server = try await PostgresServer.start()
        let folder = try folder()
        var databases: [TestDatabase] = []
        for number in 1...6 { databases.append(try await server.bareDatabase(named: "together_\(number)")) }
        let applied = try await withThrowingTaskGroup { group in
            for database in databases {
                group.addTask {
                    try await withDatabase(database.superuserURL) { (client) async throws in
                        try await Migrator(
                            postgres: client,
                            folder: folder,
                            applicationPassword: PostgresServer.password
                        ).up(deadline: self.deadline).count
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(applied == Array(repeating: folder.migrations.count, count: 6))
        try await server.stop()
    }

    @Test("makes a database from nothing, says what it did, and does nothing the second time")
    func up() async throws {
        let database = try await PostgresServer.shared().emptyDatabase(named: "migrator_up")
        let folder = try folder()
        try await withDatabase(database.superuserURL) { (client) async throws in
            let migrator = Migrator(postgres: client, folder: folder, applicationPassword: PostgresServer.password)
            #expect(try await migrator.plan(deadline: deadline).count == folder.migrations.count + 1)
            #expect(try await migrator.status(deadline: deadline).allSatisfy { $0.state == .pending })
            #expect(try await migrator.up(deadline: deadline) == folder.migrations)
            #expect(try await migrator.up(deadline: deadline) == [])
            #expect(try await migrator.plan(deadline: deadline) == [])
            #expect(
                try await migrator.status(deadline: deadline).allSatisfy {
                    if case .applied = $0.state { true } else { false }
                }
            )
        }
        let findings = try await withDatabase(database.appURL) { (client) async throws in
            try await Doctor(postgres: client, folder: folder).examine(deadline: deadline)
        }
        // The server of this machine may be too old, which doctor rightly says; DoctorTests judge that finding.
        #expect(findings.filter { $0.level == .failure && $0.check != "server version" } == [])
        #expect(
            Set(findings.map(\.check)).isSuperset(of: ["connection", "migrations", "tenancy", "triggers", "outbox"])
        )
    }

    @Test("run by two at once applies everything once")
    func twice() async throws {
        let database = try await PostgresServer.shared().emptyDatabase(named: "migrator_twice")
        let folder = try folder()
        let applied = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    try await withDatabase(database.superuserURL) { (client) async throws in
                        var patience = Migrator.Patience()
                        patience.pause = .milliseconds(50)
                        patience.tries = 400
                        return try await Migrator(postgres: client, folder: folder, patience: patience)
                            .up(deadline: ContinuousClock.now.advanced(by: .seconds(1_800))).count
                    }
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(applied == folder.migrations.count)
    }

    @Test(
        "a migration waits for those who write, and neither ends in a deadlock; afterwards nothing is answered as it was made before"
    )
    func beside() async throws {
        let database = try await PostgresServer.shared().emptyDatabase(named: "migrator_beside")
        func up(_ folder: MigrationFolder) async throws -> Int {
            try await withDatabase(database.superuserURL) { (client) async throws in
                try await Migrator(postgres: client, folder: folder).up(deadline: deadline).count
            }
        }
        _ = try await up(try folder())
        let former = try await database.psql("SELECT ns FROM stock.cache_lane")
        let more = try folder { path in
            try Data("LOCK TABLE stock.ledger_entry; LOCK TABLE stock.product;".utf8).write(
                to: URL(filePath: "\(path)/0999_locks.sql")
            )
        }
        try await withDatabase(database.superuserURL) { (client) async throws in
            try await client.withLease(deadline: deadline) { lease in
                // As every command over HTTP: its key first, then what it needs, in an order of its own.
                try await lease.begin(tenant: 1)
                try await lease.execute(script: "SELECT FROM stock.idempotency_record; SELECT FROM stock.product")
                async let applied = up(more)
                try await eventually("the migration waits") {
                    try await database.psql(
                        """
                        SELECT count(*) > 0 FROM pg_stat_activity
                        WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0
                        """
                    ) == "t"
                }
                try await lease.execute(script: "LOCK TABLE stock.ledger_entry IN ROW EXCLUSIVE MODE")
                try await lease.rollback()
                #expect(try await applied == 1)
            }
        }
        // Another namespace: nothing that was cached in the former is answered.
        #expect(try await database.psql("SELECT ns FROM stock.cache_lane") != former)
    }

    @Test("codes of before that differ in what nobody sees are put right, and give way where another has the code")
    func codes() async throws {
        let database = try await PostgresServer.shared().emptyDatabase(named: "migrator_codes")
        let older = try folder { path in
            for name in try FileManager.default.contentsOfDirectory(atPath: path)
            where name.hasSuffix(".sql") && name.first?.isNumber == true && name >= "0094" {
                try FileManager.default.removeItem(atPath: "\(path)/\(name)")
            }
        }
        func up(_ folder: MigrationFolder) async throws {
            try await withDatabase(database.superuserURL) { (client) async throws in
                _ = try await Migrator(postgres: client, folder: folder).up(deadline: deadline)
            }
        }
        try await up(older)
        try await database.psql(
            """
            SELECT stock.tenant_create('shop', 'Shop', 'EUR', 2::smallint, 'UTC', gen_random_uuid());
            INSERT INTO stock.unit (tenant_id, id, name, symbol)
            VALUES (1, '00000000-0000-7000-8000-000000000001', 'Piece', 'pc');
            INSERT INTO stock.product (tenant_id, id, sku, name, external_id, unit_id, price, created_at)
            SELECT 1, gen_random_uuid(), p.sku, p.name, p.external_id, '00000000-0000-7000-8000-000000000001', 1,
                   now() + p.n * interval '1 second'
            FROM (VALUES (1, 'A 1', 'l\u{2019}eau', 'X 1'), (2, 'A  1', 'b', E'X\\u00a01'), (3, E'a\\u00a01', 'c', E'Y\\u200b'),
                         (4, E'B\\u00ad2', 'd', NULL), (5, E'\\u200b', 'e', NULL), (6, 'C3', 'f', 'Z'))
                AS p (n, sku, name, external_id);
            INSERT INTO stock.product_barcode (tenant_id, product_id, code)
            SELECT 1, p.id, c.code FROM stock.product p, (VALUES ('4006'), (E'40\\u200b06'), (E'5  5')) AS c (code)
            WHERE p.sku = 'C3';
            INSERT INTO stock.customer (tenant_id, id, name, phone) VALUES (1, gen_random_uuid(), 'Ana', '030/12 34');
            """
        )
        try await up(try folder())
        let products = try await database.psql(
            "SELECT string_agg(name || '=' || coalesce(sku, '-') || '=' || coalesce(external_id, '-'), ',' ORDER BY name_key)"
                + " FROM stock.product"
        )
        #expect(products == "b=A 1 (2)=X\u{A0}1,c=a 1 (3)=Y,d=B2=-,e=-=-,f=C3=Z,l\u{2019}eau=A 1=X 1")
        #expect(
            try await database.psql("SELECT string_agg(code, ',' ORDER BY code) FROM stock.product_barcode")
                == "4006,5 5"
        )
        let found = try await database.psql(
            """
            SET stock.tenant_id = 1;
            SELECT (SELECT count(*) FROM stock.product_page('l''eau', NULL, NULL, NULL, NULL, 5, NULL, NULL)),
                   (SELECT count(*) FROM stock.customer_page('0301234', NULL, NULL, 5, NULL, NULL)),
                   (SELECT count(*) FROM stock.product_search s JOIN stock.product p ON p.id = s.product_id
                    WHERE NOT s.pairs @> stock.search_pairs(1, p.search_text))
            """,
            as: "stock_app"
        )
        #expect(found == "1|1|0")
    }

    @Test("refuses a file that has changed since it was applied, and keeps nothing of one that fails")
    func changed() async throws {
        let database = try await PostgresServer.shared().emptyDatabase(named: "migrator_changed")
        let broken = try folder { path in
            try Data("CREATE TABLE stock.half (); SELECT 1 / 0;".utf8).write(
                to: URL(filePath: "\(path)/0999_broken.sql")
            )
        }
        try await withDatabase(database.superuserURL) { (client) async throws in
            await #expect(
                throws: OperationsError.failed("0999_broken.sql failed, nothing of it was kept: division by zero")
            ) {
                try await Migrator(postgres: client, folder: broken).up(deadline: deadline)
            }
            #expect(try await database.psql("SELECT to_regclass('stock.half')") == "")
            let edited = try folder { path in
                let file = URL(filePath: "\(path)/0003_catalog.sql")
                try (try Data(contentsOf: file) + Data("-- later\n".utf8)).write(to: file)
            }
            let migrator = Migrator(postgres: client, folder: edited)
            let faults = try await migrator.status(deadline: deadline).filter { $0.state == .changed }
            #expect(faults.map(\.fileName) == ["0003_catalog.sql"])
            await #expect(throws: OperationsError.self) { try await migrator.up(deadline: deadline) }
        }
    }

    @Test("says what to run by hand when it may make neither roles nor schema")
    func roles() async throws {
        let database = try await PostgresServer.shared().emptyDatabase(named: "migrator_roles")
        let folder = try folder()
        try await withDatabase(database.appURL) { (client) async throws in
            let error = await #expect(throws: OperationsError.self) {
                try await Migrator(postgres: client, folder: folder).up(deadline: deadline)
            }
            #expect(error?.description.contains("roles.sql") == true)
        }
        // The owner may make the schema where it may not make roles.
        try await withDatabase(database.ownerURL) { (client) async throws in
            let applied = try await Migrator(postgres: client, folder: folder).up(deadline: deadline)
            #expect(applied.count == folder.migrations.count)
        }
    }
}

@Suite("The tenancy audit")
struct TenancyAuditTests {
    @Test("finds nothing in the schema, and its copy here is the one that is run")
    func clean() async throws {
        let database = try await PostgresServer.shared().database(named: "audit")
        let text = try MigrationFolder(path: SourceTree.sqlFolder).tenancyAudit
        #expect(try await database.psql(text) == "")
        try await database.psql(
            "ALTER TABLE stock.sale NO FORCE ROW LEVEL SECURITY; GRANT TRUNCATE ON stock.sale TO stock_app"
        )
        #expect(try await database.psql(text).split(separator: "\n").count == 2)
    }

    @Test("is backed by policies: without a scope no row is seen and none goes in")
    func policies() async throws {
        try await TestShop.open(onHand: 1) { (shop) async throws in
            let seen = try await shop.database.psql("SELECT count(*) FROM stock.product", as: "stock_app")
            #expect(seen == "0")
            let privilege = "42501"
            let insert = """
                INSERT INTO stock.unit (tenant_id, id, name, symbol) VALUES (\(shop.tenant), gen_random_uuid(), 'x', 'x')
                """
            #expect(try await shop.database.refusal(of: insert, as: "stock_app") == privilege)
            for table in ["stock_movement", "ledger_entry", "payment_allocation", "sale_return"] {
                let code = try await shop.database.refusal(of: "DELETE FROM stock.\(table)", as: "stock_app")
                #expect(code == privilege, "\(table)")
            }
        }
    }
}
