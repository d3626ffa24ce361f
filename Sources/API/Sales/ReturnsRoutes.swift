import Domain
import HTTPTypes
import Kernel
import Services

/// Returns: of what a sale sold, and of what no sale is known of.
struct ReturnsRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let shop = self.shop
        return [
            .action(
                "/v1/sales/{id}/returns",
                "returnSale",
                "Take back what a sale sold, or a part of it",
                area: "sales",
                access: .scope(.salesWrite),
                store: shop.store,
                body: Body("ReturnRequest") { ReturnRequest.read(&$0) },
                status: .created,
                answer: .reference("Return"),
                problems: [
                    .refundExceedsSold, .paymentMismatch, .quantityPrecision, .invalidState, .sessionClosed,
                    .periodClosed,
                ]
            ) { (id, request, context, key) throws(Problem) in
                try await shop.sales.takeBack(id, request, context, key: key)
            },
            .command(
                "/v1/returns",
                "returnUnsold",
                "Take back what no sale is known of, where the shop allows it",
                area: "sales",
                access: .scope(.salesWrite),
                key: .required,
                store: shop.store,
                body: Body("UnsoldReturnRequest") { UnsoldReturnRequest.read(&$0) },
                answer: .reference("Return"),
                problems: [
                    .paymentMismatch, .quantityPrecision, .invalidState, .returnLimit, .sessionClosed, .periodClosed,
                ]
            ) { (request, context, key) throws(Problem) in try await shop.sales.takeBack(request, context, key: key) },
            .page(
                "/v1/returns",
                "listReturns",
                "Returns, newest first",
                area: "sales",
                access: .scope(.salesRead),
                answer: .reference("ReturnSummary"),
                query: { (ReturnFilter.read(&$0), $0.names()) },
                reading: { (asked, page, caller) throws(Problem) in
                    try shop.sales.returns(asked.0, page, caller, showing: asked.1)
                }
            ),
            .one(
                "/v1/returns/{id}",
                "readReturn",
                "One return with its lines and what was given back",
                area: "sales",
                access: .scope(.salesRead),
                answer: .reference("Return"),
                query: { $0.names() },
                reading: { (id, names, caller) in shop.sales.takenBack(id, caller, showing: names) }
            ),
        ]
    }
}

extension ReturnRequest {
    /// Reads the body of `POST /v1/sales/{id}/returns`.
    static func read(_ reader: inout JSONObjectReader) -> ReturnRequest {
        ReturnRequest(
            registerID: reader.optionalID("register_id"),
            occurredAt: reader.optionalTimestamp("occurred_at"),
            note: reader.optionalText("note", .note),
            lines: reader.objects("lines", of: "ReturnLineRequest", count: 1...DocumentLimits.lines) { line in
                Line(
                    saleLineID: line.id("sale_line_id"),
                    quantity: line.quantity("quantity"),
                    restocks: line.optionalBool("restock") ?? true
                )
            },
            payments: Refund.read(&reader)
        )
    }
}

extension UnsoldReturnRequest {
    /// Reads the body of `POST /v1/returns`.
    static func read(_ reader: inout JSONObjectReader) -> UnsoldReturnRequest {
        var request = UnsoldReturnRequest(
            registerID: reader.optionalID("register_id"),
            customerID: reader.optionalID("customer_id"),
            occurredAt: reader.optionalTimestamp("occurred_at"),
            note: reader.optionalText("note", .note),
            lines: reader.objects("lines", of: "UnsoldReturnLineRequest", count: 1...DocumentLimits.lines) { line in
                Line(
                    product: .read(&line),
                    quantity: line.quantity("quantity"),
                    unitPrice: line.price("unit_price"),
                    restocks: line.optionalBool("restock") ?? true
                )
            },
            payments: Refund.read(&reader)
        )
        request.approval = reader.approval()
        return request
    }
}

extension Refund {
    /// Reads what is given back.
    static func read(_ reader: inout JSONObjectReader) -> [Refund] {
        reader.objects("payments", of: "RefundRequest", count: 0...DocumentLimits.tenders) { payment in
            Refund(
                method: payment.required("method", else: .cash, .paymentMethod),
                amount: payment.money("amount", .positive)
            )
        }
    }
}

extension ReturnFilter {
    /// Reads what `GET /v1/returns` asks for.
    static func read(_ query: inout Query) -> ReturnFilter {
        var filter = ReturnFilter()
        filter.saleID = query.id("sale_id", "Of this sale only.")
        filter.customerID = query.id("customer_id", "Of this customer only.")
        filter.days = query.days()
        return filter
    }
}
