import Domain
import Kernel
import Testing

/// Examples are those of the GS1 General Specifications and of the standards beside it: 6291041500213 of section 7.9, the
/// demonstration keys that begin with 952 and 950, and the separator of section 7.8.
@Suite("Codes of GS1")
struct GS1Tests {
    private static let separator = "\u{1D}"

    @Test("the check digit is that of the General Specifications, whatever the length of the key")
    func checkDigits() {
        for key in ["6291041500213", "09520123456788", "09506000134352", "614141000036", "96385074", "9521101530001"] {
            #expect(GS1CheckDigit.holds(Array(key.utf8)), "\(key)")
            let last = key.utf8.last.map { $0 == UInt8(ascii: "9") ? UInt8(ascii: "0") : $0 + 1 } ?? 0
            #expect(!GS1CheckDigit.holds(Array(key.utf8.dropLast()) + [last]), "\(key)")
        }
        #expect(!GS1CheckDigit.holds(Array("".utf8)))
        #expect(!GS1CheckDigit.holds(Array("62910415002١٣".utf8)))
    }

    @Test("an element string is read as scanners send it and as it is printed")
    func readings() throws {
        let sent = "0109506000134352310300125010ABC-1\(Self.separator)17271200"
        for code in [
            sent, "]C1" + sent, "]d2" + sent, Self.separator + sent,
            "(01)09506000134352(3103)001250(10)ABC-1(17)271200",
        ] {
            let read = try #require(try GS1ElementString.read(code), "\(code)")
            #expect(read.gtin == "09506000134352")
            #expect(read.weight == (try Quantity("1.25")))
            #expect(read.lot == "ABC-1")
            // The day 00 is the last of the month.
            #expect(read.expiresOn == BusinessDay("2027-12-31"))
            #expect(read.codes == ["09506000134352", "9506000134352"])
        }
        let priced = try #require(try GS1ElementString.read("(01)99521234543216(3922)1299(3102)000050"))
        #expect(priced.amount == (try Money("12.99")))
        #expect(priced.weight == (try Quantity("0.5")))
        #expect(priced.codes == ["99521234543216"])
        // Shorter keys are filled up with zeros.
        #expect(
            try GS1ElementString.read("(01)00614141000036")?.codes == [
                "00614141000036", "0614141000036", "614141000036",
            ]
        )
        #expect(try GS1ElementString.read("(01)00000096385074")?.codes.last == "96385074")
        // Elements that say nothing to a till are passed over.
        let serial = "]d20109506000134352" + "21Ñ(1)".replacing("Ñ", with: "N") + "\(Self.separator)8008260101"
        #expect(try GS1ElementString.read(serial)?.gtin == "09506000134352")
        #expect(try GS1ElementString.read("(01)09506000134352(10)A(B)")?.lot == "A(B)")
    }

    @Test("what is no such code is none: numbers, SKUs, parentheses in a name")
    func others() throws {
        for code in [
            "", "01", "6291041500213", "0109506000134353", "A1", "(oferta) Té", "(1)", "21", "012345678901234567",
        ] {
            #expect(try GS1ElementString.read(code) == nil, "\(code)")
        }
    }

    @Test("a wrong check digit, a missing product, a figure that is none and a measure nobody sells by are told")
    func faults() {
        for (code, fault) in [
            ("(01)09506000134353", "check_digit"), ("]C10109506000134353", "check_digit"),
            ("(10)ABC", "format"), ("(01)0950600013435", "format"), ("(01)09506000134352(3103)00125", "format"),
            ("(01)09506000134352(3103)00125a", "format"), ("(01)09506000134352(17)270230", "format"),
            ("(01)09506000134352(3202)000125", "format"), ("(01)09506000134352(3927)1234567", "format"),
            ("]C1010950600013435231030012", "format"), ("]C1", "format"), ("]d2ABC", "format"),
            ("(01)09506000134352(01)09520123456788", "format"),
        ] {
            var told: String?
            do throws(ReadingFault) { _ = try GS1ElementString.read(code) } catch { told = error.code.rawValue }
            #expect(told == fault, "\(code)")
        }
    }

    private static let scales = [
        ScalePattern(prefix: "21", itemDigits: 5, valueDigits: 5, measure: .weight, decimals: 3),
        ScalePattern(prefix: "22", itemDigits: 4, valueDigits: 5, measure: .price, decimals: 2),
    ]

    @Test("a scale's code says the article and what it weighs or costs")
    func scaleCodes() throws {
        let weighed = ScannedCode("2112345012506", scales: Self.scales)
        #expect(weighed.fault == nil)
        #expect(weighed.others == ["12345", "2112345"])
        #expect(weighed.quantity == (try Quantity("1.25")))
        // The digit between article and price is passed over.
        let priced = ScannedCode("2200427012992", scales: Self.scales)
        #expect(priced.fault == nil)
        #expect(priced.others == ["0042", "220042"])
        #expect(priced.amount == (try Money("12.99")))
        #expect(ScannedCode("2312345012500", scales: Self.scales).others == [])
        #expect(ScannedCode("2112345012506", scales: []).others == [])
    }

    @Test("a scale's code with a wrong check digit, or of nothing, is faulty and names no article")
    func faultyScaleCodes() {
        let wrong = ScannedCode("2112345012505", scales: Self.scales)
        #expect(wrong.fault?.code == .checkDigit)
        #expect(wrong.others == [])
        #expect(wrong.quantity == nil)
        let empty = ScannedCode("2112345000008", scales: Self.scales)
        #expect(empty.fault?.code == .outOfRange)
    }
}
