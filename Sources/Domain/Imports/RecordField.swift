package import Kernel

/// A field of a file of records: what it is called, and what it holds, within the limits that bodies of the API have.
package struct RecordField: Sendable {
    /// What a field holds.
    package enum Kind: Sendable {
        case text(TextRule)
        case email
        /// An amount, zero or more.
        case amount
        /// What one costs, zero or more.
        case price
        /// What is somewhere, of which there may be less than nothing.
        case quantity
        case whole(ClosedRange<Int>)
        case flag
    }

    package let name: String
    package let kind: Kind

    private init(_ name: String, _ kind: Kind) {
        self.name = name
        self.kind = kind
    }

    private static let name = RecordField("name", .text(.name))
    private static let externalID = RecordField("external_id", .text(.externalID))
    private static let taxID = RecordField("tax_id", .text(.taxID))
    private static let phone = RecordField("phone", .text(.phone))
    private static let email = RecordField("email", .email)
    private static let active = RecordField("active", .flag)

    /// The fields of a category; `parent` is the name of the one that it lies in.
    package static let ofCategories = [name, externalID, RecordField("parent", .text(.name)), active]
    /// The fields of a unit of measure.
    package static let ofUnits = [
        name, externalID, RecordField("symbol", .text(.symbol)), RecordField("decimals", .whole(0...6)),
    ]
    /// The fields of a customer.
    package static let ofCustomers = [
        name, externalID, taxID, phone, email, RecordField("credit_limit", .amount), active,
    ]
    /// The fields of what is on hand of a product at a location.
    package static let ofStock = [
        RecordField("sku", .text(.sku)), externalID, RecordField("location", .text(.name)),
        RecordField("on_hand", .quantity), RecordField("cost", .price),
    ]
    /// The fields of a supplier.
    package static let ofSuppliers = [
        name, externalID, taxID, RecordField("contact", .text(.name)), phone, email, active,
    ]
}

/// A row of a file of records that was understood: a JSON object of the fields that hold something.
package struct RecordRow: Sendable, Equatable {
    package let line: Int
    /// Its texts by field: some of them are what it is found by.
    package fileprivate(set) var texts: [String: String] = [:]
    package fileprivate(set) var json: [UInt8] = []
}

/// Reads the records of such a file as rows, or tells all that is wrong with them.
package struct RecordRowReader: Sendable {
    /// The names of the columns that nothing is read from.
    package let unusedColumns: [String]

    private let mapping: ImportMapping
    private let limits: CSVLimits
    private let width: Int
    private let columns: [(field: RecordField, column: Int)]
    private let identity: (first: String, second: String)

    /// A reader for files with this header.
    ///
    /// - Parameters:
    ///   - fields: the fields there are.
    ///   - identity: the two that a row is found by, of which it needs one.
    ///   - mapping: what the columns are called and how values are written.
    ///   - record: the file's first record.
    ///   - limits: those of the parser, for reasons.
    /// - Throws: `ImportMapping.Fault` if the header lacks a column, or the mapping names a field that does not exist.
    package init(
        _ fields: [RecordField],
        foundBy identity: (first: String, second: String) = ("name", "external_id"),
        mapping: ImportMapping,
        header record: borrowing FileRecord,
        limits: CSVLimits = CSVLimits()
    ) throws(ImportMapping.Fault) {
        try mapping.validate(fields: fields.map(\.name))
        var header = try ImportHeader(record, mapping: mapping, limits: limits)
        self.mapping = mapping
        self.limits = limits
        width = header.width
        var columns: [(field: RecordField, column: Int)] = []
        for field in fields {
            if let column = try header.column(of: field.name, isRequired: false) { columns.append((field, column)) }
        }
        guard columns.contains(where: { $0.field.name == identity.first || $0.field.name == identity.second }) else {
            throw header.missing("no column for \(identity.first) and none for \(identity.second)")
        }
        self.identity = identity
        self.columns = columns
        unusedColumns = header.unusedColumns
    }

    /// Reads one record.
    ///
    /// - Parameter record: a record behind the header.
    /// - Returns: the row.
    /// - Throws: `RowRejection` with everything that is wrong with it.
    package func read(_ record: borrowing FileRecord) throws(RowRejection) -> RecordRow {
        if let fault = record.fault { throw RowRejection(record, fault: fault, limits: limits) }
        guard record.count == width else { throw RowRejection(record, width: width) }
        var faults = RowFaults()
        var row = RecordRow(line: record.line)
        var writer = JSONWriter()
        writer.beginObject()
        for (field, column) in columns {
            guard !record.cutColumns.contains(column) else {
                faults.add(.textTooLong, "\(field.name) is longer than \(limits.fieldBytes) bytes")
                continue
            }
            guard let bytes = mapping.encoding.decode(record[column]) else {
                faults.add(.encodingInvalid, "\(field.name) is no \(mapping.encoding.rawValue) text")
                continue
            }
            if !bytes.isEmpty { write(field, bytes, to: &writer, &row, &faults) }
        }
        writer.endObject()
        if row.texts[identity.first] == nil, row.texts[identity.second] == nil, faults.count == 0 {
            let code = identity.first == "sku" ? RowRejection.Code.skuMissing : .nameMissing
            faults.add(code, "\(identity.first) and \(identity.second) are empty")
        }
        if let rejection = faults.rejection(of: record) { throw rejection }
        row.json = writer.bytes
        return row
    }

    private func write(
        _ field: RecordField,
        _ bytes: [UInt8],
        to writer: inout JSONWriter,
        _ row: inout RecordRow,
        _ faults: inout RowFaults
    ) {
        switch field.kind {
        case .text(let rule):
            guard let text = text(field, bytes, rule, &faults) else { return }
            row.texts[field.name] = text
            writer.member(field.name, text)
        case .email:
            guard let text = text(field, bytes, .email, &faults) else { return }
            guard let email = Text.email(text) else {
                return faults.add(.valueInvalid, "email is \(excerpt(bytes[...])), no address like ana@example.com")
            }
            writer.member(field.name, email)
        case .amount:
            guard let value = number(field, bytes, &faults) else { return }
            guard value >= 0, value % 100 == 0 else {
                return faults.add(.valueInvalid, "\(field.name) must be 0 or more, with at most 4 decimals")
            }
            writer.member(field.name, Money(rawValue: value / 100).description)
        case .price:
            guard let value = number(field, bytes, &faults) else { return }
            guard value >= 0 else { return faults.add(.priceNegative, "\(field.name) is below zero") }
            writer.member(field.name, Price(rawValue: value).description)
        case .quantity:
            guard let value = number(field, bytes, &faults) else { return }
            writer.member(field.name, Quantity(rawValue: value).description)
        case .whole(let range):
            guard let value = number(field, bytes, &faults) else { return }
            let whole = Int(value / 1_000_000)
            guard value % 1_000_000 == 0, range.contains(whole) else {
                let accepted = "a whole number from \(range.lowerBound) to \(range.upperBound)"
                return faults.add(.valueInvalid, "\(field.name) is \(excerpt(bytes[...])); accepted: \(accepted)")
            }
            writer.member(field.name, whole)
        case .flag:
            // Spreadsheets write them in capitals, whatever was typed.
            switch String(decoding: bytes, as: UTF8.self).lowercased() {
            case "true": writer.member(field.name, true)
            case "false": writer.member(field.name, false)
            default: faults.add(.valueInvalid, "\(field.name) is \(excerpt(bytes[...])); accepted: true or false")
            }
        }
    }

    private func text(_ field: RecordField, _ bytes: [UInt8], _ rule: TextRule, _ faults: inout RowFaults) -> String? {
        faults.text(field.name, String(decoding: bytes, as: UTF8.self), rule).flatMap { $0.isEmpty ? nil : $0 }
    }

    private func number(_ field: RecordField, _ bytes: [UInt8], _ faults: inout RowFaults) -> Int64? {
        do throws(NumberFormat.Fault) {
            return try mapping.numbers.parse(bytes[...])
        } catch {
            faults.add(.valueInvalid, mapping.numbers.reason(field.name, bytes[...], error))
            return nil
        }
    }
}
