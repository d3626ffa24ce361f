import Cache
import Domain
import Foundation
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("Locations")
struct LocationsTests {
    @Test("records of one module answer under keys of their own, also for one id")
    func keys() async throws {
        try await LiveShop.open { live in
            let locations = live.shop.records(Location.self)
            let registers = live.shop.records(Register.self)
            let some = try JSONBody(try await live.answer(locations.list(Page(), live.caller)))
            let others = try JSONBody(try await live.answer(registers.list(Page(), live.caller)))
            #expect(some.count("data") == 2)
            #expect(others.count("data") == 1)
            let main = try TestShop.main()
            _ = try await live.answer(locations.one(main, live.caller))
            let foreign = await refusal { try await live.answer(registers.one(RegisterID(main.entity), live.caller)) }
            #expect(foreign?.code == .notFound)
        }
    }

    @Test("one place stays open, and what is in transit has one that stays")
    func kept() async throws {
        try await TestShop.open(onHand: 5) { (shop) async throws in
            func refused(_ sql: String) async throws -> String? { try await shop.database.refusal(of: asOwner(sql)) }
            func asOwner(_ sql: String) -> String { "SELECT set_config('stock.tenant_id', '1', false); \(sql)" }
            let (main, transit) = (try TestShop.main(), try TestShop.transit())
            for sql in [
                "UPDATE stock.location SET active = false WHERE id = '\(transit)'",
                "UPDATE stock.location SET kind = 'branch' WHERE id = '\(transit)'",
                "DELETE FROM stock.location WHERE id = '\(transit)'",
                "UPDATE stock.location SET kind = 'transit' WHERE id = '\(main)'",
                "INSERT INTO stock.location (tenant_id, id, name, kind) VALUES (1, '\(LocationID.make())', 'ß', 'transit')",
                // The only one that is open.
                "UPDATE stock.location SET active = false WHERE id = '\(main)'",
                "DELETE FROM stock.location WHERE id = '\(main)'",
            ] {
                #expect(try await refused(sql) == "ST001", "\(sql)")
            }
            let second = try await shop.openLocation("Σς")
            // Codes, as names, are the same in capitals.
            try await shop.asTenant("UPDATE stock.location SET code = 'ñ1' WHERE id = '\(second)'")
            let twin = "UPDATE stock.location SET code = 'Ñ1' WHERE id = '\(main)'"
            #expect(try await shop.database.refusal(of: asOwner(twin)) == "23505")
            // A register stands in the first, and goods are there.
            #expect(try await refused("UPDATE stock.location SET active = false WHERE id = '\(main)'") == "ST001")
            try await shop.asTenant("UPDATE stock.register SET location_id = '\(second)'")
            #expect(try await refused("UPDATE stock.location SET active = false WHERE id = '\(main)'") == "ST001")
            try await shop.asTenant("UPDATE stock.location SET name = 'Ñandú' WHERE id = '\(transit)'")
            #expect(try await refused("DELETE FROM stock.register WHERE is_default") == "ST001")
            #expect(try await refused("UPDATE stock.register SET active = false WHERE is_default") == "ST001")
        }
    }

    @Test("goods are counted where they are, numbered over all places, and worth the same everywhere")
    func places() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let main = try TestShop.main()
            let second = try await shop.openLocation("Café")
            _ = try await shop.move("A", .opening, "10", at: main, cost: "2")
            let there = try await shop.move("A", .opening, "20", at: second, cost: "5")
            #expect(there.first?["on_hand_after"] == "20")
            #expect(there.first?["seq"] == "2")
            #expect(there.first?["location_id"] == second.description)
            let lost = try await shop.move("A", .loss, "4", at: main, expecting: "10")
            #expect(lost.first?["on_hand_after"] == "6")
            #expect(
                try await shop.psql(
                    "SELECT on_hand::int, cost::int, stock_version FROM stock.stock_level WHERE on_hand > 0"
                ) == "26|4|3"
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("where there are several places, one has to be named, open and not the way between")
    func named() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            // There is one: it is meant.
            _ = try await shop.move("A", .opening, "1", at: nil)
            let second = try await shop.openLocation("Zwei")
            for (location, code) in [
                (nil, FieldError.Code.required), (LocationID.make(), .notFound),
                (try TestShop.transit(), .notFound),
            ] {
                let problem = await refusal { try await shop.move("A", .adjustment, "1", at: location) }
                #expect(problem?.errors.map(\.pointer) == ["/movements/0/location_id"])
                #expect(problem?.errors.map(\.code) == [code])
            }
            try await shop.asTenant("UPDATE stock.location SET active = false WHERE id = '\(second)'")
            let closed = await refusal { try await shop.move("A", .adjustment, "1", at: second) }
            #expect(closed?.errors.map(\.pointer) == ["/movements/0/location_id"])
            _ = try await shop.move("A", .adjustment, "1", at: nil)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a place has what is there, whatever others have: its floor, its opening, what is expected of it")
    func apart() async throws {
        try await TestShop.open(onHand: 5) { (shop) async throws in
            let second = try await shop.openLocation("Depósito")
            let short = await refusal { try await shop.move("A", .loss, "1", at: second) }
            #expect(short?.code == .insufficientStock)
            #expect(short?.errors.map(\.pointer) == ["/movements/0/quantity"])
            let expected = await refusal { try await shop.move("A", .adjustment, "1", at: second, expecting: "5") }
            #expect(expected?.code == .stockChanged)
            _ = try await shop.move("A", .opening, "2", at: second, expecting: "0")
            let again = await refusal { try await shop.move("A", .opening, "2", at: second) }
            #expect(again?.code == .invalidState)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("what overselling may do follows the product at every place")
    func floors() async throws {
        try await TestShop.open(onHand: 1) { (shop) async throws in
            let second = try await shop.openLocation("Zwei")
            try await shop.asTenant("UPDATE stock.product SET oversell = 'allow' WHERE sku = 'A'")
            _ = try await shop.move("A", .loss, "3", at: second)
            #expect(try await shop.violations() == [])
            try await shop.asTenant("UPDATE stock.product SET oversell = 'deny', name = 'Ñ' WHERE sku = 'A'")
            #expect(try await shop.violations() == [])
            let deeper = await refusal { try await shop.move("A", .loss, "1", at: second) }
            #expect(deeper?.code == .insufficientStock)
            // What is below zero can climb.
            _ = try await shop.move("A", .adjustment, "1", at: second)
            try await shop.asTenant("UPDATE stock.product SET oversell = 'inherit' WHERE sku = 'A'")
            try await shop.asTenant("UPDATE stock.tenant SET oversell = 'allow'")
            #expect(try await shop.violations() == [])
        }
    }

    @Test(
        "a product that is written while the shop changes what may be oversold follows the shop in the end",
        arguments: [true, false],
        [
            """
            INSERT INTO stock.product (tenant_id, id, sku, name, unit_id, price, tax_rate)
            VALUES (1, gen_random_uuid(), 'Ñ', 'Ñ', '\(TestShop.unit(0))', 1, 21)
            """,
            "UPDATE stock.product SET oversell = 'inherit' WHERE sku = 'A'",
            "UPDATE stock.product SET name = 'Ä' WHERE sku = 'B'",
        ]
    )
    func followed(isProductFirst: Bool, write: String) async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.asTenant("UPDATE stock.product SET oversell = 'allow' WHERE sku = 'A'")
            let change = "UPDATE stock.tenant SET oversell = 'allow'"
            try await withDatabase(shop.database.appURL) { (client) async throws in
                try await client.withLease(deadline: shop.context.deadline) { lease in
                    try await lease.execute(
                        script: """
                            SELECT set_config('stock.tenant_id', '1', false);
                            BEGIN; \(isProductFirst ? write : change)
                            """
                    )
                    async let later = shop.asTenant(isProductFirst ? change : write)
                    try await shop.waiting()
                    try await lease.execute(script: "COMMIT")
                    _ = try await later
                }
            }
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a sale takes from where its register stands")
    func sold() async throws {
        try await TestShop.open(onHand: 5) { (shop) async throws in
            let second = try await shop.openLocation("Zwei")
            _ = try await shop.move("A", .opening, "1", at: second)
            let register = RegisterID.make()
            try await shop.asTenant(
                "INSERT INTO stock.register (tenant_id, id, name, location_id) VALUES (1, '\(register)', 'Zwei', '\(second)')"
            )
            func sell() async throws {
                let request = SaleRequest(
                    registerID: register,
                    lines: [.init(product: .sku("A"), quantity: try Quantity("1"))],
                    payments: [Tender(method: .cash, amount: try Money("2.5"))]
                )
                _ = try await shop.sell(request)
            }
            try await sell()
            let short = await refusal { try await sell() }
            #expect(short?.code == .insufficientStock)
            #expect(
                try await shop.psql(
                    "SELECT string_agg(on_hand::int::text, ',' ORDER BY location_id) FROM stock.location_level WHERE product_id = '\(TestShop.product("A"))'"
                ) == "5,0"
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a register sells at an open place only: it comes back to none that was closed meanwhile")
    func reopened() async throws {
        try await TestShop.open { (shop) async throws in
            let second = try await shop.openLocation("Zwei")
            let register = RegisterID.make()
            try await shop.asTenant(
                """
                INSERT INTO stock.register (tenant_id, id, name, location_id, active)
                VALUES (1, '\(register)', 'Zwei', '\(second)', false);
                UPDATE stock.location SET active = false WHERE id = '\(second)'
                """
            )
            func refused(_ sql: String) async throws -> String? {
                try await shop.database.refusal(of: "SELECT set_config('stock.tenant_id', '1', false); \(sql)")
            }
            for sql in [
                "UPDATE stock.register SET active = true WHERE id = '\(register)'",
                "UPDATE stock.register SET location_id = '\(second)' WHERE is_default",
                "UPDATE stock.register SET location_id = stock.transit_location() WHERE is_default",
                """
                INSERT INTO stock.register (tenant_id, id, name, location_id)
                VALUES (1, '\(RegisterID.make())', 'Drei', '\(second)')
                """,
            ] {
                #expect(try await refused(sql) == "ST001", "\(sql)")
            }
            try await shop.asTenant("UPDATE stock.register SET name = 'Ñ' WHERE id = '\(register)'")
            #expect(try await shop.violations() == [])
        }
    }

    @Test(
        "a place is not closed while goods are on their way there, whoever is first and whether some were there before",
        arguments: [true, false],
        [true, false]
    )
    func closed(isMoveFirst: Bool, isKnown: Bool) async throws {
        try await TestShop.open { (shop) async throws in
            let second = try await shop.openLocation("Zwei")
            if isKnown {
                _ = try await shop.move("A", .opening, "1", at: second)
                _ = try await shop.move("A", .loss, "1", at: second)
            }
            let close = "UPDATE stock.location SET active = false WHERE tenant_id = 1 AND id = '\(second)'"
            let bring = """
                SELECT stock.stock_record(ARRAY['\(MovementID.make())']::uuid[], ARRAY[NULL]::uuid[], ARRAY['A'],
                                          ARRAY['adjustment'], ARRAY[5], ARRAY['x'], ARRAY[NULL]::numeric[],
                                          ARRAY[NULL]::numeric[], NULL, NULL, ARRAY['\(second)']::uuid[])
                """
            try await withDatabase(shop.database.appURL) { (client) async throws in
                try await client.withLease(deadline: shop.context.deadline) { lease in
                    try await lease.execute(
                        script: """
                            SELECT set_config('stock.tenant_id', '1', false);
                            BEGIN; \(isMoveFirst ? bring : close)
                            """
                    )
                    async let later = shop.database.refusal(
                        of: "SELECT set_config('stock.tenant_id', '1', false); \(isMoveFirst ? close : bring)"
                    )
                    if isMoveFirst || isKnown { try await shop.waiting() }
                    try await lease.execute(script: "COMMIT")
                    // Who moves goods asks again, and finds the place closed.
                    #expect(["ST001", "40001"].contains(try await later))
                }
            }
            #expect(try await shop.violations() == [])
        }
    }

    @Test("levels of a place are listed by name, those that are out, and by words; and place by place")
    func listed() async throws {
        try await LiveShop.open { live in
            let units = try JSONBody(try await live.answer(live.shop.units.list(Page(), live.caller)))
            let unit = try #require(units["data.0.id"])
            var fields: [(String, ProductID)] = []
            for name in ["Ñandú", "apple", "Zebra ß"] {
                let id = ProductID.make()
                try await live.database.psql(
                    """
                    SELECT set_config('stock.tenant_id', '\(live.owner.tenant.id)', false);
                    INSERT INTO stock.product (tenant_id, id, sku, name, unit_id, price, tax_rate, tracks_stock)
                    VALUES (\(live.owner.tenant.id), '\(id)', 'S\(fields.count)', '\(name)', '\(unit)', 1, 0, true)
                    """
                )
                fields.append((name, id))
            }
            let second = LocationID.make()
            try await live.database.psql(
                """
                SELECT set_config('stock.tenant_id', '\(live.owner.tenant.id)', false);
                INSERT INTO stock.location (tenant_id, id, name) VALUES (\(live.owner.tenant.id), '\(second)', 'Zwei')
                """
            )
            func record(_ index: Int, _ quantity: String, _ location: LocationID, _ type: EnteredMovement) async throws
            {
                let movement = MovementsRequest.Movement(
                    product: .id(fields[index].1),
                    type: type,
                    quantity: try Quantity(quantity),
                    reason: "because",
                    locationID: location
                )
                _ = try await live.shop.stock.record(MovementsRequest(movements: [movement]), live.context, key: nil)
            }
            func names(_ change: (inout StockLevelFilter) -> Void) async throws -> [String] {
                var filter = StockLevelFilter()
                filter.locationID = second
                change(&filter)
                let answer = try await live.answer(live.shop.stock.levels(filter, Page(), live.caller))
                return try JSONBody(answer).texts("data", "name").compactMap { $0 }
            }
            #expect(try await names { _ in } == [])
            try await record(0, "5", second, .opening)
            try await record(2, "1", second, .opening)
            let both = try await names { _ in }
            #expect(both == ["Zebra ß", "Ñandú"])
            try await record(2, "1", second, .loss)
            #expect(try await names { $0.stock = .out } == ["Zebra ß"])
            #expect(try await names { $0.stock = .ok } == ["Ñandú"])
            #expect(try await names { $0.q = SearchText("nandu") } == ["Ñandú"])
            try await record(0, "7", try TestShop.main(), .opening)
            let places = try JSONBody(try await live.answer(live.shop.stock.places(of: fields[0].1, live.caller)))
            #expect(places["on_hand"] == "12")
            #expect(places.texts("locations", "on_hand") == ["7", "5"])
            let none = await refusal { try await live.answer(live.shop.stock.places(of: .make(), live.caller)) }
            #expect(none?.code == .notFound)
            var filter = MovementFilter()
            filter.locationID = second
            let moved = try await live.answer(live.shop.stock.movements(filter, Page(), live.caller))
            #expect(try JSONBody(moved).count("data") == 3)
        }
    }
}
