package import Kernel

/// The check digit that ends the keys of GS1 (General Specifications, 7.9).
package enum GS1CheckDigit {
    /// Whether the last digit is the one that follows from the others.
    ///
    /// - Parameter digits: ASCII digits; anything else holds for nothing.
    /// - Returns: Whether it does.
    package static func holds(_ digits: some BidirectionalCollection<UInt8>) -> Bool {
        guard digits.count > 1, digits.allSatisfy(\.isDigit) else { return false }
        var sum = 0
        // From the right, the check digit first: it counts once, the one beside it three times, and so on.
        for (index, digit) in digits.reversed().enumerated() {
            sum += Int(digit - UInt8(ascii: "0")) * (index.isMultiple(of: 2) ? 1 : 3)
        }
        return sum.isMultiple(of: 10)
    }
}

extension UInt8 {
    /// Whether it is an ASCII digit.
    fileprivate var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }
}

extension FixedPoint {
    /// A figure of digits, the last of which are decimals.
    ///
    /// - Parameters:
    ///   - digits: ASCII digits.
    ///   - decimals: How many of them are decimals; there may be more of these than digits.
    /// - Throws: If it has more decimals than the type, or is larger than it holds.
    init(digits: some BidirectionalCollection<UInt8>, decimals: Int) throws(NumberError) {
        let zeros = String(repeating: "0", count: max(decimals + 1 - digits.count, 0))
        let text = zeros + String(decoding: digits, as: UTF8.self)
        let whole = text.dropLast(decimals).drop { $0 == "0" }
        let fraction = text.suffix(decimals)
        try self.init("\(whole.isEmpty ? "0" : whole)\(decimals == 0 ? "" : ".\(fraction)")")
    }
}

/// What a GS1-128, a GS1 DataMatrix or the like says: application identifiers, each with its value (General Specifications, 3 and
/// 7.8).
///
/// It comes as scanners transmit it, with or without the identifier of the symbology, FNC1 as the character 29; or as it is printed
/// for people, with parentheses.
package struct GS1ElementString: Sendable, Hashable {
    /// What separates elements, as FNC1 is transmitted.
    package static let separator: Unicode.Scalar = "\u{1D}"

    /// The product: 14 digits, whose last one was verified.
    package let gtin: String
    /// What it weighs, in kilograms (310n).
    package private(set) var weight: Quantity?
    /// What it costs (392n).
    package private(set) var amount: Money?
    /// Its batch or lot (10).
    package private(set) var lot: String?
    /// Until when it is good (17); a day of 00 is the last of its month.
    package private(set) var expiresOn: BusinessDay?

    /// Reads a code.
    ///
    /// - Parameter code: As it was scanned or typed.
    /// - Returns: What it says; nil if it is no such code.
    /// - Throws: Why one that is says nothing that can be sold by.
    package static func read(_ code: String) throws(ReadingFault) -> GS1ElementString? {
        let bytes = Array(code.utf8)
        if let elements = try printed(bytes) { return try GS1ElementString(elements) }
        let (data, isMarked) = withoutMarks(bytes)
        // Without a mark it is told by what it must begin with: a product, whose number is right.
        guard isMarked || data.count >= 16 && data.starts(with: Array("01".utf8)) && GS1CheckDigit.holds(data[2..<16])
        else { return nil }
        return try GS1ElementString(try transmitted(data))
    }

    private init(_ elements: [Element]) throws(ReadingFault) {
        var gtin: String?
        for element in elements {
            switch element.identifier {
            case "01":
                guard element.value.count == 14, element.value.allSatisfy(\.isDigit) else {
                    throw element.fault("has 14 digits")
                }
                guard GS1CheckDigit.holds(element.value) else {
                    throw ReadingFault(.checkDigit, "The check digit of (01)\(element.text) is not right.")
                }
                guard gtin == nil || gtin == element.text else { throw element.fault("is one product") }
                gtin = element.text
            case "10":
                guard (1...20).contains(element.value.count) else { throw element.fault("has 1 to 20 characters") }
                lot = element.text
            case "17":
                expiresOn = try element.day()
            case let identifier where identifier.hasPrefix("310"):
                weight = try element.figure(digits: 6...6)
            case let identifier where identifier.hasPrefix("392"):
                amount = try element.figure(digits: 1...15)
            case let identifier where ["31", "32", "33", "34", "35", "36", "39"].contains(identifier.prefix(2)):
                throw ReadingFault(
                    .format,
                    "What (\(identifier)) measures is not sold by; (310n) is a weight in kilograms, (392n) a price."
                )
            default:
                break
            }
        }
        guard let gtin else { throw ReadingFault(.format, "The code names no product: it has no (01).") }
        self.gtin = gtin
    }

    /// The number as it may be written on the product and in the catalogue: with 14 digits, or without the zeros that fill shorter
    /// ones up to them.
    package var codes: [String] {
        var codes = [gtin]
        for length in [13, 12, 8] where gtin.dropLast(length).allSatisfy({ $0 == "0" }) {
            codes.append(String(gtin.suffix(length)))
        }
        return codes
    }
}

// MARK: Elements

extension GS1ElementString {
    /// An application identifier with its value.
    private struct Element {
        let identifier: String
        let value: ArraySlice<UInt8>

        var text: String { String(decoding: value, as: UTF8.self) }

        func fault(_ rule: String) -> ReadingFault {
            ReadingFault(.format, "What follows (\(identifier)) \(rule), not \"\(text)\".")
        }

        /// A number whose decimals the last digit of the identifier says.
        func figure<Figure: FixedPoint>(digits: ClosedRange<Int>) throws(ReadingFault) -> Figure {
            guard digits.contains(value.count), value.allSatisfy(\.isDigit), let last = identifier.utf8.last else {
                throw fault("is a number")
            }
            do throws(NumberError) {
                return try Figure(digits: value, decimals: Int(last - UInt8(ascii: "0")))
            } catch {
                throw fault("is a figure that can be counted")
            }
        }

        /// A day: YYMMDD, of this century.
        func day() throws(ReadingFault) -> BusinessDay {
            guard value.count == 6, value.allSatisfy(\.isDigit), let number = Int(text) else {
                throw fault("is a day, YYMMDD")
            }
            let (year, month, day) = (2000 + number / 10_000, number / 100 % 100, number % 100)
            let found =
                day > 0
                ? BusinessDay(year: year, month: month, day: day)
                : (28...31).reversed().lazy.compactMap { BusinessDay(year: year, month: month, day: $0) }.first
            guard let found else { throw fault("is a day, YYMMDD") }
            return found
        }
    }

    /// How long identifiers are that begin with two digits (General Specifications, 3.2).
    private static func identifierLength(_ prefix: Int) -> Int? {
        switch prefix {
        case 0...4, 10...22, 30, 37, 90...99: 2
        case 23...25, 40...42, 71: 3
        case 31...36, 39, 43, 70, 72, 80...82: 4
        default: nil
        }
    }

    /// How long values are of identifiers that are followed by no separator (General Specifications, 7.8.5).
    private static func valueLength(_ prefix: Int) -> Int? {
        switch prefix {
        case 0: 18
        case 1...3: 14
        case 4: 16
        case 11...19, 31...36: 6
        case 20: 2
        case 41: 13
        default: nil
        }
    }

    /// What is left without the identifier of the symbology and a separator in front, and whether there was one of them, or one
    /// further behind.
    private static func withoutMarks(_ bytes: [UInt8]) -> (data: ArraySlice<UInt8>, isMarked: Bool) {
        let separator = UInt8(separator.value)
        var data = bytes[...]
        var isMarked = false
        for symbology in ["]C1", "]d2", "]Q3", "]J1", "]e0"] where data.starts(with: symbology.utf8) {
            data = data.dropFirst(3)
            isMarked = true
        }
        isMarked = isMarked || data.contains(separator)
        return (data.first == separator ? data.dropFirst() : data, isMarked)
    }

    /// Elements as scanners transmit them.
    private static func transmitted(_ data: ArraySlice<UInt8>) throws(ReadingFault) -> [Element] {
        let separator = UInt8(separator.value)
        var elements: [Element] = []
        // Copied, so that indices count from 0 behind every cut.
        var rest = data
        while !rest.isEmpty {
            let head = rest.prefix(2)
            guard head.count == 2, head.allSatisfy(\.isDigit),
                let prefix = Int(String(decoding: head, as: UTF8.self)),
                let length = identifierLength(prefix), rest.count > length,
                rest.prefix(length).allSatisfy(\.isDigit)
            else {
                throw ReadingFault(
                    .format,
                    "\"\(String(decoding: head, as: UTF8.self))\" begins no application identifier of GS1."
                )
            }
            let identifier = String(decoding: rest.prefix(length), as: UTF8.self)
            rest = rest.dropFirst(length)
            let value: ArraySlice<UInt8>
            if let fixed = valueLength(prefix) {
                value = rest.prefix(fixed)
                guard value.count == fixed, !value.contains(separator) else {
                    throw ReadingFault(.format, "What follows (\(identifier)) has \(fixed) characters.")
                }
            } else {
                value = rest.prefix { $0 != separator }
            }
            rest = rest.dropFirst(value.count)
            if rest.first == separator { rest = rest.dropFirst() }
            elements.append(Element(identifier: identifier, value: value))
        }
        return elements
    }

    /// Elements as they are printed below the bars, nil if that is not how the code begins.
    private static func printed(_ bytes: [UInt8]) throws(ReadingFault) -> [Element]? {
        guard identifier(in: bytes[...]) != nil else { return nil }
        var elements: [Element] = []
        var rest = bytes[...]
        while let identifier = identifier(in: rest) {
            rest = rest.dropFirst(identifier.utf8.count + 2)
            // A value may have parentheses, but none that hold an identifier.
            let end = rest.indices.first { Self.identifier(in: rest[$0...]) != nil } ?? rest.endIndex
            elements.append(Element(identifier: identifier, value: rest[..<end]))
            rest = rest[end...]
        }
        return elements
    }

    /// The identifier in parentheses that bytes begin with.
    private static func identifier(in bytes: ArraySlice<UInt8>) -> String? {
        guard bytes.first == UInt8(ascii: "(") else { return nil }
        let digits = bytes.dropFirst().prefix { $0.isDigit }
        guard (2...4).contains(digits.count), bytes.dropFirst(digits.count + 1).first == UInt8(ascii: ")") else {
            return nil
        }
        return String(decoding: digits, as: UTF8.self)
    }
}
