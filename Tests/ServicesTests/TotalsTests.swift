import Domain
import Foundation
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Services

/// What reports sum up is kept summed up.
@Suite("Running totals")
struct TotalsTests {
    /// A ledger row as SQL: day, direction, method, amount.
    private func row(_ day: String, _ direction: String, _ method: String, _ amount: String) -> String {
        "(1, gen_random_uuid(), '\(direction)', \(amount), '\(method)', 'sale', 'payment', gen_random_uuid(), "
            + "'\(day) 12:00Z', '\(day)')"
    }

    private func insert(_ rows: String...) -> String {
        """
        INSERT INTO stock.ledger_entry (tenant_id, id, direction, amount, method, category, source_type, source_id,
                                        occurred_at, business_day)
        VALUES \(rows.joined(separator: ", "))
        """
    }

    /// The totals, slots added up; those of nothing are left out.
    private func totals(_ shop: TestShop) async throws -> [String] {
        try await shop.psql(
            """
            SELECT format('%s %s %s %s', business_day, method, trim_scale(sum(income)), trim_scale(sum(expense)))
            FROM stock.balance_day GROUP BY business_day, method HAVING sum(income) <> 0 OR sum(expense) <> 0
            ORDER BY business_day, method
            """
        ).split(separator: "\n").map(String.init)
    }

    @Test("whoever writes the ledger, and however, moves its totals")
    func writers() async throws {
        try await TestShop.open("totals_of_writers") { (shop) async throws in
            try await shop.psql(
                insert(
                    row("2019-03-01", "income", "cash", "10.25"),
                    row("2019-03-01", "expense", "cash", "4"),
                    row("2019-03-01", "income", "cash", "-0.25"),
                    row("2020-02-29", "income", "card", "7.0001")
                )
            )
            #expect(try await totals(shop) == ["2019-03-01 cash 10 4", "2020-02-29 card 7.0001 0"])
            try await shop.psql("UPDATE stock.ledger_entry SET amount = 5, method = 'transfer' WHERE amount = 4")
            #expect(
                try await totals(shop)
                    == ["2019-03-01 cash 10 0", "2019-03-01 transfer 0 5", "2020-02-29 card 7.0001 0"]
            )
            try await shop.psql("DELETE FROM stock.ledger_entry WHERE business_day = '2019-03-01' AND amount > 0")
            #expect(try await totals(shop) == ["2019-03-01 cash -0.25 0", "2020-02-29 card 7.0001 0"])
            try await shop.psql("TRUNCATE stock.ledger_entry")
            #expect(try await totals(shop) == [])
            try await shop.psql("UPDATE stock.customer_account SET balance = 12.5")
            try await shop.psql("UPDATE stock.customer_account SET balance = 2.5")
            #expect(try await shop.psql("SELECT trim_scale(sum(due)) FROM stock.receivable") == "2.5")
            try await shop.psql("DELETE FROM stock.customer_account")
            #expect(try await shop.psql("SELECT trim_scale(sum(due)) FROM stock.receivable") == "0")
        }
    }

    @Test("a till does not wait for another's totals, and leaves no more rows than there were writers at once")
    func slots() async throws {
        try await TestShop.open("totals_of_tills") { (shop) async throws in
            let till = try shop.request([("S", "1")], paid: [try cash("10.00")])
            func slots() async throws -> String {
                try await shop.psql(
                    "SELECT string_agg(slot || ' ' || trim_scale(income), ',' ORDER BY slot) FROM stock.balance_day"
                )
            }
            try await shop.sell(till)
            #expect(try await slots() == "0 10")
            try await withDatabase(shop.database.appURL) { (client) async throws in
                try await client.withLease(deadline: shop.context.deadline) { lease in
                    // Another till, in the midst of its sale; a third would be refused after two seconds if it waited for it.
                    try await lease.execute(
                        script: """
                            BEGIN;
                            SELECT set_config('stock.tenant_id', '1', true);
                            INSERT INTO stock.ledger_entry (tenant_id, id, direction, amount, method, category, source_type,
                                                            source_id, occurred_at, business_day)
                            SELECT 1, gen_random_uuid(), 'income', 1, 'cash', 'sale', 'payment', gen_random_uuid(), now(),
                                   (now() AT TIME ZONE 'Europe/London')::date
                            """
                    )
                    try await shop.sell(till)
                    try await lease.execute(script: "COMMIT")
                }
            }
            #expect(try await slots() == "0 11,1 10")
            try await shop.sell(till)
            #expect(try await slots() == "0 21,1 10")
        }
    }

    @Test("are made of what a shop has had before")
    func migrated() async throws {
        let database = try await PostgresServer.shared().emptyDatabase(named: "totals_of_before")
        let path = FileManager.default.temporaryDirectory.path() + "/stock-before-\(UInt64.random(in: 0 ... .max))"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.copyItem(atPath: SourceTree.sqlFolder, toPath: path)
        for file in try FileManager.default.contentsOfDirectory(atPath: path)
        where file.hasPrefix("0") && file > "0091" {
            try FileManager.default.removeItem(atPath: "\(path)/\(file)")
        }
        let deadline = ContinuousClock.now.advanced(by: .seconds(1_800))
        try await withDatabase(database.superuserURL) { (client) async throws in
            _ = try await Migrator(
                postgres: client,
                folder: try MigrationFolder(path: path),
                applicationPassword: PostgresServer.password
            ).up(deadline: deadline)
            try await database.fill(Shops(tenants: 3, large: 2, products: 40, sales: 300))
            try await database.psql("UPDATE stock.product SET min_stock = 2000000 WHERE sku_key LIKE '%7'")
            _ = try await Migrator(postgres: client, folder: try MigrationFolder(path: SourceTree.sqlFolder))
                .up(deadline: deadline)
        }
        let violations = try await withDatabase(database.appURL) { (client) async throws in
            try await Verification(postgres: client).run(deadline: deadline)
        }
        #expect(violations.isEmpty, "\(violations.prefix(5))")
        #expect(
            try await database.psql("SELECT trim_scale(sum(income)) FROM stock.balance_day")
                == database.psql("SELECT trim_scale(sum(amount)) FROM stock.ledger_entry")
        )
        #expect(
            try await database.psql("SELECT trim_scale(sum(due)) FROM stock.receivable")
                == database.psql("SELECT trim_scale(sum(due)) FROM stock.sale")
        )
        #expect(try await database.psql("SELECT count(*) FROM stock.stock_level WHERE alert = 'low'") == "14")
    }

    @Test("what runs out is counted as products and levels change")
    func alerts() async throws {
        try await LiveShop.open("totals_of_alerts") { live in
            var ids: [String: ProductID] = [:]
            for (sku, least, tracked) in [("A", "5", true), ("B", "0", true), ("C", "9", false)] {
                var draft = ProductFields(name: sku, price: .zero)
                draft.sku = .set(sku)
                draft.minStock = .set(try Quantity(least))
                draft.tracksStock = .set(tracked)
                let made = try JSONBody(try await live.shop.products.create(draft, live.context))
                ids[sku] = try required(ProductID(try required(made["id"])))
            }
            func counts() async throws -> String {
                let body = try JSONBody(try await live.answer(live.shop.balance.dashboard(live.caller)))
                return "\(body["out_of_stock"] ?? "-") out, \(body["low_stock"] ?? "-") low"
            }
            func move(_ sku: String, _ quantity: String, _ type: EnteredMovement = .adjustment) async throws {
                _ = try await live.shop.stock.record(
                    MovementsRequest(
                        movements: [
                            MovementsRequest.Movement(
                                product: .sku(sku),
                                type: type,
                                quantity: try Quantity(quantity),
                                reason: "test"
                            )
                        ]
                    ),
                    live.context,
                    key: nil
                )
            }
            func change(_ sku: String, _ edit: (inout ProductFields) throws -> Void) async throws {
                var patch = ProductFields()
                try edit(&patch)
                _ = try await live.shop.products.change(
                    try required(ids[sku]),
                    patch,
                    expected: .any,
                    live.context
                )
            }
            func expect(_ wanted: String, _ what: String) async throws {
                try await eventually("\(what): \(wanted)") { try await counts() == wanted }
            }
            try await expect("2 out, 0 low", "nothing is there, and one is not tracked")
            try await move("A", "4")
            try await expect("1 out, 1 low", "A has less than it should")
            try await change("A") { $0.minStock = .set(try Quantity("3")) }
            try await expect("1 out, 0 low", "A should have less")
            try await change("A") { $0.minStock = .set(try Quantity("4")) }
            try await expect("1 out, 1 low", "A should have as much as it has")
            try await change("B") { $0.status = .set(.archived) }
            try await expect("0 out, 1 low", "B is sold no more")
            try await change("A") { $0.name = .set("Other") }
            try await move("A", "-4")
            try await expect("1 out, 0 low", "A is gone")
            try await change("B") { $0.status = .set(.active) }
            try await change("C") { $0.tracksStock = .set(true) }
            try await expect("3 out, 0 low", "all are tracked")
        }
    }
}
