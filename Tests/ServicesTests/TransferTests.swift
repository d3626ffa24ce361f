import Domain
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("Transfers")
struct TransferTests {
    private typealias Line = (sku: String, quantity: String)

    private func lines(_ lines: [Line]) throws -> [TransferRequest.Line] {
        try lines.map { TransferRequest.Line(product: .sku($0.sku), quantity: try Quantity($0.quantity)) }
    }

    private func draft(_ shop: TestShop, _ wanted: [Line], to location: LocationID? = nil) async throws -> TransferID {
        let request = TransferRequest(
            fromLocationID: try TestShop.main(),
            toLocationID: location,
            note: "Zażółć gęślą jaźń",
            lines: try lines(wanted)
        )
        let answer = try await shop.transfers.draft(request, shop.context, key: nil)
        return try #require(TransferID(JSONObjectBody(answer.body)["id"] ?? ""))
    }

    @discardableResult
    private func send(_ shop: TestShop, _ transfer: TransferID) async throws -> JSONObjectBody {
        try JSONObjectBody(try await shop.transfers.send(transfer, shop.context, key: nil).body)
    }

    /// Receives what is said of lines by their place, or all that is left.
    @discardableResult
    private func receive(
        _ shop: TestShop,
        _ transfer: TransferID,
        _ parts: [(line: Int, quantity: String, lost: String, reason: String?)] = []
    ) async throws -> JSONObjectBody {
        let read = shop.transfers.transfer(transfer, shop.caller)
        let ids = try JSONBody(try await shop.answer(read)).texts("lines", "id").map { TransferLineID($0 ?? "") }
        let lines = try parts.map { part in
            ReceivedLine(
                lineID: try #require(ids[part.line]),
                quantity: try Quantity(part.quantity),
                lost: try Quantity(part.lost),
                reason: part.reason
            )
        }
        return try JSONObjectBody(try await shop.transfers.receive(transfer, lines, shop.context, key: nil).body)
    }

    /// On hand at both places, and what is in transit of a product.
    private func levels(_ shop: TestShop, _ sku: Character, _ second: LocationID) async throws -> [String] {
        [
            try await shop.onHand(sku, at: try TestShop.main()), try await shop.onHand(sku, at: try TestShop.transit()),
            try await shop.onHand(sku, at: second),
        ]
    }

    @Test("goods that are carried leave, are in transit and come in parts; one piece breaks; they are worth the same")
    func carried() async throws {
        try await TestShop.open(onHand: 10) { (shop) async throws in
            let second = try await shop.openLocation("Łódź")
            let transfer = try await draft(shop, [("A", "6"), ("W", "2.5")], to: second)
            #expect(try await levels(shop, "A", second) == ["10", "", ""])
            let cost = "SELECT string_agg(cost::text, ',' ORDER BY product_id) FROM stock.stock_level"
            let costs = try await shop.psql(cost)
            let sent = try await send(shop, transfer)
            #expect(sent["status"] == "sent")
            #expect(sent["number"] == "1")
            #expect(try await levels(shop, "A", second) == ["4", "6", ""])
            let sums = "SELECT on_hand::int, in_transit::int FROM stock.stock_level WHERE product_id ="
            #expect(try await shop.psql("\(sums) '\(TestShop.product("A"))'") == "4|6")
            #expect(try await shop.violations() == [])

            let partly = try await receive(shop, transfer, [(0, "3", "1", "fell off the van"), (1, "2.5", "0", nil)])
            #expect(partly["status"] == "partially_received")
            #expect(partly["received_at"] == nil)
            #expect(partly.list("lines").map { $0["received_quantity"] } == ["3", "2.5"])
            #expect(partly.list("lines").map { $0["lost"] } == ["1", "0"])
            #expect(try await levels(shop, "A", second) == ["4", "2", "3"])
            #expect(try await shop.violations() == [])

            let rest = try await receive(shop, transfer)
            #expect(rest["status"] == "received")
            #expect(rest["received_at"] != nil)
            #expect(try await levels(shop, "A", second) == ["4", "0", "5"])
            #expect(try await levels(shop, "W", second) == ["7.5", "0", "2.5"])
            #expect(try await shop.psql(cost) == costs)
            let losses = "SELECT trim_scale(quantity), reason, location_id FROM stock.stock_movement"
            #expect(
                try await shop.psql("\(losses) WHERE kind = 'loss'") == "-1|fell off the van|\(try TestShop.transit())"
            )
            let events = "SELECT string_agg(type, ',' ORDER BY id) FROM stock.domain_event"
            #expect(
                try await shop.psql("\(events) WHERE entity_id = '\(transfer)'")
                    == "transfer.created,transfer.sent,transfer.received,transfer.received"
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("what is not there is not sent: every line is named, nothing moves and no number is taken")
    func short() async throws {
        try await TestShop.open(onHand: 5) { (shop) async throws in
            let second = try await shop.openLocation("Zwei")
            let transfer = try await draft(shop, [("A", "6"), ("B", "5"), ("W", "5.5")])
            let short = await refusal { try await send(shop, transfer) }
            #expect(short?.code == .insufficientStock)
            #expect(short?.errors.map(\.pointer) == ["/lines/0/quantity", "/lines/2/quantity"])
            #expect(short?.errors.first?.extra.first { $0.name == "available" }?.json == "\"5\"")
            #expect(try await levels(shop, "B", second) == ["5", "", ""])
            var patch = TransferPatch()
            patch.lines = .set(try lines([("B", "2")]))
            _ = try await shop.transfers.change(transfer, patch, expected: .any, shop.context)
            #expect(try await send(shop, transfer)["number"] == "1")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a draft is changed by who has seen it; one that was sent is not changed, sent or given up any more")
    func drafts() async throws {
        try await TestShop.open(onHand: 5) { (shop) async throws in
            let second = try await shop.openLocation("Zwei")
            let third = try await shop.openLocation("Drei")
            let transfer = try await draft(shop, [("A", "1")], to: second)
            var patch = TransferPatch()
            patch.toLocationID = .set(third)
            patch.note = .set(nil)
            let answer = try await shop.transfers.change(transfer, patch, expected: .oneOf([1]), shop.context)
            let body = try JSONObjectBody(answer.body)
            #expect(answer.etag == "\"2\"")
            #expect(body["to_location_id"] == third.description)
            #expect(body["note"] == nil)
            #expect(body.list("lines").map { $0["sku"] } == ["A"])
            let stale = await refusal {
                try await shop.transfers.change(transfer, patch, expected: .oneOf([1]), shop.context)
            }
            #expect(stale?.code == .versionMismatch)
            try await send(shop, transfer)
            let late: [Problem?] = [
                await refusal { try await shop.transfers.change(transfer, patch, expected: .any, shop.context) },
                await refusal { try await send(shop, transfer) },
                await refusal { try await shop.transfers.cancel(transfer, shop.context, key: nil) },
            ]
            #expect(late.map { $0?.code } == [.invalidState, .invalidState, .invalidState])
            let other = try await draft(shop, [("A", "1")], to: second)
            let cancelled = try await shop.transfers.cancel(other, shop.context, key: nil)
            #expect(try JSONObjectBody(cancelled.body)["status"] == "cancelled")
            let gone = await refusal { try await receive(shop, other) }
            #expect(gone?.code == .invalidState)
            let nowhere = await refusal { try await send(shop, .make()) }
            #expect(nowhere?.code == .notFound)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a transfer leads from one open place to another, and every fault of a line is told")
    func faults() async throws {
        try await TestShop.open(onHand: 5) { (shop) async throws in
            // There is nowhere to go.
            let alone = await refusal { try await draft(shop, [("A", "1")]) }
            #expect(alone?.errors.map(\.pointer) == ["/to_location_id"])
            #expect(alone?.errors.map(\.code) == [.required])
            let second = try await shop.openLocation("Zwei")
            _ = try await draft(shop, [("A", "1")])
            for place in [try TestShop.main(), try TestShop.transit(), LocationID.make()] {
                let wrong = await refusal { try await draft(shop, [("A", "1")], to: place) }
                #expect(wrong?.errors.map(\.pointer) == ["/to_location_id"])
            }
            let faults = await refusal {
                try await draft(shop, [("A", "1"), ("S", "1"), ("A", "2"), ("Ñ", "1"), ("B", "0.5")], to: second)
            }
            #expect(
                faults?.errors.map(\.pointer) == [
                    "/lines/1/product_id", "/lines/2/product_id", "/lines/3/sku", "/lines/4/quantity",
                ]
            )
            let transfer = try await draft(shop, [("A", "2"), ("B", "2")], to: second)
            try await send(shop, transfer)
            let received = await refusal {
                try await receive(shop, transfer, [(0, "2", "1", nil), (1, "0.5", "0", nil), (1, "0", "0", nil)])
            }
            #expect(
                received?.errors.map { "\($0.pointer) \($0.code)" } == [
                    "/lines/0/quantity out_of_range", "/lines/0/reason required",
                    "/lines/1/quantity quantity_precision",
                    "/lines/2/line_id duplicate", "/lines/2/quantity out_of_range",
                ]
            )
            let line = ReceivedLine(lineID: .make(), quantity: try Quantity("1"))
            let unknown = await refusal { try await shop.transfers.receive(transfer, [line], shop.context, key: nil) }
            #expect(unknown?.errors.map(\.pointer) == ["/lines/0/line_id"])
            #expect(try await shop.violations() == [])
        }
    }

    @Test("two receipts at once take what is there once, and drafts sent at once are numbered without a gap")
    func atOnce() async throws {
        try await TestShop.open(onHand: 100) { (shop) async throws in
            let second = try await shop.openLocation("Zwei")
            let transfers = [
                try await draft(shop, [("A", "7"), ("B", "3")]), try await draft(shop, [("B", "1"), ("A", "1")]),
                try await draft(shop, [("A", "1")]),
            ]
            let sent = try await withThrowingTaskGroup(of: String?.self) { group in
                for transfer in transfers { group.addTask { try await send(shop, transfer)["number"] } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(sent) == ["1", "2", "3"])
            let refused = await withTaskGroup(of: Problem?.self) { group in
                for _ in 0..<4 {
                    group.addTask { await refusal { try await receive(shop, transfers[0], [(0, "4", "0", nil)]) } }
                }
                for _ in 0..<2 { group.addTask { await refusal { try await shop.sellApples(1) } } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(refused.filter { $0 == nil }.count == 3)
            #expect(refused.compactMap { $0?.code } == [.validationFailed, .validationFailed, .validationFailed])
            #expect(try await levels(shop, "A", second) == ["89", "5", "4"])
            let ended = await withTaskGroup(of: Problem?.self) { group in
                for _ in 0..<3 { group.addTask { await refusal { try await receive(shop, transfers[0]) } } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(ended.filter { $0 == nil }.count == 1)
            #expect(ended.compactMap { $0?.code } == [.invalidState, .invalidState])
            #expect(try await levels(shop, "A", second) == ["89", "2", "7"])
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a place is not closed while a transfer or a count names it, which the refusal names")
    func closing() async throws {
        try await TestShop.open(onHand: 5) { (shop) async throws in
            let second = try await shop.openLocation("Zwei")
            let close = "UPDATE stock.location SET active = false WHERE id = '\(second)'"
            let asTenant = "SELECT set_config('stock.tenant_id', '1', false);"
            let transfer = try await draft(shop, [("A", "1")], to: second)
            #expect(try await shop.database.refusal(of: "\(asTenant) \(close)") == "ST001")
            let named = await refusal { try await shop.closeLocation(second) }
            #expect(named?.code == .inUse)
            #expect(named?.errors.first?.extra.first?.name == "transfer_id")
            #expect(named?.errors.first?.extra.first?.json == "\"\(transfer)\"")
            try await send(shop, transfer)
            let sent = await refusal { try await shop.closeLocation(second) }
            #expect(sent?.errors.first?.detail == "The transfer 1 is sent.")
            try await receive(shop, transfer)
            try await shop.move("A", .loss, "1", at: second)
            let count = try await shop.counts.open(CountRequest(locationID: second), shop.context, key: nil)
            let counted = await refusal { try await shop.closeLocation(second) }
            #expect(counted?.errors.first?.extra.first?.name == "count_id")
            let id = try #require(StockCountID(JSONObjectBody(count.body)["id"] ?? ""))
            _ = try await shop.counts.cancel(id, shop.context, key: nil)
            try await shop.asTenant(close)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("transfers are listed by state and place, page by page")
    func listed() async throws {
        try await TestShop.open(onHand: 10) { (shop) async throws in
            let (main, second) = (try TestShop.main(), try await shop.openLocation("Zwei"))
            let third = try await shop.openLocation("Drei")
            let made = [
                try await draft(shop, [("A", "1")], to: second), try await draft(shop, [("A", "1")], to: third),
                try await draft(shop, [("A", "1")], to: second),
            ]
            try await send(shop, made[0])
            try await receive(shop, made[0])
            func listed(_ status: TransferFilter.Status?, _ location: LocationID?) async throws -> [TransferID] {
                var (filter, found, cursor): (TransferFilter, [String], String?) = (TransferFilter(), [], nil)
                (filter.status, filter.locationID) = (status, location)
                repeat {
                    let page = Page(limit: 1, cursor: cursor)
                    let body = try JSONBody(try await shop.answer(shop.transfers.list(filter, page, shop.caller)))
                    found += body.texts("data", "id").compactMap { $0 }
                    cursor = body["next_cursor"]
                } while cursor != nil
                return found.compactMap { TransferID($0) }
            }
            #expect(try await listed(nil, nil) == made.reversed())
            #expect(try await listed(nil, main) == made.reversed())
            #expect(try await listed(nil, second) == [made[2], made[0]])
            #expect(try await listed(.draft, nil) == [made[2], made[1]])
            #expect(try await listed(.draft, third) == [made[1]])
            #expect(try await listed(.received, nil) == [made[0]])
            #expect(try await listed(.received, second) == [made[0]])
            #expect(try await listed(.received, third) == [])
        }
    }
}

extension TestShop {
    /// Closes a place, as a client does.
    fileprivate func closeLocation(_ location: LocationID) async throws {
        var fields = LocationFields()
        fields.active = .set(false)
        let locations = Records<Location>(store: store, cursors: PageCursors(secret: Array(repeating: 7, count: 32)))
        _ = try await locations.change(location, fields, expected: .any, context)
    }
}
