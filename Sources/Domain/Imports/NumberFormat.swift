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
        case tooManyDecimals
        /// 10^12 or more.
        case tooLarge
    }

    /// Decimals kept: those of quantities and unit prices.
    package static let scale = 6

    package var decimal: DecimalSeparator

    package init(decimal: DecimalSeparator = .point) {
        self.decimal = decimal
    }

    /// Reads a decimal number exactly, in millionths.
    ///
    /// Thousands may be grouped by the other separator, and then in threes all along. There is no exponent form.
    ///
    /// - Throws: `Fault`; nothing is ever rounded or cut.
    package func parse(_ field: ArraySlice<UInt8>) throws(Fault) -> Int64 {
        let bytes = field.trimmingSpaces()
        guard let first = bytes.first else { throw .empty }
        var index = bytes.startIndex
        let isNegative = first == UInt8(ascii: "-")
        if isNegative || first == UInt8(ascii: "+") { index += 1 }

        let group = decimal == .point ? DecimalSeparator.comma.rawValue : DecimalSeparator.point.rawValue
        var value: Int64 = 0
        var digits = 0
        /// Digits since the last group separator; nil as long as there is none.
        var sinceGroup: Int?
        while index < bytes.endIndex {
            let byte = bytes[index]
            if let digit = byte.digitValue {
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
