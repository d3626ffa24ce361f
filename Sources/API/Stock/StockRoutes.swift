import Domain
import HTTPTypes
import Kernel
import Services

/// What is on hand, and what moved it.
struct StockRoutes {
    let shop: Shop

    var routes: [Route] {
        let shop = self.shop
        return [
            Route.read(
                "/v1/stock",
                "listStock",
                "What is on hand of each product, by name",
                area: "stock",
                access: .scope(.stockRead),
                parameters: [
                    .choice("stock", StockFilter.self, "Out, low or ok only."),
                    .init("category_id", .id, "Of this category only."),
                    .search("the name, the SKU or a barcode"),
                ] + Route.Parameter.page,
                answer: .page("StockLevel"),
                problems: [.cursorMismatch]
            ) { call, caller in
                let (filter, page) = try call.query { (query) throws(Problem) in
                    (StockLevelFilter.read(&query), query.page())
                }
                return try shop.stock.levels(filter, page, caller)
            },
            Route.read(
                "/v1/stock/movements",
                "listMovements",
                "What moved the stock, newest first",
                area: "stock",
                access: .scope(.stockRead),
                parameters: [
                    .init("product_id", .id, "Of this product only."),
                    .choice("type", MovementFilter.Kind.self, "Of this kind only."),
                ] + Route.Parameter.days + Route.Parameter.page,
                answer: .page("Movement"),
                problems: [.cursorMismatch]
            ) { call, caller in
                let (filter, page) = try call.query { (query) throws(Problem) in
                    (MovementFilter.read(&query), query.page())
                }
                return try shop.stock.movements(filter, page, caller)
            },
            Route(
                .post,
                "/v1/stock/movements",
                "moveStock",
                "Enter openings, adjustments and losses",
                area: "stock",
                access: .scope(.stockWrite),
                needsKey: true,
                body: .reference("MovementsRequest"),
                status: .created,
                answer: .object([.required("data", .array(.reference("Movement")))]),
                namesResource: false,
                problems: [.stockChanged, .insufficientStock, .periodClosed, .quantityPrecision, .invalidState]
            ) { call in
                try call.noQuery()
                let (request, key) = try await call.keyedBody { MovementsRequest.read(&$0) }
                return try await call.command(shop.store, key) { (context) throws(Problem) in
                    try await shop.stock.record(request, context, key: key)
                }
            },
        ]
    }
}

extension StockLevelFilter {
    /// Reads what `GET /v1/stock` asks for.
    static func read(_ query: inout Query) -> StockLevelFilter {
        var filter = StockLevelFilter()
        filter.stock = query.choice("stock")
        filter.categoryID = query.id("category_id")
        filter.q = query.search("q")
        return filter
    }
}

extension MovementFilter {
    /// Reads what `GET /v1/stock/movements` asks for.
    static func read(_ query: inout Query) -> MovementFilter {
        var filter = MovementFilter()
        filter.productID = query.id("product_id")
        filter.kind = query.choice("type")
        filter.days = query.days()
        return filter
    }
}
