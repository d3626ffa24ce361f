import Kernel

/// The barcodes of a product in one cell: with blanks between, each behind its ``FormulaGuard``; as a JSON array where one of them has
/// a blank in it, or looks like such an array.
package enum BarcodeCell {
    /// The cell of some codes.
    package static func text(of codes: [String]) -> String {
        let needsArray = codes.contains { code in
            code.hasPrefix("[") || code.unicodeScalars.contains { $0.properties.isWhitespace }
        }
        guard needsArray else {
            return codes.map { String(decoding: FormulaGuard.guarded($0.utf8), as: UTF8.self) }.joined(separator: " ")
        }
        var writer = JSONWriter()
        writer.array { writer in
            for code in codes { writer.string(code) }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// The codes of a cell, and whether each stands behind its guard.
    static func codes(of text: String) -> (codes: [String], areGuarded: Bool) {
        if text.hasPrefix("["), case .array(let members)? = try? JSONValue.parse(Array(text.utf8)) {
            let codes = members.compactMap { if case .string(let code) = $0 { code } else { nil as String? } }
            if codes.count == members.count { return (codes, false) }
        }
        return (text.unicodeScalars.split { $0.properties.isWhitespace }.map { String($0) }, true)
    }
}
