import Domain
import HTTPTypes
import Kernel
import Services

/// Sales: confirm, price, list, look at one, annotate, cancel.
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
            .post(
                "/v1/sales/price",
                "priceSale",
                "What a sale would come to; writes nothing",
                area: "sales",
                access: .scope(.salesWrite),
                body: Body("SaleRequest") { SaleRequest.read(&$0) },
                answer: .reference("PricedCart"),
                problems: [.productInactive, .discountLimit, .paymentMismatch, .quantityPrecision]
            ) { call, request in Reply(.ok, body: try await shop.sales.price(request, call.context())) },
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
            .change(
                "/v1/sales/{id}",
                "changeSale",
                "Change the remark on a sale",
                area: "sales",
                access: .scope(.salesWrite),
                body: Body("SalePatch") { $0.clearableText("note", .note) },
                answer: .reference("Sale")
            ) { (id, note, expected, context) throws(Problem) in
                try await shop.sales.annotate(id, note: note, expected: expected, context)
            },
            .action(
                "/v1/sales/{id}/cancel",
                "cancelSale",
                "Cancel a sale: its goods go back, its payments are reversed",
                area: "sales",
                access: .scope(.salesWrite),
                store: shop.store,
                body: .reason,
                answer: .reference("Sale"),
                problems: [.invalidState, .sessionClosed, .periodClosed]
            ) { (id, reason, context, key) throws(Problem) in
                try await shop.sales.cancel(id, reason: reason, context, key: key)
            },
        ]
    }
}

extension Body<String> {
    /// Why something is undone, which is all that its command has to know.
    static let reason = Body("ReasonRequest") { $0.text("reason", .reason) }
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
