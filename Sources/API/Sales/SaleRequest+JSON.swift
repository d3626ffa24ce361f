import Domain
import Kernel
import Services

extension SaleRequest {
    /// Reads the body of `POST /v1/sales`.
    ///
    /// Drafts are not made yet, so the only status is the one that a sale has anyway.
    static func read(_ reader: inout JSONObjectReader) -> SaleRequest {
        _ = reader.optional("status", .confirmed)
        return SaleRequest(
            registerID: reader.optionalID("register_id"),
            customerID: reader.optionalID("customer_id"),
            occurredAt: reader.optionalTimestamp("occurred_at"),
            note: reader.optionalText("note", .note),
            discount: reader.optionalMoney("discount") ?? .zero,
            lines: reader.objects("lines", of: "SaleLineRequest", count: 1...1000) { line in
                Line(
                    product: .read(&line),
                    quantity: line.quantity("quantity"),
                    unitPrice: line.optionalPrice("unit_price"),
                    discount: line.optionalMoney("discount") ?? .zero
                )
            },
            payments: reader.objects("payments", of: "TenderRequest", count: 0...20) { payment in .read(&payment) }
        )
    }
}

extension FieldReading where Value == Bool {
    /// The one state that a new sale may have.
    fileprivate static var confirmed: FieldReading {
        FieldReading<String>.string.described(as: .choice(["confirmed"])).map { text in
            text == "confirmed" ? .success(true) : .failure(ReadingFault(.notAllowed, "Must be \"confirmed\"."))
        }
    }
}

extension FieldReading where Value == PaymentMethodCode {
    /// The code of a payment method, by its shape: which ones a tenant has is its own.
    static var paymentMethod: FieldReading {
        FieldReading<String>.string.described(as: Schemas.method).map { text in
            PaymentMethodCode(rawValue: text).map { .success($0) }
                ?? .failure(ReadingFault(.format, PaymentMethodCode.rule))
        }
    }
}

extension ProductReference {
    /// Reads `product_id` or `sku`, one of which must be there.
    static func read(_ reader: inout JSONObjectReader) -> ProductReference {
        let before = reader.errors.list.count
        let id: ProductID? = reader.optionalID("product_id")
        let sku = reader.optionalText("sku", .sku)
        switch (id, sku) {
        case (nil, nil) where reader.errors.list.count > before:
            // Refused, and so not missing.
            break
        case (let id?, nil):
            return .id(id)
        case (nil, let sku?):
            return .sku(sku)
        case (nil, nil):
            if !reader.contains("product_id"), !reader.contains("sku") {
                reader.fail("product_id", .required, "Give product_id or sku.")
            } else if reader.contains("sku"), !reader.contains("product_id") {
                reader.fail("sku", .required, "Must not be blank.")
            }
        case (_?, _?):
            reader.fail("sku", .conflict, "Give product_id or sku, not both.")
        }
        return .sku("")
    }
}

extension Tender {
    /// Reads method, amount, tip and what was handed over.
    static func read(_ reader: inout JSONObjectReader) -> Tender {
        Tender(
            method: reader.required("method", else: .cash, .paymentMethod),
            amount: reader.money("amount", .positive),
            tip: reader.optionalMoney("tip", .notNegative) ?? .zero,
            tendered: reader.optionalMoney("tendered", .positive)
        )
    }
}
