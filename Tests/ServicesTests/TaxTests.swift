import Domain
import Foundation
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("Taxes", .serialized)
struct TaxTests {
    // MARK: A shop with taxes

    /// Makes a tax.
    private func tax(
        _ live: LiveShop,
        _ name: String,
        _ rate: String,
        _ kind: TaxKind = .percent,
        compound: Bool = false,
        included: Bool? = nil
    ) async throws -> ID<Tax> {
        var fields = TaxFields()
        fields.name = .set(name)
        fields.kind = .set(kind)
        fields.rate = .set(try Price(rate))
        fields.included = .set(included)
        fields.compound = .set(compound)
        fields.active = .set(true)
        let made = try await live.shop.records(Tax.self).create(fields, live.context)
        return try required(ID<Tax>(try required(try JSONBody(made)["id"])))
    }

    private func group(_ live: LiveShop, _ name: String, _ taxes: [ID<Tax>]?) async throws -> ID<TaxGroup> {
        var fields = TaxGroupFields()
        fields.name = .set(name)
        if let taxes { fields.taxes = .set(taxes) }
        let made = try await live.shop.records(TaxGroup.self).create(fields, live.context)
        return try required(ID<TaxGroup>(try required(try JSONBody(made)["id"])))
    }

    private func product(
        _ live: LiveShop,
        _ sku: String,
        price: String,
        rate: TaxRate? = nil,
        group: ID<TaxGroup>? = nil
    ) async throws -> JSONBody {
        var fields = ProductFields(sku: sku, name: "Ñ \(sku)", price: try Price(price), tracksStock: false)
        fields.taxRate = .set(rate)
        fields.taxGroupID = .set(group)
        return try JSONBody(try await live.shop.products.create(fields, live.context))
    }

    private func read(_ live: LiveShop, _ product: JSONBody) async throws -> JSONBody {
        let id = try required(ProductID(try required(product["id"])))
        var context = live.context
        context.bypassCache = true
        return try JSONBody(try await live.answer(live.shop.products.one(id, live.caller), context))
    }

    private func change(
        _ live: LiveShop,
        _ product: JSONBody,
        _ edit: (inout ProductFields) -> Void
    ) async throws -> JSONBody {
        var fields = ProductFields()
        edit(&fields)
        let id = try required(ProductID(try required(product["id"])))
        return try JSONBody(try await live.shop.products.change(id, fields, expected: .any, live.context))
    }

    private func compose(_ live: LiveShop, _ group: ID<TaxGroup>, _ taxes: [ID<Tax>]) async throws {
        var fields = TaxGroupFields()
        fields.taxes = .set(taxes)
        _ = try await live.shop.records(TaxGroup.self).change(group, fields, expected: .any, live.context)
    }

    /// Sells on credit of nobody: paid in cash by what the total turns out to be.
    private func sell(
        _ live: LiveShop,
        _ lines: [(sku: String, quantity: String)],
        paid: String
    ) async throws -> JSONBody {
        let request = SaleRequest(
            lines: try lines.map { SaleRequest.Line(product: .sku($0.sku), quantity: try Quantity($0.quantity)) },
            payments: [Tender(method: .cash, amount: try Money(paid))]
        )
        return try JSONBody(try await live.shop.sales.confirm(request, live.context, key: nil))
    }

    private func parts(_ sale: JSONBody, _ path: String) -> [String] {
        (0..<sale.count(path)).map { index in
            ["name", "rate", "base", "amount"].map { sale["\(path).\(index).\($0)"] ?? "-" }.joined(separator: " ")
        }
    }

    // MARK: Products

    @Test("whatever rows of a statement name, each has the rate of its group, or the group of its rate")
    func ratesOfGroups() async throws {
        try await LiveShop.open { live in
            let taxed = try await product(live, "A", price: "1.00", rate: try TaxRate("21"))
            let group = try required(taxed["tax_group_id"])
            let two = [try await tax(live, "a", "5"), try await tax(live, "b", "2")]
            let mixed = try await self.group(live, "Two", two)
            try await live.database.psql(
                """
                INSERT INTO stock.product (tenant_id, id, sku, name, unit_id, price, tax_rate, tax_group_id)
                SELECT a.tenant_id, gen_random_uuid(), v.sku, v.sku, a.unit_id, 1, v.rate, v.tax_group_id::uuid
                FROM stock.product a, (VALUES
                    ('G1', 21, '\(group)'), ('G2', 7, '\(group)'), ('G3', NULL, '\(group)'), ('M', 7, '\(mixed)'),
                    ('R1', 7, NULL), ('R2', NULL, NULL)) AS v (sku, rate, tax_group_id)
                WHERE a.sku = 'A'
                """
            )
            let rows = try await live.database.psql(
                """
                SELECT p.sku, p.tax_rate::float, g.standard_rate::float FROM stock.product p
                JOIN stock.tax_group g ON g.tenant_id = p.tenant_id AND g.id = p.tax_group_id ORDER BY p.sku
                """
            )
            #expect(rows == "A|21|21\nG1|21|21\nG2|21|21\nG3|21|21\nM||\nR1|7|7\nR2|0|0")
        }
    }

    @Test("a product's rate is a group of one, made once for each rate, and both are answered")
    func groupsOfOne() async throws {
        try await LiveShop.open { live in
            let first = try await product(live, "A", price: "1.00", rate: try TaxRate("21"))
            let second = try await product(live, "B", price: "1.00", rate: try TaxRate("21.0000"))
            let free = try await product(live, "C", price: "1.00")
            #expect(first["tax_rate"] == "21")
            #expect(first["tax_group_id"] != nil)
            #expect(second["tax_group_id"] == first["tax_group_id"])
            #expect(free["tax_rate"] == "0")
            let names = try await live.database.psql("SELECT string_agg(name, ',' ORDER BY rate) FROM stock.tax")
            #expect(names == "0 %,21 %")

            let changed = try await change(live, first) { $0.taxRate = .set(.zero) }
            #expect(changed["tax_group_id"] == free["tax_group_id"])
            // The old rate in a patch of somebody who knows no groups is no change of the group.
            let iva = try await group(live, "IVA", [try await tax(live, "IVA", "21")])
            let named = try await change(live, changed) { $0.taxGroupID = .set(iva) }
            #expect(named["tax_rate"] == "21")
            let kept = try await change(live, named) { $0.taxRate = .set(TaxRate(rawValue: 210_000)) }
            #expect(kept["tax_group_id"] == "\(iva)")
            let away = try await change(live, kept) { $0.taxGroupID = .set(nil) }
            #expect(away["tax_group_id"] == second["tax_group_id"])
        }
    }

    @Test("a group and a rate that agree may both be given; if they do not, or the group is not there, it is 422")
    func both() async throws {
        try await LiveShop.open { live in
            let iva = try await group(live, "IVA", [try await tax(live, "IVA", "21")])
            let two = try await group(
                live,
                "Dos",
                [try await tax(live, "Uno", "5"), try await tax(live, "Otro", "3")]
            )
            let made = try await product(live, "A", price: "1.00", rate: try TaxRate("21"), group: iva)
            #expect(made["tax_group_id"] == "\(iva)")
            for (rate, group, field) in [
                ("10", iva, "/tax_rate"), ("8", two, "/tax_rate"), (nil, .make(), "/tax_group_id"),
            ] as [(String?, ID<TaxGroup>, String)] {
                let rate = try rate.map { try TaxRate($0) }
                let new = await problem { try await product(live, "B", price: "1.00", rate: rate, group: group) }
                let old = await problem {
                    try await change(live, made) {
                        $0.taxRate = rate.map { .set($0) } ?? .keep
                        $0.taxGroupID = .set(group)
                    }
                }
                for refused in [new, old] {
                    #expect(refused?.code == .validationFailed)
                    #expect(refused?.errors.map(\.pointer) == [field])
                }
                var upsert = ProductUpsert(sku: "A")
                upsert.taxRate = rate
                upsert.taxGroupID = group
                let batch = await problem { try await live.shop.products.upsert([upsert], live.context) }
                #expect(batch?.errors.map(\.pointer) == ["/products/0\(field)"])
            }
            let several = try await change(live, made) { $0.taxGroupID = .set(two) }
            #expect(several["tax_rate"] == nil)
            #expect(several["tax_group_id"] == "\(two)")
        }
    }

    @Test("a batch makes and moves products by rate and by group, and an unchanged row stays unchanged")
    func batches() async throws {
        try await LiveShop.open { live in
            let two = try await group(
                live,
                "Dos",
                [try await tax(live, "Uno", "5"), try await tax(live, "Otro", "3")]
            )
            func upsert(_ edit: (inout ProductUpsert) -> Void) async throws -> String? {
                var row = ProductUpsert(sku: "É")
                row.name = "Éclair"
                row.price = try Price("2.00")
                edit(&row)
                return try JSONBody(try await live.shop.products.upsert([row], live.context))["data.0.outcome"]
            }
            func state() async throws -> String {
                try await live.database.psql(
                    """
                    SELECT coalesce(stock.quantity_text(p.tax_rate), 'none') || ' ' || g.name
                    FROM stock.product p JOIN stock.tax_group g ON g.id = p.tax_group_id
                    """
                )
            }
            let rate = try TaxRate("10.5")
            #expect(try await upsert { $0.taxRate = rate } == "created")
            #expect(try await state() == "10.5 10.5 %")
            #expect(try await upsert { $0.taxRate = rate } == "unchanged")
            #expect(try await upsert { $0.taxGroupID = two } == "updated")
            #expect(try await state() == "none Dos")
            #expect(try await upsert { $0.taxGroupID = two } == "unchanged")
            #expect(try await upsert { _ in } == "unchanged")
            #expect(try await upsert { $0.taxRate = rate } == "updated")
            #expect(try await state() == "10.5 10.5 %")
        }
    }

    // MARK: Taxes and groups

    @Test("what a group has named stays what it is but for its name, and a group's taxes are told at their place")
    func kept() async throws {
        try await LiveShop.open { live in
            let used = try await tax(live, "IVA", "21")
            let free = try await tax(live, "Único", "3", included: true)
            let iva = try await group(live, "IVA", [used])
            for (field, edit) in [
                ("/rate", { $0.rate = .set(Price(rawValue: 22_000_000)) }),
                ("/kind", { $0.kind = .set(.amountPerUnit) }), ("/included", { $0.included = .set(true) }),
                ("/compound", { $0.compound = .set(true) }),
            ] as [(String, (inout TaxFields) -> Void)] {
                var fields = TaxFields()
                edit(&fields)
                let refused = await problem {
                    try await live.shop.records(Tax.self).change(used, fields, expected: .any, live.context)
                }
                #expect(refused?.code == .inUse)
                #expect(refused?.errors.map(\.pointer) == [field])
                _ = try await live.shop.records(Tax.self).change(free, fields, expected: .any, live.context)
            }
            var fields = TaxFields()
            fields.active = .set(false)
            _ = try await live.shop.records(Tax.self).change(used, fields, expected: .any, live.context)
            fields = TaxFields()
            fields.kind = .set(.percent)
            for (rate, code) in [("3.00001", FieldError.Code.tooManyDecimals), ("1000", .outOfRange)] {
                fields.rate = .set(try Price(rate))
                let changed = fields
                let refused = await problem {
                    try await live.shop.records(Tax.self).change(free, changed, expected: .any, live.context)
                }
                #expect(refused?.errors.map(\.pointer) == ["/rate"])
                #expect(refused?.errors.map(\.code) == [code])
            }
            #expect(
                await problem { try await live.shop.records(Tax.self).delete(used, expected: .any, live.context) }?.code
                    == .inUse
            )
            _ = try await product(live, "A", price: "1", group: iva)
            #expect(
                await problem { try await live.shop.records(TaxGroup.self).delete(iva, expected: .any, live.context) }?
                    .code == .inUse
            )
            let other = try await tax(live, "Otro", "3")
            // The group's own may stay though it is archived, and goes nowhere else.
            try await compose(live, iva, [other, used])
            for (taxes, pointers) in [
                ([used], ["/taxes/0"]), ([other, other], ["/taxes/1"]), ([other, .make()], ["/taxes/1"]),
                ([other, free], ["/taxes"]),
            ] as [([ID<Tax>], [String])] {
                let refused = await problem { try await group(live, "Ö", taxes) }
                #expect(refused?.code == .validationFailed)
                #expect(refused?.errors.map(\.pointer) == pointers)
            }
            // Nothing that was refused has used them up.
            _ = try await live.shop.records(Tax.self).delete(free, expected: .any, live.context)
        }
    }

    @Test("a group that changes gives its products another version, and the next sale has its taxes")
    func sold() async throws {
        try await LiveShop.open { live in
            let five = try await tax(live, "TPS", "5")
            let iva = try await group(live, "Général", [five])
            let before = try await product(live, "A", price: "112.88", group: iva)
            let first = try await sell(live, [("A", "1")], paid: "112.88")
            #expect(first["lines.0.tax_rate"] == "5")
            #expect(parts(first, "lines.0.taxes") == ["TPS 5 107.50 5.38"])
            let seven = try await tax(live, "TVQ", "7.5", compound: true)
            try await compose(live, iva, [five, seven])
            let after = try await read(live, before)
            #expect(after["version"] == "2")
            #expect(after["tax_rate"] == nil)
            let second = try await sell(live, [("A", "1")], paid: "112.88")
            #expect(second["lines.0.tax_rate"] == nil)
            #expect(second["tax"] == "12.88")
            #expect(parts(second, "lines.0.taxes") == ["TPS 5 100.00 5.00", "TVQ 7.5 105.00 7.88"])
            var fields = TaxFields()
            fields.name = .set("QST")
            _ = try await live.shop.records(Tax.self).change(seven, fields, expected: .any, live.context)
            let third = try await sell(live, [("A", "1")], paid: "112.88")
            #expect(third["lines.0.taxes.1.name"] == "QST")
            // What was sold shows what it was sold by.
            let id = try required(SaleID(try required(second["id"])))
            #expect(try JSONBody(try await live.answer(live.shop.sales.sale(id, live.caller))).value == second.value)
            #expect(try await live.violations() == [])
        }
    }

    @Test("lines that are alike are each in the report of taxes, before and after their day is added up")
    func alike() async throws {
        try await LiveShop.open { live in
            let five = try await tax(live, "TPS", "5")
            let seven = try await tax(live, "TVQ", "7.5", compound: true)
            _ = try await product(live, "A", price: "112.88", group: try await group(live, "Général", [five, seven]))
            for _ in 0..<3 { _ = try await sell(live, [("A", "1"), ("A", "1")], paid: "225.76") }
            for _ in 0..<2 {
                let sale = try required(SaleID(try required(try await sell(live, [("A", "1")], paid: "112.88")["id"])))
                _ = try await live.shop.sales.cancel(sale, reason: "Irrtum", live.context, key: nil)
            }
            func taxes() async throws -> [String] {
                var context = live.context
                context.bypassCache = true
                let body = try JSONBody(try await live.answer(live.shop.reports.taxes(.all, live.caller), context))
                return (0..<body.count("data")).map { row in
                    ["name", "base", "amount", "deducted_base", "deducted_amount"]
                        .map { body["data.\(row).\($0)"] ?? "-" }.joined(separator: " ")
                }
            }
            let whole = ["TVQ 840.00 63.04 210.00 15.76", "TPS 800.00 40.00 200.00 10.00"]
            #expect(try await taxes() == whole)
            let add = """
                BEGIN;
                SELECT set_config('stock.tenant_id', '\(live.owner.tenant.id)', true);
                SELECT stock.add_up(\(live.owner.tenant.id), now()::date + 2);
                COMMIT
                """
            try await live.database.psql(add)
            #expect(try await taxes() == whole)
            #expect(try await live.violations() == [])
            // As the sums were before; the migration sets them right.
            try await live.database.psql("UPDATE stock.tax_day SET base = base / 8, amount = amount / 8")
            #expect(try await live.violations().count == 2)
            let migration = SourceTree.sqlFolder + "/0260_taxes_of_alike_lines.sql"
            let sql = try String(contentsOfFile: migration, encoding: .utf8)
            try await live.database.psql("BEGIN; SET LOCAL ROLE stock_owner; \(sql); COMMIT")
            #expect(try await taxes() == whole)
            #expect(try await live.violations() == [])
        }
    }

    @Test("a sale sums its taxes up by name and rate, those of single rates and of groups together")
    func breakdown() async throws {
        try await LiveShop.open { live in
            let rate = try TaxRate("21")
            _ = try await product(live, "A", price: "12.10", rate: rate)
            _ = try await product(live, "B", price: "1.00")
            let bottle = try await tax(live, "Pfand", "0.25", .amountPerUnit)
            let twenty = try await tax(live, "21 %", "21")
            _ = try await product(
                live,
                "C",
                price: "12.35",
                group: try await group(live, "Flaschen", [bottle, twenty])
            )
            let sale = try await sell(live, [("A", "1"), ("C", "2"), ("B", "3"), ("A", "2")], paid: "64.00")
            #expect(
                parts(sale, "tax_breakdown") == [
                    "21 % 21 50.00 10.50", "Pfand 0.25 2 0.50", "0 % 0 3.00 0.00",
                ]
            )
            #expect(sale["tax"] == "11.00")
            #expect(sale["lines.0.taxes.0.included"] == "true")
            #expect(parts(sale, "lines.0.taxes") == ["21 % 21 10.00 2.10"])
            #expect(try await live.violations() == [])
            let wrong = try await live.database.psql(
                """
                UPDATE stock.sale_line
                SET taxes = jsonb_set(jsonb_set(taxes, '{0,amount}', '"0.51"'), '{1,amount}', '"4.19"')
                WHERE taxes IS NOT NULL RETURNING tax
                """
            )
            #expect(wrong.hasPrefix("4.7000"))
            #expect(try await live.violations().count == 1, "what is moved from one tax to another is found")
        }
    }

    @Test("a sale has lines whose prices contain their taxes, and lines that they are added to")
    func mixed() async throws {
        try await LiveShop.open { live in
            let within = try await group(live, "drin", [try await tax(live, "drin", "10", included: true)])
            let added = try await group(live, "drauf", [try await tax(live, "drauf", "19", included: false)])
            _ = try await product(live, "A", price: "11.00", group: within)
            _ = try await product(live, "B", price: "10.00", group: added)
            let sale = try await sell(live, [("A", "1"), ("B", "1")], paid: "22.90")
            #expect(sale["subtotal"] == "21.00")
            #expect(sale["tax"] == "2.90")
            #expect(sale["total"] == "22.90")
            #expect(parts(sale, "tax_breakdown") == ["drin 10 10.00 1.00", "drauf 19 10.00 1.90"])
            #expect(try await live.violations() == [])
        }
    }

    @Test("the binary before sells what a rate says, and is refused what it does not")
    func former() async throws {
        try await LiveShop.open { live in
            let iva = try await group(live, "IVA", [try await tax(live, "IVA", "21")])
            let plain = try await product(live, "A", price: "12.10", rate: try TaxRate("21"))
            let named = try await product(live, "B", price: "12.10", group: iva)
            func call(_ product: JSONBody) async throws -> String {
                let id = try required(product["id"])
                return try await live.database.psql(
                    """
                    BEGIN;
                    SELECT set_config('stock.tenant_id', (SELECT id FROM stock.tenant)::text, true);
                    SELECT stock.sale_confirm(
                        (SELECT version FROM stock.tenant), gen_random_uuid(), NULL, NULL, NULL, NULL, NULL, 12.10, 0, 2.10,
                        12.10, 12.10, '{}', '{}', '{}', ARRAY[gen_random_uuid()], ARRAY['\(id)']::uuid[],
                        ARRAY[1]::bigint[], ARRAY[(SELECT u.decimals FROM stock.unit u JOIN stock.product p
                                                   ON p.unit_id = u.id WHERE p.id = '\(id)')],
                        ARRAY[1], ARRAY[12.10], ARRAY[false], ARRAY[0], ARRAY[0], ARRAY[2.10], ARRAY[12.10],
                        ARRAY[gen_random_uuid()], ARRAY[gen_random_uuid()], ARRAY['cash'], ARRAY[12.10],
                        ARRAY[NULL]::numeric[]);
                    COMMIT;
                    SELECT count(*) FROM stock.sale
                    """
                )
            }
            #expect(try await call(plain).hasSuffix("1"))
            await #expect(throws: (any Error).self) { try await call(named) }
            #expect(try await live.violations() == [])
        }
    }

    // MARK: At once

    private func session(_ shop: TestShop, _ body: (Lease) async throws -> Void) async throws {
        try await withDatabase(shop.database.appURL) { (client) async throws in
            try await client.withLease(deadline: shop.context.deadline) { lease in
                try await lease.execute(
                    script: "SET lock_timeout = 0; SELECT set_config('stock.tenant_id', '1', false)"
                )
                try await body(lease)
            }
        }
    }

    @Test(
        "a product that is written while its group is edited has the group's taxes in the end, whoever is first",
        arguments: [true, false],
        [true, false]
    )
    func atOnce(isProductFirst: Bool, namesRate: Bool) async throws {
        try await TestShop.open { (shop) async throws in
            let group = "(SELECT id FROM stock.tax_group WHERE tenant_id = 1 AND name = '21 %')"
            let write = """
                INSERT INTO stock.product (tenant_id, id, sku, name, unit_id, price,
                                           \(namesRate ? "tax_rate" : "tax_group_id"))
                SELECT 1, gen_random_uuid(), 'Ñ', 'Ñ', '\(TestShop.unit(0))', 1, \(namesRate ? "21" : group)
                """
            let edit = """
                SELECT stock.tax_group_compose(\(group),
                                               ARRAY[(SELECT id FROM stock.tax WHERE tenant_id = 1 AND name = '10 %')])
                """
            try await session(shop) { first in
                try await session(shop) { second in
                    try await first.execute(script: "BEGIN; \(isProductFirst ? write : edit)")
                    async let later: Void = second.execute(script: isProductFirst ? edit : write)
                    try await eventually("the second waits for the first") {
                        try await shop.psql(
                            """
                            SELECT count(*) > 0 FROM pg_stat_activity
                            WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0
                            """
                        ) == "t"
                    }
                    try await first.execute(script: "COMMIT")
                    try await later
                }
            }
            let rates = try await shop.psql(
                "SELECT sku, trim_scale(tax_rate), version FROM stock.product WHERE sku IN ('A', 'Ñ') ORDER BY sku"
            )
            // Who asks for the rate, and not for the group, gets the rate.
            let late = namesRate ? "21|1" : "10|1"
            #expect(rates == "A|10|2\nÑ|\(isProductFirst ? "10|2" : late)")
            let violations = try await shop.violations().map(\.detail)
            #expect(violations == [])
        }
    }

    // MARK: The two that compute

    @Test("the database computes the taxes of a line as the program does")
    func agreement() async throws {
        let database = try await PostgresServer.shared().database(named: "taxes_agree")
        let seed: UInt64 = 20_261_130
        var generator = SplitMix(seed: seed)
        var rows: [String] = []
        for _ in 0..<1500 {
            let exponent = Int.random(in: 0...4, using: &generator)
            let unit = Money.smallestUnit(exponent: exponent).rawValue
            let digits = Int.random(in: 1...11, using: &generator)
            let net = Money(rawValue: Int64.random(in: 0...Rounding.power(digits), using: &generator) * unit)
            let quantity = Quantity(rawValue: Int64.random(in: 1...90_000_000, using: &generator))
            let isIncluded = Bool.random(using: &generator)
            let taxes = (0..<Int.random(in: 1...10, using: &generator)).map { index -> LineTax in
                let isAmount = Int.random(in: 0..<3, using: &generator) == 0
                return LineTax(
                    name: "Ω\(index)",
                    kind: isAmount ? .amountPerUnit : .percent,
                    rate: Price(
                        rawValue: Int64.random(in: 0...400_000, using: &generator) * (isAmount ? 1 : 100)
                    ),
                    isCompound: Bool.random(using: &generator)
                )
            }
            let parts = try LineTaxes(taxes, isIncluded: isIncluded)
                .parts(of: net, quantity: quantity, exponent: exponent, isIncluded: isIncluded)
            var writer = JSONWriter()
            writer.beginArray()
            for part in parts { part.write(to: &writer, isIncluded: isIncluded, exponent: exponent) }
            writer.endArray()
            let text = String(decoding: writer.bytes, as: UTF8.self)
            rows.append("('\(text)'::jsonb, \(net)::numeric, \(quantity)::numeric, \(exponent))")
        }
        for first in stride(from: 0, to: rows.count, by: 50) {
            // What is there of base and amount is computed anew.
            let wrong = try await database.psql(
                """
                SELECT format('%s of %s x %s instead: %s', v.taxes, v.net, v.quantity,
                              stock.line_taxes(v.taxes, v.net, v.quantity, v.exponent))
                FROM (VALUES \(rows[first...].prefix(50).joined(separator: ",\n"))) v (taxes, net, quantity, exponent)
                WHERE stock.line_taxes(v.taxes, v.net, v.quantity, v.exponent) <> v.taxes
                """
            )
            #expect(wrong == "", "seed \(seed)")
        }
        try await database.drop()
    }
}
