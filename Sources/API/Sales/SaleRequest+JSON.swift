import Domain
import Kernel
import Services

extension SaleRequest {
    /// Reads the body of `POST /v1/sales`.
    static func read(_ reader: inout JSONObjectReader) -> SaleRequest {
        let isOffline = reader.optional("recorded", isShown: false, FieldReading<Recorded>.oneOf()) == .offline
        let id: SaleID? = reader.optional("id", isShown: false, .id())
        var request = SaleRequest(
            registerID: reader.optionalID("register_id"),
            customerID: reader.optionalID("customer_id"),
            occurredAt: reader.optionalTimestamp("occurred_at"),
            note: reader.optionalText("note", .note),
            discount: reader.optionalMoney("discount") ?? .zero,
            lines: Line.read(&reader),
            payments: Tender.readAll(&reader),
            purpose: reader.optionalChoice("status") == NewSaleStatus.draft ? .draft : .sale
        )
        request.approval = reader.approval()
        let isDraft = request.purpose == .draft
        if isOffline {
            request.readFact(id, &reader)
        } else if id != nil {
            reader.fail("id", .notAllowed, "Only a sale that was recorded offline has an id already.")
        }
        guard isDraft else { return request }
        if request.approval != nil, !isOffline {
            reader.fail("approval", .notAllowed, "A draft is approved of when it is confirmed.")
        }
        if !request.payments.isEmpty {
            reader.fail("payments", .notAllowed, "A draft is paid when it is confirmed.")
        }
        if request.occurredAt != nil {
            reader.fail("occurred_at", .notAllowed, "A draft is dated when it is confirmed.")
        }
        return request
    }

    /// Reads what there is to say of a sale that has happened already.
    private mutating func readFact(_ id: SaleID?, _ reader: inout JSONObjectReader) {
        if purpose == .draft {
            reader.fail("recorded", .notAllowed, "What is put away has not happened yet.")
        }
        if approval != nil {
            reader.fail("approval", .notAllowed, "Nobody is asked to approve of what has happened already.")
        }
        for (index, line) in lines.enumerated() where line.unitPrice == nil {
            reader.errors.addMissing(
                "\(reader.pointer(to: "lines"))/\(index)/unit_price",
                "Say at which price it was sold."
            )
        }
        if id == nil { reader.errors.addMissing(reader.pointer(to: "id"), "Give the id that the till gave it.") }
        if occurredAt == nil {
            reader.errors.addMissing(reader.pointer(to: "occurred_at"), "Say when it took place.")
        }
        if let id, let occurredAt { purpose = .fact(SaleFact(id: id, happenedAt: occurredAt)) }
    }

    /// When a sale reaches us.
    private enum Recorded: String, CaseIterable {
        /// As it happens.
        case live
        /// After it has happened.
        case offline
    }
}

/// The states that a new sale may have.
private enum NewSaleStatus: String, CaseIterable {
    case confirmed
    case draft
}

extension SaleRequest.Line {
    /// Reads the lines of a sale.
    ///
    /// - Parameters:
    ///   - reader: Of the body.
    ///   - count: How many there may be.
    ///   - isShown: Whether an example shows them.
    /// - Returns: The lines.
    static func read(
        _ reader: inout JSONObjectReader,
        count: ClosedRange<Int> = 1...DocumentLimits.lines,
        isShown: Bool = true
    ) -> [Self] {
        reader.objects("lines", of: "SaleLineRequest", count: count, isShown: isShown) { line in
            Self(
                product: .read(&line),
                quantity: line.quantity("quantity"),
                unitPrice: line.optionalPrice("unit_price"),
                discount: line.optionalMoney("discount") ?? .zero
            )
        }
    }
}

extension SalePatch {
    /// Reads the body of `PATCH /v1/sales/{id}`; its example is one that any sale takes.
    static func read(_ reader: inout JSONObjectReader) -> SalePatch {
        var patch = SalePatch()
        patch.registerID = reader.change("register_id", isShown: false, .id())
        patch.customerID = reader.clearableChange("customer_id", isShown: false, .id())
        patch.note = reader.clearableChange("note", .note())
        patch.discount = reader.change("discount", isShown: false, .decimal(.notNegative))
        if reader.contains("lines") || reader.isRecording {
            // A patch need not name them; one that does leaves some.
            let count = (reader.isRecording ? 0 : 1)...DocumentLimits.lines
            patch.lines = .set(Line.read(&reader, count: count, isShown: false))
        }
        return patch
    }

    private typealias Line = SaleRequest.Line
}

extension SaleConfirmation {
    /// Reads the body of `POST /v1/sales/{id}/confirm`, and of `POST /v1/quotes/{id}/convert`.
    static func read(_ reader: inout JSONObjectReader) -> SaleConfirmation {
        var confirmation = SaleConfirmation(
            registerID: reader.optionalID("register_id"),
            customerID: reader.optionalID("customer_id"),
            occurredAt: reader.optionalTimestamp("occurred_at"),
            payments: Tender.readAll(&reader)
        )
        confirmation.approval = reader.approval()
        return confirmation
    }
}

extension JSONObjectReader {
    /// What somebody with a higher limit gave for a document; what it may look like is asked where it is looked up.
    mutating func approval() -> String? {
        optional("approval", isShown: false, .text(TextRule(maximum: 128)))
    }
}

extension ApprovalRequest {
    /// Reads the body of `POST /v1/approvals`.
    static func read(_ reader: inout JSONObjectReader) -> ApprovalRequest {
        ApprovalRequest(
            discountLimit: reader.optional("discount_limit", .decimal(.notNegative)),
            creditLimit: reader.optional("credit_limit", isShown: false, .decimal(.notNegative)),
            returnLimit: reader.optional("return_limit", isShown: false, .decimal(.positive)),
            note: reader.optional("note", .note())
        )
    }
}

extension ProductReference {
    /// Reads what names a product: `product_id`, `sku`, `packaging_id` or `code`, one of which must be there.
    ///
    /// - Parameter reader: Reads the line, whose quantity is of what it names.
    /// - Returns: The reference; one that names nothing where there is none.
    static func read(_ reader: inout JSONObjectReader) -> ProductReference {
        let before = reader.errors.list.count
        let itself = productItself(&reader)
        let packaging: PackagingID? = reader.optionalID("packaging_id")
        let code = reader.optional("code", isShown: false, .productCode)
        let packed: [Named] = [
            ("packaging_id", packaging.map { .packaging($0) }), ("code", code.map { .code($0) }),
        ]
        return one(of: itself + packed, "product_id, sku, packaging_id or code", &reader, faultsBefore: before)
    }

    /// Reads what names a product itself: `product_id` or `sku`, one of which must be there.
    ///
    /// It is what the line of a record reads, whose statement finds products by these two, in its unit.
    ///
    /// - Parameter reader: Reads the line.
    /// - Returns: The reference; one that names nothing where there is none.
    static func readProduct(_ reader: inout JSONObjectReader) -> ProductReference {
        let before = reader.errors.list.count
        return one(of: productItself(&reader), "product_id or sku", &reader, faultsBefore: before)
    }

    /// A field that may name the product, and whom it names.
    private typealias Named = (field: String, reference: ProductReference?)

    private static func productItself(_ reader: inout JSONObjectReader) -> [Named] {
        let id: ProductID? = reader.optionalID("product_id")
        let sku = reader.optionalText("sku", .sku)
        return [("product_id", id.map { .id($0) }), ("sku", sku.map { .sku($0) })]
    }

    private static func one(
        of references: [Named],
        _ names: String,
        _ reader: inout JSONObjectReader,
        faultsBefore before: Int
    ) -> ProductReference {
        let given = references.filter { $0.reference != nil }
        if let last = given.last, given.count > 1 {
            reader.fail(last.field, .conflict, "Give \(names), and one of them alone.")
        } else if let reference = given.first?.reference {
            return reference
        } else if reader.errors.list.count > before {
            // Refused, and so not missing.
        } else if reader.contains("sku"), !reader.contains("product_id") {
            reader.fail("sku", .required, "Must not be blank.")
        } else {
            reader.fail("product_id", .required, "Give \(names).")
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
    /// Reads what is paid at once.
    static func readAll(_ reader: inout JSONObjectReader) -> [Tender] {
        reader.objects("payments", of: "TenderRequest", count: 0...DocumentLimits.tenders) { payment in .read(&payment)
        }
    }

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
