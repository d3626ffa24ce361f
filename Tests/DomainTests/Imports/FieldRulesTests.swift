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
        func take(_ record: borrowing FileRecord) throws {
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

    @Test("a name of marks alone, which nobody sees, is no name, as with bodies")
    func marks() throws {
        #expect(try product(["sku": "A", "name": "\u{200E}"]).get().name == nil)
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

    @Test(
        "blanks in a code are one space, whatever they are",
        arguments: ["A  1", "A\u{A0}1", "A \u{2009} 1"]
    )
    func blanks(code: String) throws {
        let row = try product(["sku": code, "external_id": code]).get()
        #expect(row.sku == "A 1")
        #expect(row.externalID == "A 1")
    }

    @Test(
        "what nobody sees is refused in codes and names, and the reason names it",
        arguments: ["sku", "external_id", "name", "barcodes"]
    )
    func invisible(field: String) throws {
        var fields = ["sku": "A"]
        fields[field] = "A\u{200B}1"
        let rejection = #expect(throws: RowRejection.self) { try product(fields).get() }
        #expect(rejection?.code == .valueInvalid)
        #expect(rejection?.reason.contains("U+200B") == true, "\(rejection?.reason ?? "")")
        #expect(rejection?.reason.contains("empty") == false, "a code that is refused is not missing")
    }

    @Test(
        "what a spreadsheet made of a code is refused in every code",
        arguments: ["sku", "external_id", "barcodes"],
        ["4.00638E+12", "4,00638E+12", "4006381333931.0", "'4006381333931"]
    )
    func spreadsheets(field: String, code: String) throws {
        var fields = ["sku": "A"]
        fields[field] = code
        let rejection = #expect(throws: RowRejection.self) { try product(fields).get() }
        #expect(rejection?.code == .valueInvalid)
        #expect(rejection?.reason.contains("spreadsheet") == true, "\(rejection?.reason ?? "")")
    }

    @Test(
        "codes that only look a little like numbers are codes",
        arguments: ["1.5E+A", "1.50", "12.0", "E+12", "3.5.0", "'A"]
    )
    func codes(code: String) throws {
        #expect(try product(["sku": code]).get().sku == code)
    }

    @Test("a flag is true or false, in capitals as spreadsheets write it, and nothing else")
    func flags() throws {
        for text in ["true", "TRUE", "True"] {
            #expect(try product(["sku": "A", "tracks_stock": text]).get().tracksStock == true)
        }
        #expect(try product(["sku": "A", "tracks_stock": "FALSE"]).get().tracksStock == false)
        for text in ["yes", "no", "1", "0", "t"] {
            let rejection = #expect(throws: RowRejection.self) {
                try product(["sku": "A", "tracks_stock": text]).get()
            }
            #expect(rejection?.code == .valueInvalid)
        }
    }

    @Test("a choice is spelled as in a body")
    func choices() throws {
        #expect(try product(["sku": "A", "oversell": "allow"]).get().oversell == .allow)
        for text in ["ALLOW", "Allow", "yes"] {
            let rejection = #expect(throws: RowRejection.self) { try product(["sku": "A", "oversell": text]).get() }
            #expect(rejection?.reason.contains("accepted: inherit, deny, allow") == true)
        }
    }

    @Test("a number of a file is one of a body", arguments: ["1.", ".5", "+1", "-.5", "(+1)"])
    func numbers(text: String) throws {
        let rejection = #expect(throws: RowRejection.self) { try product(["sku": "A", "price": text]).get() }
        #expect(rejection?.code == .priceInvalid)
        #expect(throws: NumberError.self) { try Price(text) }
    }

    @Test("a row without a code is told what is empty, and what has no column")
    func codeless() throws {
        func reason(_ fields: [String: String]) -> String? {
            #expect(throws: RowRejection.self) { try product(fields).get() }?.reason
        }
        #expect(reason(["sku": "", "external_id": "", "name": "Hat"]) == "sku and external_id are empty")
        #expect(reason(["sku": "", "name": "Hat"]) == "sku is empty, and no column is read as external_id")
        #expect(reason(["external_id": "", "name": "Hat"]) == "external_id is empty, and no column is read as sku")
    }

    @Test(
        "a spreadsheet's own file is called by its name",
        arguments: [
            ([0x50, 0x4B, 0x03, 0x04, 0x14, 0x00, 0x06, 0x00, 0x0A, 0x22, 0xFF], "a zip or spreadsheet file"),
            ([0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1, 0x00, 0x0A], "a spreadsheet file"),
        ] as [([UInt8], String)]
    )
    func foreign(bytes: [UInt8], name: String) throws {
        let fault = #expect(throws: ImportMapping.Fault.self) {
            var parser = CSVParser(dialect: CSVDialect())
            func take(_ record: borrowing FileRecord) throws {
                _ = try ProductRowReader(mapping: ImportMapping(), header: record)
            }
            try parser.consume(bytes, take)
            try parser.finish(take)
        }
        #expect(fault?.description.contains("this is \(name)") == true, "\(fault?.description ?? "")")
        #expect(fault?.description.contains("save it as CSV") == true)
    }
}
