import Cache
package import Kernel
package import Postgres

/// Counts of what is at a location.
///
/// A line holds what was found against what should have been there at that moment, and closing moves the differences, so that what is
/// sold in between stays right.
package final class CountsService: Sendable {
    private let store: Store
    private let cursors: PageCursors

    /// Every statement of this service, prepared on each connection.
    package static let statements: [any Statement.Type] = [
        OpenCount.self, EnterCountLines.self, CloseCount.self, CancelCount.self, Conclude<StockCount>.self,
        Conclude<EnteredLines>.self, ReadDocument<StockCount>.self, ListCounts.self, ListCountLines.self,
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

    /// Opens a count.
    ///
    /// - Parameters:
    ///   - request: Where.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 201 with the count.
    /// - Throws: 422 for a location that is not open, or not said where there are several.
    package func open(
        _ request: CountRequest,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        let id = StockCountID.make()
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<StockCount> in
            try unit.refuseElsewhere(.locations([(request.locationID, "/location_id")]), context.caller)
            try unit.add(OpenCount(id: id, request: request, userID: context.caller.user))
            return .created(StockCount(id))
        }
    }

    /// Enters what was counted; of a product that was counted before, the last count is the one that holds.
    ///
    /// - Parameters:
    ///   - count: The count.
    ///   - lines: What was counted, each product once.
    ///   - context: Who asks.
    /// - Returns: 200 with the lines, and how far they are from what should have been there.
    /// - Throws: 404; 409 `invalid_state` for a count that has ended, `duplicate` for products that another open count has there; 422.
    package func enter(
        _ count: StockCountID,
        _ lines: [CountedProduct],
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        let lines = try await store.goods.inUnits(lines, \.product, \.counted, called: "counted", context)
        return try await store.write(context) { (unit) throws(PostgresError) -> Effect<EnteredLines> in
            try unit.refuseElsewhere(.count(count), context.caller)
            try unit.add(EnterCountLines(count: count, lines: lines, userID: context.caller.user))
            return .changed(EnteredLines(count: count, lines: lines))
        }
    }

    /// Moves the differences, and ends the count.
    ///
    /// - Parameters:
    ///   - count: The count.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the count.
    /// - Throws: 404; 409 `invalid_state`, `insufficient_stock` naming the products to count again.
    package func close(
        _ count: StockCountID,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<StockCount> in
            try unit.refuseElsewhere(.count(count), context.caller)
            try unit.add(CloseCount(id: count, userID: context.caller.user))
            return .changed(StockCount(count))
        }
    }

    /// Ends a count that moves nothing.
    ///
    /// - Parameters:
    ///   - count: The count.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the count.
    /// - Throws: 404; 409 `invalid_state`.
    package func cancel(
        _ count: StockCountID,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<StockCount> in
            try unit.refuseElsewhere(.count(count), context.caller)
            try unit.add(CancelCount(id: count, userID: context.caller.user))
            return .changed(StockCount(count))
        }
    }

    /// One count.
    package func count(_ id: StockCountID, _ caller: Caller) -> CachedRead {
        caller.read(.stock, StockCount(id), "count")
    }

    /// A page of counts, the last opened first.
    ///
    /// - Parameters:
    ///   - filter: Which ones.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func list(_ filter: CountFilter, _ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("list-counts")
        builder.add(filter.status?.rawValue)
        builder.add(filter.locationID?.description)
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .stock)
        return page.read(ListCounts(filter: filter, after: page.afterMoment()?.id, limit: page.limit))
    }

    /// A page of a count's lines, by product.
    ///
    /// - Parameters:
    ///   - count: The count.
    ///   - differs: Those alone that found something else than should have been there, or those that did not.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page; it finds nothing if there is no such count.
    /// - Throws: 400 `cursor_mismatch`.
    package func lines(
        of count: StockCountID,
        differs: Bool?,
        _ page: Page,
        _ caller: Caller
    ) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("list-count-lines")
        builder.add(count.description)
        builder.add(differs.map { String($0) })
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .stock)
        return page.readParts(
            ListCountLines(count: count, differs: differs, after: page.afterMoment()?.id, limit: page.limit)
        )
    }
}
