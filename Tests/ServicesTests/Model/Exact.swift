/// An amount in the currency's smallest unit.
typealias Minor = Int

/// A price, a cost or a quantity, in millionths.
typealias Micro = Int

/// The arithmetic of the model: integers, written from docs/numbers.md alone and sharing nothing with what it is held against.
enum Exact {
    /// One, in millionths.
    static let one: Micro = 1_000_000

    /// A quotient rounded half away from zero; the divisor is above zero.
    static func divide(_ dividend: Int128, by divisor: Int128) -> Int {
        let half = divisor / 2 + divisor % 2
        let magnitude = Int128(dividend.magnitude)
        let (quotient, rest) = magnitude.quotientAndRemainder(dividingBy: divisor)
        let rounded = quotient + (rest >= half ? 1 : 0)
        return Int(dividend < 0 ? -rounded : rounded)
    }

    /// A power of ten.
    static func ten(_ exponent: Int) -> Int128 { (0..<exponent).reduce(1) { power, _ in power * 10 } }

    /// Quantity times price, in the smallest unit of a currency of so many decimals.
    static func amount(_ quantity: Micro, at price: Micro, decimals: Int) -> Minor {
        divide(Int128(quantity) * Int128(price), by: ten(12 - decimals))
    }

    /// Shares of a whole in proportion to weights, the largest remainders first, ties to the earlier one.
    static func spread(_ whole: Int, over weights: [Int]) -> [Int] {
        let sum = weights.reduce(Int128(0)) { $0 + Int128($1) }
        guard whole > 0, sum > 0 else { return weights.map { _ in 0 } }
        return apportion(whole, of: weights.map { Int128(whole) * Int128($0) }, over: sum)
    }

    /// Fractions over one denominator in whole numbers that add up to their sum: the largest remainders first, ties to the earlier one.
    static func apportion(_ sum: Int, of fractions: [Int128], over denominator: Int128) -> [Int] {
        var shares: [Int] = []
        var rests: [(rest: Int128, place: Int)] = []
        for (place, fraction) in fractions.enumerated() {
            let (share, rest) = fraction.quotientAndRemainder(dividingBy: denominator)
            shares.append(Int(share))
            rests.append((rest, place))
        }
        rests.sort { ($1.rest, $0.place) < ($0.rest, $1.place) }
        for (_, place) in rests.prefix(max(0, sum - shares.reduce(0, +))) { shares[place] += 1 }
        return shares
    }

    /// The multiple of a step that is nearest, half away from zero; the amount itself without a step.
    static func round(_ amount: Minor, to step: Minor) -> Minor {
        step > 0 ? divide(Int128(amount), by: Int128(step)) * step : amount
    }

    /// Decimal text of a number that counts `10^-scale`.
    static func text(_ value: Int, scale: Int) -> String {
        let digits = String(value.magnitude)
        let padded = String(repeating: "0", count: max(scale + 1 - digits.count, 0)) + digits
        let whole = padded.dropLast(scale)
        return (value < 0 ? "-" : "") + whole + (scale > 0 ? "." + padded.suffix(scale) : "")
    }

    /// The number that decimal text says, in `10^-scale`; nil if it says none, or more decimals than that.
    static func number(_ text: some StringProtocol, scale: Int) -> Int? {
        let isNegative = text.hasPrefix("-")
        let parts = text.drop { $0 == "-" }.split(separator: ".", omittingEmptySubsequences: false)
        guard let whole = parts.first, parts.count <= 2 else { return nil }
        var decimals = parts.count == 2 ? String(parts[1]) : ""
        while decimals.count > scale, decimals.hasSuffix("0") { decimals.removeLast() }
        guard decimals.count <= scale else { return nil }
        decimals += String(repeating: "0", count: scale - decimals.count)
        return Int(whole + decimals).map { isNegative ? -$0 : $0 }
    }
}

/// Random numbers that a seed repeats.
struct ModelRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// True in so many of a hundred times.
    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

    /// One of a range.
    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
}
