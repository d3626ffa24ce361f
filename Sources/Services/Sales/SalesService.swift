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
    private let metrics = SalesMetrics()

    /// Every statement of this service, prepared on each connection.
    package static let statements: [any Statement.Type] =
        [
            ReadSellableProducts.self, FindGoods.self, ReadScalePatterns.self, ConfirmSale.self, PackSaleLines.self,
            ShowCart.self, AnnotateSale.self, RefuseUndoingElsewhere.self, CancelSale.self, ReadDraft.self,
            GiveApproval.self, Conclude<Approval>.self,
            ReadApproval.self, TakeApproval.self, DraftSale.self, DiscardSale.self, Conclude<Sale>.self, ReadSale.self,
            ListSales.self, ListSalesByTotal.self, ListNumberedSales.self, NamedDocument<Sale>.self,
            NamedPage<ListSales>.self, NamedPage<ListSalesByTotal>.self, NamedPage<ListNumberedSales>.self,
            NamedDocument<SaleReturn>.self, NamedPage<ListReturns>.self, ReturnOfSale.self, ReturnUnsold.self,
            KeepReturnWithin.self,
            Conclude<SaleReturn>.self,
            ReadDocument<SaleReturn>.self,
            ListReturns.self,
        ] + factStatements

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
        let approval = try await self.approval(request.approval, context)
        return try await attempts { (isFirst) async throws(WriteFailure) -> Answer in
            let place = Placed.register(request.registerID)
            let plan = try await compute(request, isFirst, at: [place], context) {
                (request, snapshot) throws(Problem) in
                try SalePlan(request, from: snapshot, by: context.caller, approval: approval)
            }
            return try await sell(plan, context, key: key) { (unit) throws(PostgresError) -> Effect<Sale> in
                try unit.refuseElsewhere(place, context.caller)
                if let fact = request.purpose.fact {
                    try unit.add(BeginFact())
                    try unit.sell(plan)
                    try unit.add(EndFact(id: plan.id, happenedAt: fact.happenedAt, exceptions: plan.cart.exceptions))
                } else {
                    try unit.sell(plan)
                }
                return .created(Sale(plan.id))
            }
        }
    }

    /// Writes a sale, and counts it if it is not one that was sold before with the same key.
    ///
    /// - Parameters:
    ///   - plan: What was computed.
    ///   - context: Who asks.
    ///   - key: The request's key.
    ///   - command: Adds its statements and says what they do.
    /// - Returns: The answer.
    /// - Throws: What kept the unit from running.
    func sell(
        _ plan: SalePlan,
        _ context: CallContext,
        key: IdempotencyKey?,
        _ command: (inout UnitOfWork) throws(PostgresError) -> Effect<Sale>
    ) async throws(WriteFailure) -> Answer {
        let answer = try await store.attemptWrite(context, key: key, command: command)
        if !answer.replayed { metrics.sold(plan.cart.priced.total, in: plan.cart.rules.currency) }
        return answer
    }

    /// Computes something and writes it, anew if what it was computed from has changed.
    ///
    /// - Parameter attempt: Does both; told whether it is the first time.
    /// - Returns: The answer.
    /// - Throws: The refusal, or what kept the unit from running.
    func attempts(_ attempt: (_ isFirst: Bool) async throws(WriteFailure) -> Answer) async throws(Problem) -> Answer {
        // The products can change under two readings in a row, hardly under three.
        for number in 0..<3 {
            do throws(WriteFailure) {
                return try await attempt(number == 0)
            } catch {
                if case .problem(let problem) = error { throw problem }
            }
        }
        throw Problem(.overloaded, "The products of this sale keep changing. Try again.", retryAfter: 1)
    }

    /// Computes a cart from products in memory, if they are all there and it can be sold by them; else from the database.
    ///
    /// - Parameters:
    ///   - request: The cart.
    ///   - remembers: Whether memory will do.
    ///   - places: Where the unit is going to be at work.
    ///   - context: Who asks.
    ///   - plan: What is computed, of the cart with what its lines name found out.
    /// - Returns: The plan, by products whose versions the unit compares.
    /// - Throws: 403 `forbidden` for who does not work there, and else what the cart is refused with by the products as the database
    ///   has them.
    func compute<Plan>(
        _ request: SaleRequest,
        _ remembers: Bool,
        at places: [Placed],
        _ context: CallContext,
        _ plan: (SaleRequest, SellingSnapshot) throws(Problem) -> Plan
    ) async throws(WriteFailure) -> Plan {
        do throws(Problem) {
            // What a packaging or a code means is of a version of its product, which may go on between the two readings.
            for attempt in 0..<3 {
                let request = try await named(request, context)
                let references = request.lines.map(\.product)
                if remembers, attempt == 0, let snapshot = products.snapshot(of: references, tenant: context.tenant),
                    snapshot.agrees(with: references), let computed = try? plan(request, snapshot)
                {
                    return computed
                }
                let snapshot = try await read(references, context)
                if snapshot.agrees(with: references) { return try plan(request, snapshot) }
            }
            throw Problem(.overloaded, "The products of this sale keep changing. Try again.", retryAfter: 1)
        } catch {
            // The unit asks for the place first, and so do those that are refused before there is one: else what was in memory
            // would decide which of two refusals is told.
            throw .problem(await elsewhere(places, context) ?? error)
        }
    }

    /// What refuses a member who does not work at these places; nil if nothing does.
    private func elsewhere(_ places: [Placed], _ context: CallContext) async -> Problem? {
        guard case .only(let locations) = context.caller.workplaces else { return nil }
        do throws(Problem) {
            for placed in places {
                _ = try await store.query(
                    RefuseElsewhere(locations: locations, placed: placed),
                    tenant: context.tenant,
                    deadline: context.deadline
                )
            }
            return nil
        } catch {
            return error
        }
    }

    /// What a sale would come to; nothing is written, and nothing is kept for whoever asks.
    ///
    /// What is not paid stays due, whether or not anybody could owe it. What there is too little of is a warning.
    ///
    /// - Parameters:
    ///   - request: What would be sold.
    ///   - context: Who asks.
    /// - Returns: The body of a priced cart.
    /// - Throws: What a sale is refused with for its lines, payments and customer; what kept the statements from answering.
    package func price(_ request: SaleRequest, _ context: CallContext) async throws(Problem) -> ByteBuffer {
        let approval = try await self.approval(request.approval, context)
        let request = try await named(request, context)
        let cart = try PricedCart(
            request,
            from: try await read(request.lines.map(\.product), context),
            by: context.caller,
            approved: approval?.discountLimit
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
            ShowCart(
                registerID: request.registerID,
                customerID: request.customerID,
                cart: cart,
                settlement: settlement,
                cashDue: cashDue
            ),
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
    func annotate(
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
            if case .only(let locations) = context.caller.workplaces {
                try unit.add(RefuseUndoingElsewhere(locations: locations, id: id))
            }
            try unit.add(CancelSale(id: id, reason: reason, userID: context.caller.user))
            return .changed(Sale(id))
        }
    }

    /// One sale.
    ///
    /// - Parameters:
    ///   - id: Its id.
    ///   - caller: Who asks.
    ///   - names: Which names it shows beside ids.
    /// - Returns: The read of its body; that of a draft is not kept.
    package func sale(_ id: SaleID, _ caller: Caller, showing names: [Named] = []) -> CachedRead {
        guard names.isEmpty else { return caller.read(.sales, Sale(id), showing: names) }
        return CachedRead(
            key: caller.key(.sales, "id") { $0.add(id.description) },
            fill: SaleFill(statement: ReadSale(id: id))
        )
    }

    /// The sales with some ids.
    ///
    /// - Parameters:
    ///   - ids: Which ones.
    ///   - caller: Who asks.
    ///   - names: Which names they show beside ids.
    /// - Returns: The read.
    package func list(_ ids: [EntityID], _ caller: Caller, showing names: [Named] = []) -> CachedRead {
        caller.read(ids, of: ("stock.sale", "stock.sale_summary"), .sales, showing: names)
    }

    /// A page of sales.
    ///
    /// - Parameters:
    ///   - filter: Which ones, in which order.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    ///   - names: Which names its members show beside ids.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func list(
        _ filter: SaleFilter,
        _ page: Page,
        _ caller: Caller,
        showing names: [Named] = []
    ) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("list")
        builder.add(filter.status?.rawValue)
        builder.add(filter.userID?.description)
        builder.add(filter.customerID?.description)
        builder.add(filter.registerID?.description)
        builder.add(filter.number.map { String($0) })
        builder.add(filter.days.from?.description)
        builder.add(filter.days.to?.description)
        if filter.sort != .newest { builder.add(filter.sort.rawValue) }
        let page = try PagePosition(
            builder,
            page,
            cursors: cursors,
            tenant: caller.tenant,
            module: .sales,
            showing: names
        )
        guard filter.sort == .newest else {
            return page.read(ListSalesByTotal(filter: filter, after: page.afterText(), limit: page.limit))
        }
        let list = ListSales(filter: filter, after: page.afterMoment(), limit: page.limit)
        return if let number = filter.number {
            page.read(ListNumberedSales(list: list, number: number))
        } else {
            page.read(list)
        }
    }

    /// A request with what its lines name by packagings and codes found out.
    private func named(_ request: SaleRequest, _ context: CallContext) async throws(Problem) -> SaleRequest {
        var request = request
        request.lines = try await store.goods.found(request.lines, \.product, at: "/lines", context)
        return request
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
