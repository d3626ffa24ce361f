import Domain
import Kernel
import Testing

@Suite("Rules of accounts")
struct IdentityRulesTests {
    @Test(
        "language tags have the shape of BCP 47",
        arguments: [
            "en", "es-UY", "de-CH-1996", "zh-Hant-TW", "sr-Latn", "es-419", "sl-rozaj-biske", "en-u-ca-gregory",
            "de-x-private", "zh-cmn-Hans-CN", "EN-us",
        ]
    )
    func tags(text: String) { #expect(LanguageTag.isWellFormed(text)) }

    @Test(
        "what has not is none",
        arguments: [
            "", "e", "<script>", "en-", "-en", "en--US", "en_US", "español", "en-US-", "123", "en-x", "en-u",
            "abcdefghi", "en-US-GB", "a-very-long-tag-that-has-more-than-35-characters",
        ]
    )
    func noTags(text: String) { #expect(!LanguageTag.isWellFormed(text)) }

    @Test("a password is prepared before it is judged: eight marks are no eight characters")
    func prepared() {
        #expect(PasswordRules.fault(of: "e\u{301}o\u{301}i\u{301}a\u{301}", email: "a@b.c")?.code == .tooShort)
        #expect(Array(PasswordRules.prepared("e\u{301}\u{A0}x").utf8) == Array("\u{E9} x".utf8))
    }

    @Test(
        "a slug of digits alone is none",
        arguments: [("112", false), ("shop-112", true), ("1a", true), ("00", false)]
    )
    func slug(text: String, isOne: Bool) { #expect((Text.slug(text) != nil) == isOne) }
}
