import Kernel
import Testing

@Suite("Text and its rules")
struct TextTests {
    /// Every character of Unicode's White_Space.
    static let blanks = (0...0x10FFFF).compactMap { Unicode.Scalar(UInt32($0)) }.filter(\.properties.isWhitespace)

    @Test("every kind of white space at the ends is trimmed, none inside")
    func trims() {
        #expect(Self.blanks.count == 25)
        for blank in Self.blanks {
            #expect(Text.trimmed("\(blank)\(blank)a\(blank)b\(blank)") == "a\(blank)b")
            #expect(Text.trimmed("\(blank)") == "")
        }
    }

    @Test("letters with accents are composed, in whatever order the accents came")
    func composes() {
        #expect(Array(Text.nfc("e\u{301}").unicodeScalars) == ["\u{E9}"])
        #expect(Array(Text.nfc("Contrasen\u{303}a").utf8) == Array("Contrase\u{F1}a".utf8))
        #expect(Array(Text.nfc("a\u{302}\u{323}").unicodeScalars) == ["\u{1EAD}"])
        #expect(Array(Text.nfc("\u{1112}\u{1161}\u{11AB}").unicodeScalars) == ["\u{D55C}"])
        #expect(Text.nfc("plain") == "plain")
    }

    @Test("case does not count, accents do, and a sigma is a sigma")
    func folds() {
        #expect(Text.folded("ΚΑΦΕΣ") == Text.folded("καφες"))
        #expect(Text.folded("ΚΑΦΕΣ") == Text.folded("καφεσ"))
        #expect(Text.folded("É") == Text.folded("e\u{301}"))
        #expect(Text.folded("É") != Text.folded("E"))
        // The capital has no letter of its own; the small one has.
        #expect(Text.folded("J\u{30C}") == Text.folded("\u{1F0}"))
        #expect(Text.folded("Plain 7") == "plain 7")
    }

    @Test("a rule measures what is left after trimming, in characters as the database counts them")
    func measures() throws {
        let rule = TextRule(maximum: 3)
        #expect(try rule.read("\u{A0}ABC\t").get() == "ABC")
        #expect(try rule.read("äöü").get() == "äöü")
        #expect(try rule.read(" \u{3000} ").get() == "")
        #expect(throws: ReadingFault.self) { try rule.read("ABCD").get() }
        // Measured as it is stored: composed where it can be, and a few letters are taken apart for ever.
        #expect(try rule.read("e\u{301}e\u{301}e\u{301}").get().unicodeScalars.count == 3)
        #expect(throws: ReadingFault.self) { try rule.read("\u{958}\u{958}").get() }
        #expect(throws: ReadingFault.self) { try rule.readRequired("\u{A0}").get() }
    }

    @Test(
        "what breaks lines or rings bells is refused in a line, and lines may break in a note",
        arguments: ["a\nb", "a\u{2028}b", "a\u{2029}b", "a\u{7}b", "a\u{85}b", "a\u{0}b"]
    )
    func controls(text: String) {
        #expect(throws: ReadingFault.self) { try TextRule.name.read(text).get() }
        let isLine = text.contains("\n")
        #expect((try? TextRule.note.read(text).get()) == (isLine ? text : nil))
    }
}
