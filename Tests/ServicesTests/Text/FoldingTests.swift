import IOLoop
import Kernel
import Logging
import Postgres
import TestSupport
import Testing

@testable import Services

/// What SQL makes of text, compared with what Swift makes of it, over all of Unicode that both know.
@Suite("Folding and trimming in SQL")
struct FoldingTests {
    /// What the database made of texts.
    private struct Folded: Sendable {
        var folded: [String] = []
        var searched: [String] = []
        var trimmed: [String] = []
        var coded: [String] = []
    }

    private func fold(_ texts: [String]) async throws -> Folded {
        let server = try await PostgresServer.shared()
        let database = try await server.database(named: "folding")
        let loop = IOLoop()
        loop.start()
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let client = PostgresClient(
            configuration: try PostgresConfiguration(url: database.appURL),
            loop: loop,
            statements: [FoldTexts.self],
            logger: logger
        )
        let running = Task { await client.run() }
        let result: Result<Folded, any Error>
        do {
            var folded = Folded()
            for start in stride(from: 0, to: texts.count, by: 5_000) {
                let statement = FoldTexts(texts: Array(texts[start..<min(start + 5_000, texts.count)]))
                let rows = try await client.query(
                    statement,
                    tenant: nil,
                    on: .shared,
                    deadline: .now + .seconds(60)
                )
                let row = try #require(rows.first)
                folded.folded += row.folded
                folded.searched += row.searched
                folded.trimmed += row.trimmed
                folded.coded += row.coded
            }
            result = .success(folded)
        } catch {
            result = .failure(error)
        }
        running.cancel()
        await running.value
        loop.stop()
        return try result.get()
    }

    @Test("Swift and SQL fold and trim every character alike, composed or not, wherever in a word it stands")
    func alike() async throws {
        let texts = Letters.known.flatMap { scalar -> [String] in
            let text = "\(scalar)"
            return [text, "a\(text)", "\(text)b", Letters.decomposed(text)]
        }
        #expect(texts.count > 100_000)
        let sql = try await fold(texts)
        var different: [String] = []
        for (index, text) in texts.enumerated() {
            // By their scalars: Swift holds texts equal that are composed differently.
            let isFolded = sql.folded[index].unicodeScalars.elementsEqual(Text.folded(text).unicodeScalars)
            let isTrimmed = sql.trimmed[index].unicodeScalars.elementsEqual(Text.trimmed(text).unicodeScalars)
            if !isFolded || !isTrimmed { different.append("\(text.unicodeScalars.map(\.value))") }
        }
        #expect(different == [])
    }

    @Test(
        "Swift and SQL fold the same blanks of codes, and what Swift refuses in codes SQL leaves out of those it stores"
    )
    func codes() async throws {
        let known = Letters.known.filter { !Text.isControl($0) }
        let texts = known.map { "a \($0) b" }
        let sql = try await fold(texts)
        var different: [String] = []
        for (index, scalar) in known.enumerated() {
            let swift =
                switch TextRule.sku.read(texts[index]) {
                case .success(let code): code
                case .failure: "a b"
                }
            if !Text.nfc(sql.coded[index]).unicodeScalars.elementsEqual(swift.unicodeScalars) {
                different.append(Text.codePoint(of: scalar))
            }
        }
        #expect(different == [])
    }

    @Test(
        "typographic apostrophes and hyphens are the plain ones, and blanks are not counted",
        arguments: [
            ("L\u{2019}Oréal", "l'oreal"), ("l\u{2BC}oreal", "l'oreal"), ("L`ORÉAL", "l'oreal"), ("l`oreal", "l'oreal"),
            ("l\u{B4}oreal", "l'oreal"), ("l\u{2018}oreal", "l'oreal"), ("A\u{2010}1", "a-1"), ("A\u{2011}1", "a-1"),
            ("A\u{2013}1", "a-1"), ("A\u{2014}1", "a-1"), ("A\u{2212}1", "a-1"), ("A\u{FF0D}1", "a-1"), ("A  1", "a 1"),
            ("Á \u{A0} 1", "a 1"),
        ]
    )
    func signs(text: String, folded: String) async throws {
        #expect(try await fold([text]).searched == [folded])
    }

    @Test("a letter is found in each of its cases, and by its letter without accents")
    func cases() async throws {
        let forms = Letters.cased.map { Letters.forms("x\($0)y") }
        #expect(forms.count > 2_500)
        let sql = try await fold(forms.flatMap { $0 })
        var start = 0
        for texts in forms {
            let found = Set(sql.searched[start..<start + texts.count].map { Array($0.unicodeScalars) })
            #expect(found.count == 1, "\(texts)")
            start += texts.count
        }
        let words = [
            ("CAFÉ", "cafe"), ("Müller", "MULLER"), ("Łódź", "lodz"), ("Straße", "STRASSE"), ("ΚΑΦΈΣ", "καφες"),
        ]
        let first = try await fold(words.map(\.0))
        let second = try await fold(words.map(\.1))
        #expect(first.searched == second.searched)
    }

    @Test("folding what is folded changes nothing, nor does searching by what is searched")
    func idempotent() async throws {
        let texts = Letters.known.map { "a\($0)" }
        let once = try await fold(texts)
        #expect(try await fold(once.folded).folded == once.folded)
        #expect(try await fold(once.searched).searched == once.searched)
    }
}

/// The four things SQL does to text.
private struct FoldTexts: Statement {
    static let name = "test.fold_texts"
    static let sql: SQL = """
        SELECT array_agg(stock.folded(w.text) ORDER BY w.n), array_agg(stock.search_text(w.text) ORDER BY w.n),
               array_agg(stock.trimmed(w.text) ORDER BY w.n), array_agg(stock.code_text(w.text) ORDER BY w.n)
        FROM unnest($1::text[]) WITH ORDINALITY AS w (text, n)
        """
    static let parameterTypes: [PostgresType] = [.textArray]

    let texts: [String]

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(texts) }

    struct Row: DecodableRow {
        let folded: [String]
        let searched: [String]
        let trimmed: [String]
        let coded: [String]

        init(from row: inout RowReader) throws(PostgresError) {
            folded = try row.next()
            searched = try row.next()
            trimmed = try row.next()
            coded = try row.next()
        }
    }
}
