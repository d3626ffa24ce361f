/// Text in columns of one width, as roll printers and terminals have them.
enum TextColumns {
    /// How many columns a text takes.
    ///
    /// East Asian wide characters and emoji take two; marks on another character, and what joins characters, none (Unicode Standard
    /// Annex 11).
    static func width(of text: some StringProtocol) -> Int {
        text.reduce(0) { $0 + width(of: $1) }
    }

    /// How many columns a character takes, with all marks on it.
    static func width(of character: Character) -> Int {
        // One picture, however many scalars it is put together from.
        if character.unicodeScalars.contains(where: { $0.properties.isEmojiPresentation || $0 == "\u{FE0F}" }) {
            return 2
        }
        return character.unicodeScalars.reduce(0) { $0 + width(of: $1) }
    }

    private static func width(of scalar: Unicode.Scalar) -> Int {
        if scalar.isASCII { return scalar.value < 0x20 ? 0 : 1 }
        // Vowels and finals of Hangul stand on the consonant before them.
        if (0x1160...0x11FF).contains(scalar.value) || (0xD7B0...0xD7FF).contains(scalar.value) { return 0 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control, .lineSeparator, .paragraphSeparator: return 0
        default: return wide.contains { $0.contains(scalar.value) } ? 2 : 1
        }
    }

    /// Blocks whose characters are wide or full width, by EastAsianWidth.txt of Unicode 15; what is not assigned in them counts as they do.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2329...0x232A, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0xA4CF,
        0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF01...0xFF60,
        0xFFE0...0xFFE6, 0x16FE0...0x18D08, 0x1AFF0...0x1B2FB, 0x1F200...0x1F265, 0x20000...0x3FFFD,
    ]

    /// A text in lines of at most so many columns, broken between words, and in words that are longer.
    ///
    /// - Parameters:
    ///   - text: The text; its own lines stay lines.
    ///   - columns: How many there are, at least 2.
    /// - Returns: At least one line.
    static func wrap(_ text: String, _ columns: Int) -> [String] {
        text.split(omittingEmptySubsequences: false) { $0.isNewline }.flatMap { wrapLine($0, columns) }
    }

    private static func wrapLine(_ line: Substring, _ columns: Int) -> [String] {
        var lines: [String] = []
        var current = ""
        var used = 0
        for word in line.split(whereSeparator: { $0 == " " || $0 == "\t" }) {
            let length = width(of: word)
            if used > 0, used + 1 + length <= columns {
                current += " " + word
                used += 1 + length
                continue
            }
            if used > 0 {
                lines.append(current)
                (current, used) = ("", 0)
            }
            for character in word {
                let length = width(of: character)
                if used + length > columns {
                    lines.append(current)
                    (current, used) = ("", 0)
                }
                current.append(character)
                used += length
            }
        }
        lines.append(current)
        return lines
    }

    /// A text in the middle of so many columns.
    static func centred(_ line: String, _ columns: Int) -> String {
        String(repeating: " ", count: max(0, (columns - width(of: line)) / 2)) + line
    }

    /// A text on the left, and a figure on the right of its last line.
    ///
    /// - Parameters:
    ///   - left: What it is, broken into lines beside the figure.
    ///   - right: The figure, which is not broken unless there is no room at all.
    ///   - columns: How many there are.
    ///   - indent: How many blanks stand before the text.
    /// - Returns: The lines.
    static func pair(_ left: String, _ right: String, _ columns: Int, indent: Int = 0) -> [String] {
        let figure = width(of: right)
        let margin = String(repeating: " ", count: indent)
        let room = columns - indent - (figure > 0 ? figure + 1 : 0)
        // A figure that leaves no room for words stands on a line of its own.
        guard room >= 8 || width(of: left) <= room else {
            let beside = wrap(left, columns - indent).map { margin + $0 }
            return beside + wrap(right, columns).map { flushed($0, columns) }
        }
        var lines = wrap(left, room).map { margin + $0 }
        guard figure > 0, let last = lines.popLast() else { return lines }
        let gap = String(repeating: " ", count: max(1, columns - width(of: last) - figure))
        return lines + [last + gap + right]
    }

    private static func flushed(_ line: String, _ columns: Int) -> String {
        String(repeating: " ", count: max(0, columns - width(of: line))) + line
    }
}
