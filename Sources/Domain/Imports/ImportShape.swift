import Kernel

/// A kind of file: its fields, and how a row of it looks once it is read.
package struct ImportShape: Sendable {
    /// Reads a record behind the header: its fields and their values, or why it is rejected.
    package typealias Reader = (borrowing FileRecord) throws(RowRejection) -> [(field: String, value: String)]

    /// The fields such a file may have.
    package let fields: [String]
    /// Those that it must have.
    package let required: [String]
    private let open: @Sendable (ImportMapping, borrowing FileRecord) throws(ImportMapping.Fault) -> Reader

    private init(
        fields: [String],
        required: [String],
        open: @escaping @Sendable (ImportMapping, borrowing FileRecord) throws(ImportMapping.Fault) -> Reader
    ) {
        self.fields = fields
        self.required = required
        self.open = open
    }

    /// The first rows of a file as an import would read them, a line for each, for people to look at before it does.
    ///
    /// - Parameters:
    ///   - count: how many.
    ///   - sample: the file's first bytes.
    ///   - mapping: how they are read.
    /// - Returns: the lines, fewer if the sample has fewer rows.
    /// - Throws: `ImportMapping.Fault` if the header cannot be read so.
    package func preview(
        _ count: Int,
        of sample: [UInt8],
        _ mapping: ImportMapping
    ) throws(ImportMapping.Fault) -> [String] {
        var transcoder = UTF16Transcoder(encoding: mapping.encoding)
        var parser = ImportParser(mapping, fields: fields)
        var reader: Reader?
        var lines: [String] = []
        func take(_ record: borrowing FileRecord) throws(ImportMapping.Fault) {
            guard let reader else { return reader = try open(mapping, record) }
            guard lines.count < count else { return }
            do throws(RowRejection) {
                let values = try reader(record)
                lines.append(values.map { "\($0.field) \($0.value)" }.joined(separator: ", "))
            } catch {
                lines.append("rejected, \(error.code.rawValue): \(error.reason)")
            }
        }
        try parser.consume(transcoder.decode(sample), take)
        // The last line of a sample may be cut.
        return lines
    }

    /// Sales and returns.
    package static let sales = ImportShape(
        fields: SaleRowReader.fields,
        required: ["sale", "sku", "quantity", "unit_price", "occurred_at"]
    ) { mapping, header throws(ImportMapping.Fault) in
        let reader = try SaleRowReader(mapping: mapping, header: header)
        return { record throws(RowRejection) in try reader.read(record).shown }
    }

    /// Products.
    package static let products = ImportShape(fields: ProductRowReader.fields, required: ["sku"]) {
        mapping,
        header throws(ImportMapping.Fault) in
        let reader = try ProductRowReader(mapping: mapping, header: header)
        return { record throws(RowRejection) in try reader.read(record).shown }
    }

    package static let categories = records(.categories)
    package static let units = records(.units)
    package static let customers = records(.customers)
    package static let suppliers = records(.suppliers)
    /// What is on hand of products at locations.
    package static let stock = records(.stock)
    /// What products and their packagings are sold for.
    package static let prices = records(.prices)
    /// Money that was spent on what is no purchase.
    package static let expenses = records(.expenses)
    /// Money that came in for one sale, or for what a customer owes.
    package static let payments = records(.payments)
    /// What was bought.
    package static let purchases = records(.purchases)

    private static func records(_ shape: RecordShape) -> ImportShape {
        ImportShape(fields: shape.fields.map(\.name), required: [shape.identity.first] + shape.required) {
            mapping,
            header throws(ImportMapping.Fault) in
            let reader = try RecordRowReader(shape, mapping: mapping, header: header)
            return { record throws(RowRejection) in try reader.read(record).shown }
        }
    }
}

extension SaleRow {
    fileprivate var shown: [(field: String, value: String)] {
        var values = [(field: "sale", value: Self.text(externalID)), (field: "sku", value: Self.text(sku))]
        if !name.isEmpty { values.append(("name", Self.text(name))) }
        let sign = kind == .goodsReturned ? "-" : ""
        values.append(("quantity", sign + Quantity(rawValue: quantity).description))
        values.append(("unit_price", Price(rawValue: unitPrice).description))
        switch time {
        case .wallClock(let time):
            let clock = "\(Timestamp(microsecondsSince1970: time))".filter { $0 != "Z" }
            values.append(("occurred_at", "\(clock) by the shop's clock"))
        case .instant(let time):
            values.append(("occurred_at", "\(Timestamp(microsecondsSince1970: time))"))
        case nil:
            break
        }
        if let method { values.append(("payment_method", method.rawValue)) }
        if let paid { values.append(("paid", Price(rawValue: paid).description)) }
        for (field, text) in [("customer", customer), ("register", register), ("location", location)]
        where !text.isEmpty {
            values.append((field, Self.text(text)))
        }
        if let discount { values.append(("discount", Price(rawValue: discount).description)) }
        if let taxRate { values.append(("tax_rate", Price(rawValue: taxRate).description)) }
        return values
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

extension ProductRow {
    fileprivate var shown: [(field: String, value: String)] {
        let values: [(String, String?)] = [
            ("sku", sku), ("external_id", externalID), ("name", name), ("price", price?.description),
            ("tax_rate", taxRate?.description), ("tax_group", taxGroup), ("unit", unit), ("category", category),
            ("min_stock", minStock?.description), ("tracks_stock", tracksStock?.description),
            ("oversell", oversell?.rawValue), ("barcodes", barcodes?.joined(separator: " ")),
        ]
        return values.compactMap { field, value in value.map { (field: field, value: $0) } }
    }
}

extension RecordRow {
    fileprivate var shown: [(field: String, value: String)] {
        guard case .object(let object)? = try? JSONValue.parse(json) else { return [] }
        return object.members.map { member in
            switch member.value {
            case .string(let text): (field: member.name, value: text)
            case .bool(let flag): (field: member.name, value: "\(flag)")
            case .number(let literal): (field: member.name, value: literal)
            default: (field: member.name, value: "")
            }
        }
    }
}
