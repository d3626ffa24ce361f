import Cache
import Domain
package import Kernel
package import Postgres

/// Stock levels, and the movements that are the only thing to move them.
package final class StockService: Sendable {
    private let store: Store
    private let cursors: PageCursors

    /// Every statement of this service, prepared on each connection.
    package static let statements: [any Statement.Type] = [
        RecordMovements.self, Conclude<RecordedMovements>.self, ListLevels.self, ListLevelsAt.self,
        ReadDocument<ProductPlaces>.self, SetPlaceMinimum.self, Conclude<ProductPlaces>.self,
        ListMovements.self, ListReservations.self,
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

    /// Records openings, adjustments and losses, all or none.
    ///
    /// - Parameters:
    ///   - request: The rows.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 201 with the movements.
    /// - Throws: 409 `stock_changed`, `insufficient_stock`, `invalid_state`; 422; or what kept the unit from running.
    package func record(
        _ request: MovementsRequest,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        let request = try await inUnits(request, context)
        var errors: [FieldError] = []
        var quantities: [Quantity] = []
        for (index, movement) in request.movements.enumerated() {
            if let quantity = movement.type.signed(movement.quantity) {
                quantities.append(quantity)
            } else {
                errors.append(
                    FieldError(
                        "/movements/\(index)/quantity",
                        .outOfRange,
                        movement.type == .opening ? "Must be greater than 0." : "Must not be 0."
                    )
                )
            }
            if Text.trimmed(movement.reason).isEmpty {
                errors.append(FieldError("/movements/\(index)/reason", .required, "Say why."))
            }
            if movement.unitCost?.isNegative == true {
                errors.append(FieldError("/movements/\(index)/unit_cost", .outOfRange, "Must be 0 or more."))
            }
        }
        if request.movements.isEmpty {
            errors.append(FieldError("/movements", .required, "Must have at least one row."))
        }
        guard errors.isEmpty else {
            throw Problem(.validationFailed, "Some movements are not valid.", errors: errors)
        }
        let ids = request.movements.map { _ in MovementID.make() }
        let signed = quantities
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<RecordedMovements> in
            let places = request.movements.enumerated().map { (index, movement) in
                (id: movement.locationID, pointer: "/movements/\(index)/location_id")
            }
            // What it makes of costs is told with whoever did it.
            try unit.add(Act(actor: AuditActor(context)))
            try unit.refuseElsewhere(.locations(places), context.caller)
            try unit.add(
                RecordMovements(ids: ids, request: request, quantities: signed, userID: context.caller.user)
            )
            return .created(RecordedMovements(ids: ids))
        }
    }

    /// A page of levels of active products, by name.
    ///
    /// - Parameters:
    ///   - filter: Which ones.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func levels(_ filter: StockLevelFilter, _ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("find")
        builder.add(filter.stock?.rawValue)
        builder.add(filter.categoryID?.description)
        builder.add(filter.q?.text)
        builder.add(filter.locationID?.description)
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .stock)
        let list = ListLevels(filter: filter, after: page.afterText(), limit: page.limit)
        guard let location = filter.locationID else { return page.read(list) }
        return page.read(ListLevelsAt(list: list, location: location))
    }

    /// A request in the units of its products, with what it names by packagings and codes found out.
    private func inUnits(_ request: MovementsRequest, _ context: CallContext) async throws(Problem) -> MovementsRequest
    {
        var request = request
        request.movements = try await store.goods.inUnits(
            request.movements,
            \.product,
            \.quantity,
            at: "/movements",
            context
        )
        for (index, movement) in request.movements.enumerated() {
            guard let goods = movement.product.goods, goods.packed.packaging != nil, let cost = movement.unitCost else {
                continue
            }
            do throws(ReadingFault) {
                request.movements[index].unitCost = try goods.packed.unitPrice(at: cost)
            } catch {
                throw Problem(
                    .validationFailed,
                    "Some movements are not valid.",
                    errors: [FieldError("/movements/\(index)/unit_cost", error.code, error.detail)]
                )
            }
        }
        return request
    }

    /// Where a product is, place by place.
    ///
    /// - Parameters:
    ///   - product: Which one.
    ///   - caller: Who asks.
    /// - Returns: The read; it finds nothing if there is no such product.
    package func places(of product: ProductID, _ caller: Caller) -> CachedRead {
        CachedRead(
            key: caller.key(.stock, "places") { $0.add(product.description) },
            fill: .body(ReadDocument(document: ProductPlaces(product: product)))
        )
    }

    /// Sets from where on a product is low at a location; the last who says it is right, as it is one figure.
    ///
    /// - Parameters:
    ///   - product: Which one.
    ///   - minimum: Where, and how much.
    ///   - context: Who asks.
    /// - Returns: 200 with the product's places.
    /// - Throws: 404; 409 `invalid_state` for a product whose stock nobody counts; 422.
    package func setMinimum(
        of product: ProductID,
        _ minimum: PlaceMinimum,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        try await store.write(context) { (unit) throws(PostgresError) -> Effect<ProductPlaces> in
            try unit.refuseElsewhere(.locations([(minimum.locationID, "/location_id")]), context.caller)
            try unit.add(SetPlaceMinimum(product: product, minimum: minimum))
            return .changed(ProductPlaces(product: product))
        }
    }

    /// A page of what drafts and quotes hold back now, those of the first document first.
    ///
    /// - Parameters:
    ///   - filter: Which ones.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page, which is never kept: a reservation ends by the clock.
    /// - Throws: 400 `cursor_mismatch`.
    package func reservations(
        _ filter: ReservationFilter,
        _ page: Page,
        _ caller: Caller
    ) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("list-reservations")
        builder.add(filter.productID?.description)
        builder.add(filter.locationID?.description)
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .stock)
        return page.read(ListReservations(filter: filter, after: page.afterText(), limit: page.limit))
    }

    /// A page of movements, the last recorded first.
    ///
    /// - Parameters:
    ///   - filter: Which ones.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func movements(_ filter: MovementFilter, _ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("list-movements")
        builder.add(filter.productID?.description)
        builder.add(filter.locationID?.description)
        builder.add(filter.kind?.rawValue)
        builder.add(filter.documentID?.description)
        builder.add(filter.reason)
        builder.add(filter.days.from?.description)
        builder.add(filter.days.to?.description)
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .stock)
        return page.read(ListMovements(filter: filter, after: page.afterMoment()?.id, limit: page.limit))
    }
}
