import Kernel
import Services
import Testing

@testable import API

@Suite("Records in bodies")
struct RecordReaderTests {
    /// A record with lines, of which there must be one.
    private struct ListFields: RecordFields {
        struct Line: Equatable {
            let sku: String?
            let price: Price
        }

        var currency: Change<Currency> = .keep
        var lines: Change<[Line]> = .keep

        static func read(_ reader: inout RecordReader) -> ListFields {
            var fields = ListFields()
            fields.currency = reader.required("currency", .currency)
            fields.lines = reader.objects("lines", of: "ListLine", count: 1...2, figures: [.required("name", .text)]) {
                Line(sku: $0.optionalText("sku", .sku), price: $0.price("price"))
            }
            return fields
        }
    }

    /// A record whose lines name products.
    private struct GoodsFields: RecordFields {
        var lines: Change<[ProductReference]> = .keep

        static func read(_ reader: inout RecordReader) -> GoodsFields {
            GoodsFields(
                lines: reader.objects("lines", of: "Goods", count: 0...9, answered: [.required("product_id", .id)]) {
                    .readProduct(&$0)
                }
            )
        }
    }

    private static func read<Fields>(
        _ body: String,
        _ read: (inout JSONObjectReader) -> Fields
    ) throws -> (fields: Fields, faults: [String]) {
        var reader = try JSONObjectReader(body: try JSONValue.parse(Array(body.utf8)))
        let fields = read(&reader)
        reader.noteUnknownFields()
        return (fields, reader.errors.list.map { "\($0.pointer) \($0.code)" })
    }

    private static let line = #"{"sku":"ÁB","price":"1.50"}"#

    @Test("what is wrong with a line is said at its place, and no line or too many at the list")
    func faults() throws {
        let wrong = #"{"currency":"UYU","lines":[\#(Self.line),{"price":"x","cost":"1"}]}"#
        for read in [ListFields.made, ListFields.changed] {
            #expect(try Self.read(wrong, read).faults == ["/lines/1/price format", "/lines/1/cost unknown_field"])
            #expect(try Self.read(#"{"currency":"UYU","lines":[1]}"#, read).faults == ["/lines/0 type"])
            #expect(try Self.read(#"{"currency":"UYU","lines":[]}"#, read).faults == ["/lines required"])
            #expect(try Self.read(#"{"currency":"UYU","lines":null}"#, read).faults == ["/lines required"])
            let many = Array(repeating: Self.line, count: 3).joined(separator: ",")
            #expect(try Self.read(#"{"currency":"UYU","lines":[\#(many)]}"#, read).faults == ["/lines too_many"])
        }
    }

    @Test("a patch that does not name the lines keeps them; a body that makes the record must have them")
    func absent() throws {
        #expect(try Self.read("{}", ListFields.made).faults == ["/currency required", "/lines required"])
        let kept = try Self.read("{}", ListFields.changed)
        #expect(kept.faults == [] && !kept.fields.lines.isSet)
        let set = try Self.read(#"{"currency":"UYU","lines":[\#(Self.line)]}"#, ListFields.changed)
        #expect(set.fields.lines == .set([ListFields.Line(sku: "ÁB", price: try Price("1.5"))]))
    }

    @Test("a currency is one of ISO 4217 in either case, as a tenant's is")
    func currencies() throws {
        let eur = try #require(Currency(code: "EUR"))
        let read = try Self.read(#"{"currency":"eur"}"#, ListFields.changed)
        #expect(read.fields.currency == .set(eur))
        #expect(try Self.read(#"{"currency":"ABC"}"#, ListFields.changed).faults == ["/currency not_allowed"])
    }

    @Test("the document says of lines what is read and what is answered")
    func shapes() throws {
        func text(_ schema: Schema) -> String {
            var writer = JSONWriter(capacity: 256)
            schema.write(to: &writer)
            return String(decoding: writer.bytes, as: UTF8.self)
        }
        let (made, changed) = (Body("M", ListFields.made).schema, Body("C", ListFields.changed).schema)
        for (schema, isRequired) in [(made, true), (changed, false)] {
            let shapes = schema.definitions
            #expect(shapes.map(\.name) == [shapes[0].name, "ListLineRequest"])
            #expect(text(shapes[0].schema).contains(#""maxItems":2"#))
            #expect(text(shapes[0].schema).contains(#""required":["currency","lines"]"#) == isRequired)
            #expect(text(shapes[1].schema).contains(#""required":["price"]"#))
        }
        let answered = Schema.object(ListFields.answered)
        let line = try #require(answered.definitions.first { $0.name == "ListLine" }).schema
        #expect(text(line).contains(#""required":["sku","price","name"]"#))
        #expect(text(answered).contains(#""required":["currency","lines"]"#))
    }

    @Test("a line of a record names its product by id or SKU alone; an answer holds what was found")
    func products() throws {
        let id = try #require(ProductID("018f3b6e-1c2d-7000-8000-0123456789ab"))
        let named = try Self.read(#"{"lines":[{"product_id":"\#(id)"},{"sku":"ÑA-1"}]}"#, GoodsFields.made)
        #expect(named.faults == [] && named.fields.lines.newValue == [.id(id), .sku("ÑA-1")])
        let wrong = #"{"lines":[{"product_id":"\#(id)","sku":"ÑA-1"},{},{"sku":" "},{"sku":"ÑA-1","code":"4017"}]}"#
        #expect(
            try Self.read(wrong, GoodsFields.made).faults == [
                "/lines/0/sku conflict", "/lines/1/product_id required", "/lines/2/sku required",
                "/lines/3/code unknown_field",
            ]
        )
        let line = Schema.object(GoodsFields.answered).definitions.first { $0.name == "Goods" }?.schema
        guard case .object(let members) = line else {
            Issue.record("an answer has no lines")
            return
        }
        #expect(members.map(\.name) == ["product_id"])
    }
}
