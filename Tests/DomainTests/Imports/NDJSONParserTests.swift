import Kernel
import Testing

@testable import Domain

@Suite("Files with an object to a line")
struct NDJSONParserTests {
    private struct Row: Equatable {
        var line: Int
        var fields: [String]
        var fault: FileRecord.Fault?
    }

    private func parse(
        _ text: String,
        columns: [String],
        portion: Int = .max,
        limits: CSVLimits = CSVLimits()
    ) -> (rows: [Row], parser: NDJSONParser) {
        var parser = NDJSONParser(columns: columns, lists: ["barcodes"], limits: limits)
        var rows: [Row] = []
        func add(_ record: borrowing FileRecord) {
            var fields: [String] = []
            for column in 0..<record.count { fields.append(String(decoding: record[column], as: UTF8.self)) }
            rows.append(Row(line: record.line, fields: fields, fault: record.fault))
        }
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            let end = portion < bytes.count - start ? start + portion : bytes.count
            parser.consume(Array(bytes[start..<end]), add)
            start = end
        }
        parser.finish(add)
        return (rows, parser)
    }

    @Test("a member is the field of its column, whatever its kind and its place", arguments: [1, 7, Int.max])
    func members(portion: Int) {
        let text = """
            {"sku":"Ñ-1","price":1.50,"tracks_stock":true,"barcodes":["1","2 3"]}
            {"Price":"2","SKU":"B","barcodes":[],"extra":{"a":1}}\r

            {"sku":null}
            """
        let (rows, parser) = parse(text, columns: ["sku", "price", "tracks_stock", "barcodes"], portion: portion)
        #expect(
            rows == [
                Row(line: 1, fields: ["sku", "price", "tracks_stock", "barcodes"], fault: nil),
                Row(line: 1, fields: ["Ñ-1", "1.50", "true", #"["1","2 3"]"#], fault: nil),
                Row(line: 2, fields: ["B", "2", "", ""], fault: nil),
                Row(line: 4, fields: ["", "", "", ""], fault: nil),
            ]
        )
        #expect(parser.unreadNames == ["extra"])
    }

    @Test("of a long name that nobody asked for the beginning is kept")
    func longNames() {
        let name = String(repeating: "x", count: 200)
        let parser = parse("{\"sku\":\"a\",\"\(name)\":1}\n{\"\(name)y\":1}", columns: ["sku"]).parser
        #expect(parser.unreadNames == [String(repeating: "x", count: 100) + "…"])
    }

    @Test("of two members that differ in case the one that is written as asked is read")
    func cases() {
        let (rows, parser) = parse(#"{"SKU":"a","sku":"b"}"#, columns: ["sku"])
        #expect(rows.last?.fields == ["b"])
        #expect(parser.unreadNames == ["SKU"])
    }

    @Test(
        "a line that is no object of such members is told, and the next one is read",
        arguments: [
            (#"{"sku":"a""#, FileRecord.Fault.noJSON("the text ends too early (byte 10)")),
            ("[1]", .noJSON("the line holds an array and no object")),
            (#"{"sku":{"a":1}}"#, .noJSON("sku is an object")),
            (#"{"sku":["a"]}"#, .noJSON("sku is an array")),
            (#"{"sku":"a","sku":"b"}"#, .noJSON("a name appears twice in one object (byte 20)")),
        ]
    )
    func faults(line: String, fault: FileRecord.Fault) {
        let rows = parse(line + "\n{\"sku\":\"next\"}\n", columns: ["sku"]).rows
        #expect(rows.dropFirst().first?.fault == fault)
        #expect(rows.last == Row(line: 2, fields: ["next"], fault: nil))
    }

    @Test("a line longer than is kept is told, and the next one is read")
    func longLines() {
        let long = #"{"sku":""# + String(repeating: "x", count: 200) + "\"}\n{\"sku\":\"next\"}"
        let rows = parse(long, columns: ["sku"], portion: 16, limits: CSVLimits(recordBytes: 64)).rows
        #expect(rows.map(\.fault) == [nil, .noJSON("the line is longer than 64 bytes"), nil])
    }

    @Test("what was rejected is told behind the members of its line, and is read again without that")
    func rejected() throws {
        var ndjson = ImportMapping()
        ndjson.format = .ndjson
        var rejected = RejectedRows(ndjson)
        let text = "{\"sku\":\"a\",\"n\":1.50}\nnot JSON\n"
        func write(_ text: String) -> String {
            var isHeader = true
            var parser = ImportParser(ndjson, fields: ["sku"], limits: .whole)
            func take(_ record: borrowing FileRecord) {
                guard !isHeader else {
                    isHeader = false
                    return rejected.header(record)
                }
                rejected.row(record, RowRejection(line: record.line, code: .valueInvalid, reason: "\"so\""))
            }
            parser.consume(Array(text.utf8), take)
            parser.finish(take)
            return String(decoding: rejected.drain(), as: UTF8.self)
        }
        let once = write(text)
        #expect(
            once == """
                {"sku":"a","n":1.50,"line":1,"code":"value_invalid","reason":"\\"so\\""}
                {"text":"not JSON","line":2,"code":"value_invalid","reason":"\\"so\\""}

                """
        )
        #expect(write(once) == once)
    }

    @Test("a text comes through the reader of cells as it is", arguments: ["=1+1", "'=1", "'", "''x", "-3"])
    func texts(text: String) throws {
        var mapping = ImportMapping()
        mapping.format = .ndjson
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("name", text)
            writer.member("sku", "A")
        }
        var reader: ProductRowReader?
        var row: ProductRow?
        var parser = ImportParser(mapping, fields: ProductRowReader.fields)
        func take(_ record: borrowing FileRecord) throws {
            guard let known = reader else { return reader = try ProductRowReader(mapping: mapping, header: record) }
            row = try known.read(record)
        }
        try parser.consume(writer.bytes, take)
        try parser.finish(take)
        #expect(row?.name == text)
    }

    @Test(
        "a mapping says nothing of objects that JSON does not leave open",
        arguments: ["decimal", "encoding", "delimiter"]
    )
    func mappings(option: String) throws {
        var mapping = ImportMapping()
        mapping.format = .ndjson
        try mapping.set(option, to: ["decimal": ",", "encoding": "cp1252", "delimiter": ";"][option] ?? "")
        #expect(throws: ImportMapping.Fault.self) { try mapping.validate(fields: []) }
    }
}
