import Domain
import HTTPTypes
import Kernel
import Services

/// Payments of what is due.
struct PaymentsRoutes {
    let shop: Shop

    var routes: [Route] {
        let shop = self.shop
        return [
            Route(
                .post,
                "/v1/payments",
                "registerPayment",
                "Register a payment of what is due",
                area: "payments",
                access: .scope(.paymentsWrite),
                needsKey: true,
                body: .reference("PaymentRequest"),
                status: .created,
                answer: .reference("Payment"),
                problems: [.paymentExceedsDue, .sessionClosed, .periodClosed, .invalidState, .paymentMismatch]
            ) { call in
                try call.noQuery()
                let (request, key) = try await call.keyedBody { PaymentRequest.read(&$0) }
                return try await call.command(shop.store, key) { (context) throws(Problem) in
                    try await shop.payments.register(request, context, key: key)
                }
            },
            Route.read(
                "/v1/payments",
                "listPayments",
                "Payments, newest first",
                area: "payments",
                access: .scope(.salesRead),
                parameters: [
                    .choice("direction", PaymentDirection.self, "One way only."),
                    .choice("method", PaymentMethod.self, "One method only."),
                    .init("sale_id", .id, "What was allocated to this sale only."),
                    .init("customer_id", .id, "Of this customer only."),
                ] + Route.Parameter.days + Route.Parameter.page,
                answer: .page("Payment"),
                problems: [.cursorMismatch]
            ) { call, caller in
                let (filter, page) = try call.query { (query) throws(Problem) in
                    (PaymentFilter.read(&query), query.page())
                }
                return try shop.payments.list(filter, page, caller)
            },
            Route.read(
                "/v1/payments/{id}",
                "readPayment",
                "One payment",
                area: "payments",
                access: .scope(.salesRead),
                answer: .reference("Payment")
            ) { call, caller in
                try call.noQuery()
                return try shop.payments.payment(call.id(), caller)
            },
        ]
    }
}

extension PaymentFilter {
    /// Reads what `GET /v1/payments` asks for.
    static func read(_ query: inout Query) -> PaymentFilter {
        var filter = PaymentFilter()
        filter.direction = query.choice("direction")
        filter.method = query.choice("method")
        filter.saleID = query.id("sale_id")
        filter.customerID = query.id("customer_id")
        filter.days = query.days()
        return filter
    }
}
