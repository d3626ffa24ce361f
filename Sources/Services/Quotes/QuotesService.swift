import Cache
import Domain
package import Kernel
package import Postgres

/// Quotes: written, sent, accepted or cancelled, and sold once at their own prices.
package final class QuotesService: Sendable {
    private let store: Store
    private let cursors: PageCursors
    private let tenants: TenantService
    private let sales: SalesService

    /// Every statement of this service, prepared on each connection.
    package static let statements: [any Statement.Type] = [
        ReadQuote.self, DraftQuote.self, PackQuoteLines.self, SendQuote.self, AcceptQuote.self, CancelQuote.self,
        Conclude<Quote>.self,
        ReadDocument<QuoteOnDay>.self, ListQuotes.self,
    ]

    /// Makes the service.
    ///
    /// - Parameters:
    ///   - store: Runs its units of work.
    ///   - cursors: Signs the places where pages end.
    ///   - tenants: Knows the tenant's today.
    ///   - sales: Prices carts, and sells what was quoted.
    package init(store: Store, cursors: PageCursors, tenants: TenantService, sales: SalesService) {
        self.store = store
        self.cursors = cursors
        self.tenants = tenants
        self.sales = sales
    }

    /// Writes a quote at the list prices of now, or at others as far as whoever writes it may sell below them, or has an approval.
    ///
    /// - Parameters:
    ///   - request: What would be sold.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 201 with the quote, a draft.
    /// - Throws: 409 or 422 for what its lines could not be sold by; 403 `discount_limit`; what kept the unit from running.
    package func create(
        _ request: QuoteRequest,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        let id = QuoteID.make()
        let approval = try await sales.approval(request.cart.approval, context)
        return try await sales.attempts { (isFirst) async throws(WriteFailure) -> Answer in
            let place = Placed.register(request.cart.registerID)
            let cart = try await price(request.cart, approval?.discountLimit, isFirst, at: [place], context)
            return try await store.attemptWrite(context, key: key) { (unit) throws(PostgresError) -> Effect<Quote> in
                try unit.refuseElsewhere(place, context.caller)
                try unit.put(
                    DraftQuote(
                        id: id,
                        version: nil,
                        request: request,
                        cart: cart,
                        lineIDs: cart.lines.map { _ in .make() },
                        userID: context.caller.user,
                        expected: .any
                    ),
                    approval
                )
                return .created(Quote(id))
            }
        }
    }

    /// Changes a draft; lines that are not named keep their prices.
    ///
    /// - Parameters:
    ///   - id: Which quote.
    ///   - patch: What changes.
    ///   - expected: The version that the client has read.
    ///   - context: Who asks.
    /// - Returns: 200 with the quote as it is now.
    /// - Throws: 404; 412 `version_mismatch`; 409 `invalid_state` for what is no draft; as ``create(_:_:key:)``.
    package func change(
        _ id: QuoteID,
        _ patch: QuotePatch,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        let approval = try await sales.approval(patch.approval, context)
        return try await sales.attempts { (isFirst) async throws(WriteFailure) -> Answer in
            let quote = try await read(id, expected: expected, in: [.draft], context)
            let request = quote.changed(by: patch)
            // What was approved of before goes on to hold for this quote.
            let approved = [approval?.discountLimit, quote.approved].compactMap { $0 }.max()
            let places = [Placed.quote(id), .register(request.cart.registerID)]
            let cart = try await price(request.cart, approved, isFirst, at: places, context)
            return try await store.attemptWrite(context) { (unit) throws(PostgresError) -> Effect<Quote> in
                for place in places { try unit.refuseElsewhere(place, context.caller) }
                try unit.put(
                    DraftQuote(
                        id: id,
                        version: quote.version,
                        request: request,
                        cart: cart,
                        lineIDs: cart.lines.map { _ in .make() },
                        userID: context.caller.user,
                        expected: expected
                    ),
                    approval
                )
                return .changed(Quote(id))
            }
        }
    }

    /// Sends a draft, which gives it its number.
    ///
    /// - Parameters:
    ///   - id: Which quote.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the quote.
    /// - Throws: 404; 409 `invalid_state` for what is no draft, or has expired.
    package func send(_ id: QuoteID, _ context: CallContext, key: IdempotencyKey?) async throws(Problem) -> Answer {
        try await step(id, SendQuote(id: id, userID: context.caller.user), context, key)
    }

    /// Notes that the customer takes it, which holds its goods back where the tenant has quotes do so.
    ///
    /// - Parameters:
    ///   - id: Which quote.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the quote.
    /// - Throws: 404; 409 `invalid_state` for what was not sent, or has expired; 409 `insufficient_stock` for what can not be held back.
    package func accept(_ id: QuoteID, _ context: CallContext, key: IdempotencyKey?) async throws(Problem) -> Answer {
        try await step(id, AcceptQuote(id: id, userID: context.caller.user), context, key)
    }

    /// Notes that nothing comes of it.
    ///
    /// - Parameters:
    ///   - id: Which quote.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the quote.
    /// - Throws: 404; 409 `invalid_state` for what was sold or is cancelled.
    package func cancel(_ id: QuoteID, _ context: CallContext, key: IdempotencyKey?) async throws(Problem) -> Answer {
        try await step(id, CancelQuote(id: id, userID: context.caller.user), context, key)
    }

    /// Sells what was quoted, once, at the quote's prices; taxes are those of the day.
    ///
    /// - Parameters:
    ///   - id: Which quote.
    ///   - confirmation: Where, when and how it is paid.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 201 with the sale.
    /// - Throws: 404; 409 `invalid_state` for what was not sent, was sold or has expired; what a sale is refused with.
    package func convert(
        _ id: QuoteID,
        _ confirmation: SaleConfirmation,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        let approval = try await sales.approval(confirmation.approval, context)
        return try await sales.attempts { (isFirst) async throws(WriteFailure) -> Answer in
            let quote = try await read(id, in: [.sent, .accepted], context)
            let request = quote.sold(confirmation)
            let places = [Placed.quote(id), .register(request.registerID)]
            let plan = try await sales.compute(request, isFirst, at: places, context) {
                (request, snapshot) throws(Problem) in
                try SalePlan(request, from: snapshot, by: context.caller, quote: quote, approval: approval)
            }
            return try await sales.sell(plan, context, key: key) { (unit) throws(PostgresError) -> Effect<Sale> in
                for place in places { try unit.refuseElsewhere(place, context.caller) }
                try unit.sell(plan)
                return .created(Sale(plan.id))
            }
        }
    }

    /// One quote, as it stands today.
    ///
    /// - Parameters:
    ///   - id: Its id.
    ///   - caller: Who asks.
    /// - Returns: The read of its body.
    package func quote(_ id: QuoteID, _ caller: Caller) -> CachedRead {
        .dated(tenants.settings(of: caller.tenant)) { (today) throws(Problem) in
            CachedRead(
                key: caller.key(.quotes, "id") {
                    $0.add(id.description)
                    $0.add(today.description)
                },
                fill: .body(ReadDocument(document: QuoteOnDay(id: id, day: today)))
            )
        }
    }

    /// A page of quotes, newest first, as they stand today.
    ///
    /// - Parameters:
    ///   - filter: Which ones.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func list(_ filter: QuoteFilter, _ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        .dated(tenants.settings(of: caller.tenant)) { [cursors] (today) throws(Problem) in
            var builder = KeyBuilder("list")
            builder.add(filter.status?.rawValue)
            builder.add(filter.customerID?.description)
            builder.add(filter.days.from?.description)
            builder.add(filter.days.to?.description)
            builder.add(today.description)
            let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .quotes)
            return page.read(
                ListQuotes(filter: filter, after: page.afterMoment(), limit: page.limit, today: today)
            )
        }
    }

    private func price(
        _ cart: SaleRequest,
        _ approved: Percent?,
        _ remembers: Bool,
        at places: [Placed],
        _ context: CallContext
    ) async throws(WriteFailure) -> PricedCart {
        try await sales.compute(cart, remembers, at: places, context) { (cart, snapshot) throws(Problem) in
            try PricedCart(cart, from: snapshot, by: context.caller, approved: approved)
        }
    }

    private func step(
        _ id: QuoteID,
        _ statement: some Statement,
        _ context: CallContext,
        _ key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<Quote> in
            try unit.refuseElsewhere(.quote(id), context.caller)
            try unit.add(statement)
            return .changed(Quote(id))
        }
    }

    /// Reads a quote, past every cache.
    private func read(
        _ id: QuoteID,
        expected: ExpectedVersion = .any,
        in states: [QuoteFilter.Status],
        _ context: CallContext
    ) async throws(WriteFailure) -> QuoteOnFile {
        let rows: [ReadQuote.Row]
        do throws(Problem) {
            rows = try await store.query(ReadQuote(id: id), tenant: context.tenant, deadline: context.deadline)
        } catch {
            throw .problem(error)
        }
        guard let first = rows.first else { throw .problem(.notFound) }
        try first.cart.check(expected, states.map(\.rawValue), noun: "quote")
        var cart = SaleRequest(rows.map(\.cart))
        cart.purpose = .offer
        return QuoteOnFile(
            id: id,
            version: first.cart.version,
            status: first.cart.status,
            request: QuoteRequest(cart: cart, validUntil: first.validUntil),
            approved: first.approved
        )
    }
}
