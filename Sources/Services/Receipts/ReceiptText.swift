/// A receipt as lines of text.
enum ReceiptText {
    /// Writes a receipt in columns.
    ///
    /// - Parameters:
    ///   - receipt: The receipt in words.
    ///   - columns: How wide a line is.
    /// - Returns: The lines, each ended, none with blanks at its end.
    static func write(_ receipt: ReceiptRows, columns: Int) -> String {
        var text = ""
        for line in receipt.rows.flatMap({ lines(of: $0, columns) }) {
            var end = line.endIndex
            while end > line.startIndex, line[line.index(before: end)] == " " { end = line.index(before: end) }
            text += line[..<end] + "\n"
        }
        return text
    }

    private static func lines(of row: ReceiptRow, _ columns: Int) -> [String] {
        switch row {
        case .title(let text), .centred(let text):
            TextColumns.wrap(printable(text), columns).map { TextColumns.centred($0, columns) }
        case .notice(let text): [TextColumns.centred("*** \(printable(text)) ***", columns)]
        case .pair(let left, let right): TextColumns.pair(printable(left), printable(right), columns)
        case .total(let left, let right): TextColumns.pair(printable(left), printable(right), columns)
        case .detail(let left, let right): TextColumns.pair(printable(left), printable(right), columns, indent: 2)
        case .rule: [String(repeating: "-", count: columns)]
        }
    }

    /// A text without what would command a printer; lines stay lines.
    private static func printable(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isControl = scalar.properties.generalCategory == .control && scalar != "\n"
            scalars.append(isControl ? " " : scalar)
        }
        return String(scalars)
    }
}
