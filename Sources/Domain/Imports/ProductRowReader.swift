package import Kernel

/// A row of a products file that was understood; a field that is absent or empty leaves the product's as it is.
package struct ProductRow: Sendable, Equatable {
    package var line: Int
    package var sku: String?
    package var externalID: String?
    package var name: String?
    package var price: Price?
    package var taxRate: TaxRate?
    /// The name of the group of its taxes.
    package var taxGroup: String?
    /// The unit's name or symbol.
    package var unit: String?
    /// The category's name.
    package var category: String?
    package var minStock: Quantity?
    package var tracksStock: Bool?
    package var oversell: OversellRule?
    /// Barcodes are separated by spaces in their field.
    package var barcodes: [String]?
    package var status: ProductStatus?
}

/// Reads the records of a products file as rows, or tells all that is wrong with them.
package struct ProductRowReader: Sendable {
    /// The fields of a products file, of which `sku` or `external_id` must be there.
    package static let fields = [
        "sku", "external_id", "name", "price", "tax_rate", "tax_group", "unit", "category", "min_stock", "tracks_stock",
        "oversell", "barcodes", "status",
    ]

    /// Those of them that may be an array, where objects are read.
    static let listFields = ["barcodes"]

    /// The names of the columns that nothing is read from.
    package let unusedColumns: [String]

    private let mapping: ImportMapping
    private let limits: CSVLimits
    private let width: Int
    private var columns: [String: Int] = [:]

    /// A reader for files with this header.
    ///
    /// - Parameters:
    ///   - mapping: what the columns are called and how values are written.
    ///   - record: the file's first record.
    ///   - readsStatus: whether products are archived that the file says are; of those no history can be imported any more.
    ///   - limits: those of the parser, for reasons.
    /// - Throws: `ImportMapping.Fault` if the header lacks a column, or the mapping names a field that does not exist.
    package init(
        mapping: ImportMapping,
        header record: borrowing FileRecord,
        readsStatus: Bool = false,
        limits: CSVLimits = CSVLimits()
    ) throws(ImportMapping.Fault) {
        try mapping.validate(fields: Self.fields)
        var header = try ImportHeader(record, mapping: mapping, limits: limits)
        self.mapping = mapping
        self.limits = limits
        width = header.width
        for field in Self.fields where readsStatus || field != "status" {
            columns[field] = try header.column(of: field, isRequired: false)
        }
        unusedColumns = header.unusedColumns
        guard columns["sku"] != nil || columns["external_id"] != nil else {
            throw header.missing("no column for sku and none for external_id")
        }
    }

    /// Reads one record.
    ///
    /// - Parameter record: a record behind the header.
    /// - Returns: the row.
    /// - Throws: `RowRejection` with everything that is wrong with it.
    package func read(_ record: borrowing FileRecord) throws(RowRejection) -> ProductRow {
        if let fault = record.fault { throw RowRejection(record, fault: fault, limits: limits) }
        guard record.count == width else { throw RowRejection(record, width: width) }
        var faults = RowFaults()
        if !record.cutColumns.isEmpty {
            for (field, column) in columns where record.cutColumns.contains(column) {
                faults.add(.textTooLong, "\(field) is longer than \(limits.fieldBytes) bytes")
            }
        }
        var row = ProductRow(line: record.line)
        let before = faults.count
        row.sku = text("sku", record, .sku, &faults)
        row.externalID = text("external_id", record, .externalID, &faults)
        // A code that is refused is not a code that is missing.
        let lacksCode = row.sku == nil && row.externalID == nil && faults.count == before
        row.name = text("name", record, .productName, &faults)
        row.unit = text("unit", record, .name, &faults)
        row.taxGroup = text("tax_group", record, .name, &faults)
        row.category = text("category", record, .name, &faults)
        row.price = number("price", record, .priceInvalid, &faults).map { Price(rawValue: $0) }
        row.minStock = number("min_stock", record, .valueInvalid, &faults).map { Quantity(rawValue: $0) }
        if let rate = number("tax_rate", record, .valueInvalid, &faults) {
            if rate % 100 == 0, rate < 1_000_000_000 {
                row.taxRate = TaxRate(rawValue: rate / 100)
            } else {
                faults.add(.valueInvalid, "tax_rate must be below 1000, with at most 4 decimals")
            }
        }
        row.tracksStock = flag("tracks_stock", record, &faults)
        row.oversell = text("oversell", record, .name, &faults).flatMap { faults.oneOf("oversell", $0) }
        row.barcodes = barcodes(record, &faults)
        row.status = text("status", record, .name, &faults).flatMap { faults.oneOf("status", $0) }
        if lacksCode { faults.add(.skuMissing, missingCode) }
        if let rejection = faults.rejection(of: record) { throw rejection }
        return row
    }

    /// What a row lacks that has no code: a column may be empty in it, or not be there at all.
    private var missingCode: String {
        let codes = ["sku", "external_id"]
        let empty = codes.filter { columns[$0] != nil }
        guard let unread = codes.first(where: { columns[$0] == nil }) else { return "sku and external_id are empty" }
        return "\(empty.joined()) is empty, and no column is read as \(unread)"
    }

    /// The text of a field within its rule; nil if there is none, or after a fault was noted.
    private func text(
        _ field: String,
        _ record: borrowing FileRecord,
        _ rule: TextRule,
        _ faults: inout RowFaults
    ) -> String? {
        guard let text = decoded(field, record, &faults) else { return nil }
        return faults.text(field, text, rule).flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The barcodes of a row.
    private func barcodes(_ record: borrowing FileRecord, _ faults: inout RowFaults) -> [String]? {
        guard let text = decoded("barcodes", record, &faults) else { return nil }
        let (codes, areGuarded) = BarcodeCell.codes(of: text)
        guard !codes.isEmpty else { return nil }
        guard TextRule.barcodesOfProduct.contains(codes.count) else {
            faults.add(.valueInvalid, "barcodes has more than \(TextRule.barcodesOfProduct.upperBound) codes")
            return nil
        }
        return codes.compactMap { faults.text("barcodes", $0, .barcode, isGuarded: areGuarded) }
    }

    private func decoded(_ field: String, _ record: borrowing FileRecord, _ faults: inout RowFaults) -> String? {
        guard let column = columns[field] else { return nil }
        guard let bytes = mapping.encoding.decode(record[column]) else {
            faults.add(.encodingInvalid, "\(field) is no \(mapping.encoding.rawValue) text")
            return nil
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func number(
        _ field: String,
        _ record: borrowing FileRecord,
        _ code: RowRejection.Code,
        _ faults: inout RowFaults
    ) -> Int64? {
        guard let column = columns[field] else { return nil }
        let text = mapping.encoding.decode(record[column]) ?? Array(record[column])
        do throws(NumberFormat.Fault) {
            let value = try mapping.numbers.parse(text[...])
            if value < 0 { faults.add(field == "price" ? .priceNegative : code, "\(field) is below zero") }
            return value
        } catch {
            if error != .empty { faults.add(code, mapping.numbers.reason(field, text[...], error)) }
            return nil
        }
    }

    private func flag(_ field: String, _ record: borrowing FileRecord, _ faults: inout RowFaults) -> Bool? {
        guard let text = text(field, record, .name, &faults) else { return nil }
        // Spreadsheets write them in capitals, whatever was typed.
        switch text.lowercased() {
        case "true": return true
        case "false": return false
        default:
            faults.add(.valueInvalid, "\(field) is \(excerpt(Array(text.utf8)[...])); accepted: true or false")
            return nil
        }
    }
}
