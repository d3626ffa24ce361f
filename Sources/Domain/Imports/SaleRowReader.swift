import Kernel

/// Reads the records of a sales file as rows, or tells all that is wrong with them.
package struct SaleRowReader: Sendable {
    /// The fields of a sales file; `name`, `time_of_day` and `payment_method` may be absent.
    package static let fields = [
        "sale", "sku", "name", "quantity", "unit_price", "occurred_at", "time_of_day", "payment_method",
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
        unusedColumns = header.unusedColumns
        let columns = [sale, sku, name, quantity, unitPrice, occurredAt, timeOfDay, method]
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

        var kind = SaleRow.Kind.sale
        if let unitPrice, unitPrice < 0 {
            faults.add(.priceNegative, "unit_price is below zero")
        } else if let quantity {
            if quantity == 0 {
                faults.add(.quantityZero, "quantity is zero")
            } else if quantity < 0 {
                kind = .goodsReturned
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
            method: method
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
            faults.add(.timeInvalid, "occurred_at is \(excerpt(bytes[...])), no time of the declared format")
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
