import Testing

@testable import Domain

@Suite struct CSVParserTests {
    private struct Row: Equatable {
        var line: Int
        var fields: [String]
        var fault: CSVRecord.Fault?
    }

    private func parse(
        _ bytes: [UInt8],
        portion: Int = .max,
        dialect: CSVDialect = CSVDialect(),
        limits: CSVLimits = CSVLimits()
    ) -> [Row] {
        var parser = CSVParser(dialect: dialect, limits: limits)
        var rows: [Row] = []
        func add(_ record: borrowing CSVRecord) {
            var fields: [String] = []
            for column in 0..<record.count { fields.append(String(decoding: record[column], as: UTF8.self)) }
            rows.append(Row(line: record.line, fields: fields, fault: record.fault))
        }
        var start = 0
        while start < bytes.count {
            let end = portion < bytes.count - start ? start + portion : bytes.count
            parser.consume(Array(bytes[start..<end]), add)
            start = end
        }
        parser.finish(add)
        return rows
    }

    private func fields(_ text: String, delimiter: CSVDialect.Delimiter = .comma) -> [[String]] {
        parse(Array(text.utf8), dialect: CSVDialect(delimiter: delimiter)).map(\.fields)
    }

    @Test(
        "the cases of RFC 4180 and of the field",
        arguments: [
            ("a,b\r\nc,d\r\n", [["a", "b"], ["c", "d"]]),
            ("a,b\nc,d", [["a", "b"], ["c", "d"]]),
            ("\"a,1\",\"b\"\"q\"\"\"\n", [["a,1", "b\"q\""]]),
            ("\"line\r\nbreak\",x\r\n", [["line\r\nbreak", "x"]]),
            (",\n", [["", ""]]),
            ("a,\"\"\n", [["a", ""]]),
            ("\"\"\n", [[""]]),
            ("5\" nail,x\n", [["5\" nail", "x"]]),
            ("a\rb,c\n", [["a\rb", "c"]]),
            ("\n\r\na\n\n", [["a"]]),
            ("a,", [["a", ""]]),
            ("", []),
            ("\u{FEFF}\"a\",b\n", [["a", "b"]]),
            ("\u{FEFF}", []),
        ]
    )
    func cases(text: String, expected: [[String]]) {
        #expect(fields(text) == expected)
    }

    @Test("the portions a file arrives in make no difference")
    func portions() {
        let text = "\u{FEFF}\"a\"\"\",b\r\n\"x\r\ny\",\"\"\r\n\r\nlast,\"q\"oops,z\nend,ä"
        let whole = parse(Array(text.utf8))
        #expect(whole.count == 4)
        for portion in 1...7 { #expect(parse(Array(text.utf8), portion: portion) == whole) }
    }

    @Test("a semicolon can be the delimiter")
    func semicolon() {
        #expect(fields("a;\"b;c\";1,5\n", delimiter: .semicolon) == [["a", "b;c", "1,5"]])
    }

    @Test("half a byte order mark is text")
    func halfMark() {
        #expect(parse([0xEF, 0x41, 0x0A], portion: 1).first?.fields.count == 1)
        var parser = CSVParser()
        parser.consume([0xEF]) { _ in }
        var first: [UInt8] = []
        parser.finish { first = Array($0[0]) }
        #expect(first == [0xEF])
    }

    @Test("lines are counted through quoted line breaks")
    func lines() {
        #expect(parse(Array("h\n\"a\nb\"\nc\n".utf8)).map(\.line) == [1, 2, 4])
    }

    @Test(
        "a damaged record is told and the next one is read",
        arguments: [
            ("\"a\"b,c\nd\n", CSVRecord.Fault.textAfterQuote(column: 0)),
            ("\(String(repeating: "x", count: 30))\nd\n", .fieldTooLong(column: 0)),
            ("1,2,3,4,5\nd\n", .tooManyColumns),
            ("\(String(repeating: "x,", count: 60))\nd\n", .tooManyColumns),
            ("xxxxxxxxx,xxxxxxxxx,xxxxxxxxx,xxxxxxxxxxxxxxxxx\nd\n", .recordTooLong),
            ("\"\(String(repeating: "x\n", count: 40))", .fieldTooLong(column: 0)),
        ]
    )
    func faults(text: String, fault: CSVRecord.Fault) {
        let limits = CSVLimits(recordBytes: 40, fieldBytes: 20, columns: 4)
        for portion in [1, 3, 1_000] {
            let rows = parse(Array(text.utf8), portion: portion, limits: limits)
            #expect(rows.first?.fault == fault)
            if text.hasSuffix("d\n") { #expect(rows.last?.fields == ["d"]) }
        }
    }

    @Test("an unclosed quote is told at the line it was opened")
    func unterminated() {
        let rows = parse(Array("a\n\"b\nc\n".utf8))
        #expect(rows.last == Row(line: 2, fields: [], fault: .unterminatedQuote))
    }

    @Test("a line without end is not collected")
    func endless() {
        var parser = CSVParser()
        let chunk = [UInt8](repeating: 0x41, count: 1 << 16)
        for _ in 0..<64 { parser.consume(chunk) { _ in Issue.record("no record has ended") } }
        var faults: [CSVRecord.Fault?] = []
        parser.consume([0x0A]) { faults.append($0.fault) }
        #expect(faults == [.fieldTooLong(column: 0)])
    }
}
