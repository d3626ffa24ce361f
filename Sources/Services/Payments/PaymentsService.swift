import Cache
import Domain
package import Kernel
package import Postgres
import Synchronization

/// Payments for what is due.
package final class PaymentsService: Sendable {
    private let store: Store
    private let cursors: PageCursors
    /// The decimals of the currency of each tenant that has a payment: its first document has fixed it.
    private let exponents = Mutex<[TenantID: Int]>([:])

    /// Every statement of this service, prepared on each connection.
    package static let statements: [any Statement.Type] = [
        RegisterPayment.self, PayPurchases.self, ReversePayment.self, Conclude<Payment>.self,
        ReadDocument<Payment>.self, NamedDocument<Payment>.self, NamedPage<ListPayments>.self,
        ListPayments.self, ReadExponent.self,
    ]

    /// Makes the service.
    ///
    /// - Parameters:
    ///   - store: Runs its units of work.
    ///   - cursors: Signs the places where pages end.
    package init(store: Store, cursors: PageCursors) {
        self.store = store
        self.cursors = cursors
    }

    /// Registers money for one sale, or for a customer's sales with the oldest first; or money out for one purchase, or for a
    /// supplier's with what is due first at first.
    ///
    /// - Parameters:
    ///   - request: How much, how, for what.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 201 with the payment.
    /// - Throws: 409 `payment_exceeds_due` (never capped), 422, or what kept the unit from running.
    package func register(
        _ request: PaymentRequest,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        // Money goes out by who may both pay and buy; a till takes it in.
        guard request.direction == .incoming || context.caller.scopes.contains(.stockWrite) else {
            throw Problem(.forbidden, "Paying for purchases takes the scope stock:write, too.")
        }
        let exponent = try await exponent(context)
        try check(request, exponent: exponent)
        let id = PaymentID.make()
        let ledgerID = LedgerEntryID.make()
        let tipLedgerID = LedgerEntryID.make()
        let answer = try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<Payment> in
            try unit.refuseElsewhere(.register(request.registerID), context.caller)
            switch request.direction {
            case .incoming:
                try unit.add(
                    RegisterPayment(
                        id: id,
                        ledgerID: ledgerID,
                        tipLedgerID: tipLedgerID,
                        request: request,
                        userID: context.caller.user
                    )
                )
            case .outgoing:
                try unit.add(
                    PayPurchases(id: id, ledgerID: ledgerID, request: request, userID: context.caller.user)
                )
            }
            return .created(Payment(id))
        }
        exponents.withLock { known in
            if known.count >= 65_536 { known.removeAll(keepingCapacity: true) }
            known[context.tenant] = exponent
        }
        return answer
    }

    /// Reverses a payment, on the day it is asked for: what it paid is due again, of a walk-in as well.
    ///
    /// - Parameters:
    ///   - id: Which payment.
    ///   - reason: Why; not blank.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the payment as it is now.
    /// - Throws: 409 `invalid_state` if it is reversed, or a refund without which less than nothing would be due; 404; what kept the
    ///   unit from running.
    package func reverse(
        _ id: PaymentID,
        reason: String,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<Payment> in
            try unit.refuseElsewhere(.payment(id), context.caller)
            try unit.add(ReversePayment(id: id, reason: reason, userID: context.caller.user))
            return .changed(Payment(id))
        }
    }

    /// One payment.
    ///
    /// - Parameters:
    ///   - id: Its id.
    ///   - caller: Who asks.
    ///   - names: Which names it shows beside ids.
    /// - Returns: The read of its body.
    package func payment(_ id: PaymentID, _ caller: Caller, showing names: [Named] = []) -> CachedRead {
        caller.read(.payments, Payment(id), showing: names)
    }

    /// A page of payments, newest first.
    ///
    /// - Parameters:
    ///   - filter: Which ones.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    ///   - names: Which names its members show beside ids.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func list(
        _ filter: PaymentFilter,
        _ page: Page,
        _ caller: Caller,
        showing names: [Named] = []
    ) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("list")
        builder.add(filter.direction?.rawValue)
        builder.add(filter.method?.rawValue)
        builder.add(filter.saleID?.description)
        builder.add(filter.customerID?.description)
        builder.add(filter.purchaseID?.description)
        builder.add(filter.days.from?.description)
        builder.add(filter.days.to?.description)
        let page = try PagePosition(
            builder,
            page,
            cursors: cursors,
            tenant: caller.tenant,
            module: .payments,
            showing: names
        )
        return page.read(ListPayments(filter: filter, after: page.afterMoment(), limit: page.limit))
    }

    private func check(_ request: PaymentRequest, exponent: Int) throws(Problem) {
        var errors: [FieldError] = []
        // Whether the method is there, and is cash, is asked where the payment is written.
        request.tender.check(at: "", kind: nil, exponent: exponent, into: &errors)
        let isShort = !errors.isEmpty && errors.allSatisfy { $0.code == .tooLow }
        errors += request.namingErrors
        guard errors.isEmpty else {
            throw Problem(
                isShort && errors.count == 1 ? .paymentMismatch : .validationFailed,
                isShort && errors.count == 1
                    ? "Cash handed over does not cover its amount." : "The payment is not valid.",
                errors: errors
            )
        }
    }

    private func exponent(_ context: CallContext) async throws(Problem) -> Int {
        if let known = exponents.withLock({ $0[context.tenant] }) { return known }
        let rows = try await store.query(ReadExponent(), tenant: context.tenant, deadline: context.deadline)
        guard let row = rows.first else { throw .notFound }
        return Int(row.value)
    }
}

extension PaymentRequest {
    /// What is wrong with what the request names, and with what only money that comes in has.
    fileprivate var namingErrors: [FieldError] {
        let sale = [("sale_id", saleID != nil), ("customer_id", customerID != nil)]
        let purchase = [("purchase_id", purchaseID != nil), ("supplier_id", supplierID != nil)]
        switch direction {
        case .incoming:
            return Self.errors(expected: sale, "Name the sale or the customer whose debt is paid.", foreign: purchase)
        case .outgoing:
            let ofTills = [("tip", !tender.tip.isZero), ("tendered", tender.tendered != nil)]
            return Self.errors(
                expected: purchase,
                "Name the purchase or the supplier that is paid; money goes back to a sale by a return.",
                foreign: sale + ofTills
            )
        }
    }

    private static func errors(
        expected: [(name: String, isThere: Bool)],
        _ detail: String,
        foreign: [(name: String, isThere: Bool)]
    ) -> [FieldError] {
        let missing = expected.contains(where: \.isThere) ? [] : expected.prefix(1)
        return missing.map { FieldError("/\($0.name)", .required, detail) }
            + foreign.filter(\.isThere).map {
                FieldError("/\($0.name)", .notAllowed, "Does not go with this direction.")
            }
    }
}
