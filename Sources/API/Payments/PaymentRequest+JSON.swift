import Domain
import Kernel
import Services

extension PaymentRequest {
    /// Reads the body of `POST /v1/payments`.
    static func read(_ reader: inout JSONObjectReader) -> PaymentRequest {
        PaymentRequest(
            direction: reader.choice("direction", else: .incoming),
            tender: .read(&reader),
            saleID: reader.optionalID("sale_id", isShown: true),
            customerID: reader.optionalID("customer_id"),
            purchaseID: reader.optionalID("purchase_id"),
            supplierID: reader.optionalID("supplier_id"),
            registerID: reader.optionalID("register_id"),
            occurredAt: reader.optionalTimestamp("occurred_at")
        )
    }
}
