import Kernel

/// Reads the records of a sales file as rows, or tells all that is wrong with them.
package struct SaleRowReader: Sendable {
    /// The fields of a sales file; all but `sale`, `sku`, `quantity`, `unit_price` and `occurred_at` may be absent.
    package static let fields = [
        "sale", "sku", "name", "quantity", "unit_price", "occurred_at", "time_of_day", "payment_method", "paid",
        "customer",
        "register", "location", "discount", "tax_rate",
    ]

    /// The names of the columns that nothing is read from.
    package let unusedColumns: [String]

    private let mapping: ImportMapping
    private let limits: CSVLimits
    private let width: Int
    private let sale: Int
    private let sku: Int
    private let name: Int?
    private let quantity: Int
    private let unitPrice: Int
    private let occurredAt: Int
    private let timeOfDay: Int?
    private let method: Int?
    private let paid: Int?
    private let customer: Int?
    private let register: Int?
    private let location: Int?
    private let discount: Int?
    private let taxRate: Int?
    private let readColumns: [(column: Int, field: String)]

    /// A reader for files with this header.
    ///
    /// - Throws: `ImportMapping.Fault` if the header lacks a column, or the mapping names a field that does not exist.
    package init(
        mapping: ImportMapping,
        header record: borrowing FileRecord,
        limits: CSVLimits = CSVLimits()
    ) throws(ImportMapping.Fault) {
        try mapping.validate(fields: Self.fields)
        var header = try ImportHeader(record, mapping: mapping, limits: limits)
        self.mapping = mapping
        self.limits = limits
        width = header.width
        sale = try Self.required("sale", &header)
        sku = try Self.required("sku", &header)
        name = try header.column(of: "name", isRequired: false)
        quantity = try Self.required("quantity", &header)
        unitPrice = try Self.required("unit_price", &header)
        occurredAt = try Self.required("occurred_at", &header)
        timeOfDay = try header.column(of: "time_of_day", isRequired: false)
        method = try header.column(of: "payment_method", isRequired: false)
        paid = try header.column(of: "paid", isRequired: false)
        customer = try header.column(of: "customer", isRequired: false)
        register = try header.column(of: "register", isRequired: false)
        location = try header.column(of: "location", isRequired: false)
        discount = try header.column(of: "discount", isRequired: false)
        taxRate = try header.column(of: "tax_rate", isRequired: false)
        unusedColumns = header.unusedColumns
        let columns = [
            sale, sku, name, quantity, unitPrice, occurredAt, timeOfDay, method, paid, customer, register, location,
            discount, taxRate,
        ]
        readColumns = zip(Self.fields, columns).compactMap { field, column in column.map { ($0, field) } }
    }

    private static func required(
        _ field: String,
        _ header: inout ImportHeader
    ) throws(ImportMapping.Fault) -> Int {
        guard let column = try header.column(of: field, isRequired: true) else {
            throw header.missing("no column for \(field)")
        }
        return column
    }

    /// The name of the document that a record is of, whatever else is wrong with it; nil if that cannot be read either.
    package func document(of record: borrowing FileRecord) -> [UInt8]? {
        guard sale < record.count, let name = mapping.encoding.decode(record[sale]), !name.isEmpty else { return nil }
        var faults = RowFaults()
        return text("sale", record[sale], .externalID, missing: nil, &faults)
    }

    /// The fields of a record that tell its time, by their columns, as they stand in the file; empty if it can not be read.
    func timeFields(of record: borrowing FileRecord) -> [Int: [UInt8]] {
        guard record.fault == nil, record.count == width else { return [:] }
        var fields = [occurredAt: Array(record[occurredAt])]
        if let timeOfDay { fields[timeOfDay] = Array(record[timeOfDay]) }
        return fields
    }

    /// Reads and classifies one record.
    ///
    /// - Throws: `RowRejection` with everything that is wrong with it.
    package func read(_ record: borrowing FileRecord) throws(RowRejection) -> SaleRow {
        if let fault = record.fault { throw RowRejection(record, fault: fault, limits: limits) }
        guard record.count == width else { throw RowRejection(record, width: width) }
        var faults = RowFaults()
        for (column, field) in readColumns where record.cutColumns.contains(column) {
            faults.add(.textTooLong, "\(field) is longer than \(limits.fieldBytes) bytes")
        }
        let externalID = text("sale", record[sale], .externalID, missing: .saleMissing, &faults)
        let sku = text("sku", record[sku], .sku, missing: .skuMissing, &faults)
        let name = name.map { text("name", record[$0], .productName, missing: nil, &faults) } ?? []
        let quantity = number("quantity", record[quantity], .quantityInvalid, &faults)
        let unitPrice = number("unit_price", record[unitPrice], .priceInvalid, &faults)
        let time = time(record, &faults)
        let method = method.flatMap { paymentMethod(record[$0], &faults) }
        let customer = customer.map { text("customer", record[$0], .name, missing: nil, &faults) } ?? []
        let register = register.map { text("register", record[$0], .name, missing: nil, &faults) } ?? []
        let location = location.map { text("location", record[$0], .name, missing: nil, &faults) } ?? []
        let discount = amount("discount", discount.map { record[$0] }, &faults)
        let paid = amount("paid", paid.map { record[$0] }, &faults)
        let taxRate = optional("tax_rate", taxRate.map { record[$0] }, &faults)
        if let taxRate, taxRate < 0 || taxRate % 100 != 0 || taxRate >= 1_000_000_000 {
            faults.add(.valueInvalid, "tax_rate must be 0 or more and below 1000, with at most 4 decimals")
        }

        var kind = SaleRow.Kind.sale
        if let unitPrice, unitPrice < 0 {
            faults.add(.priceNegative, "unit_price is below zero")
        } else if let quantity {
            if quantity == 0 {
                faults.add(.quantityZero, "quantity is zero")
            } else if quantity < 0 {
                kind = .goodsReturned
                if discount ?? 0 != 0 || paid != nil {
                    let what = "a return has the price that was given back, and is paid back in full"
                    faults.add(.valueInvalid, "discount and paid are of sales: \(what)")
                }
                if unitPrice == 0 {
                    faults.add(.returnWithoutPrice, "quantity is below zero at price zero: no sale and no return")
                }
            } else if unitPrice == 0 {
                kind = .free
            }
        }
        if let quantity, let unitPrice, Int128(quantity.magnitude) * Int128(unitPrice.magnitude) >= SaleRow.amountBound
        {
            faults.add(.amountTooLarge, "quantity times unit_price is 100000000000000 or more")
        }
        if let rejection = faults.rejection(of: record) { throw rejection }
        guard let quantity, let unitPrice else {
            throw RowRejection(line: record.line, code: .valueInvalid, reason: "unreadable")
        }
        return SaleRow(
            line: record.line,
            kind: kind,
            externalID: externalID,
            sku: sku,
            name: name,
            quantity: abs(quantity),
            unitPrice: unitPrice,
            time: time,
            method: method,
            customer: customer,
            register: register,
            location: location,
            discount: discount,
            taxRate: taxRate,
            paid: paid
        )
    }

    /// The time of a row, nil for one that has its document's or after its fault was noted.
    private func time(_ record: borrowing FileRecord, _ faults: inout RowFaults) -> TimeFormat.Reading? {
        var bytes = mapping.encoding.decode(record[occurredAt]) ?? []
        if let timeOfDay {
            let clock = mapping.encoding.decode(record[timeOfDay]) ?? []
            if !clock.isEmpty { bytes += [0x20] + clock }
        }
        if bytes.isEmpty, mapping.inheritsTime { return nil }
        let time = mapping.times.parse(bytes[...])
        if time == nil {
            faults.add(.timeInvalid, mapping.times.reason("occurred_at", bytes[...]))
        }
        return time
    }

    private func paymentMethod(_ bytes: ArraySlice<UInt8>, _ faults: inout RowFaults) -> PaymentMethodCode? {
        let text = mapping.encoding.decode(bytes).map { String(decoding: $0, as: UTF8.self) } ?? ""
        if text.isEmpty { return nil }
        if let code = PaymentMethodCode(rawValue: text) { return code }
        faults.add(
            .valueInvalid,
            "payment_method is \(excerpt(Array(text.utf8)[...])); accepted: the code of a method, of a to z, 0 to 9 and _"
        )
        return nil
    }

    private func text(
        _ field: String,
        _ bytes: ArraySlice<UInt8>,
        _ rule: TextRule,
        missing: RowRejection.Code?,
        _ faults: inout RowFaults
    ) -> [UInt8] {
        guard var text = mapping.encoding.decode(bytes) else {
            faults.add(.encodingInvalid, "\(field) is no \(mapping.encoding.rawValue) text")
            return []
        }
        if text.count > rule.maximum || text.first == UInt8(ascii: "'") || !Self.isPlain(text, rule) {
            guard let read = faults.text(field, String(decoding: text, as: UTF8.self), rule) else { return [] }
            text = Array(read.utf8)
        }
        if text.isEmpty, let missing { faults.add(missing, "\(field) is empty") }
        return text
    }

    /// Whether a text is as its rule has it at first sight, as most are: printable ASCII without white space around it, of codes
    /// without the blanks and separators that say more.
    private static func isPlain(_ text: [UInt8], _ rule: TextRule) -> Bool {
        guard case .code = rule.kind else { return text.allSatisfy { (0x20...0x7E).contains($0) } }
        return text.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x27 && $0 != 0x2C && $0 != 0x2E }
    }

    /// A number that may be missing; nil after its fault was noted as well.
    private func optional(_ field: String, _ bytes: ArraySlice<UInt8>?, _ faults: inout RowFaults) -> Int64? {
        guard let bytes, bytes.contains(where: { $0 > 0x20 }) else { return nil }
        return number(field, bytes, .valueInvalid, &faults)
    }

    /// An amount that may be missing, zero or more.
    private func amount(_ field: String, _ bytes: ArraySlice<UInt8>?, _ faults: inout RowFaults) -> Int64? {
        guard let value = optional(field, bytes, &faults) else { return nil }
        if value >= 0, value % 100 == 0 { return value }
        faults.add(.valueInvalid, "\(field) must be 0 or more, with at most 4 decimals")
        return nil
    }

    private func number(
        _ field: String,
        _ bytes: ArraySlice<UInt8>,
        _ code: RowRejection.Code,
        _ faults: inout RowFaults
    ) -> Int64? {
        let text = mapping.encoding.decode(bytes) ?? Array(bytes)
        do {
            return try mapping.numbers.parse(text[...])
        } catch {
            faults.add(code, mapping.numbers.reason(field, text[...], error))
            return nil
        }
    }
}

extension NumberFormat {
    /// A sentence on a number that could not be read; the bytes are UTF-8.
    func reason(_ field: String, _ bytes: ArraySlice<UInt8>, _ fault: Fault) -> String {
        let separator = decimal == .point ? "." : ","
        return switch fault {
        case .empty: "\(field) is empty"
        case .malformed:
            "\(field) is \(excerpt(bytes)), no number with digits on both sides of '\(separator)'\(Self.currencyHint(bytes))"
        case .leadingZero: "\(field) is \(excerpt(bytes)), which begins with a zero before other digits"
        case .tooManyDecimals: "\(field) is \(excerpt(bytes)); at most \(Self.scale) decimals are kept"
        case .tooLarge: "\(field) is \(excerpt(bytes)); less than 1000000000000 is accepted"
        }
    }

    private static func currencyHint(_ bytes: ArraySlice<UInt8>) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let sign = text.unicodeScalars.first(where: { $0.properties.generalCategory == .currencySymbol }) else {
            return ""
        }
        return "; \"currency\": \"\(sign)\" in the mapping reads amounts with that sign"
    }
}
