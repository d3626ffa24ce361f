import Kernel
import Testing

@testable import Domain

/// What bodies refuse, files refuse, at the same length.
@Suite("The fields of files")
struct FieldRulesTests {
    /// Reads one row of a products file.
    private func product(_ fields: [String: String]) throws -> Result<ProductRow, RowRejection> {
        let names = fields.keys.sorted()
        let mapping = ImportMapping(columns: [:])
        var result: Result<ProductRow, RowRejection>?
        var reader: ProductRowReader?
        var parser = CSVParser(dialect: mapping.dialect)
        func take(_ record: borrowing CSVRecord) throws {
            guard let known = reader else {
                reader = try ProductRowReader(mapping: mapping, header: record)
                return
            }
            do throws(RowRejection) {
                result = .success(try known.read(record))
            } catch {
                result = .failure(error)
            }
        }
        let quoted = names.map { "\"\(fields[$0] ?? "")\"" }.joined(separator: ",")
        try parser.consume(Array("\(names.joined(separator: ","))\n\(quoted)\n".utf8), take)
        try parser.finish(take)
        return try #require(result)
    }

    @Test(
        "a field of a file may be as long as the field of a body, and not one character longer",
        arguments: [
            ("sku", TextRule.sku), ("external_id", .externalID), ("name", .productName), ("unit", .name),
            ("category", .name), ("barcodes", .barcode),
        ]
    )
    func lengths(field: String, rule: TextRule) throws {
        let fits = String(repeating: "é", count: rule.maximum)
        var fields = ["sku": "A"]
        fields[field] = fits
        _ = try product(fields).get()
        fields[field] = fits + "é"
        #expect(throws: RowRejection.self) { try product(fields).get() }
    }

    @Test(
        "no control character gets into a product from a file",
        arguments: ["Hat\nred", "Hat\u{2028}red", "Hat\u{7}red"]
    )
    func controls(name: String) throws {
        #expect(throws: RowRejection.self) { try product(["sku": "A", "name": name]).get() }
    }

    @Test("white space of any kind around a field is not part of it")
    func trimmed() throws {
        let row = try product(["sku": "AB-1\u{A0}", "name": "\u{3000}Hat\u{202F}", "barcodes": "12\n34\u{A0}56"]).get()
        #expect(row.sku == "AB-1")
        #expect(row.name == "Hat")
        #expect(row.barcodes == ["12", "34", "56"])
    }
}
