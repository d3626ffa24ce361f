import Domain
import HTTPTypes
import Kernel
import Services

/// Payments of what is due.
struct PaymentsRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let shop = self.shop
        return [
            .command(
                "/v1/payments",
                "registerPayment",
                "Register a payment of what is due",
                area: "payments",
                access: .scope(.paymentsWrite),
                key: .required,
                store: shop.store,
                body: Body("PaymentRequest") { PaymentRequest.read(&$0) },
                answer: .reference("Payment"),
                problems: [.paymentExceedsDue, .sessionClosed, .periodClosed, .invalidState, .paymentMismatch]
            ) { (request, context, key) throws(Problem) in try await shop.payments.register(request, context, key: key)
            },
            .page(
                "/v1/payments",
                "listPayments",
                "Payments, newest first",
                area: "payments",
                access: .scope(.salesRead),
                answer: .reference("Payment"),
                query: { (PaymentFilter.read(&$0), $0.names([.customer, .user])) },
                reading: { (asked, page, caller) throws(Problem) in
                    try shop.payments.list(asked.0, page, caller, showing: asked.1)
                }
            ),
            .one(
                "/v1/payments/{id}",
                "readPayment",
                "One payment",
                area: "payments",
                access: .scope(.salesRead),
                answer: .reference("Payment"),
                query: { $0.names([.customer, .user]) },
                reading: { (id, names, caller) in shop.payments.payment(id, caller, showing: names) }
            ),
            .action(
                "/v1/payments/{id}/reverse",
                "reversePayment",
                "Reverse a payment: what it paid is due again",
                area: "payments",
                access: .roles(.owner, .manager, scope: .paymentsWrite),
                store: shop.store,
                body: .reason,
                answer: .reference("Payment"),
                problems: [.invalidState, .sessionClosed, .periodClosed]
            ) { (id, reason, context, key) throws(Problem) in
                try await shop.payments.reverse(id, reason: reason, context, key: key)
            },
        ]
    }
}

extension PaymentFilter {
    /// Reads what `GET /v1/payments` asks for.
    static func read(_ query: inout Query) -> PaymentFilter {
        var filter = PaymentFilter()
        filter.direction = query.choice("direction", "One way only.")
        filter.method = query.paymentMethod("method", "One method only.")
        filter.saleID = query.id("sale_id", "What was allocated to this sale only.")
        filter.customerID = query.id("customer_id", "Of this customer only.")
        filter.purchaseID = query.id("purchase_id", "What was allocated to this purchase only.")
        filter.days = query.days()
        return filter
    }
}
