import Foundation
import TestSupport
import Testing

/// Pages that name a test for each of their promises: here it is made sure that there is one of that name.
@Suite("Tests that pages name")
struct NamedTestsTests {
    @Test("every test that the tables name exists", arguments: ["cache", "edge-cases"])
    func named(page name: String) throws {
        let page = try String(contentsOfFile: SourceTree.root + "/docs/\(name).md", encoding: .utf8)
        let tests = try Self.testSources()
        var names = 0
        for line in page.split(separator: "\n") where line.hasPrefix("|") {
            for name in Self.names(in: line) {
                names += 1
                let source = try #require(tests[name.file], "no file \(name.file).swift in Tests: \(line)")
                #expect(source.contains("\"\(name.test)\""), "\(name.file) has no test \"\(name.test)\"")
            }
        }
        #expect(names > 40)
    }

    @Test("every invariant and every capability of the cache has a row with a test")
    func complete() throws {
        let page = try String(contentsOfFile: SourceTree.root + "/docs/cache.md", encoding: .utf8)
        let rows = page.split(separator: "\n").filter { $0.hasPrefix("|") }
        for number in 1...12 {
            let row = try #require(rows.first { $0.hasPrefix("| C\(number) |") }, "no row for C\(number)")
            #expect(!Self.names(in: row).isEmpty, "no test shows C\(number)")
        }
        for capability in Self.capabilities {
            let row = try #require(rows.first { $0.hasPrefix("| \(capability) |") }, "no row for: \(capability)")
            #expect(!Self.names(in: row).isEmpty, "no test shows: \(capability)")
        }
    }

    /// The rows of the goal.
    static let capabilities = [
        "L1 invalidated across instances", "stale fill refused in L2", "stale fill refused in L1",
        "new reader never joins an older flight", "bus numbered, loss detected", "receiver repaired after a break",
        "lease on L1", "crash between commit and publish", "invalidation derived from the database",
        "no wall clock in correctness", "group invalidation O(1)", "group metadata may be evicted",
        "Redis rollback detected and repaired", "L1 coherent with Redis down", "read your writes on any instance",
        "monotonic reads", "one fill across instances", "dead filler noticed early", "stale on failure, timeouts",
        "bulkhead for fills", "negative entries safe for inserts", "key and tenant checked on reading",
        "L1 bounded in bytes", "fairness between tenants", "lag, gap, refusal metrics", "online consistency checker",
        "fault injection shipped", "explain one key",
    ]

    /// Names written as `File: "the test's name"` in backquotes.
    static func names(in line: Substring) -> [(file: String, test: String)] {
        line.split(separator: "`").compactMap { part in
            guard let colon = part.range(of: ": \""), part.hasSuffix("\"") else { return nil }
            return (String(part[..<colon.lowerBound]), String(part[colon.upperBound...].dropLast()))
        }
    }

    private static func testSources() throws -> [String: String] {
        let folder = SourceTree.root + "/Tests"
        var sources: [String: String] = [:]
        for case let file as String in try #require(FileManager.default.enumerator(atPath: folder)) {
            guard file.hasSuffix(".swift") else { continue }
            let source = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
            // By the file's name, and by the folder's below the target; what is found under one name is looked through together.
            let parts = file.dropLast(".swift".count).split(separator: "/")
            for name in Set(parts.dropFirst()) { sources[String(name), default: ""] += source }
        }
        return sources
    }
}
