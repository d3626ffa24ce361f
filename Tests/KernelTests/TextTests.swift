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
        #expect(throws: ReadingFault.self) { try TextRule.sku.read(text).get() }
        let isLine = text.contains("\n")
        #expect((try? TextRule.note.read(text).get()) == (isLine ? text : nil))
    }

    @Test(
        "blanks in a code are one space, whatever they are; in a name they stay",
        arguments: ["A  1", "A\u{A0}1", "A \u{2009}\u{3000} 1", "\u{A0}A 1  "]
    )
    func codes(text: String) throws {
        for rule in [TextRule.sku, .barcode, .externalID] { #expect(try rule.read(text).get() == "A 1") }
        #expect(try TextRule.name.read(text).get() == Text.trimmed(text))
    }

    @Test("a code is measured as it is stored, with its blanks folded")
    func codeLength() throws {
        let text = String(repeating: "A", count: 98) + " \u{A0}  B"
        #expect(try TextRule.sku.read(text).get().unicodeScalars.count == 100)
        #expect(throws: ReadingFault.self) { try TextRule.sku.read(text + "C").get() }
    }

    @Test(
        "what nobody sees is refused in a code, and named",
        arguments: [
            ("\u{AD}", "U+00AD"), ("\u{200B}", "U+200B"), ("\u{200C}", "U+200C"), ("\u{200D}", "U+200D"),
            ("\u{200E}", "U+200E"), ("\u{202E}", "U+202E"), ("\u{2060}", "U+2060"), ("\u{2066}", "U+2066"),
            ("\u{FEFF}", "U+FEFF"), ("\u{E0067}", "U+E0067"),
        ]
    )
    func invisible(character: String, name: String) {
        for rule in [TextRule.sku, .barcode, .externalID] {
            for text in ["A\(character)1", "\(character)A1", "A1\(character)"] {
                let fault = #expect(throws: ReadingFault.self) { try rule.read(text).get() }
                #expect(fault?.code == .format)
                #expect(fault?.detail.contains(name) == true, "\(fault?.detail ?? "")")
            }
        }
    }

    @Test(
        "a name may hold what writing needs, and nothing else that nobody sees",
        arguments: [
            ("\u{645}\u{6CC}\u{200C}\u{62E}", true), ("\u{915}\u{94D}\u{200D}\u{937}", true),
            ("\u{1F469}\u{200D}\u{1F4BB} Desk", true), ("\u{5D0}\u{200F} 7", true), ("\u{2764}\u{FE0F}", true),
            ("\u{1F3F4}\u{E0067}\u{E0062}\u{E007F}", true), ("Ha\u{AD}t", false), ("Ha\u{200B}t", false),
            ("\u{FEFF}Hat", false), ("\u{202E}taH", false), ("Hat\u{2069}", false), ("\u{200D}\u{200E}", false),
        ]
    )
    func names(text: String, isFine: Bool) {
        #expect((try? TextRule.productName.readRequired(text).get()) == (isFine ? text : nil))
        #expect((try? TextRule.note.read(text).get()) == text)
    }
}
