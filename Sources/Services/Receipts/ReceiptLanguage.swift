/// The languages that receipts are written in.
package enum ReceiptLanguage: String, Sendable, CaseIterable {
    case english = "en"
    case spanish = "es"
    case portuguese = "pt"
    case german = "de"

    /// The language of a tag; English for what there are no words for.
    ///
    /// - Parameter locale: A language tag, as a tenant's `locale`.
    package init(of locale: String) {
        self = Self(rawValue: Self.subtags(of: locale).first ?? "") ?? .english
    }

    /// How numbers are written, in the region of a tag if the tag is of this language.
    ///
    /// Separators are those of Unicode's CLDR.
    ///
    /// - Parameter locale: A language tag.
    /// - Returns: The separators.
    func separators(in locale: String) -> NumberSeparators {
        let subtags = Self.subtags(of: locale)
        let region = subtags.first == rawValue ? subtags.dropFirst().first { [2, 3].contains($0.count) } : nil
        return switch (self, region) {
        case (.english, _): NumberSeparators(decimal: ".", group: ",")
        case (.spanish, let region?) where Self.pointed.contains(region): NumberSeparators(decimal: ".", group: ",")
        case (.portuguese, let region?) where region != "br": NumberSeparators(decimal: ",", group: "\u{A0}")
        case (.german, "ch"), (.german, "li"): NumberSeparators(decimal: ".", group: "\u{2019}")
        case (.spanish, _), (.portuguese, _), (.german, _): NumberSeparators(decimal: ",", group: ".")
        }
    }

    /// Where Spanish is spoken and decimals follow a point.
    private static let pointed: Set<String> = [
        "419", "br", "bz", "cu", "do", "gt", "hn", "mx", "ni", "pa", "pe", "pr", "sv", "us",
    ]

    private static func subtags(of locale: String) -> [String] {
        locale.lowercased().split(separator: "-").map { String($0) }
    }

    /// A date as it is written there.
    ///
    /// English is read on both sides of the Atlantic, where days and months change places: its dates are those of ISO 8601.
    ///
    /// - Parameter date: `2026-01-31`.
    /// - Returns: The text.
    func date(_ date: Substring) -> String {
        let parts = date.split(separator: "-")
        guard parts.count == 3 else { return String(date) }
        return switch self {
        case .english: String(date)
        case .spanish, .portuguese: "\(parts[2])/\(parts[1])/\(parts[0])"
        case .german: "\(parts[2]).\(parts[1]).\(parts[0])"
        }
    }
}

/// What stands between the digits of a number.
struct NumberSeparators: Equatable {
    /// Before the decimals.
    let decimal: String
    /// Between thousands.
    let group: String

    /// A decimal number as bodies have it, written with these separators: digits are moved, never computed.
    ///
    /// - Parameter number: `-1234.50`.
    /// - Returns: `-1.234,50`.
    func write(_ number: some StringProtocol) -> String {
        let isNegative = number.hasPrefix("-")
        let parts = number.dropFirst(isNegative ? 1 : 0).split(separator: ".", omittingEmptySubsequences: false)
        guard let whole = parts.first else { return String(number) }
        var text = isNegative ? "-" : ""
        for (index, digit) in whole.enumerated() {
            if index > 0, (whole.count - index).isMultiple(of: 3) { text += group }
            text.append(digit)
        }
        if parts.count > 1 { text += decimal + parts[1] }
        return text
    }
}
