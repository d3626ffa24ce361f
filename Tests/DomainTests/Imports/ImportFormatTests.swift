import Testing

@testable import Domain

@Suite struct ImportFormatTests {
    typealias Reading = TimeFormat.Reading

    private func bytes(_ text: String) -> ArraySlice<UInt8> { Array(text.utf8)[...] }

    @Test(
        "numbers are read exactly, in millionths",
        arguments: [
            ("12.5", 12_500_000), ("-3", -3_000_000), ("0.000001", 1), ("1,234.56", 1_234_560_000), (" 7 ", 7_000_000),
            ("0.5", 500_000), ("5.0", 5_000_000), ("0.1000000", 100_000),
            ("999999999999.999999", 999_999_999_999_999_999),
        ]
    )
    func points(text: String, value: Int64) throws {
        #expect(try NumberFormat(decimal: .point).parse(bytes(text)) == value)
    }

    @Test(
        "with a decimal comma, a point groups thousands",
        arguments: [
            ("1.234,56", 1_234_560_000), ("12,50", 12_500_000), ("1.234.567", 1_234_567_000_000), ("-0,5", -500_000),
            ("1\u{A0}234,56", 1_234_560_000), ("1\u{202F}234\u{202F}567", 1_234_567_000_000),
            ("\u{A0}12,5\u{A0}", 12_500_000), ("\u{2212}3", -3_000_000), ("(1.234,50)", -1_234_500_000),
        ]
    )
    func commas(text: String, value: Int64) throws {
        #expect(try NumberFormat(decimal: .comma).parse(bytes(text)) == value)
    }

    @Test(
        "what is no number of the declared format is refused",
        arguments: [
            (NumberFormat.DecimalSeparator.comma, "12.50", NumberFormat.Fault.malformed),
            (.comma, "1.23", .malformed), (.comma, "1234.567", .malformed), (.comma, "1.234.56,7", .malformed),
            (.point, "1,23", .malformed), (.point, ",123", .malformed), (.point, "1.2.3", .malformed),
            (.point, "1e3", .malformed), (.point, "", .empty), (.point, "  ", .empty), (.point, "-", .malformed),
            (.point, ".", .malformed), (.point, "0x1F", .malformed), (.point, "NaN", .malformed),
            (.point, "1 000", .malformed),
            (.point, "0.1234567", .tooManyDecimals), (.point, "1000000000000", .tooLarge),
            (.point, "99999999999999999999999999", .tooLarge), (.point, "£5", .malformed),
            (.comma, "1\u{A0}23,5", .malformed), (.comma, "1\u{A0}234.567", .malformed), (.point, "(-3)", .malformed),
            (.point, "()", .malformed), (.point, "(3", .malformed), (.point, "010.00", .leadingZero),
            (.comma, "-01", .leadingZero), (.comma, "00,5", .leadingZero), (.point, "1.", .malformed),
            (.point, ".5", .malformed), (.point, "+1", .malformed), (.comma, "1,", .malformed),
            (.comma, "-,5", .malformed),
            (.point, "1,000.", .malformed),
        ]
    )
    func refused(decimal: NumberFormat.DecimalSeparator, text: String, fault: NumberFormat.Fault) {
        #expect(throws: fault) { try NumberFormat(decimal: decimal).parse(bytes(text)) }
    }

    @Test(
        "the currency sign the mapping names may stand before or behind an amount",
        arguments: [
            ("$", "$3.00", 3_000_000), ("$", "-$3.00", -3_000_000), ("$", "($3.00)", -3_000_000),
            ("$", "$ 1,000", 1_000_000_000), ("€", "3.5\u{A0}€", 3_500_000), ("kr", "3 kr", 3_000_000),
        ]
    )
    func currency(sign: String, text: String, value: Int64) throws {
        #expect(try NumberFormat(currency: sign).parse(bytes(text)) == value)
        #expect(throws: NumberFormat.Fault.malformed) { try NumberFormat().parse(bytes(text)) }
        #expect(try NumberFormat(currency: sign).parse(bytes("7")) == 7_000_000)
    }

    @Test("a reason shows which blank it is about, and which option would read a sign")
    func reasons() {
        let format = NumberFormat()
        #expect(format.reason("price", bytes("1\u{A0}0"), .malformed).contains("'1\\u{A0}0'"))
        #expect(format.reason("price", bytes("£5"), .malformed).contains("\"currency\": \"£\""))
    }

    @Test("a reason names the format that a time does not have")
    func timeReasons() throws {
        let format = try #require(TimeFormat(pattern: "dd/MM/yyyy"))
        #expect(format.reason("at", bytes("x")) == "at is 'x', no time of the declared format 'dd/MM/yyyy'")
        let iso = "at is 'x', no time of the declared format iso, as 2026-01-31T17:05:00"
        #expect(TimeFormat.iso.reason("at", bytes("x")) == iso)
    }

    @Test(
        "ISO 8601 with and without an offset",
        arguments: [
            ("1970-01-01T00:00:00", TimeFormat.Reading.wallClock(microseconds: 0)),
            ("2010-12-01T08:26:00", .wallClock(microseconds: 1_291_191_960_000_000)),
            ("2010-12-01 08:26", .wallClock(microseconds: 1_291_191_960_000_000)),
            ("2010-12-01", .wallClock(microseconds: 1_291_161_600_000_000)),
            ("2010-12-01T08:26:00Z", .instant(microseconds: 1_291_191_960_000_000)),
            ("2010-12-01T08:26:00.25+01:00", .instant(microseconds: 1_291_188_360_250_000)),
            ("2010-12-01T08:26:00-0330", .instant(microseconds: 1_291_204_560_000_000)),
            ("2010-12-01 08:26:00 -0500", .instant(microseconds: 1_291_209_960_000_000)),
            ("2012-02-29", .wallClock(microseconds: 1_330_473_600_000_000)),
        ]
    )
    func iso(text: String, reading: TimeFormat.Reading) {
        #expect(TimeFormat.iso.parse(bytes(text)) == reading)
    }

    @Test(
        "what is no time is refused",
        arguments: [
            "", "2010-13-01", "2010-02-29", "2011-04-31", "2010-12-01T24:00:00", "2010-12-01T08:60",
            "2010-12-01T08:26:00X",
            "2010-12-01T08", "10-12-01", "2010-12-01T08:26:00+25:00", "2010-12-01T08:26:00.", "0000-01-01",
        ]
    )
    func noTime(text: String) {
        #expect(TimeFormat.iso.parse(bytes(text)) == nil)
    }

    @Test(
        "a pattern reads day, month and year in its order",
        arguments: [
            ("dd/MM/yyyy HH:mm", "01/12/2010 08:26"), ("d.M.yyyy H:mm", "1.12.2010 8:26"),
            ("M/d/yyyy HH:mm", "12/1/2010 08:26"),
            ("yyyyMMdd HHmmss", "20101201 082600"), ("yyyy-MM-ddTHH:mm", "2010-12-01T08:26"),
            ("dd/MM/yy HH:mm", "01/12/10 08:26"), ("MMM d, yyyy h:mm a", "Dec 1, 2010 8:26 am"),
            ("d-MMM-yy hh:mm a", "1-DECEMBER-10 08:26 A.M."),
            ("M/d/yyyy, h:mm a", "12/1/2010, 8:26\u{202F}AM"), ("d.M.yyyy H:mm", "\u{A0}1.12.2010\u{2009}8:26"),
        ]
    )
    func pattern(pattern: String, text: String) throws {
        let format = try #require(TimeFormat(pattern: pattern))
        #expect(format.parse(bytes(text)) == .wallClock(microseconds: 1_291_191_960_000_000))
        #expect(format.parse(bytes(text + "x")) == nil)
    }

    @Test(
        "a pattern knows afternoons, centuries, decimals and offsets",
        arguments: [
            ("yyyy-MM-dd h:mm a", "2010-12-01 12:26 AM", Reading.wallClock(microseconds: 1_291_163_160_000_000)),
            ("yyyy-MM-dd h:mm a", "2010-12-01 8:26 pm", .wallClock(microseconds: 1_291_235_160_000_000)),
            ("yyyy-MM-dd h:mm a", "2010-12-01 12:26 PM", .wallClock(microseconds: 1_291_206_360_000_000)),
            ("yyyy-MM-dd HH:mm:ss Z", "2024-03-09 23:40:11 -0500", .instant(microseconds: 1_710_045_611_000_000)),
            (
                "yyyy-MM-dd HH:mm:ss.S Z", "2010-12-01 08:26:00.250 +01:00",
                .instant(microseconds: 1_291_188_360_250_000)
            ),
            ("dd.MM.yy", "01.01.70", .wallClock(microseconds: 0)),
        ]
    )
    func wider(pattern: String, text: String, reading: TimeFormat.Reading) throws {
        #expect(try #require(TimeFormat(pattern: pattern)).parse(bytes(text)) == reading)
    }

    @Test(
        "a pattern without a day, or with a letter that means nothing, is none",
        arguments: [
            "MM/yyyy", "hello", "", "dd/MM/yyyy hh:mm", "dd/MM/yyyy HH:mm a", "dd/MM/yyyy yy",
        ]
    )
    func noPattern(pattern: String) {
        #expect(TimeFormat(pattern: pattern) == nil)
    }

    @Test("cp1252 becomes UTF-8, holes and NUL are refused")
    func windows1252() {
        #expect(
            TextEncoding.windows1252.decode([0x80, 0x20, 0xE9, 0x99, 0x20]).map { String(decoding: $0, as: UTF8.self) }
                == "€ é™"
        )
        #expect(TextEncoding.windows1252.decode([0x81]) == nil)
        #expect(TextEncoding.windows1252.decode([0x41, 0]) == nil)
        #expect(TextEncoding.utf8.decode([0xE9, 0x41]) == nil)
        #expect(TextEncoding.utf8.decode([0xC3, 0xA9, 0]) == nil)
        #expect(TextEncoding.utf8.decode([0x20, 0xC3, 0xA9, 0x0D]) == [0xC3, 0xA9])
    }

    @Test("UTF-16 with a byte order mark becomes UTF-8, in any portions", arguments: [true, false])
    func utf16(isBig: Bool) throws {
        let text = "sku,név\r\nA,Ö€😀"
        let bytes = UTF16Transcoder.encode(Array(text.utf8), as: isBig ? .utf16BigEndian : .utf16LittleEndian)
        for portion in [1, 3, 1_000] {
            var transcoder = UTF16Transcoder(encoding: .utf16)
            var read: [UInt8] = []
            for start in stride(from: 0, to: bytes.count, by: portion) {
                read += try transcoder.decode(Array(bytes[start..<min(start + portion, bytes.count)]))
            }
            read += transcoder.finish()
            #expect(String(decoding: read, as: UTF8.self) == text)
        }
        var unmarked = UTF16Transcoder(encoding: .utf16)
        #expect(throws: ImportMapping.Fault.self) { try unmarked.decode([0x41, 0, 0x42, 0]) }
        var half = UTF16Transcoder(encoding: .utf16LittleEndian)
        #expect(try half.decode([0x00, 0xD8, 0x41, 0x00]) + half.finish() == [0xFF, 0x41])
    }
}
