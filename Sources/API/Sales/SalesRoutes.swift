import Domain
import HTTPTypes
import Kernel
import Services

/// Sales: confirm, list, look at one.
struct SalesRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let shop = self.shop
        return [
            .command(
                "/v1/sales",
                "confirmSale",
                "Confirm a sale",
                area: "sales",
                access: .scope(.salesWrite),
                key: .required,
                store: shop.store,
                body: Body("SaleRequest") { SaleRequest.read(&$0) },
                answer: .reference("Sale"),
                problems: [
                    .insufficientStock, .productInactive, .discountLimit, .creditLimitExceeded, .sessionClosed,
                    .periodClosed, .paymentMismatch, .creditNeedsCustomer, .quantityPrecision,
                ]
            ) { (request, context, key) throws(Problem) in try await shop.sales.confirm(request, context, key: key) },
            .page(
                "/v1/sales",
                "listSales",
                "Sales, newest first",
                area: "sales",
                access: .scope(.salesRead),
                answer: .reference("SaleSummary"),
                query: { SaleFilter.read(&$0) },
                reading: { (filter, page, caller) throws(Problem) in try shop.sales.list(filter, page, caller) }
            ),
            .one(
                "/v1/sales/{id}",
                "readSale",
                "One sale with its lines and payments",
                area: "sales",
                access: .scope(.salesRead),
                answer: .reference("Sale")
            ) { shop.sales.sale($0, $1) },
        ]
    }
}

extension SaleFilter {
    /// Reads what `GET /v1/sales` asks for.
    static func read(_ query: inout Query) -> SaleFilter {
        var filter = SaleFilter()
        filter.status = query.choice("status", "In this state only.")
        filter.customerID = query.id("customer_id", "Of this customer only.")
        filter.registerID = query.id("register_id", "Of this register only.")
        filter.number = query.integer(
            "number",
            1...Int.max,
            "With this number only; each register counts by itself."
        ).map { Int64($0) }
        filter.days = query.days()
        return filter
    }
}
