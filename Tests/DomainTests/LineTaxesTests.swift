import Domain
import Kernel
import Testing

@Suite("The taxes of a line")
struct LineTaxesTests {
    /// A line with its taxes as `name kind rate`, `+` before what is compound, and what has to come: `base amount` of each.
    struct Line: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let net: String
        var quantity = "1"
        var exponent = 2
        let isIncluded: Bool
        let taxes: [(rate: String, kind: TaxKind, isCompound: Bool)]
        let parts: [String]
    }

    private static let lines: [Line] = [
        Line(
            testDescription: "one percentage in the price",
            net: "121",
            isIncluded: true,
            taxes: [("21", .percent, false)],
            parts: ["100 21"]
        ),
        Line(
            testDescription: "one percentage on the price",
            net: "100",
            isIncluded: false,
            taxes: [("21", .percent, false)],
            parts: ["100 21"]
        ),
        Line(
            testDescription: "two percentages side by side have the same base",
            net: "100",
            isIncluded: false,
            taxes: [("5", .percent, false), ("9.975", .percent, false)],
            parts: ["100 5", "100 9.98"]
        ),
        Line(
            testDescription: "a compound one taxes the tax before it",
            net: "100",
            isIncluded: false,
            taxes: [("5", .percent, false), ("7.5", .percent, true)],
            parts: ["100 5", "105 7.88"]
        ),
        Line(
            testDescription: "and is taken out of the price again",
            net: "112.88",
            isIncluded: true,
            taxes: [("5", .percent, false), ("7.5", .percent, true)],
            parts: ["100 5", "105 7.88"]
        ),
        Line(
            testDescription: "an amount for each unit",
            net: "10",
            quantity: "2.5",
            isIncluded: false,
            taxes: [("0.37", .amountPerUnit, false)],
            parts: ["2.5 0.93"]
        ),
        Line(
            testDescription: "a percentage on an amount per unit before it",
            net: "10",
            quantity: "2",
            isIncluded: false,
            taxes: [("0.50", .amountPerUnit, false), ("20", .percent, true)],
            parts: ["2 1", "11 2.2"]
        ),
        Line(
            testDescription: "both in the price",
            net: "13.20",
            quantity: "2",
            isIncluded: true,
            taxes: [("0.50", .amountPerUnit, false), ("20", .percent, true)],
            parts: ["2 1", "11 2.2"]
        ),
        Line(
            testDescription: "the odd unit goes to the largest remainder",
            // 0.004 + 0.006 of a tax of 0.01
            net: "0.10",
            isIncluded: false,
            taxes: [("4", .percent, false), ("6", .percent, false)],
            parts: ["0.1 0", "0.1 0.01"]
        ),
        Line(
            testDescription: "of equal remainders to the first",
            net: "0.10",
            isIncluded: false,
            taxes: [("5", .percent, false), ("5", .percent, false)],
            parts: ["0.1 0.01", "0.1 0"]
        ),
        Line(
            testDescription: "in a currency without decimals",
            net: "1000",
            exponent: 0,
            isIncluded: true,
            taxes: [("8", .percent, false), ("2", .percent, false)],
            parts: ["909 73", "909 18"]
        ),
        Line(
            testDescription: "amounts per unit that are more than the price share it",
            net: "1",
            quantity: "10",
            isIncluded: true,
            taxes: [("0.30", .amountPerUnit, false), ("0.10", .amountPerUnit, false), ("21", .percent, false)],
            parts: ["10 0.75", "10 0.25", "0 0"]
        ),
        Line(
            testDescription: "what is given away has none but those by the unit",
            net: "0",
            quantity: "3",
            isIncluded: false,
            taxes: [("10", .percent, false), ("0.05", .amountPerUnit, false)],
            parts: ["0 0", "3 0.15"]
        ),
    ]

    private static func taxes(_ taxes: [(rate: String, kind: TaxKind, isCompound: Bool)]) throws -> LineTaxes {
        LineTaxes(
            try taxes.enumerated().map { index, tax in
                LineTax(name: "T\(index)", kind: tax.kind, rate: try Price(tax.rate), isCompound: tax.isCompound)
            },
            isIncluded: nil
        )
    }

    private static func text(_ part: LineTaxPart) -> String {
        switch part.base {
        case .amount(let base): "\(base) \(part.amount)"
        case .quantity(let base): "\(base) \(part.amount)"
        }
    }

    @Test("are what is written beside each", arguments: lines)
    func knownFigures(_ one: Line) throws {
        let parts = try Self.taxes(one.taxes).parts(
            of: Money(one.net),
            quantity: Quantity(one.quantity),
            exponent: one.exponent,
            isIncluded: one.isIncluded
        )
        #expect(parts.map(Self.text) == one.parts)
    }

    @Test("a group of one percentage is to the smallest unit what a rate alone comes to", arguments: [0, 2, 3])
    func oneRate(exponent: Int) throws {
        let seed: UInt64 = 20_261_128
        var generator = SplitMix(seed: seed)
        let unit = Money.smallestUnit(exponent: exponent).rawValue
        for round in 0..<20_000 {
            let digits = Int.random(in: 1...17, using: &generator)
            let net = Money(
                rawValue: Int64.random(in: 0...Rounding.power(digits), using: &generator) / unit * unit
            )
            // Beyond, parts of more than ten times a price can not be computed exactly, and are refused.
            let rate = TaxRate(rawValue: Int64.random(in: 0...2_000_000, using: &generator))
            let taxes = LineTaxes(
                [LineTax(name: "ΦΠΑ", rate: Price(rawValue: rate.rawValue * 100))],
                isIncluded: nil
            )
            for isIncluded in [true, false] {
                let parts = try taxes.parts(
                    of: net,
                    quantity: Quantity(rawValue: 1_000_000),
                    exponent: exponent,
                    isIncluded: isIncluded
                )
                let expected =
                    isIncluded
                    ? try rate.included(in: net, exponent: exponent) : try rate.added(to: net, exponent: exponent)
                #expect(parts.map(\.amount) == [expected], "seed \(seed), round \(round): \(net) at \(rate) %")
                let base = isIncluded ? try net.subtracting(expected) : net
                #expect(parts.map(\.base) == [.amount(base)])
            }
        }
    }

    @Test("for random groups: the parts add up to the line's tax, and none is more than a unit from what it is exactly")
    func sums() throws {
        let seed: UInt64 = 20_261_129
        var generator = SplitMix(seed: seed)
        for round in 0..<5000 {
            let exponent = Int.random(in: 0...4, using: &generator)
            let unit = Money.smallestUnit(exponent: exponent).rawValue
            let net = Money(rawValue: Int64.random(in: 0...10_000_000, using: &generator) * unit)
            let quantity = Quantity(rawValue: Int64.random(in: 1...90_000_000, using: &generator))
            let isIncluded = Bool.random(using: &generator)
            let taxes = (0..<Int.random(in: 1...10, using: &generator)).map { index -> LineTax in
                let isAmount = Int.random(in: 0..<4, using: &generator) == 0
                return LineTax(
                    name: "Ñ\(index)",
                    kind: isAmount ? .amountPerUnit : .percent,
                    rate: Price(rawValue: Int64.random(in: 0...300_000, using: &generator) * 100),
                    isCompound: Bool.random(using: &generator)
                )
            }
            let group = LineTaxes(taxes, isIncluded: isIncluded)
            let parts = try group.parts(of: net, quantity: quantity, exponent: exponent, isIncluded: isIncluded)
            #expect(parts.allSatisfy { !$0.amount.isNegative && $0.amount.fits(decimals: exponent) })
            let line = LineToPrice(
                quantity: Quantity(rawValue: 1_000_000),
                unitPrice: Price(rawValue: net.rawValue * 100)
            )
            guard line.quantity == quantity || taxes.allSatisfy({ $0.kind == .percent }) else { continue }
            var priced = line
            priced.taxes = group
            let sale = try PricedSale(
                lines: [priced],
                rules: PricingRules(exponent: exponent, pricesIncludeTax: !isIncluded)
            )
            let sum = parts.reduce(Int64(0)) { $0 + $1.amount.rawValue }
            #expect(sale.tax.rawValue == sum, "seed \(seed), round \(round)")
            #expect(sale.total.rawValue == net.rawValue + (isIncluded ? 0 : sum))
            // Computed apart, in floating point: the amounts here are small enough.
            var (shares, all) = ([Double](), 0.0)
            for tax in taxes {
                let rate = Double(tax.rate.rawValue) / 100_000_000
                shares.append(tax.isCompound ? rate * (1 + all) : rate)
                all += shares.last ?? 0
            }
            let base = isIncluded ? Double(net.rawValue) / (1 + all) : Double(net.rawValue)
            for (part, share) in zip(parts, shares) {
                let distance = abs(Double(part.amount.rawValue) - share * base) / Double(unit)
                #expect(distance < 1.01 + share * base * 1e-9, "seed \(seed), round \(round)")
            }
        }
    }

    @Test("what is too large for any column is refused with 422, and nothing traps")
    func overflow() throws {
        let largest = Price(rawValue: Price.largestRawValue)
        let percent = LineTax(name: "all", rate: Price(rawValue: 999_999_900), isCompound: true)
        let amount = LineTax(name: "each", kind: .amountPerUnit, rate: largest)
        let groups = [
            [amount], [amount, percent], Array(repeating: percent, count: 10), [percent, amount, percent],
            [percent, percent, percent], Array(repeating: amount, count: 10),
        ]
        for taxes in groups {
            for isIncluded in [true, false] {
                let line = LineToPrice(
                    quantity: Quantity(rawValue: Quantity.largestRawValue / 100),
                    unitPrice: Price(rawValue: 99_000_000),
                    taxes: LineTaxes(taxes, isIncluded: isIncluded)
                )
                do throws(Problem) {
                    let sale = try PricedSale(
                        lines: [line],
                        rules: PricingRules(exponent: 2, pricesIncludeTax: true)
                    )
                    #expect(sale.total.rawValue >= sale.tax.rawValue)
                } catch {
                    #expect(error.code == .validationFailed)
                }
            }
        }
    }
}
