import Domain
import HTTPTypes
import Kernel
import Services

/// Sales: confirm, list, look at one.
struct SalesRoutes {
    let shop: Shop

    var routes: [Route] {
        let shop = self.shop
        return [
            Route(
                .post,
                "/v1/sales",
                "confirmSale",
                "Confirm a sale",
                area: "sales",
                access: .scope(.salesWrite),
                needsKey: true,
                body: .reference("SaleRequest"),
                status: .created,
                answer: .reference("Sale"),
                problems: [
                    .insufficientStock, .productInactive, .discountLimit, .creditLimitExceeded, .sessionClosed,
                    .periodClosed, .paymentMismatch, .creditNeedsCustomer, .quantityPrecision,
                ]
            ) { call in
                try call.noQuery()
                let (request, key) = try await call.keyedBody { SaleRequest.read(&$0) }
                return try await call.command(shop.store, key) { (context) throws(Problem) in
                    try await shop.sales.confirm(request, context, key: key)
                }
            },
            Route.read(
                "/v1/sales",
                "listSales",
                "Sales, newest first",
                area: "sales",
                access: .scope(.salesRead),
                parameters: [
                    .choice("status", SaleFilter.Status.self, "In this state only."),
                    .init("customer_id", .id, "Of this customer only."),
                    .init("register_id", .id, "Of this register only."),
                    .init("number", .integer(minimum: 1), "With this number only; each register counts by itself."),
                ] + Route.Parameter.days + Route.Parameter.page,
                answer: .page("SaleSummary"),
                problems: [.cursorMismatch]
            ) { call, caller in
                let (filter, page) = try call.query { (query) throws(Problem) in
                    (SaleFilter.read(&query), query.page())
                }
                return try shop.sales.list(filter, page, caller)
            },
            Route.read(
                "/v1/sales/{id}",
                "readSale",
                "One sale with its lines and payments",
                area: "sales",
                access: .scope(.salesRead),
                answer: .reference("Sale")
            ) { call, caller in
                try call.noQuery()
                return try shop.sales.sale(call.id(), caller)
            },
        ]
    }
}

extension SaleFilter {
    /// Reads what `GET /v1/sales` asks for.
    static func read(_ query: inout Query) -> SaleFilter {
        var filter = SaleFilter()
        filter.status = query.choice("status")
        filter.customerID = query.id("customer_id")
        filter.registerID = query.id("register_id")
        filter.number = query.integer("number", 1...Int.max).map { Int64($0) }
        filter.days = query.days()
        return filter
    }
}
