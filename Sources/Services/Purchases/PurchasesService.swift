import Cache
import Domain
package import Kernel
package import Postgres

/// Purchases: drafts, orders, goods that come and go back.
package final class PurchasesService: Sendable {
    private let store: Store
    private let cursors: PageCursors
    private let tenants: TenantService

    /// Every statement of this service, prepared on each connection.
    package static let statements: [any Statement.Type] = [
        CreatePurchase.self, ChangePurchase.self, ComposePurchase.self, OrderPurchase.self, ReceivePurchase.self,
        CancelPurchase.self, Conclude<Purchase>.self, ReadDocument<Purchase>.self, ListPurchases.self,
        ListPurchasesInOrder.self,
        Reorder.self, Conclude<ReorderedPurchases>.self, ListReorder.self,
    ]

    /// Makes the service.
    ///
    /// - Parameters:
    ///   - store: Runs its units of work.
    ///   - cursors: Signs the places where pages end.
    ///   - tenants: Knows the tenant's today.
    package init(store: Store, cursors: PageCursors, tenants: TenantService) {
        self.store = store
        self.cursors = cursors
        self.tenants = tenants
    }

    /// Makes a draft, of which nothing is owed and nothing comes.
    ///
    /// - Parameters:
    ///   - request: What is bought, from whom.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 201 with the purchase.
    /// - Throws: 409 `duplicate` for a reference that the supplier has used; 422; or what kept the unit from running.
    package func create(
        _ request: PurchaseRequest,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        let id = PurchaseID.make()
        let compose = composition(of: id, try await inUnits(request.fields, context))
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<Purchase> in
            try unit.refuseElsewhere(.locations([(request.fields.locationID.newValue, "/location_id")]), context.caller)
            try unit.add(CreatePurchase(id: id, request: request, userID: context.caller.user))
            try unit.add(compose)
            return .created(Purchase(id))
        }
    }

    /// Lines in the units of their products, with how they were asked for.
    private func inUnits(_ fields: PurchaseFields, _ context: CallContext) async throws(Problem) -> PurchaseFields {
        guard let asked = fields.lines.newValue else { return fields }
        var fields = fields
        fields.lines = .set(
            try await store.goods.inUnits(
                asked,
                \.product,
                \.quantity,
                price: \.unitCost,
                called: "unit_cost",
                packed: \.packed,
                context
            )
        )
        return fields
    }

    /// Changes a draft.
    ///
    /// - Parameters:
    ///   - id: Which one.
    ///   - fields: What changes; lines and costs that are set replace those it has.
    ///   - expected: What `If-Match` demands.
    ///   - context: Who asks.
    /// - Returns: 200 with the purchase.
    /// - Throws: 404, 412 `version_mismatch`, 409 `invalid_state` once it is ordered, 409 `duplicate`, 422.
    package func change(
        _ id: PurchaseID,
        _ fields: PurchaseFields,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        let compose = composition(of: id, try await inUnits(fields, context))
        return try await store.write(context) { (unit) throws(PostgresError) -> Effect<Purchase> in
            try unit.refuseElsewhere(.purchase(id), context.caller)
            if let location = fields.locationID.newValue {
                try unit.refuseElsewhere(.locations([(location, "/location_id")]), context.caller)
            }
            try unit.add(ChangePurchase(id: id, expected: expected, fields: fields, userID: context.caller.user))
            try unit.add(compose)
            return .changed(Purchase(id))
        }
    }

    /// Orders a draft: it takes its number and is owed.
    ///
    /// - Parameters:
    ///   - id: Which one.
    ///   - note: Another remark than the draft's; nil keeps it.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the purchase.
    /// - Throws: 404, 409 `invalid_state` unless it is a draft.
    package func order(
        _ id: PurchaseID,
        note: String?,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        try await step(id, OrderPurchase(id: id, note: note, userID: context.caller.user), context, key)
    }

    /// Takes goods in that came, all or none; they move the average cost.
    ///
    /// - Parameters:
    ///   - id: Of which purchase.
    ///   - request: What came.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the purchase.
    /// - Throws: 404, 409 `invalid_state` unless something is open; 409 `period_closed`; 422 for more than is open.
    package func receive(
        _ id: PurchaseID,
        _ request: ReceiptRequest,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        try await step(id, ReceivePurchase(id: id, request: request, userID: context.caller.user), context, key)
    }

    /// Undoes a purchase that nothing was paid for: what came goes back, at what it cost.
    ///
    /// - Parameters:
    ///   - id: Which one.
    ///   - reason: Why, as the movements say it.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the purchase.
    /// - Throws: 404, 409 `invalid_state` if it is cancelled already, `in_use` while it is paid for, `insufficient_stock` if
    ///   goods of it were sold.
    package func cancel(
        _ id: PurchaseID,
        reason: String?,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        try await step(id, CancelPurchase(id: id, reason: reason, userID: context.caller.user), context, key)
    }

    /// One purchase.
    ///
    /// - Parameters:
    ///   - id: Its id.
    ///   - caller: Who asks.
    /// - Returns: The read of its body.
    package func purchase(_ id: PurchaseID, _ caller: Caller) -> CachedRead { caller.read(.purchases, Purchase(id)) }

    /// A page of purchases, newest first.
    ///
    /// - Parameters:
    ///   - filter: Which ones.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func list(_ filter: PurchaseFilter, _ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        guard filter.isOverdue else { return try list(filter, page, caller, today: nil) }
        return .dated(tenants.settings(of: caller.tenant)) { [self] (today) throws(Problem) in
            try list(filter, page, caller, today: today)
        }
    }

    /// Makes a draft for each supplier of what runs short, at what it cost last.
    ///
    /// What is on order is counted in, drafts too: asked again, there is nothing left to make.
    ///
    /// - Parameters:
    ///   - request: From whom, and where it comes to.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 201 with the drafts, which may be none.
    /// - Throws: 422; or what kept the unit from running.
    package func reorder(
        _ request: ReorderRequest,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<ReorderedPurchases> in
            try unit.refuseElsewhere(.locations([(request.locationID, "/location_id")]), context.caller)
            try unit.add(Reorder(request: request, userID: context.caller.user))
            return .created(ReorderedPurchases())
        }
    }

    /// A page of what runs short, by name.
    ///
    /// - Parameters:
    ///   - supplierID: What was bought last from this supplier only; all if nil.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func short(
        of supplierID: ID<Supplier>?,
        _ page: Page,
        _ caller: Caller
    ) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("reorder")
        builder.add(supplierID?.description)
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .reports)
        return page.read(ListReorder(supplierID: supplierID, after: page.afterText(), limit: page.limit))
    }

    private func list(
        _ filter: PurchaseFilter,
        _ page: Page,
        _ caller: Caller,
        today: BusinessDay?
    ) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("list")
        builder.add(filter.status?.rawValue)
        builder.add(filter.supplierID?.description)
        builder.add(filter.days.from?.description)
        builder.add(filter.days.to?.description)
        builder.add(today?.description)
        if filter.sort != .newest { builder.add(filter.sort.rawValue) }
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .purchases)
        return filter.sort == .newest
            ? page.read(ListPurchases(filter: filter, today: today, after: page.afterMoment(), limit: page.limit))
            : page.read(ListPurchasesInOrder(filter: filter, today: today, after: page.afterText(), limit: page.limit))
    }

    private func composition(of id: PurchaseID, _ fields: PurchaseFields) -> ComposePurchase {
        let lineIDs = (fields.lines.newValue ?? []).map { _ in PurchaseLineID.make() }
        return ComposePurchase(id: id, lineIDs: lineIDs, fields: fields)
    }

    private func step(
        _ id: PurchaseID,
        _ statement: some Statement,
        _ context: CallContext,
        _ key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<Purchase> in
            // What it makes of costs is told with whoever did it.
            try unit.add(Act(actor: AuditActor(context)))
            try unit.refuseElsewhere(.purchase(id), context.caller)
            try unit.add(statement)
            return .changed(Purchase(id))
        }
    }
}
