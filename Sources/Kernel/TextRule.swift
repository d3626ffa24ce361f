/// What a field of text may hold: how long it may be, whether lines may break in it, and whether it is a code.
///
/// The one home of these limits. The readers of bodies, of batches, of files and of the command line all read by the same
/// rule, so that what one door takes, every other takes too; the columns' CHECKs repeat the numbers, and a test compares
/// them. Text is trimmed and brought into normal form C before it is measured.
package struct TextRule: Sendable, Hashable {
    /// What a text is for, which decides what it may hold beside letters.
    package enum Kind: Sendable, Hashable {
        /// What tells one thing from another: two codes that look alike are one, so a run of blanks in it is one space, and
        /// nothing is in it that nobody sees.
        case code
        /// A name or the like: no control character, and of what nobody sees only what writing needs.
        case line
        /// A remark, in which lines may break.
        case lines
    }

    /// The most characters, counted as Unicode scalars, as `length()` of PostgreSQL counts them.
    package let maximum: Int

    /// What the text is for.
    package let kind: Kind

    /// Makes a rule.
    ///
    /// - Parameters:
    ///   - maximum: The most characters.
    ///   - kind: What the text is for.
    package init(maximum: Int, _ kind: Kind = .line) {
        self.maximum = maximum
        self.kind = kind
    }

    /// Trims and composes a text and holds it against the rule.
    ///
    /// - Parameter text: As it came in.
    /// - Returns: The text as it is stored, which may be empty, or why it is refused: `too_long`, `format`.
    package func read(_ text: String) -> Result<String, ReadingFault> {
        var text = Text.nfc(Text.trimmed(text))
        if case .code = kind { text = Text.withSingleSpaces(text) }
        // Bytes bound scalars, so most texts need no counting.
        guard text.utf8.count <= maximum || text.unicodeScalars.count <= maximum else {
            return .failure(ReadingFault(.tooLong, "Must have at most \(maximum) characters."))
        }
        // Most texts are printable ASCII: there is nothing to look up.
        if !text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) {
            for scalar in text.unicodeScalars {
                if let fault = self.fault(of: scalar) { return .failure(fault) }
            }
        }
        return .success(text)
    }

    /// As ``read(_:)``, for a text that must not be blank.
    ///
    /// - Parameter text: As it came in.
    /// - Returns: The text as it is stored, or why it is refused: `required`, `too_long`, `format`.
    package func readRequired(_ text: String) -> Result<String, ReadingFault> {
        read(text).flatMap { text in
            // What is made of joiners and marks alone looks blank, too.
            text.unicodeScalars.allSatisfy(Text.isInvisible)
                ? .failure(ReadingFault(.required, "Must not be blank.")) : .success(text)
        }
    }

    private func fault(of scalar: Unicode.Scalar) -> ReadingFault? {
        if Text.isControl(scalar) {
            if kind == .lines, scalar == "\n" || scalar == "\t" || scalar == "\r" { return nil }
            return ReadingFault(.format, "Must not contain control characters.")
        }
        guard Text.isInvisible(scalar), refusesInvisible(scalar) else { return nil }
        return ReadingFault(.format, "Must not contain the invisible character \(Text.codePoint(of: scalar)).")
    }

    private func refusesInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch kind {
        case .code: true
        case .line: !Text.isNeededInNames(scalar)
        case .lines: false
        }
    }
}

extension TextRule {
    /// The name of a person, tenant, key, category, unit, customer, location or register.
    package static let name = TextRule(maximum: 200)
    /// The name of a product.
    package static let productName = TextRule(maximum: 300)
    /// The shop's own code of a product.
    package static let sku = TextRule(maximum: 100, .code)
    /// What a scanner reads from a product.
    package static let barcode = TextRule(maximum: 100, .code)
    /// The id by which another system knows a record or document.
    package static let externalID = TextRule(maximum: 200, .code)
    /// How a unit is written behind a quantity.
    package static let symbol = TextRule(maximum: 20)
    /// The tax number of a customer or of the shop itself.
    package static let taxID = TextRule(maximum: 50)
    /// The telephone number of a customer or of the shop itself.
    package static let phone = TextRule(maximum: 50)
    /// An e-mail address (RFC 5321, 4.5.3.1.3).
    package static let email = TextRule(maximum: 254)
    /// The short name of a location.
    package static let code = TextRule(maximum: 50, .code)
    /// A postal address, as it is printed.
    package static let address = TextRule(maximum: 500, .lines)
    /// What receipts end with.
    package static let receiptFooter = TextRule(maximum: 1000, .lines)
    /// The picture of a shop's letterhead, by its URL or a name of the shop's own.
    package static let logo = TextRule(maximum: 500)
    /// The address of an endpoint.
    package static let url = TextRule(maximum: 2048, .code)
    /// Why stock was moved.
    package static let reason = TextRule(maximum: 500)
    /// A remark on a document.
    package static let note = TextRule(maximum: 2000, .lines)
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
    /// How many packagings.
    package static let packagingsOfProduct = 0...20
}
