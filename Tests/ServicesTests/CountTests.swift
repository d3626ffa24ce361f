import Domain
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("Counts")
struct CountTests {
    private func open(
        _ shop: TestShop,
        at location: LocationID? = nil,
        note: String? = nil
    ) async throws -> StockCountID {
        let request = CountRequest(locationID: location, note: note)
        let answer = try await shop.counts.open(request, shop.context, key: nil)
        return try #require(StockCountID(JSONObjectBody(answer.body)["id"] ?? ""))
    }

    @discardableResult
    private func enter(
        _ shop: TestShop,
        _ count: StockCountID,
        _ lines: [(sku: String, counted: String)]
    ) async throws -> [JSONObjectBody] {
        let lines = try lines.map { CountedProduct(product: .sku($0.sku), counted: try Quantity($0.counted)) }
        return try JSONObjectBody(try await shop.counts.enter(count, lines, shop.context).body).list("data")
    }

    private func close(_ shop: TestShop, _ count: StockCountID) async throws -> JSONObjectBody {
        try JSONObjectBody(try await shop.counts.close(count, shop.context, key: nil).body)
    }

    @Test("what is sold while a count is open stays right: a line's difference is of the moment it was entered")
    func duringSales() async throws {
        try await TestShop.open(onHand: 10) { (shop) async throws in
            let count = try await open(shop, note: "Regał 3, zażółć")
            try await shop.sellApples(2)
            // Eight should be there, seven are.
            let lines = try await enter(shop, count, [("A", "7"), ("B", "10"), ("W", "10.5")])
            #expect(lines.map { $0["on_hand_seen"] } == ["8", "10", "10"])
            #expect(lines.map { $0["difference"] } == ["-1", "0", "0.5"])
            try await shop.sellApples(3)
            let closed = try await close(shop, count)
            #expect(closed["status"] == "closed")
            #expect(closed["note"] == "Regał 3, zażółć")
            let main = try TestShop.main()
            #expect(try await shop.onHand("A", at: main) == "4")
            #expect(try await shop.onHand("B", at: main) == "10")
            #expect(try await shop.onHand("W", at: main) == "10.5")
            let movements = try await shop.psql(
                """
                SELECT string_agg(trim_scale(m.quantity) || ' ' || (m.ref_id = '\(count)')::text, ', ' ORDER BY m.quantity)
                FROM stock.stock_movement m WHERE m.kind = 'count' AND m.ref_type = 'count'
                """
            )
            #expect(movements == "-1 true, 0.5 true")
            #expect(
                try await shop.psql("SELECT count(*) FROM stock.domain_event WHERE type = 'stock.counted'") == "1"
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("the last count of a product holds, and what was counted twice in one body is refused with every other fault")
    func lines() async throws {
        try await TestShop.open(onHand: 10) { (shop) async throws in
            let count = try await open(shop)
            try await enter(shop, count, [("A", "3")])
            try await shop.sellApples(1)
            let again = try await enter(shop, count, [("A", "9")])
            #expect(again.first?["difference"] == "0")
            let faults = await refusal {
                try await enter(shop, count, [("A", "1"), ("S", "1"), ("ß", "1"), ("A", "2"), ("B", "1.5")])
            }
            #expect(
                faults?.errors.map(\.pointer) == [
                    "/lines/1/product_id", "/lines/2/sku", "/lines/3/product_id", "/lines/4/counted",
                ]
            )
            #expect(faults?.errors.last?.code == .quantityPrecision)
            _ = try await close(shop, count)
            #expect(try await shop.onHand("A", at: try TestShop.main()) == "9")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("of a product one count is open at a place: another one is told which, and may have it when that has ended")
    func claimed() async throws {
        try await TestShop.open(onHand: 10) { (shop) async throws in
            let second = try await shop.openLocation("Zwei")
            let (main, mine) = (try TestShop.main(), try await open(shop, at: try TestShop.main()))
            try await enter(shop, mine, [("A", "1")])
            let other = try await open(shop, at: main)
            let claimed = await refusal { try await enter(shop, other, [("B", "1"), ("A", "1")]) }
            #expect(claimed?.code == .duplicate)
            #expect(claimed?.errors.map(\.pointer) == ["/lines/1/product_id"])
            #expect(claimed?.errors.first?.extra.first { $0.name == "count_id" }?.json == "\"\(mine)\"")
            // At another place it is another product.
            try await enter(shop, try await open(shop, at: second), [("A", "1")])
            _ = try await shop.counts.cancel(mine, shop.context, key: nil)
            try await enter(shop, other, [("A", "9")])
            #expect(try await shop.onHand("A", at: main) == "10")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("two counts that enter one product at the same moment: one has it, the other is told")
    func racing() async throws {
        try await TestShop.open(onHand: 10) { (shop) async throws in
            let counts = [try await open(shop), try await open(shop), try await open(shop)]
            let refused = await withTaskGroup(of: Problem?.self) { group in
                for count in counts {
                    group.addTask { await refusal { try await enter(shop, count, [("B", "1"), ("A", "1")]) } }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(refused.filter { $0 == nil }.count == 1)
            #expect(refused.compactMap { $0?.code } == [.duplicate, .duplicate])
            #expect(refused.compactMap { $0 }.allSatisfy { $0.errors.count == 2 })
        }
    }

    @Test("a count that has ended takes no line and does not end again; who is not there is not found")
    func ended() async throws {
        try await TestShop.open(onHand: 10) { (shop) async throws in
            let count = try await open(shop)
            _ = try await shop.counts.cancel(count, shop.context, key: nil)
            let late: [Problem?] = [
                await refusal { try await enter(shop, count, [("A", "1")]) },
                await refusal { try await close(shop, count) },
                await refusal { try await shop.counts.cancel(count, shop.context, key: nil) },
            ]
            #expect(late.map { $0?.code } == [.invalidState, .invalidState, .invalidState])
            let nowhere = await refusal { try await close(shop, .make()) }
            #expect(nowhere?.code == .notFound)
            let closed = try await shop.openLocation("Ferm\u{e9}")
            try await shop.asTenant("UPDATE stock.location SET active = false WHERE id = '\(closed)'")
            let elsewhere = await refusal { try await open(shop, at: closed) }
            #expect(elsewhere?.errors.map(\.pointer) == ["/location_id"])
        }
    }

    @Test("what would leave less than nothing is to be counted again: every product is named, and nothing moves")
    func recount() async throws {
        try await TestShop.open(onHand: 5) { (shop) async throws in
            let count = try await open(shop)
            try await enter(shop, count, [("A", "1"), ("B", "1"), ("W", "6")])
            try await shop.sellApples(5)
            try await shop.move("B", .loss, "4", at: nil)
            let short = await refusal { try await close(shop, count) }
            #expect(short?.code == .insufficientStock)
            #expect(
                short?.errors.compactMap { error in error.extra.first { $0.name == "product_id" }?.json }
                    == (["A", "B"] as [Character]).map { "\"\(TestShop.product($0))\"" }
            )
            #expect(try await shop.onHand("W", at: try TestShop.main()) == "5")
            try await enter(shop, count, [("A", "0"), ("B", "1")])
            _ = try await close(shop, count)
            #expect(try await shop.onHand("W", at: try TestShop.main()) == "6")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a sale that races the close comes before or after it, and two closes are one")
    func racingSale() async throws {
        try await TestShop.open(onHand: 100) { (shop) async throws in
            let main = try TestShop.main()
            for round in 1...4 {
                let count = try await open(shop)
                let lines = try await enter(shop, count, [("A", "\(100 - 5 * round)"), ("B", "\(100 - round)")])
                #expect(lines.count == 2)
                async let one = refusal { try await close(shop, count) }
                async let two = refusal { try await close(shop, count) }
                async let three = refusal { try await shop.sellApples(1) }
                async let four = refusal { try await shop.sellApples(1) }
                let closes = await [one, two]
                #expect(await [three, four] == [nil, nil])
                #expect(closes.filter { $0 == nil }.count == 1)
                #expect(closes.compactMap { $0?.code } == [.invalidState])
                #expect(try await shop.onHand("A", at: main) == "\(100 - 5 * round - 2)")
                // As it was counted, for the next round.
                try await shop.move("A", .adjustment, "2", at: nil)
            }
            #expect(try await shop.violations() == [])
        }
    }

    @Test("negative under allow, then deny, then a count that finds some")
    func negative() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            try await shop.asTenant("UPDATE stock.product SET oversell = 'allow' WHERE sku = 'A'")
            try await shop.sellApples(3)
            try await shop.asTenant("UPDATE stock.product SET oversell = 'deny' WHERE sku = 'A'")
            let refused = await refusal { try await shop.sellApples(1) }
            #expect(refused?.code == .insufficientStock)
            // Below zero it can only climb.
            try await shop.move("A", .adjustment, "1", at: nil)
            let count = try await open(shop)
            let lines = try await enter(shop, count, [("A", "4")])
            #expect(lines.first?["difference"] == "6")
            _ = try await close(shop, count)
            try await shop.sellApples(4)
            #expect(try await shop.onHand("A", at: try TestShop.main()) == "0")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("counts are listed by state and place, lines by product, those that differ alone, page by page")
    func lists() async throws {
        try await TestShop.open(onHand: 10) { (shop) async throws in
            let second = try await shop.openLocation("Łódź")
            let first = try await open(shop, at: try TestShop.main())
            let counts = [first, try await open(shop, at: second), try await open(shop, at: second)]
            try await enter(shop, first, [("A", "9"), ("B", "10"), ("W", "11")])
            _ = try await shop.counts.cancel(counts[1], shop.context, key: nil)
            func listed(_ change: (inout CountFilter) -> Void) async throws -> [StockCountID] {
                var (filter, found, cursor): (CountFilter, [String], String?) = (CountFilter(), [], nil)
                change(&filter)
                repeat {
                    let page = Page(limit: 1, cursor: cursor)
                    let body = try JSONBody(try await shop.answer(shop.counts.list(filter, page, shop.caller)))
                    found += body.texts("data", "id").compactMap { $0 }
                    cursor = body["next_cursor"]
                } while cursor != nil
                return found.compactMap { StockCountID($0) }
            }
            #expect(try await listed { _ in } == counts.reversed())
            #expect(try await listed { $0.status = .open } == [counts[2], counts[0]])
            #expect(try await listed { $0.status = .closed } == [])
            #expect(try await listed { $0.locationID = second } == [counts[2], counts[1]])
            #expect(try await listed { ($0.status, $0.locationID) = (.cancelled, second) } == [counts[1]])
            func differences(_ differs: Bool?) async throws -> [String?] {
                var (found, cursor): ([String?], String?) = ([], nil)
                repeat {
                    let page = Page(limit: 1, cursor: cursor)
                    let read = try shop.counts.lines(of: first, differs: differs, page, shop.caller)
                    let body = try JSONBody(try await shop.answer(read))
                    found += body.texts("data", "difference")
                    cursor = body["next_cursor"]
                } while cursor != nil
                return found
            }
            #expect(try await differences(nil) == ["-1", "0", "1"])
            #expect(try await differences(true) == ["-1", "1"])
            #expect(try await differences(false) == ["0"])
            let none = await refusal {
                try await shop.answer(shop.counts.lines(of: .make(), differs: nil, Page(), shop.caller))
            }
            #expect(none?.code == .notFound)
        }
    }

    @Test("movements are found by the document they belong to, and by why they were made")
    func movements() async throws {
        try await TestShop.open(onHand: 10) { (shop) async throws in
            let count = try await open(shop)
            try await enter(shop, count, [("A", "9"), ("B", "8"), ("W", "7")])
            _ = try await close(shop, count)
            try await shop.move("A", .loss, "2", at: nil)
            func moved(_ change: (inout MovementFilter) -> Void) async throws -> [String] {
                var (filter, found, cursor): (MovementFilter, [String?], String?) = (MovementFilter(), [], nil)
                change(&filter)
                repeat {
                    let page = Page(limit: 2, cursor: cursor)
                    let body = try JSONBody(try await shop.answer(shop.stock.movements(filter, page, shop.caller)))
                    found += body.texts("data", "on_hand_after")
                    cursor = body["next_cursor"]
                } while cursor != nil
                return found.compactMap { $0 }
            }
            #expect(try await moved { $0.documentID = count.entity } == ["7", "8", "9"])
            #expect(
                try await moved { ($0.documentID, $0.productID) = (count.entity, ProductID(TestShop.product("B"))) }
                    == ["8"]
            )
            #expect(try await moved { $0.documentID = StockCountID.make().entity } == [])
            #expect(try await moved { $0.reason = "because" } == ["7"])
            #expect(try await moved { $0.reason = "start" } == ["10", "10", "10"])
            #expect(try await moved { ($0.reason, $0.kind) = ("start", .loss) } == [])
            #expect(
                try await moved { ($0.reason, $0.productID) = ("because", ProductID(TestShop.product("A"))) } == ["7"]
            )
            #expect(try await moved { $0.kind = .count } == ["7", "8", "9"])
        }
    }

    @Test("a product that was counted stays, and its unit does not get coarser than what was counted")
    func named() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let count = try await open(shop)
            try await enter(shop, count, [("W", "1.125")])
            let asTenant = "SELECT set_config('stock.tenant_id', '1', false);"
            #expect(
                try await shop.database.refusal(of: "\(asTenant) DELETE FROM stock.product WHERE sku = 'W'") == "23503"
            )
            let product = TestShop.product("W")
            #expect(try await shop.asTenant("SELECT stock.product_is_named('\(product)')") == "t")
            #expect(try await shop.asTenant("SELECT stock.has_finer_quantity('\(TestShop.unit(3))', 2)") == "t")
            #expect(try await shop.asTenant("SELECT stock.has_finer_quantity('\(TestShop.unit(3))', 3)") == "f")
        }
    }
}
