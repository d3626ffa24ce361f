import Cache
import Domain
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("A purchase")
struct PurchaseTests {
    @Test("spreads what comes on top by what the lines come to, to the last cent, and keeps costs of six decimals")
    func landedCosts() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let supplier = try await shop.supplier("Molinos Ñandú")
            let draft = try await shop.buy(
                supplier,
                [("A", "3", "0.333333"), ("W", "2.5", "4"), ("S", "1", "9")],
                costs: [("Flete", "0.70"), ("Aduana", "0.30")]
            )
            #expect(draft["status"] == "draft")
            #expect(draft["number"] == nil)
            #expect(draft["goods"] == "20.00")
            #expect(draft["total"] == "21.00")
            #expect(draft["due"] == "0.00")
            #expect(draft.list("lines").map { $0["total"] } == ["1.00", "10.00", "9.00"])
            // 0.05, 0.50 and 0.45 of one pound, without a cent left over.
            #expect(draft.list("lines").map { $0["cost_share"] } == ["0.05", "0.50", "0.45"])
            #expect(draft.list("lines").map { $0["landed_cost"] } == ["0.35", "4.20", "9.45"])
            let id = try required(PurchaseID(required(draft["id"])))
            try await shop.ordered(id)
            let received = try await shop.receive(id)
            #expect(received["status"] == "received")
            // What nobody counts has no level.
            #expect(try await shop.levels() == "A 3 0.35, B 0 0, S 0 0, W 2.5 4.2")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("shares are whole smallest units that add up to the amount, whatever the weights and the currency")
    func spread() async throws {
        let database = try await PostgresServer.shared().database(named: "spread_costs")
        for (amount, weights, exponent, shares) in [
            ("10", "1,1,1", 2, "{3.34,3.33,3.33}"), ("0.02", "5,5,5", 2, "{0.01,0.01,0.00}"),
            ("7", "0,3,0.5", 0, "{0,6,1}"), ("1", "0.000001,0.000002", 4, "{0.3333,0.6667}"),
            ("99999999999999.99", "1,2", 2, "{33333333333333.33,66666666666666.66}"), ("0", "1,2", 2, "{0.00,0.00}"),
        ] {
            let spread = try await database.psql("SELECT stock.spread(\(amount), ARRAY[\(weights)], \(exponent))")
            #expect(spread == shares, "\(amount) over \(weights)")
        }
        try await database.drop()
    }

    @Test("comes in parts: what is open is known, more than that is refused, and its cost moves the average")
    func partialReceipt() async throws {
        try await TestShop.open { (shop) async throws in
            let supplier = try await shop.supplier()
            let id = try await shop.order(supplier, [("A", "1000", "2.25"), ("B", "10", "3")])
            let lines = try await shop.purchase(id).list("lines").map {
                try required(PurchaseLineID(required($0["id"])))
            }
            let some = try await shop.receive(id, [(lines[0], "400")])
            #expect(some["status"] == "partially_received")
            #expect(some.list("lines").map { $0["received_quantity"] } == ["400", "0"])
            #expect(some.list("lines").map { $0["open_quantity"] } == ["600", "10"])
            // 1,000 at 1.25 and 400 at 2.25.
            #expect(try await shop.levels().hasPrefix("A 1400 1.535714, B 1000 1.25"))
            let over = await refusal {
                try await shop.receive(id, [(lines[0], "601"), (lines[1], "10"), (PurchaseLineID.make(), "1")])
            }
            #expect(over?.code == .validationFailed)
            #expect(
                over?.errors.map { "\($0.pointer) \($0.code)" } == [
                    "/lines/0/quantity out_of_range", "/lines/2/line_id not_found",
                ]
            )
            let more = await refusal { try await shop.receive(id, [(lines[0], "601")]) }
            #expect(more?.code == .validationFailed)
            #expect(
                more?.errors.first?.extra.map { "\($0.name) \($0.json)" } == ["requested \"601\"", "available \"600\""]
            )
            let finer = await refusal { try await shop.receive(id, [(lines[0], "0.5")]) }
            #expect(finer?.code == .quantityPrecision)
            let twice = await refusal { try await shop.receive(id, [(lines[1], "1"), (lines[1], "1")]) }
            #expect(twice?.errors.map { "\($0.pointer) \($0.code)" } == ["/lines/1/line_id duplicate"])
            let rest = try await shop.receive(id)
            #expect(rest["status"] == "received")
            #expect(try await shop.levels().hasPrefix("A 2000 1.75, B 1010 1.267327"))
            let again = await refusal { try await shop.receive(id) }
            #expect(again?.code == .invalidState)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is owed from its order on, with a number of its own, and shows with its supplier")
    func ordered() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let supplier = try await shop.supplier()
            let first = try await shop.order(supplier, [("A", "10", "2")], costs: [("Freight", "1.00")])
            let second = try await shop.order(supplier, [("B", "1", "5")])
            _ = try await shop.buy(supplier, [("B", "1", "100")])
            let numbers = [try await shop.purchase(first)["number"], try await shop.purchase(second)["number"]]
            #expect(numbers == ["1", "2"])
            #expect(try await shop.purchase(first)["due"] == "21.00")
            #expect(try await shop.payable(supplier) == "26.00")
            let again = await refusal { try await shop.ordered(first) }
            #expect(again?.code == .invalidState)
            _ = try await shop.cancel(second)
            #expect(try await shop.payable(supplier) == "21.00")
            let gone = await refusal { try await shop.ordered(PurchaseID.make()) }
            #expect(gone?.code == .notFound)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is received once by two who receive it at the same moment")
    func twoReceipts() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let id = try await shop.order(try await shop.supplier(), [("A", "3", "1"), ("B", "3", "1")])
            let lines = try await shop.purchase(id).list("lines").map {
                try required(PurchaseLineID(required($0["id"])))
            }
            let codes = await withTaskGroup(of: Problem.Code?.self) { group in
                for turn in 0..<8 {
                    group.addTask {
                        let both = [(lines[0], "1"), (lines[1], "1")]
                        return await refusal { try await shop.receive(id, turn % 2 == 0 ? both : both.reversed()) }?
                            .code
                    }
                }
                return await group.reduce(into: [Problem.Code?]()) { $0.append($1) }
            }
            #expect(codes.count { $0 == nil } == 3)
            #expect(codes.count { $0 == .invalidState } == 5)
            #expect(try await shop.levels().hasPrefix("A 3 1, B 3 1"))
            #expect(try await shop.purchase(id)["status"] == "received")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("that is cancelled gives its goods and its cost back; after they were sold it is refused, line by line")
    func cancelled() async throws {
        try await TestShop.open(onHand: 100) { (shop) async throws in
            let supplier = try await shop.supplier()
            let id = try await shop.order(supplier, [("A", "50", "5"), ("B", "10", "1")])
            let lines = try await shop.purchase(id).list("lines").map {
                try required(PurchaseLineID(required($0["id"])))
            }
            _ = try await shop.receive(id, [(lines[0], "50")])
            #expect(try await shop.levels().hasPrefix("A 150 2.5, "))
            let cancelled = try await shop.cancel(id, reason: "zweimal geliefert")
            #expect(cancelled["status"] == "cancelled")
            #expect(cancelled.text.contains(#""cancellation":{"reason":"zweimal geliefert","user_id""#))
            #expect(cancelled["due"] == "0.00")
            #expect(cancelled.list("lines").map { $0["open_quantity"] } == ["0", "0"])
            #expect(try await shop.levels().hasPrefix("A 100 1.25, B 100 1.25"))
            #expect(await refusal { try await shop.cancel(id) }?.code == .invalidState)
            #expect(await refusal { try await shop.receive(id) }?.code == .invalidState)

            let sold = try await shop.order(supplier, [("A", "10", "2"), ("B", "10", "2")])
            _ = try await shop.receive(sold)
            try await shop.sell(try shop.request([("A", "105")], paid: [try cash("262.50")]))
            let refused = await refusal { try await shop.cancel(sold) }
            #expect(refused?.code == .insufficientStock)
            #expect(refused?.errors.map(\.pointer) == ["/lines/0/quantity"])
            #expect(refused?.errors.first?.extra.contains { $0.name == "available" && $0.json == "\"5\"" } == true)
            #expect(try await shop.purchase(sold)["status"] == "received")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("that is cancelled leaves the cost where nothing is left, and where it would fall below nothing")
    func undoneCost() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let supplier = try await shop.supplier()
            let first = try await shop.order(supplier, [("A", "10", "8")])
            _ = try await shop.receive(first)
            _ = try await shop.cancel(first)
            #expect(try await shop.levels().hasPrefix("A 0 8, "))
            let dear = try await shop.order(supplier, [("A", "10", "8")])
            _ = try await shop.receive(dear)
            try await shop.sell(try shop.request([("A", "10")], paid: [try cash("25.00")]))
            let cheap = try await shop.order(supplier, [("A", "12", "1")])
            _ = try await shop.receive(cheap)
            _ = try await shop.cancel(dear)
            // Twelve at 1.00 less ten at 8.00 is worth less than nothing.
            #expect(try await shop.levels().hasPrefix("A 2 1, "))
            #expect(try await shop.violations() == [])
        }
    }

    @Test("has a reference that is its supplier's alone: two suppliers may use one, and a cancelled one is free")
    func references() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let (one, two) = (try await shop.supplier("Uno"), try await shop.supplier("Dos"))
            let first = try await shop.buy(one, [("A", "1", "1")], reference: "F-0001")
            _ = try await shop.buy(two, [("A", "1", "1")], reference: "F-0001")
            let again = await refusal { try await shop.buy(one, [("A", "1", "1")], reference: "F-0001") }
            #expect(again?.code == .duplicate)
            #expect(again?.errors.map(\.pointer) == ["/reference"])
            _ = try await shop.cancel(try required(PurchaseID(required(first["id"]))))
            _ = try await shop.buy(one, [("A", "1", "1")], reference: "F-0001")
        }
    }

    @Test("brings what was oversold back up, at its own cost")
    func oversold() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            try await shop.psql("UPDATE stock.product SET oversell = 'allow' WHERE sku = 'A'")
            try await shop.sell(try shop.request([("A", "4")], paid: [try cash("10.00")]))
            try await shop.psql("UPDATE stock.product SET oversell = 'deny' WHERE sku = 'A'")
            let id = try await shop.order(try await shop.supplier(), [("A", "10", "1.5")])
            let line = try required(PurchaseLineID(required(try await shop.purchase(id).list("lines")[0]["id"])))
            _ = try await shop.receive(id, [(line, "3")])
            #expect(try await shop.levels().hasPrefix("A -1 1.5, "))
            _ = try await shop.receive(id)
            #expect(try await shop.levels().hasPrefix("A 6 1.5, "))
            #expect(try await shop.violations() == [])
        }
    }

    @Test("changes while it is a draft, by whoever has read it, and no more once it is ordered")
    func changed() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let supplier = try await shop.supplier()
            let draft = try await shop.buy(supplier, [("A", "10", "2"), ("B", "5", "2")], costs: [("Freight", "3.00")])
            let id = try required(PurchaseID(required(draft["id"])))
            var fields = PurchaseFields()
            fields.lines = .set([.init(product: .sku("b"), quantity: try Quantity("1"), unitCost: try Price("2.5"))])
            let changed = try await shop.change(id, fields, .oneOf([1]))
            #expect(changed["total"] == "5.50")
            #expect(changed.list("lines").map { $0["cost_share"] } == ["3.00"])
            #expect(changed["version"] == "2")
            fields = PurchaseFields()
            fields.costs = .set([])
            fields.reference = .set("Señal 7")
            let bare = try await shop.change(id, fields, .oneOf([2]))
            #expect(bare["total"] == "2.50")
            #expect(bare.list("lines").map { $0["landed_cost"] } == ["2.50"])
            #expect(bare["reference"] == "Señal 7")
            #expect(await refusal { try await shop.change(id, fields, .oneOf([2])) }?.code == .versionMismatch)
            #expect(await refusal { try await shop.change(PurchaseID.make(), fields, .any) }?.code == .notFound)
            try await shop.ordered(id)
            #expect(await refusal { try await shop.change(id, fields, .any) }?.code == .invalidState)
        }
    }

    @Test("is refused with every field that is wrong")
    func invalid() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let supplier = try await shop.supplier()
            try await shop.psql("UPDATE stock.product SET status = 'archived' WHERE sku = 'B'")
            let lines = await refusal {
                try await shop.buy(
                    supplier,
                    [("A", "0.5", "1"), ("B", "1", "1"), ("Z", "1", "1"), ("W", "999999", "999999999999")],
                    costs: [("Freight", "0.001")]
                )
            }
            #expect(lines?.code == .validationFailed)
            #expect(
                lines?.errors.map { "\($0.pointer) \($0.code)" } == [
                    "/lines/0/quantity quantity_precision", "/lines/1/sku product_inactive", "/lines/2/sku not_found",
                    "/lines/3/unit_cost out_of_range", "/costs/0/amount too_many_decimals",
                ]
            )
            let nobody = await refusal { try await shop.buy(ID<Supplier>.make(), [("A", "1", "1")]) }
            #expect(nobody?.errors.map(\.pointer) == ["/supplier_id"])
            try await shop.psql(
                "INSERT INTO stock.location (tenant_id, id, name) VALUES (\(shop.tenant), gen_random_uuid(), 'Depósito')"
            )
            let nowhere = await refusal { try await shop.buy(supplier, [("A", "1", "1")]) }
            #expect(nowhere?.errors.map { "\($0.pointer) \($0.code)" } == ["/location_id required"])
            #expect(try await shop.psql("SELECT count(*) FROM stock.purchase") == "0")
        }
    }

    @Test("keeps what it names: product, unit, supplier, location and register are not deleted or made coarser")
    func named() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let supplier = try await shop.supplier()
            _ = try await shop.order(supplier, [("W", "0.125", "1")])
            for table in ["product WHERE sku = 'W'", "supplier", "location WHERE kind = 'branch'", "register"] {
                let code = try await shop.database.refusal(
                    of: "SET session_replication_role = origin; DELETE FROM stock.\(table)"
                )
                #expect(["23503", "ST001"].contains(code), "\(table): \(code ?? "")")
            }
            let product = "(SELECT id FROM stock.product WHERE sku = 'W')"
            #expect(try await shop.asTenant("SELECT stock.product_is_named(\(product))") == "t")
            #expect(try await shop.asTenant("SELECT stock.has_finer_quantity('\(TestShop.unit(3))', 2)") == "t")
        }
    }

    @Test("is listed newest first, by supplier, state, day, and what should have been paid by now")
    func list() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let (one, two) = (try await shop.supplier("Uno"), try await shop.supplier("Dos"))
            var ids: [String: String] = [:]
            for (name, supplier, day, due) in [
                ("old", one, "2026-01-05", "2026-02-01"), ("other", two, "2026-02-05", "2026-03-01"),
                ("late", one, "2026-03-05", "9999-12-31"), ("draft", one, "2026-04-05", "2026-05-01"),
            ] {
                let draft = try await shop.buy(
                    supplier,
                    [("A", "1", "1")],
                    dueOn: try required(BusinessDay(due)),
                    at: "\(day)T12:00:00Z"
                )
                let id = try required(draft["id"])
                ids[id] = name
                if name != "draft" { try await shop.ordered(required(PurchaseID(id))) }
            }
            func names(_ change: (inout PurchaseFilter) -> Void) async throws -> [String?] {
                var filter = PurchaseFilter()
                change(&filter)
                var names: [String?] = []
                var cursor: String?
                repeat {
                    let page = Page(limit: 2, cursor: cursor)
                    let list = try await shop.answer(shop.purchases.list(filter, page, shop.caller))
                    let body = try JSONObjectBody(required(list.body))
                    names += body.list("data").map { ids[$0["id"] ?? ""] }
                    cursor = body["next_cursor"]
                } while cursor != nil
                return names
            }
            #expect(try await names { _ in } == ["draft", "late", "other", "old"])
            #expect(try await names { $0.supplierID = one } == ["draft", "late", "old"])
            #expect(try await names { $0.status = .ordered } == ["late", "other", "old"])
            #expect(try await names { $0.isOverdue = true } == ["other", "old"])
            #expect(
                try await names {
                    $0.isOverdue = true
                    $0.supplierID = one
                } == ["old"]
            )
            let february = try DayRange(from: BusinessDay("2026-02-01"), to: BusinessDay("2026-02-28"))
            #expect(try await names { $0.days = february } == ["other"])
        }
    }
}

@Suite("A payment for what was bought")
struct PurchasePaymentTests {
    /// Orders of 10.00, 20.00 and 30.00 of a supplier: the first has no day, the last is due first.
    private func debts(_ shop: TestShop, _ supplier: ID<Supplier>) async throws -> [PurchaseID] {
        [
            try await shop.order(supplier, [("A", "10", "1")]),
            try await shop.order(supplier, [("A", "10", "2")], dueOn: BusinessDay("2026-06-02")),
            try await shop.order(supplier, [("A", "10", "3")], dueOn: BusinessDay("2026-06-01")),
        ]
    }

    @Test("to a supplier pays what is due first at first, and is an expense of its method")
    func dueFirst() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let supplier = try await shop.supplier()
            let ids = try await debts(shop, supplier)
            let payment = try await shop.pay("35.00", to: supplier)
            #expect(payment["direction"] == "out")
            #expect(payment["supplier_id"] == supplier.description)
            #expect(payment.list("allocations").map { $0["purchase_id"] } == [ids[2].description, ids[1].description])
            #expect(payment.list("allocations").map { $0["amount"] } == ["30.00", "5.00"])
            let dues = [try await shop.purchase(ids[0])["due"], try await shop.purchase(ids[1])["due"]]
            #expect(dues == ["10.00", "15.00"])
            #expect(try await shop.payable(supplier) == "25.00")
            #expect(
                try await shop.psql("SELECT direction, category, method, amount FROM stock.ledger_entry")
                    == "expense|purchase|card|35.0000"
            )
            try await shop.pay("25.00", to: supplier)
            #expect(try await shop.payable(supplier) == "0.00")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is never more than what is due, and never capped; a draft and what is cancelled are not paid")
    func exceedsDue() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let supplier = try await shop.supplier()
            let ids = try await debts(shop, supplier)
            for attempt in [
                await refusal { try await shop.pay("10.01", of: ids[0]) },
                await refusal { try await shop.pay("60.01", to: supplier) },
            ] {
                #expect(attempt?.code == .paymentExceedsDue)
                #expect(attempt?.errors.first?.extra.map(\.name) == ["amount", "due"])
            }
            try await shop.pay("10.00", of: ids[0], to: supplier)
            #expect(await refusal { try await shop.pay("0.01", of: ids[0]) }?.code == .paymentExceedsDue)
            #expect(await refusal { try await shop.cancel(ids[0]) }?.code == .inUse)
            _ = try await shop.cancel(ids[1])
            #expect(await refusal { try await shop.pay("1.00", of: ids[1]) }?.code == .invalidState)
            let draft = try await shop.buy(supplier, [("A", "1", "1")])
            let id = try required(PurchaseID(required(draft["id"])))
            #expect(await refusal { try await shop.pay("1.00", of: id) }?.code == .invalidState)
            let other = try await shop.supplier("Other")
            let wrong = await refusal { try await shop.pay("1.00", of: ids[2], to: other) }
            #expect(wrong?.errors.map(\.pointer) == ["/supplier_id"])
            let nothing = await refusal { try await shop.pay("1.00", of: PurchaseID.make()) }
            #expect(nothing?.errors.map(\.pointer) == ["/purchase_id"])
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is not lost when two pay at once, and no purchase is cancelled while it is paid")
    func atOnce() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let supplier = try await shop.supplier()
            let ids = try await debts(shop, supplier)
            let codes = await withTaskGroup(of: Problem.Code?.self) { group in
                for turn in 0..<9 {
                    group.addTask {
                        await refusal {
                            switch turn % 3 {
                            case 0: try await shop.pay("20.00", to: supplier)
                            case 1: try await shop.pay("10.00", of: ids[turn / 3])
                            default: try await shop.cancel(ids[2])
                            }
                        }?.code
                    }
                }
                return await group.reduce(into: [Problem.Code?]()) { $0.append($1) }
            }
            #expect(codes.allSatisfy { [nil, .paymentExceedsDue, .invalidState, .inUse].contains($0) }, "\(codes)")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("that is reversed is owed again, whoever reverses it")
    func reversed() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let supplier = try await shop.supplier()
            let ids = try await debts(shop, supplier)
            try await shop.pay("35.00", to: supplier)
            try await shop.psql("UPDATE stock.payment SET status = 'reversed' WHERE direction = 'out'")
            #expect(try await shop.payable(supplier) == "60.00")
            #expect(try await shop.purchase(ids[2])["paid"] == "0.00")
            // Nothing more by what was reversed before.
            try await shop.psql("UPDATE stock.payment SET version = version + 1")
            #expect(try await shop.payable(supplier) == "60.00")
        }
    }

    @Test("names what it pays and brings no tip; money in names no purchase")
    func invalid() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let sale = SaleID.make()
            let out = await refusal {
                var request = PaymentRequest(
                    direction: .outgoing,
                    tender: try cash("1.00", tendered: "2.00"),
                    saleID: sale
                )
                request.tender.tip = try Money("0.50")
                return try await shop.payments.register(request, shop.context, key: nil)
            }
            #expect(out?.errors.map(\.pointer) == ["/purchase_id", "/sale_id", "/tip", "/tendered"])
            let into = await refusal {
                try await shop.payments.register(
                    PaymentRequest(tender: try cash("1.00"), saleID: sale, purchaseID: PurchaseID.make()),
                    shop.context,
                    key: nil
                )
            }
            #expect(into?.errors.map(\.pointer) == ["/purchase_id"])
        }
    }

    @Test("is found by its purchase")
    func list() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let ids = try await debts(shop, try await shop.supplier())
            try await shop.pay("1.00", of: ids[0])
            try await shop.pay("2.00", of: ids[1])
            var filter = PaymentFilter()
            filter.purchaseID = ids[1]
            let list = try await shop.answer(shop.payments.list(filter, Page(limit: 10), shop.caller))
            #expect(try JSONObjectBody(required(list.body)).list("data").map { $0["amount"] } == ["2.00"])
        }
    }
}

@Suite("What runs short")
struct ReorderTests {
    private func rows(_ shop: TestShop, of supplier: ID<Supplier>? = nil) async throws -> [String] {
        var rows: [String] = []
        var cursor: String?
        repeat {
            let page = Page(limit: 1, cursor: cursor)
            let list = try await shop.answer(shop.purchases.short(of: supplier, page, shop.caller))
            let body = try JSONObjectBody(required(list.body))
            rows += body.list("data").map { row in
                ["sku", "on_hand", "min_stock", "on_order", "quantity", "unit_cost"].map { row[$0] ?? "-" }
                    .joined(separator: " ")
            }
            cursor = body["next_cursor"]
        } while cursor != nil
        return rows
    }

    @Test("is what is below its minimum with what is on order, by the supplier and at the cost of the last purchase")
    func report() async throws {
        try await TestShop.open(onHand: 5) { (shop) async throws in
            let (one, two) = (try await shop.supplier("Uno"), try await shop.supplier("Dos"))
            try await shop.psql("UPDATE stock.product SET min_stock = 20 WHERE tracks_stock")
            try await shop.psql("UPDATE stock.product SET min_stock = 5 WHERE sku = 'W'")
            _ = try await shop.receive(try await shop.order(one, [("A", "1", "1.5")]))
            _ = try await shop.receive(try await shop.order(two, [("A", "2", "2.25")]))
            _ = try await shop.cancel(try await shop.order(one, [("A", "1", "9")]))
            let open = try await shop.order(one, [("B", "9", "3"), ("W", "0.5", "1")])
            // Walnuts have all they need to have.
            #expect(try await rows(shop) == ["A 8 20 0 12 2.25", "B 5 20 9 6 3.00"])
            #expect(try await rows(shop, of: two) == ["A 8 20 0 12 2.25"])
            _ = try await shop.cancel(open)
            #expect(try await rows(shop) == ["A 8 20 0 12 2.25", "B 5 20 0 15 -"])
        }
    }

    @Test("is ordered by a draft for each supplier, by two who ask at once only once")
    func drafts() async throws {
        try await TestShop.open(onHand: 5) { (shop) async throws in
            let (one, two) = (try await shop.supplier("Uno"), try await shop.supplier("Dos"))
            try await shop.psql("UPDATE stock.product SET min_stock = 20 WHERE tracks_stock")
            _ = try await shop.receive(try await shop.order(one, [("A", "1", "1.5"), ("B", "1", "2")]))
            _ = try await shop.receive(try await shop.order(two, [("B", "1", "3")]))
            let made = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let request = ReorderRequest(note: "Nachschub")
                        let answer = try await shop.purchases.reorder(request, shop.context, key: nil)
                        return try JSONObjectBody(answer.body).list("data").count
                    }
                }
                return try await group.reduce(into: [Int]()) { $0.append($1) }
            }
            #expect(made.sorted() == [0, 0, 0, 2])
            #expect(
                try await shop.psql(
                    """
                    SELECT s.name, p.status, p.note, l.sku, trim_scale(l.quantity), trim_scale(l.unit_cost)
                    FROM stock.purchase p JOIN stock.supplier s ON s.id = p.supplier_id
                    JOIN stock.purchase_line l ON l.purchase_id = p.id WHERE p.status = 'draft' ORDER BY s.name
                    """
                ) == "Dos|draft|Nachschub|B|13|3\nUno|draft|Nachschub|A|14|1.5"
            )
            // Walnuts were never bought.
            #expect(try await rows(shop) == ["W 5 20 0 15 -"])
            #expect(try await shop.violations() == [])
        }
    }
}

// MARK: - Buying

extension TestShop {
    /// A supplier, by its name.
    func supplier(_ name: String = "Supplier") async throws -> ID<Supplier> {
        let id = ID<Supplier>.make()
        try await psql("INSERT INTO stock.supplier (tenant_id, id, name) VALUES (\(tenant), '\(id)', '\(name)')")
        return id
    }

    /// A draft: `[("A", "2", "1.50")]`, with costs on top.
    @discardableResult
    func buy(
        _ supplier: ID<Supplier>,
        _ lines: [(sku: String, quantity: String, cost: String)],
        costs: [(name: String, amount: String)] = [],
        reference: String? = nil,
        dueOn: BusinessDay? = nil,
        at time: String? = nil
    ) async throws -> JSONObjectBody {
        var fields = PurchaseFields()
        fields.supplierID = .set(supplier)
        fields.reference = .set(reference)
        fields.dueOn = .set(dueOn)
        fields.lines = .set(
            try lines.map {
                PurchaseFields.Line(
                    product: .sku($0.sku),
                    quantity: try Quantity($0.quantity),
                    unitCost: try Price($0.cost)
                )
            }
        )
        fields.costs = .set(try costs.map { PurchaseFields.Cost(name: $0.name, amount: try Money($0.amount)) })
        let request = PurchaseRequest(fields: fields, occurredAt: time.flatMap { Timestamp($0) })
        return try JSONObjectBody(try await purchases.create(request, context, key: nil).body)
    }

    /// The id of a purchase that is ordered.
    func order(
        _ supplier: ID<Supplier>,
        _ lines: [(sku: String, quantity: String, cost: String)],
        costs: [(name: String, amount: String)] = [],
        dueOn: BusinessDay? = nil
    ) async throws -> PurchaseID {
        let draft = try await buy(supplier, lines, costs: costs, dueOn: dueOn)
        let id = try required(PurchaseID(required(draft["id"])))
        try await ordered(id)
        return id
    }

    @discardableResult
    func ordered(_ id: PurchaseID) async throws -> JSONObjectBody {
        try JSONObjectBody(try await purchases.order(id, note: nil, context, key: nil).body)
    }

    /// Takes in what came, or all that is open.
    @discardableResult
    func receive(_ id: PurchaseID, _ lines: [(PurchaseLineID, String)] = []) async throws -> JSONObjectBody {
        let lines = try lines.map { ReceiptRequest.Line(lineID: $0.0, quantity: try Quantity($0.1)) }
        return try JSONObjectBody(
            try await purchases.receive(id, ReceiptRequest(lines: lines), context, key: nil).body
        )
    }

    @discardableResult
    func cancel(_ id: PurchaseID, reason: String? = nil) async throws -> JSONObjectBody {
        try JSONObjectBody(try await purchases.cancel(id, reason: reason, context, key: nil).body)
    }

    func change(_ id: PurchaseID, _ fields: PurchaseFields, _ expected: ExpectedVersion) async throws -> JSONObjectBody
    {
        try JSONObjectBody(try await purchases.change(id, fields, expected: expected, context).body)
    }

    /// Pays by card for one purchase, or for those of a supplier.
    @discardableResult
    func pay(
        _ amount: String,
        of purchase: PurchaseID? = nil,
        to supplier: ID<Supplier>? = nil
    ) async throws -> JSONObjectBody {
        let request = PaymentRequest(
            direction: .outgoing,
            tender: try card(amount),
            purchaseID: purchase,
            supplierID: supplier
        )
        return try JSONObjectBody(try await payments.register(request, context, key: nil).body)
    }

    /// A purchase as it is read.
    func purchase(_ id: PurchaseID) async throws -> JSONObjectBody {
        let read = CachedRead(
            key: caller.key(.purchases, "test") { $0.add(UUIDv7.make().description) },
            fill: .body(ReadDocument(document: Purchase(id)))
        )
        return try JSONObjectBody(required(try await answer(read).body))
    }

    /// What the shop owes a supplier, as its body says.
    func payable(_ supplier: ID<Supplier>) async throws -> String {
        try await asTenant("SELECT stock.supplier_body(\(tenant), '\(supplier)')::json ->> 'payable'")
    }

    /// What is on hand of each product and what it costs: `A 3 0.35, B 0 0`.
    func levels() async throws -> String {
        try await psql(
            """
            SELECT string_agg(concat_ws(' ', p.sku, trim_scale(l.on_hand), trim_scale(l.cost)), ', ' ORDER BY p.sku)
            FROM stock.stock_level l JOIN stock.product p ON p.id = l.product_id
            """
        )
    }
}
