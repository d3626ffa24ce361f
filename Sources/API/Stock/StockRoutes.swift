import Domain
import HTTPTypes
import Kernel
import Services

/// What is on hand, and what moved it.
struct StockRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let shop = self.shop
        return [
            .page(
                "/v1/stock",
                "listStock",
                "What is on hand of each product, by name",
                area: "stock",
                access: .scope(.stockRead),
                answer: .reference("StockLevel"),
                query: { StockLevelFilter.read(&$0) },
                reading: { (filter, page, caller) throws(Problem) in try shop.stock.levels(filter, page, caller) }
            ),
            .one(
                "/v1/products/{id}/stock",
                "readProductStock",
                "Where a product is, place by place",
                area: "stock",
                access: .scope(.stockRead),
                answer: .reference("ProductPlaces")
            ) { shop.stock.places(of: $0, $1) },
            setMinimum(),
            .freshPage(
                "/v1/stock/reservations",
                "listReservations",
                "What drafts and quotes hold back now, those of the first document first",
                area: "stock",
                access: .scope(.stockRead),
                store: shop.store,
                answer: .reference("Reservation"),
                query: { ReservationFilter.read(&$0) },
                reading: { (filter, page, caller) throws(Problem) in try shop.stock.reservations(filter, page, caller) }
            ),
            .page(
                "/v1/stock/movements",
                "listMovements",
                "What moved the stock, newest first",
                area: "stock",
                access: .scope(.stockRead),
                answer: .reference("Movement"),
                query: { MovementFilter.read(&$0) },
                reading: { (filter, page, caller) throws(Problem) in try shop.stock.movements(filter, page, caller) }
            ),
            .command(
                "/v1/stock/movements",
                "moveStock",
                "Enter openings, adjustments and losses",
                area: "stock",
                access: .scope(.stockWrite),
                key: .required,
                store: shop.store,
                body: Body("MovementsRequest") { MovementsRequest.read(&$0) },
                answer: .object([.required("data", .array(.reference("Movement")))]),
                namesResource: false,
                problems: [.stockChanged, .insufficientStock, .periodClosed, .quantityPrecision, .invalidState]
            ) { (request, context, key) throws(Problem) in try await shop.stock.record(request, context, key: key) },
        ]
    }
}

extension StockRoutes {
    /// Says from where on a product is low at a location.
    private func setMinimum() -> Route {
        let body = Body("PlaceMinimum") { PlaceMinimum.read(&$0) }
        return Route(
            .put,
            "/v1/products/{id}/stock",
            "setPlaceMinimum",
            "Set from where on a product is low at a location; without min_stock its sum decides",
            area: "stock",
            access: .scope(.stockWrite),
            takes: Route.Input(body: body.schema),
            gives: Route.Output(answer: .reference("ProductPlaces"), problems: [.invalidState, .quantityPrecision])
        ) { [shop] call in
            let product: ProductID = try call.id()
            let minimum = try await call.body(body)
            return try call.reply(await shop.stock.setMinimum(of: product, minimum, call.context()))
        }
    }
}

extension PlaceMinimum {
    /// Reads the body of `PUT /v1/products/{id}/stock`.
    static func read(_ reader: inout JSONObjectReader) -> PlaceMinimum {
        PlaceMinimum(locationID: reader.id("location_id"), minStock: reader.optionalQuantity("min_stock", .notNegative))
    }
}

extension StockLevelFilter {
    /// Reads what `GET /v1/stock` asks for.
    static func read(_ query: inout Query) -> StockLevelFilter {
        var filter = StockLevelFilter()
        filter.stock = query.choice("stock", "Out, low or ok only.")
        filter.locationID = query.id("location_id", "At this location only; without it, in all of them.")
        filter.categoryID = query.id("category_id", "Of this category only.")
        filter.q = query.search("q", in: "the name, the SKU or a barcode")
        return filter
    }
}

extension ReservationFilter {
    /// Reads what `GET /v1/stock/reservations` asks for.
    static func read(_ query: inout Query) -> ReservationFilter {
        var filter = ReservationFilter()
        filter.productID = query.id("product_id", "Of this product only.")
        filter.locationID = query.id("location_id", "At this location only.")
        return filter
    }
}

extension MovementFilter {
    /// Reads what `GET /v1/stock/movements` asks for.
    static func read(_ query: inout Query) -> MovementFilter {
        var filter = MovementFilter()
        filter.productID = query.id("product_id", "Of this product only.")
        filter.locationID = query.id("location_id", "At this location only.")
        filter.kind = query.choice("type", "Of this kind only.")
        let document: ID<Any>? = query.id("ref_id", "Of this sale, return, count or transfer only.")
        filter.documentID = document?.entity
        // As texts are kept: in normal form C.
        filter.reason = query.text(
            "reason",
            maximum: TextRule.reason.maximum,
            "Of this reason only, as it was entered."
        )
        .map { Text.nfc($0) }
        filter.days = query.days()
        return filter
    }
}
