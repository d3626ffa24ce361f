import Kernel
import Testing

@Suite("What is searched for, and when")
struct SearchTextTests {
    @Test("words are separated by any white space, composed, and kept once")
    func words() {
        #expect(SearchText("\u{A0}cafe\u{301}\t\u{3000}noir\r\n")?.text == "caf\u{E9} noir")
        #expect(SearchText("a b a  b")?.text == "a b")
        #expect(SearchText("Tea tea")?.text == "Tea tea")
        #expect(SearchText(" \u{2003}\u{85} ") == nil)
        #expect(SearchText("") == nil)
        #expect(SearchText.maximum >= TextRule.productName.maximum)
    }

    @Test("the same words spelled otherwise are the same search, byte for byte")
    func bytes() throws {
        let composed = try #require(SearchText("\u{1EAD} x"))
        let decomposed = try #require(SearchText("a\u{323}\u{302}\u{A0}x"))
        #expect(Array(composed.text.utf8) == Array(decomposed.text.utf8))
    }

    @Test("a range of days may be open or one day long, and names both ends when it is reversed")
    func ranges() throws {
        let first = try #require(BusinessDay("2026-01-01"))
        let last = try #require(BusinessDay("2026-02-01"))
        #expect(try DayRange(from: first, to: first).to == first)
        #expect(try DayRange(from: nil, to: nil) == .all)
        #expect(try DayRange(from: last, to: nil).from == last)
        let problem = #expect(throws: Problem.self) { try DayRange(from: last, to: first) }
        #expect(problem?.code == .validationFailed)
        #expect(problem?.errors.map(\.pointer) == ["?from", "?to"])
    }
}
