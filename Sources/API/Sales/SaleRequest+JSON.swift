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
            note: reader.optional("note", .note()),
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
            text == "confirmed" ? .success(true) : .failure(ReadingFault("not_allowed", "Must be \"confirmed\"."))
        }
    }
}

extension FieldReading where Value == PaymentMethodCode {
    /// The code of a payment method, by its shape: which ones a tenant has is its own.
    static var paymentMethod: FieldReading {
        FieldReading<String>.string.described(as: Schemas.method).map { text in
            PaymentMethodCode(rawValue: text).map { .success($0) }
                ?? .failure(ReadingFault("format", PaymentMethodCode.rule))
        }
    }
}

extension ProductReference {
    /// Reads what names a product: `product_id`, `sku`, `packaging_id` or `code`, one of which must be there.
    ///
    /// - Parameters:
    ///   - reader: Reads the line.
    ///   - isByPackaging: Whether the line may name a packaging or a code, of which its quantity is then.
    /// - Returns: The reference; one that names nothing where there is none.
    static func read(_ reader: inout JSONObjectReader, isByPackaging: Bool = true) -> ProductReference {
        let before = reader.errors.list.count
        let id: ProductID? = reader.optionalID("product_id")
        let sku = reader.optionalText("sku", .sku)
        let packaging: PackagingID? = isByPackaging ? reader.optionalID("packaging_id") : nil
        let code = isByPackaging ? reader.optional("code", isShown: false, .productCode) : nil
        let references: [(field: String, reference: ProductReference?)] = [
            ("product_id", id.map { .id($0) }), ("sku", sku.map { .sku($0) }),
            ("packaging_id", packaging.map { .packaging($0) }), ("code", code.map { .code($0) }),
        ]
        let given = references.filter { $0.reference != nil }
        let names = isByPackaging ? "product_id, sku, packaging_id or code" : "product_id or sku"
        if let last = given.last, given.count > 1 {
            reader.fail(last.field, "conflict", "Give \(names), and one of them alone.")
        } else if let reference = given.first?.reference {
            return reference
        } else if reader.errors.list.count > before {
            // Refused, and so not missing.
        } else if reader.contains("sku"), !reader.contains("product_id") {
            reader.fail("sku", "required", "Must not be blank.")
        } else if !reader.contains("product_id") {
            reader.fail("product_id", "required", "Give \(names).")
        }
        return .sku("")
    }
}

extension FieldReading where Value == ProductCode {
    /// A code, as it was scanned or typed.
    fileprivate static var productCode: FieldReading {
        FieldReading<String>.string.described(as: .string(maximum: TextRule.barcode.maximum)).map { text in
            do throws(ReadingFault) { return .success(try ProductCode(text)) } catch { return .failure(error) }
        }
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
