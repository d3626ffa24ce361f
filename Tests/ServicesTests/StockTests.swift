import Cache
import Domain
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("Stock movements")
struct StockTests {
    private func movement(
        _ sku: String,
        _ type: EnteredMovement,
        _ quantity: String,
        cost: String? = nil,
        expecting: String? = nil
    ) throws -> MovementsRequest.Movement {
        MovementsRequest.Movement(
            product: .sku(sku),
            type: type,
            quantity: try Quantity(quantity),
            reason: "because",
            unitCost: try cost.map { try Price($0) },
            expectedOnHand: try expecting.map { try Quantity($0) }
        )
    }

    private func record(_ shop: TestShop, _ movements: [MovementsRequest.Movement]) async throws -> [JSONObjectBody] {
        let answer = try await shop.stock.record(MovementsRequest(movements: movements), shop.context, key: nil)
        return try JSONObjectBody(answer.body).list("data")
    }

    @Test("answer with the rows written, in the order asked for")
    func rows() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let rows = try await record(
                shop,
                [
                    try movement("W", .opening, "1.5", cost: "3"), try movement("A", .adjustment, "10", cost: "2"),
                ]
            )
            #expect(rows.map { $0["product_id"] } == [TestShop.product("W"), TestShop.product("A")])
            #expect(rows.map { $0["on_hand_after"] } == ["1.5", "10"])
            #expect(rows.map { $0["type"] } == ["opening", "adjustment"])
            let loss = try await record(shop, [try movement("A", .loss, "4", expecting: "10")])
            #expect(loss.first?["quantity"] == "-4")
            #expect(loss.first?["on_hand_after"] == "6")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("average the cost of what comes in")
    func movingAverage() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            _ = try await record(shop, [try movement("A", .opening, "10", cost: "2")])
            _ = try await record(shop, [try movement("A", .adjustment, "20", cost: "5")])
            _ = try await record(shop, [try movement("A", .loss, "15")])
            #expect(try await shop.psql("SELECT max(cost) FROM stock.stock_level") == "4.000000")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("are refused all together, each row that is wrong named")
    func refusals() async throws {
        try await TestShop.open(onHand: 5) { (shop) async throws in
            let short = await refusal {
                try await record(shop, [try movement("A", .loss, "2"), try movement("B", .loss, "6")])
            }
            #expect(short?.code == .insufficientStock)
            #expect(short?.errors.map(\.pointer) == ["/movements/1/quantity"])
            let changed = await refusal { try await record(shop, [try movement("A", .loss, "1", expecting: "4")]) }
            #expect(changed?.code == .stockChanged)
            let opening = await refusal { try await record(shop, [try movement("A", .opening, "1")]) }
            #expect(opening?.code == .invalidState)
            let invalid = await refusal {
                try await record(
                    shop,
                    [
                        try movement("Z", .loss, "1"), try movement("S", .adjustment, "1"),
                        try movement("A", .loss, "1"), try movement("a", .loss, "1"),
                    ]
                )
            }
            #expect(invalid?.code == .validationFailed)
            #expect(
                invalid?.errors.map(\.pointer)
                    == ["/movements/0/sku", "/movements/1/product_id", "/movements/3/product_id"]
            )
            let precise = await refusal { try await record(shop, [try movement("A", .loss, "0.5")]) }
            #expect(precise?.code == .quantityPrecision)
            let zero = await refusal { try await record(shop, [try movement("A", .adjustment, "0")]) }
            #expect(zero?.code == .validationFailed)
            #expect(try await shop.psql("SELECT DISTINCT on_hand::int FROM stock.stock_level WHERE on_hand > 0") == "5")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("follow the oversell rule: below nothing while allowed, only upwards once denied again")
    func oversell() async throws {
        try await TestShop.open(onHand: 1) { (shop) async throws in
            try await shop.psql("UPDATE stock.product SET oversell = 'allow', version = version + 1 WHERE sku = 'A'")
            try await shop.sell(try shop.request([("A", "5")], paid: [try cash("12.50")]))
            try await shop.psql("UPDATE stock.product SET oversell = 'inherit', version = version + 1 WHERE sku = 'A'")
            #expect(try await shop.violations() == [])
            let denied = await refusal { try await shop.sell(try shop.request([("A", "1")], paid: [try cash("2.50")])) }
            #expect(denied?.code == .insufficientStock)
            _ = try await record(shop, [try movement("A", .adjustment, "2")])
            let floor = try await shop.psql(
                "SELECT on_hand::int, floor::int FROM stock.location_level WHERE product_id = '\(TestShop.product("A"))'"
            )
            #expect(floor == "-2|-2")
            try await shop.psql("UPDATE stock.tenant SET oversell = 'allow', version = version + 1")
            try await shop.sell(try shop.request([("A", "1")], paid: [try cash("2.50")]))
            #expect(try await shop.violations() == [])
        }
    }

    @Test(
        "fix the unit of their product and that it tracks stock, whoever is first: the movement or the change",
        arguments: [true, false],
        ["unit_id = '\(TestShop.unit(0))'", "tracks_stock = false"]
    )
    func fixed(isMoveFirst: Bool, change: String) async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let change = "UPDATE stock.product SET \(change) WHERE sku = 'W'"
            let bring = """
                SELECT stock.stock_record(ARRAY['\(MovementID.make())']::uuid[], ARRAY[NULL]::uuid[], ARRAY['W'],
                                          ARRAY['adjustment'], ARRAY[0.5], ARRAY['x'], ARRAY[NULL]::numeric[],
                                          ARRAY[NULL]::numeric[], NULL, NULL, ARRAY[NULL]::uuid[])
                """
            try await withDatabase(shop.database.appURL) { (client) async throws in
                try await client.withLease(deadline: shop.context.deadline) { lease in
                    try await lease.execute(
                        script: """
                            SELECT set_config('stock.tenant_id', '1', false);
                            BEGIN; \(isMoveFirst ? bring : change)
                            """
                    )
                    async let later = shop.database.refusal(
                        of: "SELECT set_config('stock.tenant_id', '1', false); \(isMoveFirst ? change : bring)"
                    )
                    try await shop.waiting()
                    try await lease.execute(script: "COMMIT")
                    #expect(try await later == (isMoveFirst ? "40001" : "ST001"))
                }
            }
            #expect(try await shop.violations() == [])
        }
    }

    @Test("and levels are listed page by page")
    func lists() async throws {
        try await TestShop.open(onHand: 5) { (shop) async throws in
            _ = try await record(shop, [try movement("A", .loss, "5"), try movement("B", .loss, "4")])
            func names(_ filter: StockLevelFilter, limit: Int = 10) async throws -> [String?] {
                var names: [String?] = []
                var cursor: String?
                repeat {
                    let list = try await shop.answer(
                        shop.stock.levels(filter, Page(limit: limit, cursor: cursor), shop.caller)
                    )
                    let page = try JSONObjectBody(try #require(list.body))
                    names += page.list("data").map { $0["name"] }
                    cursor = page["next_cursor"]
                } while cursor != nil
                return names
            }
            #expect(try await names(StockLevelFilter(), limit: 1) == ["Apple", "Bread", "Service", "Walnuts"])
            var filter = StockLevelFilter()
            filter.stock = .out
            #expect(try await names(filter) == ["Apple"])
            filter = StockLevelFilter()
            filter.q = SearchText("WAL")
            #expect(try await names(filter) == ["Walnuts"])

            var movements = MovementFilter()
            movements.productID = ProductID(TestShop.product("A"))
            let list = try await shop.answer(shop.stock.movements(movements, Page(limit: 1), shop.caller))
            let page = try JSONObjectBody(try #require(list.body))
            #expect(page.list("data").map { $0["type"] } == ["loss"])
            let second = Page(limit: 1, cursor: page["next_cursor"])
            let next = try await shop.answer(shop.stock.movements(movements, second, shop.caller))
            #expect(try JSONObjectBody(try #require(next.body)).list("data").map { $0["type"] } == ["opening"])
            let all = try await shop.answer(shop.stock.movements(MovementFilter(), Page(limit: 100), shop.caller))
            #expect(try JSONObjectBody(try #require(all.body)).list("data").count == 5)
        }
    }
}
