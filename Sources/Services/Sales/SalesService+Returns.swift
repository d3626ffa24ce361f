import Cache
package import Kernel
import Postgres

extension SalesService {
    /// Takes back what a sale sold, or a part of it.
    ///
    /// - Parameters:
    ///   - id: Which sale.
    ///   - request: What comes back, and how money is given back for it.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 201 with the return.
    /// - Throws: 422 `refund_exceeds_sold` with every line of which less is left, `payment_mismatch` if the payments are not exactly
    ///   what is given back; 409 `invalid_state` if the sale is cancelled; 404; what kept the unit from running.
    package func takeBack(
        _ id: SaleID,
        _ request: ReturnRequest,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        let ids = ReturnIDs(lines: request.lines.count, payments: request.payments.count)
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<SaleReturn> in
            try unit.refuseElsewhere(
                request.registerID.map { .register($0) } ?? .sale(id),
                context.caller
            )
            try unit.add(ReturnOfSale(ids: ids, saleID: id, request: request, userID: context.caller.user))
            return .created(SaleReturn(ids.id))
        }
    }

    /// Takes back what no sale is known of, where the tenant allows it, as far as the caller may or somebody has approved of.
    ///
    /// - Parameters:
    ///   - request: What comes back, at which prices, and how money is given back for it.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 201 with the return.
    /// - Throws: 409 `invalid_state` if the tenant does not allow it; 422 `payment_mismatch` if the payments are not exactly what the
    ///   lines come to; 403 `return_limit` for more than the caller may give back; what kept the unit from running.
    package func takeBack(
        _ request: UnsoldReturnRequest,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        let ids = ReturnIDs(lines: request.lines.count, payments: request.payments.count)
        let approval = try await self.approval(request.approval, context)
        var found = request
        found.lines = try await store.goods.inUnits(
            request.lines,
            \.product,
            \.quantity,
            price: \.unitPrice,
            called: "unit_price",
            packed: \.packed,
            context
        )
        let (request, caller) = (found, context.caller)
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<SaleReturn> in
            try unit.refuseElsewhere(.register(request.registerID), caller)
            try unit.take(approval, for: .takenBack(ids.id), caller.user)
            try unit.add(ReturnUnsold(ids: ids, request: request, userID: caller.user))
            if !caller.returnsWithoutLimit { try unit.add(KeepReturnWithin(id: ids.id, role: caller.role)) }
            return .created(SaleReturn(ids.id))
        }
    }

    /// One return.
    ///
    /// - Parameters:
    ///   - id: Its id.
    ///   - caller: Who asks.
    ///   - names: Which names it shows beside ids.
    /// - Returns: The read of its body.
    package func takenBack(_ id: SaleReturnID, _ caller: Caller, showing names: [Named] = []) -> CachedRead {
        caller.read(.sales, SaleReturn(id), "return", showing: names)
    }

    /// A page of returns, newest first.
    ///
    /// - Parameters:
    ///   - filter: Which ones.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    ///   - names: Which names its members show beside ids.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func returns(
        _ filter: ReturnFilter,
        _ page: Page,
        _ caller: Caller,
        showing names: [Named] = []
    ) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("returns")
        builder.add(filter.saleID?.description)
        builder.add(filter.customerID?.description)
        builder.add(filter.days.from?.description)
        builder.add(filter.days.to?.description)
        let page = try PagePosition(
            builder,
            page,
            cursors: cursors,
            tenant: caller.tenant,
            module: .sales,
            showing: names
        )
        return page.read(ListReturns(filter: filter, after: page.afterMoment(), limit: page.limit))
    }
}
