/// How a file writes numbers.
///
/// Declared, never guessed: "1.250" is a thousand in one country and one in another.
package struct NumberFormat: Sendable, Equatable {
    /// The decimal separator; the other one of the two may group thousands.
    package enum DecimalSeparator: UInt8, Sendable, CaseIterable {
        case point = 0x2E
        case comma = 0x2C
    }

    /// Why a field is not a number of this format.
    package enum Fault: Error, Sendable, Equatable {
        case empty
        /// Not a number, or one written in another format.
        case malformed
        /// A zero before other digits, as in `010.00`, which the other doors refuse, too.
        case leadingZero
        case tooManyDecimals
        /// 10^12 or more.
        case tooLarge
    }

    /// Decimals kept: those of quantities and unit prices.
    package static let scale = 6

    package var decimal: DecimalSeparator

    /// A currency sign that may stand before or behind an amount; empty for none.
    package var currency: String

    package init(decimal: DecimalSeparator = .point, currency: String = "") {
        self.decimal = decimal
        self.currency = currency
    }

    /// Reads a decimal number exactly, in millionths.
    ///
    /// Thousands may be grouped by the other separator or by a no-break space, and then in threes all along. `(3.00)` is what
    /// bookkeepers write for -3.00. Beside that a number is written as in a body: digits on both sides of the separator or none, no
    /// plus, no exponent.
    ///
    /// - Parameter field: UTF-8.
    /// - Returns: millionths.
    /// - Throws: `Fault`; nothing is ever rounded or cut.
    package func parse(_ field: ArraySlice<UInt8>) throws(Fault) -> Int64 {
        var bytes = field.trimmingSpaces()
        // Digits, a sign and one separator are nearly all there is.
        guard !bytes.allSatisfy({ $0.digitValue != nil || $0 == decimal.rawValue || $0 == UInt8(ascii: "-") }) else {
            return try plain(bytes)
        }
        var isNegative = false
        if bytes.first == UInt8(ascii: "("), bytes.last == UInt8(ascii: ")"), bytes.count > 2 {
            isNegative = true
            bytes = bytes.dropFirst().dropLast()
        }
        let number = withoutSigns(bytes)
        guard isNegative else { return try plain(number[...]) }
        // A sign inside brackets would be one too many.
        guard let first = number.first, first != UInt8(ascii: "-") else { throw .malformed }
        return -(try plain(number[...]))
    }

    /// The number without its currency sign and the blanks beside it, a typographic minus made a plain one, and thousands
    /// that no-break spaces group made thousands that the group separator does.
    private func withoutSigns(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var text = Substring(decoding: bytes, as: UTF8.self)
        if !currency.isEmpty {
            var sign = ""
            if let first = text.first, first == "-" || first == "\u{2212}" {
                sign = "-"
                text = text.dropFirst()
            }
            if text.hasPrefix(currency) {
                text = text.dropFirst(currency.count)
            } else if text.hasSuffix(currency) {
                text = text.dropLast(currency.count)
            }
            text = sign + text.drop { $0.isWhitespace }
        }
        text = text.drop { $0.isWhitespace }
        while let last = text.last, last.isWhitespace { text = text.dropLast() }
        let group = decimal == .point ? DecimalSeparator.comma : .point
        var number: [UInt8] = []
        let isGroupedByBlanks = !text.utf8.contains(group.rawValue)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\u{A0}", "\u{202F}", "\u{2009}":
                number.append(isGroupedByBlanks ? group.rawValue : UInt8(ascii: " "))
            case "\u{2212}": number.append(UInt8(ascii: "-"))
            default: number.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            }
        }
        return number
    }

    private func plain(_ bytes: ArraySlice<UInt8>) throws(Fault) -> Int64 {
        guard let first = bytes.first else { throw .empty }
        var index = bytes.startIndex
        let isNegative = first == UInt8(ascii: "-")
        if isNegative { index += 1 }

        let group = decimal == .point ? DecimalSeparator.comma.rawValue : DecimalSeparator.point.rawValue
        var value: Int64 = 0
        var digits = 0
        /// Digits since the last group separator; nil as long as there is none.
        var sinceGroup: Int?
        while index < bytes.endIndex {
            let byte = bytes[index]
            if let digit = byte.digitValue {
                guard digits == 0 || value > 0 else { throw .leadingZero }
                guard value < 1_000_000_000_000 else { throw .tooLarge }
                value = value * 10 + Int64(digit)
                digits += 1
                if let count = sinceGroup { sinceGroup = count + 1 }
            } else if byte == group {
                guard sinceGroup.map({ $0 == 3 }) ?? (1...3).contains(digits) else { throw .malformed }
                sinceGroup = 0
            } else {
                break
            }
            index += 1
        }
        guard sinceGroup ?? 3 == 3 else { throw .malformed }
        guard value < 1_000_000_000_000 else { throw .tooLarge }

        var decimals = 0
        var excess = false
        if index < bytes.endIndex, bytes[index] == decimal.rawValue {
            guard digits > 0 else { throw .malformed }
            digits = 0
            index += 1
            while index < bytes.endIndex, let digit = bytes[index].digitValue {
                if decimals < Self.scale {
                    value = value * 10 + Int64(digit)
                    decimals += 1
                } else if digit != 0 {
                    excess = true
                }
                digits += 1
                index += 1
            }
        }
        guard index == bytes.endIndex, digits > 0 else { throw .malformed }
        if excess { throw .tooManyDecimals }
        while decimals < Self.scale {
            value *= 10
            decimals += 1
        }
        return isNegative ? -value : value
    }
}
