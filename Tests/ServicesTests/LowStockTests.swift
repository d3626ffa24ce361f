import Domain
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("Low stock, place by place")
struct LowStockTests {
    private func set(_ shop: TestShop, _ sku: Character, _ minimum: String?, at location: LocationID) async throws {
        let product = try #require(ProductID(TestShop.product(sku)))
        let minimum = PlaceMinimum(locationID: location, minStock: try minimum.map { try Quantity($0) })
        _ = try await shop.stock.setMinimum(of: product, minimum, shop.context)
    }

    private func names(_ shop: TestShop, _ stock: StockFilter?, at location: LocationID?) async throws -> [String] {
        var (filter, found, cursor): (StockLevelFilter, [String], String?) = (StockLevelFilter(), [], nil)
        (filter.stock, filter.locationID) = (stock, location)
        repeat {
            let page = Page(limit: 1, cursor: cursor)
            let body = try JSONBody(try await shop.answer(shop.stock.levels(filter, page, shop.caller)))
            found += body.texts("data", "name").compactMap { $0 }
            for state in body.texts("data", "stock") where stock != nil { #expect(state == stock?.rawValue) }
            cursor = body["next_cursor"]
        } while cursor != nil
        return found
    }

    @Test("a place that says from where on it is low is low by that, any other by the sum")
    func filters() async throws {
        try await TestShop.open(onHand: 10) { (shop) async throws in
            let (main, second) = (try TestShop.main(), try await shop.openLocation("Łódź"))
            for sku in ["A", "B", "W"] { try await shop.move(sku, .opening, "4", at: second) }
            #expect(try await names(shop, .low, at: second) == [])
            try await set(shop, "A", "4", at: second)
            #expect(try await names(shop, .low, at: second) == ["Apple"])
            #expect(try await names(shop, .low, at: main) == [])
            #expect(try await names(shop, .low, at: nil) == [])
            // In all there are fourteen of each.
            try await shop.asTenant("UPDATE stock.product SET min_stock = 20 WHERE sku IN ('A', 'W')")
            #expect(try await names(shop, .low, at: nil) == ["Apple", "Walnuts"])
            #expect(try await names(shop, .low, at: second) == ["Apple", "Walnuts"])
            #expect(try await names(shop, .low, at: main) == ["Apple", "Walnuts"])
            #expect(try await names(shop, .ok, at: main) == ["Bread"])
            // Main has its own say, and has enough.
            try await set(shop, "A", "9", at: main)
            #expect(try await names(shop, .low, at: main) == ["Walnuts"])
            try await set(shop, "A", nil, at: main)
            #expect(try await names(shop, .low, at: main) == ["Apple", "Walnuts"])
            let places = try JSONBody(
                try await shop.answer(
                    shop.stock.places(of: try #require(ProductID(TestShop.product("A"))), shop.caller)
                )
            )
            #expect(places.texts("locations", "min_stock") == [nil, "4"])
            #expect(places.texts("locations", "stock") == ["low", "low"])
            #expect(try await shop.violations() == [])
        }
    }

    @Test("what falls to where it is low is told once, at a place and in all")
    func told() async throws {
        try await TestShop.open(onHand: 10) { (shop) async throws in
            let (main, second) = (try TestShop.main(), try await shop.openLocation("Zwei"))
            func told() async throws -> String {
                try await shop.psql(
                    """
                    SELECT string_agg(coalesce(payload ->> 'location_id', 'all') || ' ' || (payload ->> 'on_hand'), ', '
                                      ORDER BY id)
                    FROM stock.domain_event WHERE type = 'stock.low' AND entity_id = '\(TestShop.product("A"))'
                    """
                )
            }
            try await set(shop, "A", "5", at: main)
            try await shop.asTenant("UPDATE stock.product SET min_stock = 3 WHERE sku = 'A'")
            try await shop.sellApples(4)
            #expect(try await told() == "")
            try await shop.sellApples(2)
            #expect(try await told() == "\(main) 4")
            try await shop.sellApples(1)
            #expect(try await told() == "\(main) 4, all 3")
            try await shop.sellApples(1)
            #expect(try await told() == "\(main) 4, all 3")
            // Back above both, and down at once; another place has nothing of its own.
            try await shop.move("A", .adjustment, "8", at: main)
            try await shop.move("A", .opening, "1", at: second)
            try await shop.move("A", .loss, "1", at: second)
            try await shop.move("A", .loss, "9", at: main)
            #expect(try await told() == "\(main) 4, all 3, \(main) 1, all 1")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a minimum is of a product that is counted, at an open place, by its unit's decimals")
    func refused() async throws {
        try await TestShop.open(onHand: 10) { (shop) async throws in
            let main = try TestShop.main()
            #expect(await refusal { try await set(shop, "S", "1", at: main) }?.code == .invalidState)
            #expect(await refusal { try await set(shop, "A", "1.5", at: main) }?.code == .quantityPrecision)
            let transit = try TestShop.transit()
            #expect(
                await refusal { try await set(shop, "A", "1", at: transit) }?.errors.map(\.pointer) == ["/location_id"]
            )
            let minimum = PlaceMinimum(locationID: main, minStock: nil)
            let nowhere = await refusal { try await shop.stock.setMinimum(of: .make(), minimum, shop.context) }
            #expect(nowhere?.code == .notFound)
            try await set(shop, "W", "1.125", at: main)
            #expect(try await shop.asTenant("SELECT stock.has_finer_quantity('\(TestShop.unit(3))', 2)") == "t")
            // A place that never had any may say so beforehand.
            let second = try await shop.openLocation("Zwei")
            try await set(shop, "A", "2", at: second)
            #expect(try await names(shop, .out, at: second) == ["Apple"])
            #expect(try await shop.violations() == [])
        }
    }
}
