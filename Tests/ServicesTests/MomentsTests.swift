import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

/// What is done to a document is not dated before it.
@Suite("What is done to a document")
struct MomentsTests {
    private static func moment(_ text: String) throws -> Timestamp { try required(Timestamp(text)) }

    @Test(
        "a return, a payment and a receipt of goods are refused before what they are of, saying when they may be",
        arguments: ["2026-03-01T11:59:59.999999Z", "2026-03-01T09:00:00-03:00", "2026-03-01T12:00:01Z"]
    )
    func dated(text: String) async throws {
        try await TestShop.open { (shop) async throws in
            let at = try Self.moment(text)
            let isBefore = text == "2026-03-01T11:59:59.999999Z"
            func check(_ problem: Problem?) {
                #expect(problem?.code == (isBefore ? .validationFailed : nil))
                let faults = problem?.errors.map { "\($0.pointer) \($0.code)" }
                #expect(faults == (isBefore ? ["/occurred_at out_of_range"] : nil))
                #expect(problem?.detail.contains("2026-03-01T12:00:00.000000Z") ?? true, "\(problem?.detail ?? "")")
            }
            var request = try shop.request([("A", "2")], paid: [], customer: true)
            request.occurredAt = try Self.moment("2026-03-01T12:00:00Z")
            let sale = try await shop.sell(request)
            let saleID: SaleID = try shop.id(of: sale)
            check(
                await refusal {
                    let paid = PaymentRequest(tender: try card("1.00"), saleID: saleID, occurredAt: at)
                    return try await shop.payments.register(paid, shop.context, key: nil)
                }
            )
            check(
                await refusal {
                    let paid = PaymentRequest(tender: try card("1.00"), customerID: shop.customerID, occurredAt: at)
                    return try await shop.payments.register(paid, shop.context, key: nil)
                }
            )
            check(
                await refusal {
                    let line = ReturnRequest.Line(
                        saleLineID: try shop.id(of: sale.list("lines")[0]),
                        quantity: try Quantity("1")
                    )
                    let back = ReturnRequest(occurredAt: at, lines: [line], payments: [])
                    return try await shop.sales.takeBack(saleID, back, shop.context, key: nil)
                }
            )
            let supplier = try await shop.supplier()
            let draft = try await shop.buy(supplier, [("A", "1", "9")], at: "2026-03-01T12:00:00Z")
            let purchase = try required(PurchaseID(required(draft["id"])))
            try await shop.ordered(purchase)
            check(
                await refusal {
                    try await shop.purchases.receive(purchase, ReceiptRequest(occurredAt: at), shop.context, key: nil)
                }
            )
            check(
                await refusal {
                    var paid = PaymentRequest(tender: try card("9.00"), occurredAt: at)
                    paid.direction = .outgoing
                    paid.purchaseID = purchase
                    return try await shop.payments.register(paid, shop.context, key: nil)
                }
            )
            #expect(try await shop.violations() == [])
        }
    }

    @Test("what is of a day before today holds the day up to which the books are closed, and what is of today does not")
    func closing() async throws {
        try await TestShop.open { (shop) async throws in
            for (moment, holds) in [("now() - interval '3 days'", "t"), ("now()", "f")] {
                #expect(
                    try await shop.psql(
                        """
                        BEGIN;
                        SET LOCAL stock.tenant_id = 1;
                        DO $$ BEGIN PERFORM stock.moment(\(moment)); END $$;
                        SELECT t.xmax = pg_current_xact_id()::xid FROM stock.tenant t WHERE t.id = 1;
                        COMMIT;
                        """
                    ) == holds
                )
            }
        }
    }

    @Test("a sale of a till whose clock is ahead is cancelled at once, and at the earliest when it was sold")
    func clockAhead() async throws {
        try await TestShop.open { (shop) async throws in
            var request = try shop.request([("A", "1")], paid: [try cash("2.50")])
            let ahead = try await shop.psql(
                "SELECT to_char(now() AT TIME ZONE 'UTC' + interval '4 minutes', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
            )
            request.occurredAt = try Self.moment(ahead)
            let sale = try await shop.sell(request)
            try await shop.cancel(sale)
            #expect(
                try await shop.psql(
                    """
                    SELECT count(*) FROM stock.sale_cancellation c JOIN stock.sale s ON s.id = c.sale_id
                    WHERE c.occurred_at >= s.occurred_at
                    """
                ) == "1"
            )
            #expect(try await shop.violations() == [])
        }
    }
}
