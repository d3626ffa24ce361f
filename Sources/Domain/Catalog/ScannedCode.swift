package import Kernel

/// How a shop's scales write what they have weighed into an EAN-13: two digits that say so, the code of the article, what it weighs
/// or costs, and the check digit (General Specifications, 2.1.12.2: the prefixes 20 to 29 are for use within a company).
package struct ScalePattern: Sendable, Hashable {
    /// What the figure in the code is.
    package enum Measure: String, Sendable, Hashable, CaseIterable {
        /// How much there is, in the product's unit.
        case weight
        /// What it costs.
        case price
    }

    /// The two digits in front, 20 to 29.
    package let prefix: String
    /// How many digits the code of the article has, which follows the prefix.
    package let itemDigits: Int
    /// How many digits the figure has, which comes before the check digit; what is between both is passed over.
    package let valueDigits: Int
    /// What the figure is.
    package let measure: Measure
    /// How many of its digits are decimals: 3 where grams are weighed of what is sold by the kilogram.
    package let decimals: Int

    /// Makes a pattern.
    package init(prefix: String, itemDigits: Int, valueDigits: Int, measure: Measure, decimals: Int) {
        self.prefix = prefix
        self.itemDigits = itemDigits
        self.valueDigits = valueDigits
        self.measure = measure
        self.decimals = decimals
    }

    /// Whether a code may be of some scale: 13 digits, the first of which is 2.
    package static func mayFit(_ code: String) -> Bool {
        code.utf8.count == 13 && code.utf8.first == UInt8(ascii: "2")
            && code.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    /// Whether a code is one of these.
    func fits(_ code: String) -> Bool {
        Self.mayFit(code) && code.hasPrefix(prefix) && prefix.utf8.count + itemDigits + valueDigits <= 12
    }
}

/// What a code says that was scanned or typed: by which codes of the catalogue its product is found, and what is in it besides.
///
/// A code that is in the catalogue as it is, is that; what it says otherwise counts where it is not.
package struct ScannedCode: Sendable, Hashable {
    /// The code as it is.
    package let text: String
    /// The codes of the product that it names otherwise; none for a code that is nothing but that.
    package private(set) var others: [String] = []
    /// How much of the product's unit there is, if it says so.
    package private(set) var quantity: Quantity?
    /// What it costs, if it says so.
    package private(set) var amount: Money?
    /// The batch or lot, if it says so.
    package private(set) var lot: String?
    /// Until when it is good, if it says so.
    package private(set) var expiresOn: BusinessDay?
    /// Why it names nothing but what has it as it is.
    package private(set) var fault: ReadingFault?

    /// Reads a code.
    ///
    /// - Parameters:
    ///   - text: The code.
    ///   - scales: How the shop's scales write theirs.
    package init(_ text: String, scales: [ScalePattern]) {
        self.text = text
        do throws(ReadingFault) {
            if let pattern = scales.first(where: { $0.fits(text) }) {
                try read(by: pattern)
            } else if let elements = try GS1ElementString.read(text) {
                others = elements.codes
                quantity = elements.weight
                amount = elements.amount
                lot = elements.lot
                expiresOn = elements.expiresOn
            }
            if quantity?.isZero == true || amount?.isZero == true {
                throw ReadingFault(.outOfRange, "\(text) says that there is nothing.")
            }
        } catch {
            fault = error
        }
    }

    private mutating func read(by pattern: ScalePattern) throws(ReadingFault) {
        guard GS1CheckDigit.holds(Array(text.utf8)) else {
            throw ReadingFault(.checkDigit, "The check digit of \(text) is not right.")
        }
        let item = text.dropFirst(pattern.prefix.utf8.count).prefix(pattern.itemDigits)
        let value = text.dropLast().suffix(pattern.valueDigits)
        do throws(NumberError) {
            switch pattern.measure {
            case .weight: quantity = try Quantity(digits: value.utf8, decimals: pattern.decimals)
            case .price: amount = try Money(digits: value.utf8, decimals: pattern.decimals)
            }
        } catch {
            throw ReadingFault(.format, "\(text) says no \(pattern.measure.rawValue) that can be counted.")
        }
        others = [String(item), pattern.prefix + item]
    }
}
