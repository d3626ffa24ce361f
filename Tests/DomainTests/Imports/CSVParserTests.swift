import Testing

@testable import Domain

@Suite struct CSVParserTests {
    private struct Row: Equatable {
        var line: Int
        var fields: [String]
        var fault: FileRecord.Fault?
    }

    private func parse(
        _ bytes: [UInt8],
        portion: Int = .max,
        dialect: CSVDialect = CSVDialect(),
        limits: CSVLimits = CSVLimits()
    ) -> [Row] {
        var parser = CSVParser(dialect: dialect, limits: limits)
        var rows: [Row] = []
        func add(_ record: borrowing FileRecord) {
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
            (",\na,\n , \n\"\",\n", [["a", ""], ["", ""]]),
            ("a,\"\"\n", [["a", ""]]),
            ("\"\"\n", [[""]]),
            ("5\" nail,x\n", [["5\" nail", "x"]]),
            ("h\na\rb,c\n", [["h"], ["a\rb", "c"]]),
            ("a,b\rc,d\r", [["a", "b"], ["c", "d"]]),
            ("a,b\r\"c\rd\",e", [["a", "b"], ["c\rd", "e"]]),
            ("sep=;\r\na;b\r\n", [["a", "b"]]),
            ("\u{FEFF}sep=\t\na\tb", [["a", "b"]]),
            ("sep=;,a\n", [["sep=;", "a"]]),
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
        for lineBreak in ["\r\n", "\n", "\r"] {
            let text = "\u{FEFF}\"a\"\"\",b\n\"x\ny\",\"\"\n\nlast,\"q\"oops,z\nend,ä"
            let bytes = Array(text.replacing("\n", with: lineBreak).utf8)
            let whole = parse(bytes)
            #expect(whole.count == 4)
            for portion in 1...7 { #expect(parse(bytes, portion: portion) == whole) }
        }
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
            ("\"a\"b,c\nd\n", FileRecord.Fault.textAfterQuote(column: 0)),
            ("1,2,3,4,5\nd\n", .tooManyColumns),
            ("\(String(repeating: "x,", count: 60))\nd\n", .tooManyColumns),
            ("xxxxxxxxx,xxxxxxxxx,xxxxxxxxx,xxxxxxxxxxxxxxxxx\nd\n", .recordTooLong),
            ("x,\"\(String(repeating: "x\n", count: 40))d\n", .unterminatedQuote(column: 1)),
        ]
    )
    func faults(text: String, fault: FileRecord.Fault) {
        let limits = CSVLimits(recordBytes: 40, fieldBytes: 20, columns: 4)
        for portion in [1, 3, 1_000] {
            let rows = parse(Array(text.utf8), portion: portion, limits: limits)
            #expect(rows.first?.fault == fault)
            #expect(rows.last?.fields == ["d"])
        }
    }

    @Test("an unclosed quote is told at the line it was opened, with the line it was followed to")
    func unterminated() {
        let rows = parse(Array("a\n\"b\nc\n".utf8))
        #expect(rows.last == Row(line: 2, fields: [], fault: .unterminatedQuote(column: 0)))
        var spans: [String] = []
        var parser = CSVParser()
        parser.consume(Array("h,i\n1,\"2\n3,4\n5,\"6\"\n7,8\n".utf8)) { spans.append($0.span) }
        parser.finish { spans.append($0.span) }
        #expect(spans == ["", " (lines 2 to 4)", ""])
    }

    @Test("rows of delimiters and blanks are left out and counted")
    func blank() {
        var parser = CSVParser()
        var rows = 0
        parser.consume(Array("a,b\n,,\n\n , \n1,2\n".utf8)) { _ in rows += 1 }
        parser.finish { _ in rows += 1 }
        #expect(rows == 2)
        #expect(parser.blankRecords == 3)
    }

    @Test("of a field without end its beginning is kept, and the record goes on")
    func endless() {
        var parser = CSVParser()
        let chunk = [UInt8](repeating: 0x41, count: 1 << 16)
        for _ in 0..<64 { parser.consume(chunk) { _ in Issue.record("no record has ended") } }
        var kept: [Int] = []
        parser.consume(Array(",b\n".utf8)) { record in
            #expect(record.fault == nil)
            #expect(record.cutColumns == [0])
            kept = [record[0].count, record[1].count]
        }
        #expect(kept == [CSVLimits().fieldBytes, 1])
    }

    @Test("a thousand columns are read")
    func wide() {
        let row = (0..<1_000).map(String.init).joined(separator: ";")
        #expect(fields(row + "\n", delimiter: .semicolon).first?.count == 1_000)
    }
}
