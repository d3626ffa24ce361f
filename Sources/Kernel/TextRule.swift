/// What a field of text may hold: how long it may be, and whether lines may break in it.
///
/// The one home of these limits. The readers of bodies, of batches, of files and of the command line all read by the same
/// rule, so that what one door takes, every other takes too; the columns' CHECKs repeat the numbers, and a test compares
/// them. Text is trimmed and brought into normal form C before it is measured.
package struct TextRule: Sendable, Hashable {
    /// The most characters, counted as Unicode scalars, as `length()` of PostgreSQL counts them.
    package let maximum: Int

    /// Whether lines may break; a line of text holds no control character at all.
    package let hasLines: Bool

    /// Makes a rule.
    ///
    /// - Parameters:
    ///   - maximum: The most characters.
    ///   - hasLines: Whether lines may break.
    package init(maximum: Int, hasLines: Bool = false) {
        self.maximum = maximum
        self.hasLines = hasLines
    }

    /// Trims and composes a text and holds it against the rule.
    ///
    /// - Parameter text: As it came in.
    /// - Returns: The text as it is stored, which may be empty, or why it is refused: `too_long`, `format`.
    package func read(_ text: String) -> Result<String, ReadingFault> {
        let text = Text.nfc(Text.trimmed(text))
        // Bytes bound scalars, so most texts need no counting.
        guard text.utf8.count <= self.maximum || text.unicodeScalars.count <= self.maximum else {
            return .failure(ReadingFault("too_long", "Must have at most \(self.maximum) characters."))
        }
        guard !text.unicodeScalars.contains(where: self.refuses) else {
            return .failure(ReadingFault("format", "Must not contain control characters."))
        }
        return .success(text)
    }

    /// As ``read(_:)``, for a text that must not be blank.
    ///
    /// - Parameter text: As it came in.
    /// - Returns: The text as it is stored, or why it is refused: `required`, `too_long`, `format`.
    package func readRequired(_ text: String) -> Result<String, ReadingFault> {
        self.read(text).flatMap { text in
            text.isEmpty ? .failure(ReadingFault("required", "Must not be blank.")) : .success(text)
        }
    }

    private func refuses(_ scalar: Unicode.Scalar) -> Bool {
        Text.isControl(scalar) && !(self.hasLines && (scalar == "\n" || scalar == "\t" || scalar == "\r"))
    }
}

extension TextRule {
    /// The name of a person, tenant, key, category, unit, customer or register.
    package static let name = TextRule(maximum: 200)
    /// The name of a product.
    package static let productName = TextRule(maximum: 300)
    /// The shop's own code of a product.
    package static let sku = TextRule(maximum: 100)
    /// What a scanner reads from a product.
    package static let barcode = TextRule(maximum: 100)
    /// The id by which another system knows a record or document.
    package static let externalID = TextRule(maximum: 200)
    /// How a unit is written behind a quantity.
    package static let symbol = TextRule(maximum: 20)
    /// A customer's tax number.
    package static let taxID = TextRule(maximum: 50)
    /// A customer's telephone number.
    package static let phone = TextRule(maximum: 50)
    /// An e-mail address (RFC 5321, 4.5.3.1.3).
    package static let email = TextRule(maximum: 254)
    /// Why stock was moved.
    package static let reason = TextRule(maximum: 500)
    /// A remark on a document.
    package static let note = TextRule(maximum: 2000, hasLines: true)
    /// The name of a time zone.
    package static let timezone = TextRule(maximum: 64)
    /// A refresh, invitation or reset token as a request carries it.
    package static let token = TextRule(maximum: 500)
    /// A language tag (BCP 47); RFC 5646, section 4.4.1, advises room for 35.
    package static let locale = TextRule(maximum: 35)
    /// A tenant's short name.
    package static let slug = TextRule(maximum: 63)

    /// How many barcodes a product may have.
    package static let barcodesOfProduct = 0...50
}
