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
    private func tender(_ amount: String, _ method: PaymentMethod = .cash, tendered: String? = nil) throws -> Tender {
        Tender(method: method, amount: try Money(amount), tendered: try tendered.map { try Money($0) })
    }

    @Test("mixed tender with change")
    func mixed() throws {
        let settlement = try Settlement(
            total: Money("25.00"),
            tenders: [tender("10", .card), tender("15", tendered: "20")],
            hasCustomer: false,
            exponent: 2
        )
        #expect(settlement.paid == (try Money("25")))
        #expect(settlement.due == .zero)
        #expect(settlement.change == (try Money("5")))
    }

    @Test("what is not paid stays due, for a customer")
    func partial() throws {
        let settlement = try Settlement(total: Money("25"), tenders: [tender("10")], hasCustomer: true, exponent: 2)
        #expect(settlement.due == (try Money("15")))
    }

    @Test("0.01 short needs a customer; 0.01 over is refused for everybody")
    func short() throws {
        let short = #expect(throws: Problem.self) {
            try Settlement(total: Money("25"), tenders: [tender("24.99")], hasCustomer: false, exponent: 2)
        }
        #expect(short?.code == .creditNeedsCustomer)
        let over = #expect(throws: Problem.self) {
            try Settlement(total: Money("25"), tenders: [tender("25.01")], hasCustomer: true, exponent: 2)
        }
        #expect(over?.code == .paymentMismatch)
    }

    @Test(
        "a problem tells amounts with the decimals of the currency",
        arguments: [(0, "25", "10"), (2, "25.00", "10.00")]
    )
    func told(exponent: Int, whole: String, part: String) throws {
        func settle(_ amount: String, of total: String) throws {
            let paid = Tender(method: .card, amount: try Money(amount))
            _ = try Settlement(total: Money(total), tenders: [paid], hasCustomer: false, exponent: exponent)
        }
        let short = try #require(#expect(throws: Problem.self) { try settle("10", of: "25") })
        #expect(short.detail.contains("add up to \(part) of \(whole)."))
        #expect(short.errors.first?.detail == "Adds up to \(part), less than the total of \(whole).")
        let over = try #require(#expect(throws: Problem.self) { try settle("25", of: "10") })
        #expect(over.detail.contains("add up to \(whole), the sale to \(part)."))
        #expect(over.errors.first?.detail == "Adds up to \(whole), more than the total of \(part).")
        var errors: [FieldError] = []
        try tender("25", tendered: "10").check(at: "", exponent: exponent, into: &errors)
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
        let settlement = try Settlement(total: .zero, tenders: [], hasCustomer: false, exponent: 2)
        #expect(settlement.due == .zero)
    }

    @Test("a tender is above zero, at the exponent, and covered by the cash handed over")
    func tenders() throws {
        var errors: [FieldError] = []
        try tender("0").check(at: "/payments/0", exponent: 2, into: &errors)
        try tender("1.001").check(at: "/payments/1", exponent: 2, into: &errors)
        try tender("5", tendered: "4.99").check(at: "/payments/2", exponent: 2, into: &errors)
        try tender("5", .card, tendered: "5").check(at: "/payments/3", exponent: 2, into: &errors)
        try tender("5", tendered: "5").check(at: "/payments/4", exponent: 2, into: &errors)
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
