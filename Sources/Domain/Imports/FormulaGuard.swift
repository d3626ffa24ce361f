/// The apostrophe before a cell that a spreadsheet would take for a formula and run.
///
/// Exports put it before every text that begins like one, imports take it off. A text that begins with an apostrophe has one more
/// put before it, so that each text comes back as it was.
package enum FormulaGuard {
    private static let mark = UInt8(ascii: "'")

    /// Whether a text is written behind the mark: it begins like a formula, or with the mark.
    ///
    /// - Parameter text: UTF-8.
    /// - Returns: whether it is.
    package static func isNeeded(_ text: some Collection<UInt8>) -> Bool {
        switch text.first {
        case UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "@"), 0x09, 0x0D, mark: true
        default: false
        }
    }

    /// A text as it is written.
    package static func guarded(_ text: some Collection<UInt8>) -> [UInt8] {
        isNeeded(text) ? [mark] + text : Array(text)
    }

    /// A text as it was before it was written: without the mark, if it stands before what it is put before.
    package static func unguarded(_ text: String) -> String {
        let bytes = text.utf8
        guard bytes.first == mark, isNeeded(bytes.dropFirst()) else { return text }
        return String(text.unicodeScalars.dropFirst())
    }
}
