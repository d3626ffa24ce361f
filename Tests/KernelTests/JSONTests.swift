import Kernel
import Testing

@Suite("JSON parsing")
struct JSONTests {
    private func parse(_ text: String) throws(JSONError) -> JSONValue { try JSONValue.parse(Array(text.utf8)) }

    @Test("values of every kind are read, numbers as written")
    func kinds() throws {
        let value = try parse(#" {"a": [1, -0.5e+10, true, false, null], "b": {"c": "x\n\u00e9\ud83d\ude00"}} "#)
        guard case .object(let object) = value else {
            Issue.record("not an object")
            return
        }
        #expect(object["a"] == .array([.number("1"), .number("-0.5e+10"), .bool(true), .bool(false), .null]))
        var inner = JSONObject()
        let isNew = inner.append("c", .string("x\né😀"))
        #expect(isNew)
        #expect(object["b"] == .object(inner))
    }

    @Test(
        "what is not JSON is refused with its place",
        arguments: [
            ("", JSONError.Reason.empty), ("{", .unexpectedEnd), ("{\"a\":1,}", .unexpectedByte),
            ("[1 2]", .unexpectedByte),
            ("01", .trailingBytes), ("1.", .badNumber), ("1e", .badNumber), ("-", .badNumber), ("nul", .unexpectedEnd),
            ("\"a", .unexpectedEnd), ("\"\\x\"", .badEscape), ("\"\\ud800\"", .badEscape), ("\"\\udc00\"", .badEscape),
            ("\"\\u0000\"", .nulCharacter), ("\"\u{1}\"", .controlCharacter), ("{}x", .trailingBytes),
            ("'a'", .unexpectedByte),
            ("{\"a\":1,\"a\":2}", .duplicateName), ("[\"\\u12\"]", .badEscape), ("NaN", .unexpectedByte),
            ("\u{FEFF}\u{FEFF}{}", .unexpectedByte), ("{\u{FEFF}}", .unexpectedByte), ("\u{FEFF}", .empty),
        ]
    )
    func refuses(text: String, reason: JSONError.Reason) {
        let error = #expect(throws: JSONError.self) { try parse(text) }
        #expect(error?.reason == reason)
    }

    @Test(
        "text that is not UTF-8 is refused",
        arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80]]
    )
    func invalidUTF8(bytes: [UInt8]) {
        let error = #expect(throws: JSONError.self) { try JSONValue.parse([0x22] + bytes + [0x22]) }
        #expect(error?.reason == .invalidUTF8)
    }

    @Test("nesting is bounded")
    func depth() throws {
        _ = try parse(String(repeating: "[", count: 32) + String(repeating: "]", count: 32))
        let error = #expect(throws: JSONError.self) { try parse(String(repeating: "[", count: 100_000)) }
        #expect(error?.reason == .tooDeep)
    }

    @Test("a repeated name among many is found, and named")
    func manyNames() {
        let members = (0..<1000).map { "\"k\($0)\":0" }.joined(separator: ",")
        #expect(throws: Never.self) { try parse("{\(members)}") }
        let error = #expect(throws: JSONError.self) { try parse("{\"o\":{\(members),\"k5\":1}}") }
        #expect(error?.reason == .duplicateName)
        #expect(error?.pointer == "/o/k5")
    }

    @Test("the canonical text is the same for every order and spacing")
    func canonical() throws {
        let first = try parse(#"{"b": 1, "a": {"y": "\u0041", "x": [1, 2]}}"#)
        let second = try parse(#"{"a":{"x":[1,2],"y":"A"},"b":1}"#)
        #expect(first.canonicalBytes == second.canonicalBytes)
        #expect(String(decoding: first.canonicalBytes, as: UTF8.self) == #"{"a":{"x":[1,2],"y":"A"},"b":1}"#)
    }

    @Test("what is written reads back")
    func writerRoundTrip() throws {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("text", "quote \" slash \\ line \n null \u{7F} é 😀")
            writer.member("none", nil as String?)
            writer.name("list")
            writer.array { list in
                list.integer(1)
                list.bool(true)
                list.object { _ in }
                list.array { _ in }
                list.string("")
            }
            writer.member("last", 5)
        }
        let value = try JSONValue.parse(writer.bytes)
        var again = JSONWriter()
        again.value(value)
        #expect(again.bytes == writer.bytes)
    }

    @Test("random bytes never trap")
    func fuzz() {
        var generator = SeededGenerator(seed: 3)
        let alphabet = Array("{}[]\",:\\u0019eE+-.truefalsn \n".utf8) + [0, 0xC3, 0xA9, 0xFF]
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...40, using: &generator)
            let bytes = (0..<count).map { _ in alphabet.randomElement(using: &generator) ?? 0 }
            _ = try? JSONValue.parse(bytes)
        }
    }
}

@Suite("Reading the fields of a body")
struct JSONObjectReaderTests {
    private enum Colour: String, CaseIterable {
        case red
        case blue
    }

    private func reader(_ text: String) throws -> JSONObjectReader {
        try JSONObjectReader(body: JSONValue.parse(Array(text.utf8)))
    }

    @Test("all faults come at once, each with its pointer")
    func allFaults() throws {
        var reader = try reader(
            #"{"name": "  ", "price": 12.5, "rate": "1e3", "lines": [{"q": "1.1234567"}, 5, {"q": "-1"}], "colour": "green", "at": "x"}"#
        )
        _ = reader.text("name")
        _ = reader.price("price")
        let rate: TaxRate = reader.required("rate", else: .zero, .decimal())
        #expect(rate == .zero)
        _ = reader.objects("lines", of: "Line", count: 1...10) { line in line.quantity("q") }
        _ = reader.choice("colour", else: Colour.red)
        _ = reader.optionalTimestamp("at")
        _ = reader.money("missing")
        let problem = #expect(throws: Problem.self) { try reader.finish() }
        #expect(problem?.code == .validationFailed)
        #expect(
            problem?.errors.map { "\($0.pointer) \($0.code)" } == [
                "/name required", "/price type", "/rate format", "/lines/0/q too_many_decimals", "/lines/1 type",
                "/lines/2/q out_of_range", "/colour not_allowed", "/at format", "/missing required",
            ]
        )
    }

    @Test("an unknown field is 400 and named, also in nested objects")
    func unknownFields() throws {
        var reader = try reader(#"{"name": "A", "lines": [{"q": "1", "a/b": 1}], "tenant_id": 5}"#)
        _ = reader.text("name")
        _ = reader.objects("lines", of: "Line", count: 1...10) { line in line.quantity("q") }
        let problem = #expect(throws: Problem.self) { try reader.finish() }
        #expect(problem?.code == .invalidRequest)
        #expect(problem?.errors.map(\.pointer) == ["/lines/0/a~1b", "/tenant_id"])
    }

    @Test("text is trimmed, limited and free of control characters")
    func text() throws {
        var good = try reader(#"{"a": "  Ñandú \t", "b": " ", "c": null}"#)
        #expect(good.text("a") == "Ñandú")
        #expect(good.optionalText("b") == nil)
        #expect(good.optionalText("c") == nil)
        #expect(good.optionalText("d") == nil)
        try good.finish()
        var bad = try reader(#"{"a": "x\ny", "b": "12345"}"#)
        _ = bad.text("a")
        _ = bad.text("b", TextRule(maximum: 4))
        let problem = #expect(throws: Problem.self) { try bad.finish() }
        #expect(problem?.errors.map(\.code) == [.format, .tooLong])
    }

    @Test("a merge patch tells absent from null")
    func patch() throws {
        var reader = try reader(#"{"a": null, "b": "x", "c": null}"#)
        #expect(reader.clearableChange("a", .text(TextRule(maximum: 5))) == .set(nil))
        #expect(reader.clearableChange("b", .text(TextRule(maximum: 5))) == .set("x"))
        #expect(reader.change("missing", .text(TextRule(maximum: 5))) == .keep)
        #expect(reader.change("c", .text(TextRule(maximum: 5))) == .keep)
        let problem = #expect(throws: Problem.self) { try reader.finish() }
        #expect(problem?.errors.map(\.pointer) == ["/c"])
    }

    @Test("integers, booleans, e-mails, currencies and dates have their forms")
    func others() throws {
        var good = try reader(#"{"i": 3, "b": true, "e": " Ana@Example.COM ", "c": "eur", "d": "2026-02-28"}"#)
        #expect(good.required("i", else: 0, .integer(0...6)) == 3)
        #expect(good.optionalBool("b") == true)
        #expect(good.required("e", else: "", .email) == "ana@example.com")
        #expect(good.optional("c", .currency)?.code == "EUR")
        #expect(good.optional("d", .date)?.description == "2026-02-28")
        try good.finish()
        var bad = try reader(#"{"i": 3.0, "j": 7, "b": "true", "e": "a@", "c": "???", "d": "2026-02-30"}"#)
        _ = bad.required("i", else: 0, .integer(0...6))
        _ = bad.required("j", else: 0, .integer(0...6))
        _ = bad.optionalBool("b")
        _ = bad.required("e", else: "", .email)
        _ = bad.optional("c", .currency)
        _ = bad.optional("d", .date)
        let problem = #expect(throws: Problem.self) { try bad.finish() }
        #expect(problem?.errors.map(\.code) == [.type, .outOfRange, .type, .format, .notAllowed, .format])
    }

    @Test("a body that is no object is refused")
    func notAnObject() throws {
        let problem = #expect(throws: Problem.self) { try reader("[]") }
        #expect(problem?.code == .invalidRequest)
    }
}

@Suite("Problems")
struct ProblemTests {
    @Test("every code has a status that fits and a title")
    func statuses() {
        for code in Problem.Code.allCases {
            #expect((400...503).contains(code.status))
            #expect(!code.title.isEmpty)
        }
        #expect(Problem.Code.insufficientStock.isStoredRefusal)
        #expect(!Problem.Code.idempotencyInProgress.isStoredRefusal)
        #expect(!Problem.Code.overloaded.isStoredRefusal)
    }

    @Test("slugs and e-mails are folded or refused")
    func text() {
        #expect(Text.slug("My-Shop1") == "my-shop1")
        #expect(Text.slug("-a") == nil)
        #expect(Text.slug("a--b") == nil)
        #expect(Text.slug("a b") == nil)
        #expect(Text.email("a@b@c") == nil)
        #expect(Text.email("a@b..c") == nil)
        #expect(Text.trimmed("\u{00A0} x \n") == "x")
    }
}

@Suite("Base64 for URLs")
struct Base64URLTests {
    @Test("the vectors of RFC 4648, without padding")
    func vectors() {
        let vectors = [
            "": "", "f": "Zg", "fo": "Zm8", "foo": "Zm9v", "foob": "Zm9vYg", "fooba": "Zm9vYmE", "foobar": "Zm9vYmFy",
        ]
        for (plain, text) in vectors {
            #expect(Base64URL.encode(Array(plain.utf8)) == text)
            #expect(Base64URL.decode(text) == Array(plain.utf8))
        }
        #expect(Base64URL.encode([0xFB, 0xFF]) == "-_8")
    }

    @Test("random bytes read back; other spellings of them do not")
    func roundTrip() {
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                UInt8.random(in: .min ... .max, using: &generator)
            }
            let text = Base64URL.encode(bytes)
            #expect(Base64URL.decode(text) == bytes)
            #expect(Base64URL.decode(Base64URL.characters(of: bytes)[...]) == bytes)
        }
        for bad in ["A", "Zh", "QR", "Zg==", "+/8", "/w", "Z g", "QQ\n", "Zm9vYmF\u{0}"] {
            #expect(Base64URL.decode(bad) == nil)
        }
    }
}
