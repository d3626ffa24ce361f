import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

/// What can not be stored is refused where it is said; what was taken can always be ended.
@Suite("Sums that are too large")
struct BoundsTests {
    private static let largest = "99999999999999.99"

    private func faults(_ problem: Problem?) -> [String] {
        (problem?.errors ?? []).map { "\($0.pointer) \($0.code)" }
    }

    @Test("a purchase is refused where a line, all lines, the costs or a piece with its share come to too much")
    func purchases() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let supplier = try await shop.supplier()
            let line = await refusal { try await shop.buy(supplier, [("A", "200", "999999999999")]) }
            #expect(faults(line) == ["/lines/0/unit_cost out_of_range"])
            let rounded = await refusal { try await shop.buy(supplier, [("A", "100", "999999999999.999999")]) }
            #expect(faults(rounded) == ["/lines/0/unit_cost out_of_range"])
            let lines = await refusal {
                try await shop.buy(supplier, [("A", "60", "999999999999"), ("B", "60", "999999999999")])
            }
            #expect(faults(lines) == ["/lines out_of_range"])
            let costs = await refusal {
                try await shop.buy(supplier, [("A", "1", "2")], costs: [("Flete", Self.largest)])
            }
            #expect(faults(costs).first == "/costs out_of_range")
            // What is 0.001 of a kilogram bears ten million.
            let share = await refusal {
                try await shop.buy(supplier, [("W", "0.001", "1")], costs: [("Zoll", "9999999999.00")])
            }
            #expect(faults(share) == ["/lines/0/quantity out_of_range"])
            // Nothing is left of them, and the largest that is taken is received.
            let id = try await shop.order(supplier, [("W", "0.001", "1")], costs: [("Zoll", "999999998.00")])
            #expect(try await shop.receive(id)["status"] == "received")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a drawer through which more went than is paid at once is closed all the same")
    func drawer() async throws {
        try await LiveShop.open { live in
            let register = try required(
                RegisterID(try await live.database.psql("SELECT id FROM stock.register WHERE is_default"))
            )
            let opening = CashSessionOpening(float: try Money(Self.largest))
            let opened = try await live.shop.cash.open(register, opening, live.context, key: nil)
            let session = try required(CashSessionID(try required(JSONBody(opened)["id"])))
            func put(_ kind: CashEntryKind) async throws {
                let entry = CashEntryRequest(kind: kind, amount: try Money(Self.largest))
                _ = try await live.shop.cash.record(session, entry, live.context, key: nil)
            }
            try await put(.paidIn)
            try await put(.paidIn)
            let count = CashCount(counted: try Money(Self.largest))
            func close() async throws -> JSONBody {
                try JSONBody(try await live.shop.cash.close(session, count, live.context, key: nil))
            }
            // What would be missing is more than an amount: some of it is dropped first.
            let refused = await refusal { try await close() }
            #expect(faults(refused) == ["/counted out_of_range"])
            #expect(refused?.detail.contains("299999999999999.97") == true, "\(refused?.detail ?? "")")
            try await put(.drop)
            let closed = try await close()
            #expect(closed["expected"] == "199999999999999.98")
            #expect(closed["difference"] == "-99999999999999.99")
            #expect(try await live.violations() == [])
        }
    }

    @Test("a count holds what can be moved, and no more products than are moved at once")
    func counts() async throws {
        try await TestShop.open(onHand: 0) { (shop) async throws in
            let opened = try await shop.counts.open(CountRequest(), shop.context, key: nil)
            let count = try required(StockCountID(required(JSONObjectBody(opened.body)["id"])))
            func enter(_ counted: String) async throws -> JSONObjectBody {
                let line = CountedProduct(product: .sku("A"), counted: try Quantity(counted))
                return try JSONObjectBody(try await shop.counts.enter(count, [line], shop.context).body)
            }
            try await shop.psql("UPDATE stock.tenant SET oversell = 'allow'")
            _ = try await shop.move("A", .adjustment, "-999999999999", at: nil)
            #expect(faults(await refusal { try await enter("999999999999") }) == ["/lines/0/counted out_of_range"])
            _ = try await enter("0")
            // As if there were as many as fit.
            try await shop.psql(
                """
                SET session_replication_role = replica;
                INSERT INTO stock.stock_count_line (tenant_id, count_id, product_id, open_at, counted, on_hand_seen)
                SELECT 1, '\(count)', gen_random_uuid(), '\(try TestShop.main())', 1, 1 FROM generate_series(1, 9999)
                """
            )
            _ = try await enter("0")
            let line = CountedProduct(product: .sku("B"), counted: try Quantity("1"))
            let more = await refusal { try await shop.counts.enter(count, [line], shop.context) }
            #expect(faults(more) == ["/lines too_many"])
        }
    }
}
