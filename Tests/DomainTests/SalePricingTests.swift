import Domain
import Kernel
import Testing

@Suite("Pricing a sale")
struct SalePricingTests {
    private let included = PricingRules(exponent: 2, pricesIncludeTax: true)
    private let excluded = PricingRules(exponent: 2, pricesIncludeTax: false)

    private func line(
        _ quantity: String,
        _ price: String,
        discount: String = "0",
        tax: String = "0",
        decimals: Int = 6
    ) throws -> LineToPrice {
        LineToPrice(
            quantity: try Quantity(quantity),
            unitPrice: try Price(price),
            discount: try Money(discount),
            taxRate: try TaxRate(tax),
            unitDecimals: decimals
        )
    }

    @Test("tax is contained in prices that include it")
    func taxIncluded() throws {
        let sale = try PricedSale(lines: [line("2", "60.50", tax: "21")], rules: included)
        #expect(sale.lines[0].tax == (try Money("21")))
        #expect(sale.total == (try Money("121")))
        #expect(sale.subtotal == (try Money("121")))
    }

    @Test("tax is added to prices without it")
    func taxExcluded() throws {
        let sale = try PricedSale(lines: [line("2", "50", tax: "21")], rules: excluded)
        #expect(sale.tax == (try Money("21")))
        #expect(sale.total == (try Money("121")))
        #expect(sale.subtotal == (try Money("100")))
    }

    @Test("known figures: 0.07 x 1.35, 0.5 x 12.25, 0.333 x 12.25 and a box of 12 for 100.00")
    func knownFigures() throws {
        let sale = try PricedSale(
            lines: [line("0.07", "1.35"), line("0.5", "12.25"), line("0.333", "12.25"), line("12", "8.333333")],
            rules: included
        )
        #expect(sale.lines.map(\.gross.description) == ["0.09", "6.13", "4.08", "100"])
    }

    @Test(
        "currencies without and with three decimals",
        arguments: [(0, "3"), (2, "2.72"), (3, "2.723"), (4, "2.7225")]
    )
    func exponents(exponent: Int, expected: String) throws {
        let sale = try PricedSale(
            lines: [line("1.65", "1.65")],
            rules: PricingRules(exponent: exponent, pricesIncludeTax: true)
        )
        #expect(sale.total.description == expected)
    }

    @Test("a discount on three equal lines leaves its odd unit to the first")
    func threeEqualLines() throws {
        let sale = try PricedSale(
            lines: [line("1", "10"), line("1", "10"), line("1", "10")],
            documentDiscount: Money("10"),
            rules: included
        )
        #expect(sale.lines.map(\.documentDiscount.description) == ["3.34", "3.33", "3.33"])
        #expect(sale.discount == (try Money("10")))
        #expect(sale.total == (try Money("20")))
    }

    @Test("a discount of everything leaves nothing, and is no fault")
    func everything() throws {
        let sale = try PricedSale(
            lines: [line("1", "5", discount: "5", tax: "21"), line("3", "1.11")],
            documentDiscount: Money("3.33"),
            rules: included
        )
        #expect(sale.total == .zero)
        #expect(sale.tax == .zero)
        #expect(sale.discount == sale.subtotal)
    }

    @Test("every fault of a sale comes at once")
    func faults() throws {
        let problem = try #require(
            #expect(throws: Problem.self) {
                try PricedSale(
                    lines: [
                        line("1", "5", discount: "5.01"), line("0", "5"), line("1", "5", discount: "0.001"),
                        line("999999999999", "999999999999"),
                    ],
                    documentDiscount: Money("-1"),
                    rules: included
                )
            }
        )
        #expect(problem.code == .validationFailed)
        #expect(
            problem.errors.map(\.pointer) == [
                "/lines/0/discount", "/lines/1/quantity", "/lines/2/discount", "/lines/3/quantity", "/discount",
            ]
        )
    }

    @Test("a quantity with a decimal too many is refused, never rounded")
    func precision() throws {
        let problem = #expect(throws: Problem.self) {
            try PricedSale(lines: [line("1", "5", decimals: 0), line("1.5", "5", decimals: 0)], rules: included)
        }
        #expect(problem?.code == .quantityPrecision)
        #expect(problem?.errors.map(\.pointer) == ["/lines/1/quantity"])
    }

    @Test("a discount larger than what the lines leave is refused")
    func tooLarge() throws {
        let problem = #expect(throws: Problem.self) {
            try PricedSale(lines: [line("1", "5", discount: "4")], documentDiscount: Money("1.01"), rules: included)
        }
        #expect(problem?.errors.map(\.pointer) == ["/discount"])
    }

    @Test("for random sales: sums are sums of lines, shares sum to the discount, nothing falls below zero")
    func properties() throws {
        let seed: UInt64 = 20_261_121
        var generator = SplitMix(seed: seed)
        for round in 0..<3000 {
            let exponent = Int.random(in: 0...4, using: &generator)
            let unit = Money.smallestUnit(exponent: exponent).rawValue
            let rules = PricingRules(exponent: exponent, pricesIncludeTax: Bool.random(using: &generator))
            let lines = (0..<Int.random(in: 1...12, using: &generator)).map { _ -> LineToPrice in
                let quantity = Quantity(rawValue: Int64.random(in: 1...50_000_000, using: &generator))
                let price = Price(rawValue: Int64.random(in: 0...200_000_000, using: &generator))
                let gross = (try? price.times(quantity, exponent: exponent)) ?? .zero
                let own = Int64.random(in: 0...max(gross.rawValue / unit, 0), using: &generator) * unit
                return LineToPrice(
                    quantity: quantity,
                    unitPrice: price,
                    discount: Bool.random(using: &generator) ? Money(rawValue: own) : .zero,
                    taxRate: TaxRate(rawValue: Int64.random(in: 0...300_000, using: &generator))
                )
            }
            let plain = try PricedSale(lines: lines, rules: PricingRules(exponent: exponent, pricesIncludeTax: true))
            let discount = Money(
                rawValue: Int64.random(in: 0...(plain.total.rawValue / unit), using: &generator) * unit
            )
            let sale = try PricedSale(lines: lines, documentDiscount: discount, rules: rules)
            let shares = sale.lines.reduce(0) { $0 + $1.documentDiscount.rawValue }
            #expect(shares == discount.rawValue, "seed \(seed), round \(round)")
            #expect(sale.subtotal.rawValue == sale.lines.reduce(0) { $0 + $1.gross.rawValue })
            #expect(sale.tax.rawValue == sale.lines.reduce(0) { $0 + $1.tax.rawValue })
            #expect(sale.total.rawValue == sale.lines.reduce(0) { $0 + $1.total.rawValue })
            #expect(
                sale.lines.allSatisfy { line in
                    let reduced = line.discount.rawValue + line.documentDiscount.rawValue
                    return line.tax.rawValue >= 0 && line.total.rawValue >= 0 && reduced <= line.gross.rawValue
                        && line.total.fits(decimals: exponent) && line.tax.fits(decimals: exponent)
                        && line.documentDiscount.fits(decimals: exponent)
                },
                "seed \(seed), round \(round)"
            )
        }
    }
}

@Suite("Settling a sale")
struct SettlementTests {
    private func tender(_ amount: String, _ method: PaymentMethodCode = .cash, tendered: String? = nil) throws -> Tender
    {
        Tender(method: method, amount: try Money(amount), tendered: try tendered.map { try Money($0) })
    }

    /// Settles a sale, paid by the methods that every shop has.
    private func settle(
        _ total: String,
        _ tenders: [Tender],
        rounding: String = "0",
        hasCustomer: Bool = false,
        exponent: Int = 2
    ) throws -> Settlement {
        try Settlement(
            total: Money(total),
            tenders: tenders,
            isCash: tenders.map { $0.method == .cash },
            rounding: CashRounding(step: Money(rounding)),
            hasCustomer: hasCustomer,
            exponent: exponent
        )
    }

    @Test("mixed tender with change")
    func mixed() throws {
        let settlement = try settle("25.00", [tender("10", .card), tender("15", tendered: "20")])
        #expect(settlement.paid == (try Money("25")))
        #expect(settlement.due == .zero)
        #expect(settlement.change == (try Money("5")))
    }

    @Test("what is not paid stays due, for a customer")
    func partial() throws {
        let settlement = try settle("25", [tender("10")], hasCustomer: true)
        #expect(settlement.due == (try Money("15")))
    }

    @Test("0.01 short needs a customer; 0.01 over is refused for everybody")
    func short() throws {
        let short = #expect(throws: Problem.self) {
            try settle("25", [tender("24.99")])
        }
        #expect(short?.code == .creditNeedsCustomer)
        let over = #expect(throws: Problem.self) {
            try settle("25", [tender("25.01")], hasCustomer: true)
        }
        #expect(over?.code == .paymentMismatch)
    }

    @Test(
        "a problem tells amounts with the decimals of the currency",
        arguments: [(0, "25", "10"), (2, "25.00", "10.00")]
    )
    func told(exponent: Int, whole: String, part: String) throws {
        func settle(_ amount: String, of total: String) throws {
            _ = try self.settle(total, [tender(amount, .card)], exponent: exponent)
        }
        let short = try #require(#expect(throws: Problem.self) { try settle("10", of: "25") })
        #expect(short.detail.contains("add up to \(part) of \(whole)."))
        #expect(short.errors.first?.detail == "Adds up to \(part), less than the total of \(whole).")
        let over = try #require(#expect(throws: Problem.self) { try settle("25", of: "10") })
        #expect(over.detail.contains("add up to \(whole), the sale to \(part)."))
        #expect(over.errors.first?.detail == "Adds up to \(whole), more than the total of \(part).")
        var errors: [FieldError] = []
        try tender("25", tendered: "10").check(at: "", kind: .cash, exponent: exponent, into: &errors)
        #expect(errors.first?.detail == "Must cover the amount of \(whole).")
        let line = LineToPrice(quantity: try Quantity("1"), unitPrice: try Price("10"), discount: try Money("25"))
        let priced = try #require(
            #expect(throws: Problem.self) {
                try PricedSale(lines: [line], rules: PricingRules(exponent: exponent, pricesIncludeTax: true))
            }
        )
        #expect(priced.errors.first?.detail == "Must be at most the line's amount of \(part).")
    }

    @Test("a sale of nothing needs no payment")
    func nothing() throws {
        let settlement = try settle("0", [])
        #expect(settlement.due == .zero)
    }

    @Test(
        "cash that comes to the nearest coins settles a sale, and the difference is told",
        arguments: [
            // total, step, exponent, cash, rounding
            ("10.02", "0.05", 2, "10.00", "-0.02"), ("10.03", "0.05", 2, "10.05", "0.02"),
            ("10.05", "0.05", 2, "10.05", "0"), ("10.05", "0.10", 2, "10.10", "0.05"),
            ("10.04", "0.10", 2, "10.00", "-0.04"), ("0.50", "1", 2, "1.00", "0.50"), ("1.49", "1", 2, "1", "-0.49"),
            ("2.50", "1", 2, "3", "0.50"), ("1234", "50", 0, "1250", "16"), ("1225", "50", 0, "1250", "25"),
            ("1.024", "0.005", 3, "1.025", "0.001"), ("1.0225", "0.005", 4, "1.025", "0.0025"),
            ("10.02", "0", 2, "10.02", "0"),
        ]
    )
    func rounded(total: String, step: String, exponent: Int, cash: String, rounding: String) throws {
        for hasCustomer in [false, true] {
            let settlement = try settle(
                total,
                [tender(cash)],
                rounding: step,
                hasCustomer: hasCustomer,
                exponent: exponent
            )
            #expect(settlement.rounding == (try Money(rounding)))
            #expect(settlement.paid == (try Money(cash)))
            #expect(settlement.due == .zero)
            #expect(settlement.rounded == (settlement.rounding.isZero ? nil : 0))
        }
    }

    @Test(
        "cash that is not what the nearest coins come to is refused, though it may be the total",
        arguments: [
            // total, cash, whether somebody may owe the rest, the code
            ("10.02", "10.02", false, "exceeds_total"), ("10.02", "10.02", true, "exceeds_total"),
            ("10.02", "10.01", true, "exceeds_total"), ("10.03", "10.03", false, "short"),
            ("10.03", "10.03", true, "short"), ("10.03", "10.04", true, "short"),
            ("10.03", "10.06", true, "exceeds_total"),
            ("10.02", "9.99", false, "short"),
        ]
    )
    func unrounded(total: String, cash: String, hasCustomer: Bool, code: String) throws {
        let refusal = #expect(throws: Problem.self) {
            try settle(total, [tender(cash)], rounding: "0.05", hasCustomer: hasCustomer)
        }
        #expect(refusal?.errors.map(\.code.rawValue) == [code])
    }

    @Test("of mixed payments only what the others leave to cash is rounded, on its largest part")
    func mixedRounding() throws {
        let mixed = try settle("10.02", [tender("5.01", .card), tender("5")], rounding: "0.05")
        #expect(mixed.rounding == (try Money("-0.01")))
        #expect(mixed.rounded == 1)
        let parts = try settle(
            "10.03",
            [tender("1", .card), tender("2.05"), tender("5"), tender("2")],
            rounding: "0.05"
        )
        #expect(parts.rounding == (try Money("0.02")))
        #expect(parts.rounded == 2)
        // A card pays every amount.
        let card = try settle("10.02", [tender("10.02", .card)], rounding: "0.05")
        #expect(card.rounding == .zero)
        #expect(throws: Problem.self) { try settle("10.02", [tender("10", .card)], rounding: "0.05") }
        // Nothing is left for cash.
        #expect(throws: Problem.self) {
            try settle("10.02", [tender("10.02", .card), tender("0.01")], rounding: "0.05")
        }
    }

    @Test("what somebody owes is not rounded, whatever is paid of it")
    func owed() throws {
        let owed = try settle("10.02", [tender("5")], rounding: "0.05", hasCustomer: true)
        #expect(owed.rounding == .zero)
        #expect(owed.due == (try Money("5.02")))
        #expect(try settle("0.02", [], rounding: "0.05", hasCustomer: true).due == Money("0.02"))
    }

    @Test("a total that comes to no coin needs no payment of a walk-in")
    func fewerThanACoin() throws {
        let settlement = try settle("0.02", [], rounding: "0.05")
        #expect(settlement.rounding == (try Money("-0.02")))
        #expect(settlement.rounded == nil)
        #expect(settlement.due == .zero)
        #expect(throws: Problem.self) { try settle("0.03", [], rounding: "0.05") }
        #expect(throws: Problem.self) { try settle("0.02", [], rounding: "0") }
    }

    @Test("cash in parts smaller than what it is rounded by is refused")
    func crumbs() throws {
        let refusal = try #require(
            #expect(throws: Problem.self) {
                try settle("0.20", Array(repeating: tender("0.02"), count: 20), rounding: "0.40")
            }
        )
        #expect(refusal.errors.map(\.pointer) == ["/payments/0/amount"])
    }

    @Test("a total that no column holds once it is rounded is refused")
    func tooLarge() throws {
        let largest = Money(rawValue: Money.largestRawValue)
        #expect(throws: NumberError.self) { try CashRounding(step: Money("1000000")).rounded(largest) }
        #expect(throws: Problem.self) {
            try settle(largest.description, [tender("1")], rounding: "1000000", exponent: 4)
        }
    }

    @Test("a tip is beside the amount: cash handed over covers both, and neither total nor due knows it")
    func tips() throws {
        var tipped = try tender("8", tendered: "10")
        tipped.tip = try Money("1.50")
        #expect(tipped.change == (try Money("0.50")))
        let settlement = try settle("8", [tipped])
        #expect(settlement.paid == (try Money("8")))
        #expect(settlement.change == (try Money("0.50")))
        var errors: [FieldError] = []
        tipped.check(at: "", kind: .cash, exponent: 2, into: &errors)
        #expect(errors.isEmpty)
        for (tip, code) in [
            ("2.01", "tendered too_low"), ("-1", "tip out_of_range"), ("0.001", "tip too_many_decimals"),
        ] {
            var wrong = tipped
            wrong.tip = try Money(tip)
            errors = []
            wrong.check(at: "", kind: .cash, exponent: 2, into: &errors)
            #expect(errors.map { "\($0.pointer.dropFirst()) \($0.code)" } == [code])
        }
        var largest = Tender(method: .card, amount: Money(rawValue: Money.largestRawValue), tip: try Money("1"))
        errors = []
        largest.check(at: "", kind: .card, exponent: 2, into: &errors)
        #expect(errors.map(\.code).contains(.outOfRange))
        largest.tip = .zero
        errors = []
        largest.check(at: "", kind: .card, exponent: 4, into: &errors)
        #expect(errors.isEmpty)
    }

    @Test(
        "a code of a payment method is a short lower-case slug, and not the word for all of them",
        arguments: [
            ("cash", true), ("mercadopago", true), ("vale_2", true), (String(repeating: "a", count: 40), true),
            (String(repeating: "a", count: 41), false), ("", false), ("all", false), ("Cash", false), ("café", false),
            ("a-b", false), ("a b", false), ("a\n", false), ("all_", true),
        ]
    )
    func codes(text: String, isOne: Bool) {
        #expect((PaymentMethodCode(rawValue: text) != nil) == isOne)
    }

    @Test("a tender is above zero, at the exponent, and covered by the cash handed over")
    func tenders() throws {
        var errors: [FieldError] = []
        try tender("0").check(at: "/payments/0", kind: .cash, exponent: 2, into: &errors)
        try tender("1.001").check(at: "/payments/1", kind: .cash, exponent: 2, into: &errors)
        try tender("5", tendered: "4.99").check(at: "/payments/2", kind: .cash, exponent: 2, into: &errors)
        try tender("5", .card, tendered: "5").check(at: "/payments/3", kind: .card, exponent: 2, into: &errors)
        try tender("5", tendered: "5").check(at: "/payments/4", kind: .cash, exponent: 2, into: &errors)
        #expect(
            errors.map { "\($0.pointer) \($0.code)" } == [
                "/payments/0/amount out_of_range", "/payments/1/amount too_many_decimals",
                "/payments/2/tendered too_low", "/payments/3/tendered not_allowed",
            ]
        )
    }
}

/// A small random generator that repeats itself from its seed (SplitMix64).
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
