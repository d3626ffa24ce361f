package import Kernel

/// A field of a file of records: what it is called, and what it holds, within the limits that bodies of the API have.
package struct RecordField: Sendable {
    /// What a field holds.
    package enum Kind: Sendable {
        case text(TextRule)
        case email
        /// An amount, zero or more.
        case amount
        /// An amount that changes hands, more than zero.
        case money
        /// What one costs, zero or more.
        case price
        /// What is somewhere, of which there may be less than nothing.
        case quantity
        /// How much came or went, more than nothing.
        case amountOfGoods
        case whole(ClosedRange<Int>)
        case flag
        /// When something was: RFC 3339 in UTC, without its `Z` where the shop's clock is meant.
        case time
        /// The code of a method of payment.
        case method
        /// One of a few words.
        case choice([String])
    }

    package let name: String
    package let kind: Kind

    /// A field of a kind.
    init(_ name: String, _ kind: Kind) {
        self.name = name
        self.kind = kind
    }
}

extension RecordField {
    /// What a row is rejected with that leaves the field empty.
    fileprivate var missing: RowRejection.Code {
        switch name {
        case "name": .nameMissing
        case "sku": .skuMissing
        case "on_hand", "quantity": .quantityInvalid
        case "price", "unit_cost": .priceInvalid
        case "occurred_at": .timeInvalid
        default: .valueInvalid
        }
    }
}

extension TimeFormat.Reading {
    /// RFC 3339 in UTC, or, without its `Z`, what the shop's clock showed.
    fileprivate var text: String {
        switch self {
        case .instant(let time): "\(Timestamp(microsecondsSince1970: time))"
        case .wallClock(let time): String("\(Timestamp(microsecondsSince1970: time))".dropLast())
        }
    }
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
    private let shape: RecordShape

    /// A reader for files with this header.
    ///
    /// - Parameters:
    ///   - shape: what a row holds.
    ///   - mapping: what the columns are called and how values are written.
    ///   - record: the file's first record.
    ///   - limits: those of the parser, for reasons.
    /// - Throws: `ImportMapping.Fault` if the header lacks a column, or the mapping names a field that does not exist.
    package init(
        _ shape: RecordShape,
        mapping: ImportMapping,
        header record: borrowing FileRecord,
        limits: CSVLimits = CSVLimits()
    ) throws(ImportMapping.Fault) {
        try mapping.validate(fields: shape.fields.map(\.name))
        var header = try ImportHeader(record, mapping: mapping, limits: limits)
        self.mapping = mapping
        self.limits = limits
        width = header.width
        var columns: [(field: RecordField, column: Int)] = []
        for field in shape.fields {
            let isRequired = shape.required.contains(field.name)
            if let column = try header.column(of: field.name, isRequired: isRequired) {
                columns.append((field, column))
            }
        }
        let (first, second) = shape.identity
        guard columns.contains(where: { $0.field.name == first || $0.field.name == second }) else {
            throw header.missing("no column for \(first)\(second.map { " and none for \($0)" } ?? "")")
        }
        self.shape = shape
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
            if !bytes.isEmpty {
                write(field, bytes, to: &writer, &row, &faults)
            } else if shape.required.contains(field.name) {
                faults.add(field.missing, "\(field.name) is empty")
            }
        }
        writer.endObject()
        let (first, second) = shape.identity
        if row.texts[first] == nil, second.flatMap({ row.texts[$0] }) == nil, faults.count == 0 {
            let what = second.map { "\(first) and \($0) are" } ?? "\(first) is"
            faults.add(shape.fields.first { $0.name == first }?.missing ?? .valueInvalid, "\(what) empty")
        }
        if let rejection = faults.rejection(of: record) { throw rejection }
        row.json = writer.bytes
        return row
    }

    /// The document that a record is of, whatever else is wrong with it; nil if that cannot be read either.
    package func document(of record: borrowing FileRecord) -> [String]? {
        var names: [String] = []
        for name in shape.document {
            guard let (field, column) = columns.first(where: { $0.field.name == name }), column < record.count,
                case .text(let rule) = field.kind, let bytes = mapping.encoding.decode(record[column])
            else { return nil }
            var faults = RowFaults()
            // As a sound row of the document is read.
            guard let text = faults.text(name, String(decoding: bytes, as: UTF8.self), rule) else { return nil }
            names.append(text)
        }
        return names.isEmpty ? nil : names
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
            let count = faults.count
            guard let text = text(field, bytes, rule, &faults) else {
                if faults.count == count, shape.required.contains(field.name) {
                    faults.add(field.missing, "\(field.name) is empty")
                }
                return
            }
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
        case .money:
            guard let value = number(field, bytes, &faults) else { return }
            guard value > 0, value % 100 == 0 else {
                return faults.add(.valueInvalid, "\(field.name) must be more than 0, with at most 4 decimals")
            }
            writer.member(field.name, Money(rawValue: value / 100).description)
        case .price:
            guard let value = number(field, bytes, &faults) else { return }
            guard value >= 0 else { return faults.add(.priceNegative, "\(field.name) is below zero") }
            writer.member(field.name, Price(rawValue: value).description)
        case .quantity:
            guard let value = number(field, bytes, &faults) else { return }
            writer.member(field.name, Quantity(rawValue: value).description)
        case .amountOfGoods:
            guard let value = number(field, bytes, &faults) else { return }
            guard value > 0 else { return faults.add(.quantityInvalid, "\(field.name) must be more than 0") }
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
        case .time:
            guard let time = mapping.times.parse(bytes[...]) else {
                return faults.add(.timeInvalid, mapping.times.reason(field.name, bytes[...]))
            }
            writer.member(field.name, time.text)
        case .method:
            let text = String(decoding: bytes, as: UTF8.self)
            guard let code = PaymentMethodCode(rawValue: text) else {
                let accepted = "the code of a method, of a to z, 0 to 9 and _"
                return faults.add(.valueInvalid, "\(field.name) is \(excerpt(bytes[...])); accepted: \(accepted)")
            }
            writer.member(field.name, code.rawValue)
        case .choice(let words):
            let text = String(decoding: bytes, as: UTF8.self)
            guard words.contains(text) else {
                let accepted = words.joined(separator: ", ")
                return faults.add(.valueInvalid, "\(field.name) is \(excerpt(bytes[...])); accepted: \(accepted)")
            }
            writer.member(field.name, text)
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
