@_spi(_Unicode) import Swift

/// Characters for tests of text, of a version of Unicode that every server of ours knows.
enum Letters {
    /// Every assigned character but ideographs and Hangul syllables, which have neither case nor accents.
    static let known: [Unicode.Scalar] = (1...0x1FFFF).compactMap { Unicode.Scalar(UInt32($0)) }.filter { scalar in
        switch scalar.value {
        case 0x3400...0x9FFF, 0xAC00...0xD7A3, 0xE000...0xF8FF, 0x17000...0x18DFF: return false
        default: break
        }
        switch scalar.properties.generalCategory {
        case .unassigned, .surrogate, .privateUse: return false
        default: return isKnown(scalar)
        }
    }

    private static func isKnown(_ scalar: Unicode.Scalar) -> Bool {
        guard let age = scalar.properties.age else { return false }
        return (age.major, age.minor) <= (14, 0)
    }

    /// Every letter that has another case which is as well known.
    static let cased = known.filter { scalar in
        let properties = scalar.properties
        let cases = [properties.lowercaseMapping, properties.uppercaseMapping, properties.titlecaseMapping]
        return properties.isCased && Set(cases).count > 1 && cases.joined().unicodeScalars.allSatisfy(isKnown)
    }

    /// A text in normal form D.
    static func decomposed(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        scalars.append(contentsOf: text._nfd)
        return String(scalars)
    }

    /// A text in each case, composed and not, letter by letter as Unicode maps them.
    static func forms(_ text: String) -> [String] {
        let cases = [
            text, map(text, \.lowercaseMapping), map(text, \.uppercaseMapping), map(text, \.titlecaseMapping),
        ]
        return cases.flatMap { [$0, decomposed($0)] }
    }

    private static func map(_ text: String, _ mapping: (Unicode.Scalar.Properties) -> String) -> String {
        text.unicodeScalars.map { mapping($0.properties) }.joined()
    }
}
