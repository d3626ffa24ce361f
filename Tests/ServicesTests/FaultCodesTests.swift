import Foundation
import Kernel
import TestSupport
import Testing

@testable import Services

@Suite("The codes of faults")
struct FaultCodesTests {
    /// What a text says is wrong, and the code it gives to it: in SQL and in Swift alike, a code is followed by its sentence.
    private static func said(in text: String) -> [(code: String, sentence: String)] {
        let pattern =
            /(?:refuse_field\(\s*|'code',\s*|,\s*)'([a-z_]+)',\s*(?:'\/[^']*',\s*|p_pointer,\s*|v\.pointer,\s*|CASE[^;]*? END,\s*|'detail',\s*)?(?:format\(\s*)?'([A-Z%][^']*)'/
        return text.matches(of: pattern).map { (String($0.output.1), String($0.output.2)) }
    }

    /// Every function of the schema as it is, and every statement of the sources.
    private static func texts() async throws -> [(name: String, text: String)] {
        let database = try await PostgresServer.shared().database(named: "fault_codes")
        let functions = try await database.psql(
            """
            SELECT string_agg(p.proname || E'\\x02' || p.prosrc, E'\\x01' ORDER BY p.proname) FROM pg_proc p
            WHERE p.pronamespace = 'stock'::regnamespace
            """
        )
        try await database.drop()
        let root = SourceTree.root + "/Sources"
        let files = try #require(FileManager.default.enumerator(atPath: root)).compactMap { $0 as? String }
        return try functions.split(separator: "\u{1}").map { function in
            let parts = function.split(separator: "\u{2}", maxSplits: 1)
            return (String(parts[0]), parts.count == 2 ? String(parts[1]) : "")
        }
            + files.filter { $0.hasSuffix(".swift") }.map {
                ($0, try String(contentsOfFile: "\(root)/\($0)", encoding: .utf8))
            }
    }

    @Test("are one list, in Swift and in SQL, and one fault has the same one wherever it is found")
    func oneFaultOneCode() async throws {
        let known = Set(FieldError.Code.allCases.map(\.rawValue))
        var count = 0
        for (name, text) in try await Self.texts() {
            for match in text.matches(of: /(?:'code',\s*|refuse_field\(\s*)'([a-z_]+)'/) {
                let code = String(match.output.1)
                // Names of members, where an object is taken apart.
                if code == "detail" { continue }
                count += 1
                #expect(known.contains(code), "\(name) says \(code)")
            }
            for (code, sentence) in Self.said(in: text) {
                let expected: FieldError.Code? =
                    switch sentence {
                    case _ where sentence.hasPrefix("There is no such"): .notFound
                    case _ where sentence.contains("named twice"): .duplicate
                    case _ where sentence.contains("Say at which") || sentence.contains("Say to which"): .required
                    case _ where sentence.hasPrefix("The unit allows"): .quantityPrecision
                    case _ where sentence.contains("decimals, as the currency"): .tooManyDecimals
                    case "The product does not track stock.": .invalidState
                    case "The product is archived.": .productInactive
                    case _ where sentence.hasPrefix("%s asked for, %s open"), _ where sentence.hasSuffix("in transit."):
                        .outOfRange
                    default: nil
                    }
                #expect(expected == nil || code == expected?.rawValue, "\(name) says \(code) of: \(sentence)")
            }
        }
        #expect(count > 60)
    }

    /// What is in a state of which no field of what was asked for tells.
    private static let withoutField: Set<String> = [
        "The shop has no payment method that is cash.", "The shop takes nothing back without its sale.",
        "It refunds a return without a sale: nothing could say that it is owed again.",
        "It refunded %s of a sale of which %s is due, which would fall below zero.",
        "The location %s, where the goods would go back, is closed.", "The tenant would have no active owner left.",
        "The password was changed meanwhile.",
        // Of an import, which its path names.
        "%s imports have not ended, and no more may be asked for; cancel one, or wait.",
        "The file of the import is not here any more; send it anew.", "The import is %s and can not be cancelled.",
        "The import is %s and can not be resumed.", "The import is %s; it can be resumed.",
        "The import takes no more parts: it is %s.",
        // Of the tenant's webhooks, and of what waits for one.
        "There are %s webhooks, and no more may be made; delete one.",
        "%s events wait to be sent again, and no more may; wait, or skip some.",
    ]

    @Test("name the field whose state does not allow something, where there is one")
    func states() async throws {
        var told: Set<String> = []
        for (_, text) in try await Self.texts() {
            for match in text.matches(
                of:
                    /stock\.refuse\(\s*'(?:invalid_state|session_closed)',\s*(?:format\(\s*)?'([^']*)'[^;]*?\)(;|\s*$|\s+WHEN)/
            ) where !match.output.0.contains("v_errors") {
                told.insert(String(match.output.1))
            }
        }
        #expect(told.subtracting(Self.withoutField).sorted() == [])
    }

    @Test("make the same problem in Swift and in SQL")
    func problems() async throws {
        let database = try await PostgresServer.shared().database(named: "fault_problems")
        let codes = FieldError.Code.allCases
        let told = try await database.psql(
            """
            SELECT string_agg(stock.problem_code(c.code), ' ' ORDER BY c.n)
            FROM unnest('{\(codes.map(\.rawValue).joined(separator: ","))}'::text[]) WITH ORDINALITY AS c (code, n)
            """
        )
        #expect(told.split(separator: " ").map { String($0) } == codes.map(\.problem.rawValue))
        try await database.drop()
    }

    @Test("are told on the page of HTTP, in the words that the service itself says")
    func page() throws {
        let page = try String(contentsOfFile: SourceTree.root + "/docs/http.md", encoding: .utf8)
        let rows = FieldError.Code.allCases.map { "| `\($0)` | \($0.meaning) |" }
        let section = try #require(page.firstRange(of: "## What is wrong with a field"))
        let told = page[section.upperBound...].split(separator: "\n").filter { $0.hasPrefix("| `") }.map { String($0) }
        #expect(Array(told.prefix(rows.count)) == rows)
    }
}
