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
            Route(
                .get,
                "/v1/stock",
                "listStock",
                "What is on hand of each product, by name",
                area: "stock",
                access: .scope(.stockRead),
                isCached: true,
                parameters: [
                    .choice("stock", StockFilter.self, "Out, low or ok only."),
                    .init("category_id", .id, "Of this category only."),
                    .init("q", .text, "Part of the name or SKU."),
                ] + Route.Parameter.page,
                answer: .page("StockLevel"),
                problems: [.cursorMismatch]
            ) { call in
                let (filter, page) = try call.query { (query) throws(Problem) in
                    var filter = StockLevelFilter()
                    filter.stock = query.choice("stock")
                    filter.categoryID = query.id("category_id")
                    filter.search = query.text("q")
                    return (filter, query.page())
                }
                return try call.reply(
                    await shop.stock.levels(filter, limit: page.limit, cursor: page.cursor, call.context())
                )
            },
            Route(
                .get,
                "/v1/stock/movements",
                "listMovements",
                "What moved the stock, newest first",
                area: "stock",
                access: .scope(.stockRead),
                isCached: true,
                parameters: [
                    .init("product_id", .id, "Of this product only."),
                    .choice("type", MovementFilter.Kind.self, "Of this kind only."),
                ] + Route.Parameter.days + Route.Parameter.page,
                answer: .page("Movement"),
                problems: [.cursorMismatch]
            ) { call in
                let (filter, page) = try call.query { (query) throws(Problem) in
                    var filter = MovementFilter()
                    filter.productID = query.id("product_id")
                    filter.kind = query.choice("type")
                    filter.from = query.day("from")
                    filter.to = query.day("to")
                    return (filter, query.page())
                }
                return try call.reply(
                    await shop.stock.movements(filter, limit: page.limit, cursor: page.cursor, call.context())
                )
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
