import HTTPTypes
import TestSupport
import Testing

@testable import API

/// What each command tells of what it did, in `domain_event`: held against the walk through all operations.
enum EventsOfCommands {
    /// What the commands of documents, goods and money write, by operation; `stock.low` comes with whatever takes goods away.
    private static let told: [String: Set<String>] = [
        "confirmSale": ["sale.confirmed", "sale.drafted", "payment.received"],
        "confirmDraft": ["sale.confirmed", "payment.received"], "discardDraft": ["sale.discarded"],
        "createQuote": ["quote.created"], "changeQuote": ["quote.updated"], "sendQuote": ["quote.sent"],
        "acceptQuote": ["quote.accepted"], "cancelQuote": ["quote.cancelled"],
        "convertQuote": ["quote.converted", "sale.confirmed", "payment.received"],
        "changeSale": ["sale.updated"],
        "cancelSale": ["sale.cancelled", "payment.reversed"],
        "returnSale": ["sale.returned"], "returnUnsold": ["sale.returned"],
        "registerPayment": ["payment.received", "payment.made"], "reversePayment": ["payment.reversed"],
        "recordExpense": ["expense.recorded"], "reverseExpense": ["expense.reversed"],
        "recordLedgerEntry": ["ledger_entry.recorded"], "reverseLedgerEntry": ["ledger_entry.reversed"],
        "confirmSales": ["sale.confirmed", "payment.received"], "settleException": ["sale.exception_settled"],
        "createPurchase": ["purchase.created"], "changePurchase": ["purchase.updated"],
        "orderPurchase": ["purchase.ordered"], "receivePurchase": ["purchase.received"],
        "cancelPurchase": ["purchase.cancelled"], "reorder": ["purchase.created"],
        "moveStock": ["stock.adjusted"], "setPlaceMinimum": ["stock.minimum_changed"],
        "openStockCount": ["stock_count.opened"], "enterStockCountLines": ["stock_count.entered"],
        "closeStockCount": ["stock.counted"], "cancelStockCount": ["stock_count.cancelled"],
        "createTransfer": ["transfer.created"], "changeTransfer": ["transfer.updated"],
        "sendTransfer": ["transfer.sent"], "receiveTransfer": ["transfer.received"],
        "cancelTransfer": ["transfer.cancelled"],
        "openCashSession": ["cash_session.opened"], "recordCashEntry": ["cash_entry.recorded"],
        "closeCashSession": ["cash_session.closed"],
    ]

    /// Areas whose commands all tell what they did.
    private static let areas: Set<String> = ["sales", "quotes", "payments", "purchases", "stock", "cash"]

    /// What changes nothing of the shop: a price that is asked, and what somebody may do later.
    private static let silent: Set<String> = ["priceSale", "approve"]

    /// Of each command that was walked: it wrote events, and none but those of the table; one that is new is in the table.
    static func check(_ journey: Journey) throws {
        for (name, types) in journey.events.sorted(by: { $0.key < $1.key }) {
            let route = try journey.route(name)
            if let expected = told[name] {
                // Of what runs short in the walk nobody knows from whom it is bought, so that nothing is drafted.
                #expect(!types.isEmpty || name == "reorder", "\(name) tells nothing")
                #expect(types.isSubset(of: expected.union(["stock.low"])), "\(name) tells \(types.sorted())")
            } else if areas.contains(route.area), !route.isRecordMaking, !silent.contains(name) {
                #expect(route.method == .patch || route.method == .delete, "\(name) is not in the table of events")
            }
        }
        #expect(Set(told.keys).subtracting(journey.events.keys) == [])
    }
}
