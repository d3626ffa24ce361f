/// What somebody searches for, in the one form in which it is looked for and its answer is remembered: words in normal form C
/// with one space between.
///
/// Case and accents are left as they are: the database alone folds, by `stock.search_text`. So nothing depends on two programs
/// folding alike, and the price is that Tea and TEA are remembered apart.
package struct SearchText: Sendable, Hashable {
    /// The words, a space between; never empty.
    package let text: String

    /// The most characters of a search.
    package static let maximum = 200

    /// Makes a search of a text, in which any white space separates words; `nil` if there is nothing to look for.
    ///
    /// - Parameter text: As it was typed.
    package init?(_ text: String) {
        let words = text.unicodeScalars.split { $0.properties.isWhitespace }
        guard !words.isEmpty else { return nil }
        self.text = Text.nfc(words.map { String($0) }.joined(separator: " "))
    }
}
