import Kernel
import Testing

@Suite("Fixed-point numbers")
struct FixedPointTests {
    @Test(
        "decimal text is read exactly",
        arguments: [
            ("0", 0), ("12.50", 125_000), ("-0.0001", -1), ("0.5", 5000), ("-0", 0),
            ("99999999999999.9999", Money.largestRawValue),
        ]
    )
    func reads(text: String, raw: Int64) throws {
        #expect(try Money(text).rawValue == raw)
        #expect(try Money(utf8: Array(text.utf8)).rawValue == raw)
    }

    @Test(
        "what is no decimal number is refused",
        arguments: ["1e3", "+1", "1,5", ".5", "5.", "-", "1.2.3", " 1", "1 ", "0x1", "NaN", "--1", "1-", "١"]
    )
    func refuses(text: String) {
        #expect(throws: NumberError.malformed) { try Money(text) }
    }

    @Test(
        "zeros before other digits are refused, and the reason is said",
        arguments: ["010.00", "00.5", "-01", "007", "00"]
    )
    func leadingZeros(text: String) {
        #expect(throws: NumberError.leadingZero) { try Money(text) }
        #expect(NumberError.leadingZero.description.contains("zero"))
    }

    @Test("nothing is refused as empty")
    func empty() {
        #expect(throws: NumberError.empty) { try Quantity("") }
    }

    @Test("decimals beyond the limit are refused, zeros too")
    func tooManyDecimals() {
        #expect(throws: NumberError.tooManyDecimals(allowed: 4)) { try Money("1.00000") }
        #expect(throws: NumberError.tooManyDecimals(allowed: 2)) { try Money("1.000", maximumDecimals: 2) }
        #expect(throws: NumberError.tooManyDecimals(allowed: 0)) { try Quantity("1.0", maximumDecimals: 0) }
    }

    @Test("what no column holds is out of range and never traps")
    func outOfRange() {
        #expect(throws: NumberError.outOfRange) { try Money("100000000000000") }
        #expect(throws: NumberError.outOfRange) { try Money(String(repeating: "9", count: 400)) }
        #expect(throws: NumberError.outOfRange) { try TaxRate("1000") }
        #expect(throws: NumberError.outOfRange) {
            try Money(rawValue: Money.largestRawValue).adding(Money(rawValue: 1))
        }
        #expect(throws: NumberError.outOfRange) {
            try Price(rawValue: Price.largestRawValue).times(Quantity(rawValue: Quantity.largestRawValue), exponent: 2)
        }
    }

    @Test("text shows the decimals asked for and cuts only zeros beyond them")
    func formats() throws {
        #expect(Money.zero.text(minimumDecimals: 2) == "0.00")
        #expect(try Money("12.5").text(minimumDecimals: 2) == "12.50")
        #expect(try Money("-0.05").text(minimumDecimals: 2) == "-0.05")
        #expect(try Price("8.333333").text(minimumDecimals: 2) == "8.333333")
        #expect(try Quantity("10.000").description == "10")
        #expect(try Quantity("0.333000").description == "0.333")
        #expect(try Quantity("100").description == "100")
    }

    @Test("text read back is the same number")
    func roundTrip() throws {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<20_000 {
            let raw = Int64.random(in: -Quantity.largestRawValue...Quantity.largestRawValue, using: &generator)
            let shift = Rounding.power(Int.random(in: 0...17, using: &generator))
            let quantity = Quantity(rawValue: raw / shift)
            #expect(try Quantity(quantity.description) == quantity)
        }
    }

    @Test(
        "halves round away from zero",
        arguments: [
            (5, 10, 1), (-5, 10, -1), (4, 10, 0), (-4, 10, 0), (15, 10, 2), (25, 10, 3), (-25, 10, -3), (1, 3, 0),
        ]
    )
    func rounding(numerator: Int, denominator: Int, expected: Int) {
        #expect(Rounding.divide(Int128(numerator), by: Int128(denominator)) == Int128(expected))
    }

    @Test("0.5 x 12.25 is 6.13 and 0.333 x 12.25 is 4.08")
    func lineGross() throws {
        #expect(try Price("12.25").times(Quantity("0.5"), exponent: 2) == Money("6.13"))
        #expect(try Price("12.25").times(Quantity("0.333"), exponent: 2) == Money("4.08"))
        #expect(try Price("1.5").times(Quantity("1"), exponent: 0) == Money("2"))
    }

    @Test("tax is contained in or added to an amount")
    func tax() throws {
        let rate = try TaxRate("21")
        #expect(try rate.included(in: Money("121"), exponent: 2) == Money("21"))
        #expect(try rate.included(in: Money("1.99"), exponent: 2) == Money("0.35"))
        #expect(try rate.added(to: Money("1.99"), exponent: 2) == Money("0.42"))
        #expect(try TaxRate("0").included(in: Money("5"), exponent: 2) == Money("0"))
        #expect(try rate.added(to: Money("5"), exponent: 0) == Money("1"))
    }

    @Test("a number fits as many decimals as it shows")
    func fits() throws {
        #expect(try Quantity("0.333").fits(decimals: 3))
        #expect(try !Quantity("0.333").fits(decimals: 2))
        #expect(try Quantity("3").fits(decimals: 0))
        #expect(try Money("1.5").rounded(to: 0) == Money("2"))
    }

    @Test(
        "currencies have the exponents of ISO 4217",
        arguments: [("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("uyu", 2), ("GBP", 2), ("CLP", 0)]
    )
    func currencies(code: String, exponent: Int) throws {
        let currency = try #require(Currency(code: code))
        #expect(currency.exponent == exponent)
        #expect(currency.code == code.uppercased())
    }

    @Test("unknown currencies are none", arguments: ["", "EU", "EURO", "XXX", "ÄÖÜ", "123"])
    func unknownCurrency(code: String) {
        #expect(Currency(code: code) == nil)
    }
}

/// A small random generator that repeats itself from its seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        // SplitMix64.
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
