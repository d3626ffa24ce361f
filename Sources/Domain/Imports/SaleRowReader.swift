import Kernel

/// Reads the records of a sales file as rows, or tells all that is wrong with them.
package struct SaleRowReader: Sendable {
    /// The fields of a sales file, of which `name` may be absent.
    package static let fields = ["sale", "sku", "name", "quantity", "unit_price", "occurred_at"]

    private let mapping: ImportMapping
    private let limits: CSVLimits
    private let width: Int
    private let sale: Int
    private let sku: Int
    private let name: Int?
    private let quantity: Int
    private let unitPrice: Int
    private let occurredAt: Int

    /// A reader for files with this header.
    ///
    /// - Throws: `ImportMapping.Fault` if the header lacks a column, or the mapping names a field that does not exist.
    package init(
        mapping: ImportMapping,
        header: borrowing CSVRecord,
        limits: CSVLimits = CSVLimits()
    ) throws(ImportMapping.Fault) {
        try mapping.validate(fields: Self.fields)
        if let fault = header.fault {
            throw ImportMapping.Fault("the header: " + RowRejection(line: 1, fault: fault, limits: limits).reason)
        }
        self.mapping = mapping
        self.limits = limits
        width = header.count
        sale = try Self.required("sale", mapping, header)
        sku = try Self.required("sku", mapping, header)
        name = try mapping.column(of: "name", in: header, isRequired: false)
        quantity = try Self.required("quantity", mapping, header)
        unitPrice = try Self.required("unit_price", mapping, header)
        occurredAt = try Self.required("occurred_at", mapping, header)
    }

    private static func required(
        _ field: String,
        _ mapping: ImportMapping,
        _ header: borrowing CSVRecord
    ) throws(ImportMapping.Fault) -> Int {
        guard let column = try mapping.column(of: field, in: header, isRequired: true) else {
            throw ImportMapping.Fault("the header has no column for \(field)")
        }
        return column
    }

    /// Reads and classifies one record.
    ///
    /// - Throws: `RowRejection` with everything that is wrong with it.
    package func read(_ record: borrowing CSVRecord) throws(RowRejection) -> SaleRow {
        let line = record.line
        if let fault = record.fault { throw RowRejection(line: line, fault: fault, limits: limits) }
        guard record.count == width else {
            let reason = "the row has \(record.count) fields, the header has \(width)"
            throw RowRejection(line: line, code: .columnCount, reason: reason)
        }
        var faults = RowFaults()
        let externalID = text("sale", record[sale], .externalID, missing: .saleMissing, &faults)
        let sku = text("sku", record[sku], .sku, missing: .skuMissing, &faults)
        let name = name.map { text("name", record[$0], .productName, missing: nil, &faults) } ?? []
        let quantity = number("quantity", record[quantity], .quantityInvalid, &faults)
        let unitPrice = number("unit_price", record[unitPrice], .priceInvalid, &faults)
        let time = mapping.times.parse(record[occurredAt])
        if time == nil {
            let found = excerpt(record[occurredAt])
            faults.add(.timeInvalid, "occurred_at is \(found), no time of the declared format")
        }

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
        // 10^14, the bound of an amount, in millionths of millionths.
        if let quantity, let unitPrice,
            Int128(quantity.magnitude) * Int128(unitPrice.magnitude) >= 100_000_000_000_000_000_000_000_000
        {
            faults.add(.amountTooLarge, "quantity times unit_price is 100000000000000 or more")
        }
        guard let quantity, let unitPrice, let time else {
            throw faults.rejection(line: line) ?? RowRejection(line: line, code: .valueInvalid, reason: "unreadable")
        }
        if let rejection = faults.rejection(line: line) { throw rejection }
        return SaleRow(
            line: line,
            kind: kind,
            externalID: externalID,
            sku: sku,
            name: name,
            quantity: abs(quantity),
            unitPrice: unitPrice,
            time: time
        )
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
        // Most texts are printable ASCII of no great length, without white space around it: nothing to look up.
        if text.count > rule.maximum || !text.allSatisfy({ (0x20...0x7E).contains($0) }) {
            guard let read = faults.text(field, String(decoding: text, as: UTF8.self), rule) else { return [] }
            text = Array(read.utf8)
        }
        if text.isEmpty, let missing { faults.add(missing, "\(field) is empty") }
        return text
    }

    private func number(
        _ field: String,
        _ bytes: ArraySlice<UInt8>,
        _ code: RowRejection.Code,
        _ faults: inout RowFaults
    ) -> Int64? {
        do {
            return try mapping.numbers.parse(bytes)
        } catch {
            faults.add(code, mapping.numbers.reason(field, bytes, error))
            return nil
        }
    }
}

extension NumberFormat {
    /// A sentence on a number that could not be read.
    func reason(_ field: String, _ bytes: ArraySlice<UInt8>, _ fault: Fault) -> String {
        let separator = decimal == .point ? "." : ","
        return switch fault {
        case .empty: "\(field) is empty"
        case .malformed: "\(field) is \(excerpt(bytes)), no number with '\(separator)' before its decimals"
        case .tooManyDecimals: "\(field) is \(excerpt(bytes)); at most \(Self.scale) decimals are kept"
        case .tooLarge: "\(field) is \(excerpt(bytes)); less than 1000000000000 is accepted"
        }
    }
}
