import Domain
import Kernel
import Postgres

/// Records openings, adjustments and losses.
struct RecordMovements: Statement {
    static let name = "stock.record"
    static let sql: SQL = "SELECT stock.stock_record($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    static let parameterTypes: [PostgresType] = [
        .uuidArray, .uuidArray, .textArray, .textArray, .numericArray, .textArray, .numericArray, .numericArray,
        .uuid, .timestamptz, .uuidArray,
    ]

    let ids: [MovementID]
    let request: MovementsRequest
    /// The quantities as they go into the books.
    let quantities: [Quantity]
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(ids)
        try parameters.append(request.movements.map(\.product.productID))
        try parameters.append(request.movements.map(\.product.skuText))
        try parameters.append(request.movements.map(\.type.rawValue))
        try parameters.append(quantities)
        try parameters.append(request.movements.map(\.reason))
        try parameters.append(request.movements.map(\.unitCost))
        try parameters.append(request.movements.map(\.expectedOnHand))
        try parameters.append(userID)
        try parameters.append(request.occurredAt)
        try parameters.append(request.movements.map(\.locationID))
    }
}

/// Movements that were recorded together, in the order of the request.
struct RecordedMovements: Document {
    static let name = "stock.movements"
    static let sql: SQL = """
        SELECT '{"data":[' || string_agg(stock.movement_body(stock.current_tenant(), m.id), ',' ORDER BY m.place) || ']}',
               NULL::text
        FROM unnest($1::uuid[]) WITH ORDINALITY AS m (id, place)
        """
    static let parameterTypes: [PostgresType] = [.uuidArray]

    let ids: [MovementID]

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(ids) }
}

/// A page of levels of active products, by name, as `stock.product_page` finds them.
struct ListLevels: Statement {
    static let name = "stock.list_levels"
    static let sql: SQL = .page(
        "stock.product_page($3, NULL, $2, $1, 'active', $6 + 1, $4, $5)",
        along: .text("name_key"),
        limit: "$6",
        each: "stock.stock_level_body(stock.current_tenant(), p.id)"
    )
    static let parameterTypes: [PostgresType] = [.text, .uuid, .text, .text, .uuid, .int4]

    typealias Row = PageRow

    let filter: StockLevelFilter
    let after: NamePlace?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter.stock)
        try parameters.append(filter.categoryID)
        try parameters.append(filter.q?.text)
        try parameters.append(after)
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}

/// A page of what has been at a location, by name, as `stock.location_page` finds it.
struct ListLevelsAt: Statement {
    static let name = "stock.list_levels_at"
    static let sql: SQL = .page(
        "stock.location_page($7, $3, $2, $1, $6 + 1, $4, $5)",
        along: .text("name_key"),
        limit: "$6",
        each: "stock.location_level_body(stock.current_tenant(), p.id, $7)"
    )
    static let parameterTypes: [PostgresType] = ListLevels.parameterTypes + [.uuid]

    typealias Row = PageRow

    let list: ListLevels
    let location: LocationID

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try list.bind(&parameters)
        try parameters.append(location)
    }
}

/// Where a product is, place by place.
struct ProductPlaces: Document {
    static let name = "stock.places"
    static let sql: SQL = "SELECT stock.product_places_body(stock.current_tenant(), $1), NULL::text"
    static let parameterTypes: [PostgresType] = [.uuid]

    let product: ProductID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(product) }
}

/// Sets from where on a product is low at a location.
struct SetPlaceMinimum: Statement {
    static let name = "stock.place_low_at"
    static let sql: SQL = "SELECT stock.place_low_at($1, $2, $3)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuid, .numeric]

    let product: ProductID
    let minimum: PlaceMinimum

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(product)
        try parameters.append(minimum.locationID)
        try parameters.append(minimum.minStock)
    }
}

/// A page of the reservations that hold, those of the first document first.
struct ListReservations: Statement {
    static let name = "stock.list_reservations"
    static let sql: SQL = """
        WITH placed AS (
            SELECT p.document_id, p.product_id, p.place FROM stock.reservation_page($1, $2, $3::uuid, $4, $5 + 1) WITH ORDINALITY
                AS p (document_id, product_id, place)
        )
        SELECT string_agg(stock.reservation_body(stock.current_tenant(), p.document_id, p.product_id), ',' ORDER BY p.place)
                   FILTER (WHERE p.place <= $5),
               CASE WHEN count(*) > $5 THEN (
                   SELECT ARRAY[l.document_id::text, l.product_id::text] FROM placed l WHERE l.place = $5) END,
               \(.seen)
        FROM placed p
        """
    static let parameterTypes: [PostgresType] = [.uuid, .uuid, .text, .uuid, .int4]

    typealias Row = PageRow

    let filter: ReservationFilter
    /// Document and product of the last row of the page before.
    let after: NamePlace?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter.productID)
        try parameters.append(filter.locationID)
        try parameters.append(after)
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}

/// A page of movements, the last recorded first: ids are made in the order of recording.
struct ListMovements: Statement {
    static let name = "stock.list_movements"
    static let sql: SQL = .page(
        "stock.movement_page($1, $2, $3, $4, $5, $6 + 1, $7, $8, $9)",
        along: .moment("recorded_at"),
        limit: "$6",
        each: "stock.movement_body(stock.current_tenant(), p.id)"
    )
    static let parameterTypes: [PostgresType] = [
        .uuid, .text, .date, .date, .uuid, .int4, .uuid, .uuid, .text,
    ]

    typealias Row = PageRow

    let filter: MovementFilter
    let after: MovementID?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter.productID)
        try parameters.append(filter.kind)
        try parameters.append(filter.days.from)
        try parameters.append(filter.days.to)
        try parameters.append(after)
        try parameters.append(Int32(truncatingIfNeeded: limit))
        try parameters.append(filter.locationID)
        try parameters.append(filter.documentID.map { PostgresUUID(high: $0.high, low: $0.low) })
        try parameters.append(filter.reason)
    }
}
