import Foundation

/// What a check searches for: products and customers that nobody edits, and the many ways to write a question for them.
///
/// Keys of cached answers are made from the question's text, and so are the parameters of the statement that answers it.
/// Wherever the two read a text differently, one question gets the answer of another. What is searched never changes, so
/// an answer out of a cache must equal the database's byte for byte.
struct CheckedText: Sendable {
    /// The category of the products.
    let category: String
    /// Letters that fold in more than one way: sigmas, dotted and dotless i, sharp s, marks, ligatures, wide forms.
    static let names = [
        "ΚΑΦΕΣ ΕΛΛΗΝΙΚΟΣ", "Café Müller", "Straße zum Fluß", "İstanbul ılık", "Ωμέγα Σίγμας", "Żółta Gęś", "Łódź Ñandú",
        "Đặng Ếch", "Čokoláda řež", "Йод Ёлка", "ﬁne Waﬄe", "Ǆungla", "Ａ Ｂ wide", "한글 이름", "がぎぐ かな", "ÅNGSTRÖM Å",
    ]

    /// What is asked, however it is written.
    struct Question: Sendable {
        fileprivate let route: String
        fileprivate let words: [String]
    }

    /// A question about a name or a part of one.
    func question(_ random: inout CheckerRandom) -> Question {
        var words = Self.names[random.below(Self.names.count)].split(separator: " ").map(String.init)
        switch random.below(4) {
        case 0: words.reverse()
        case 1: words = [words[random.below(words.count)]]
        case 2: words = [String(words[random.below(words.count)].prefix(2 + random.below(3)))]
        default: break
        }
        let routes = ["/v1/products", "/v1/products", "/v1/products/lookup", "/v1/stock", "/v1/stock", "/v1/customers"]
        return Question(route: routes[random.below(routes.count)], words: words)
    }

    /// A path and query of a question: in any case, with and without marks, composed or not, with all sorts of blanks,
    /// its parameters in any order and defaults spelled out or not.
    ///
    /// What is written differently may be one question to the cache and another to the database.
    func path(_ question: Question, _ random: inout CheckerRandom) -> String {
        var text = question.words.joined(separator: Self.blank(&random))
        switch random.below(4) {
        case 0: text = text.uppercased()
        case 1: text = text.lowercased()
        case 2: text = text.map { random.below(2) == 0 ? $0.uppercased() : $0.lowercased() }.joined()
        default: break
        }
        if random.below(8) == 0 { text = text.folding(options: .diacriticInsensitive, locale: nil) }
        switch random.below(3) {
        case 0: text = text.decomposedStringWithCanonicalMapping
        case 1: text = text.precomposedStringWithCanonicalMapping
        default: break
        }
        if random.below(4) == 0 { text = Self.blank(&random) + text }
        if random.below(4) == 0 { text += Self.blank(&random) }
        guard question.route != "/v1/products/lookup" else {
            return "\(question.route)?code=\(Self.encoded(text, &random))"
        }
        var fields: [(name: String, value: String)] = [("q", text)]
        if question.route != "/v1/customers" { fields.append(("category_id", category)) }
        if question.route == "/v1/products", random.below(4) == 0 { fields.append(("sort", "name")) }
        if random.below(4) == 0 { fields.append(("limit", "50")) }
        for index in fields.indices.reversed() { fields.swapAt(index, random.below(index + 1)) }
        let query = fields.map { "\($0.name)=\(Self.encoded($0.value, &random))" }.joined(separator: "&")
        return "\(question.route)?\(query)"
    }

    private static func blank(_ random: inout CheckerRandom) -> String {
        let blanks = [" ", " ", " ", "  ", "\u{A0}", "\u{2003}", "\u{3000}", "\t"]
        return blanks[random.below(blanks.count)]
    }

    /// Percent-encoded, digits of either case; what needs no encoding is sometimes encoded all the same.
    private static func encoded(_ text: String, _ random: inout CheckerRandom) -> String {
        let digits = Array((random.below(2) == 0 ? "0123456789abcdef" : "0123456789ABCDEF").utf8)
        let encodesAll = random.below(4) == 0
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            let isPlain =
                byte < 128
                && (Character(UnicodeScalar(byte)).isLetter || Character(UnicodeScalar(byte)).isNumber || byte == 45)
            if isPlain, !encodesAll {
                bytes.append(byte)
            } else {
                bytes += [37, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
