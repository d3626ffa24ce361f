import Cache
import Domain
package import Kernel
package import NIOCore
package import Postgres

/// Sales: confirmed in one round trip, read through the cache.
package final class SalesService: Sendable {
    let store: Store
    let cursors: PageCursors
    private let products = SellableProducts()

    /// Every statement of this service, prepared on each connection.
    package static let statements: [any Statement.Type] = [
        ReadSellableProducts.self, ConfirmSale.self, ShowCart.self, AnnotateSale.self, CancelSale.self,
        Conclude<Sale>.self,
        ReadDocument<Sale>.self,
        ListSales.self,
        ListNumberedSales.self, ReturnOfSale.self, ReturnUnsold.self, Conclude<SaleReturn>.self,
        ReadDocument<SaleReturn>.self,
        ListReturns.self,
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

    /// Confirms a sale.
    ///
    /// The lines are computed from products in memory; the unit compares their versions and refuses to sell by others,
    /// whereupon they are read once more. A refusal computed from memory is computed again from the database before
    /// anybody sees it.
    ///
    /// - Parameters:
    ///   - request: What is sold, to whom, how it is paid.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 201 with the sale.
    /// - Throws: 409 or 422 of the domain, or what kept the unit from running.
    package func confirm(
        _ request: SaleRequest,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        let references = request.lines.map(\.product)
        var remembered = products.snapshot(of: references, tenant: context.tenant)
        // The products can change under two readings in a row, hardly under three.
        for _ in 0..<3 {
            let plan: SalePlan
            if let snapshot = remembered,
                let computed = try? SalePlan(request, from: snapshot, by: context.caller)
            {
                plan = computed
            } else {
                let snapshot = try await read(references, context)
                plan = try SalePlan(request, from: snapshot, by: context.caller)
            }
            do throws(WriteFailure) {
                return try await store.attemptWrite(context, key: key) {
                    (unit) throws(PostgresError) -> Effect<Sale> in
                    try unit.refuseElsewhere(.register(request.registerID), context.caller)
                    try unit.add(ConfirmSale(plan: plan))
                    return .created(Sale(plan.id))
                }
            } catch {
                if case .problem(let problem) = error { throw problem }
                remembered = nil
            }
        }
        throw Problem(.overloaded, "The products of this sale keep changing. Try again.", retryAfter: 1)
    }

    /// What a sale would come to; nothing is written, and nothing is kept for whoever asks.
    ///
    /// What is not paid stays due, whether or not anybody could owe it. What there is too little of is a warning.
    ///
    /// - Parameters:
    ///   - request: What would be sold.
    ///   - context: Who asks.
    /// - Returns: The body of a priced cart.
    /// - Throws: What a sale is refused with for its lines and payments; what kept the statements from answering.
    package func price(_ request: SaleRequest, _ context: CallContext) async throws(Problem) -> ByteBuffer {
        let cart = try PricedCart(
            request,
            from: try await read(request.lines.map(\.product), context),
            by: context.caller
        )
        let settlement = try Settlement(
            total: cart.priced.total,
            tenders: request.payments,
            isCash: cart.kinds.map { $0 == .cash },
            rounding: cart.rules.cashRounding,
            hasCustomer: true,
            exponent: Int(cart.rules.exponent)
        )
        let cashDue: Money
        do throws(NumberError) {
            cashDue = try cart.rules.cashRounding.rounded(settlement.due)
        } catch {
            throw Problem(.validationFailed, "The cart comes to more than any sale can.")
        }
        let rows = try await store.query(
            ShowCart(registerID: request.registerID, cart: cart, settlement: settlement, cashDue: cashDue),
            tenant: context.tenant,
            deadline: context.deadline
        )
        guard let row = rows.first else { throw .notFound }
        return ByteBuffer(string: row.value)
    }

    /// Writes the remark on a sale, in whatever state it is.
    ///
    /// - Parameters:
    ///   - id: Which sale.
    ///   - note: The remark; nil removes it.
    ///   - expected: The version that the client has read.
    ///   - context: Who asks.
    /// - Returns: 200 with the sale as it is now.
    /// - Throws: 404; 412 `version_mismatch`; what kept the unit from running.
    package func annotate(
        _ id: SaleID,
        note: Change<String?>,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        try await store.write(context) { (unit) throws(PostgresError) -> Effect<Sale> in
            try unit.refuseElsewhere(.sale(id), context.caller)
            try unit.add(AnnotateSale(id: id, expected: expected, note: note, userID: context.caller.user))
            return .changed(Sale(id))
        }
    }

    /// Cancels a confirmed sale of which nothing was returned, on the day it is asked for.
    ///
    /// - Parameters:
    ///   - id: Which sale.
    ///   - reason: Why; not blank.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the sale as it is now.
    /// - Throws: 409 `invalid_state` if it is cancelled, was returned in part, or one of its payments pays other sales, too; 404;
    ///   what kept the unit from running.
    package func cancel(
        _ id: SaleID,
        reason: String,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<Sale> in
            try unit.refuseElsewhere(.sale(id), context.caller)
            try unit.add(CancelSale(id: id, reason: reason, userID: context.caller.user))
            return .changed(Sale(id))
        }
    }

    /// One sale.
    ///
    /// - Parameters:
    ///   - id: Its id.
    ///   - caller: Who asks.
    /// - Returns: The read of its body.
    package func sale(_ id: SaleID, _ caller: Caller) -> CachedRead {
        caller.read(.sales, Sale(id))
    }

    /// A page of sales, newest first.
    ///
    /// - Parameters:
    ///   - filter: Which ones.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func list(_ filter: SaleFilter, _ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("list")
        builder.add(filter.status?.rawValue)
        builder.add(filter.customerID?.description)
        builder.add(filter.registerID?.description)
        builder.add(filter.number.map { String($0) })
        builder.add(filter.days.from?.description)
        builder.add(filter.days.to?.description)
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .sales)
        let list = ListSales(filter: filter, after: page.afterMoment(), limit: page.limit)
        return if let number = filter.number {
            page.read(ListNumberedSales(list: list, number: number))
        } else {
            page.read(list)
        }
    }

    private func read(
        _ references: [ProductReference],
        _ context: CallContext
    ) async throws(Problem) -> SellingSnapshot {
        let rows = try await store.query(
            ReadSellableProducts(references: references),
            tenant: context.tenant,
            deadline: context.deadline
        )
        guard let rules = rows.first?.rules else {
            throw Problem(
                .validationFailed,
                "A sale needs a line.",
                errors: [FieldError("/lines", .required, "Must have at least one line.")]
            )
        }
        let snapshot = SellingSnapshot(rules: rules, products: rows.map(\.product))
        products.keep(snapshot, of: references, tenant: context.tenant)
        return snapshot
    }
}
