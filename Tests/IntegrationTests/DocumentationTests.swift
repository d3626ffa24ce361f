import Foundation
import TestSupport
import Testing

/// What is written for people names only what whoever has the repository can look up.
@Suite("Pages and comments")
struct DocumentationTests {
    /// Every file that people write, by its path from the root.
    private static func files() throws -> [String] {
        let root = SourceTree.root
        let above = try FileManager.default.contentsOfDirectory(atPath: root)
            .filter { ["md", "swift", "yml"].contains(NSString(string: $0).pathExtension) || $0 == "Dockerfile" }
        let folders = [".ci", "Benchmarks", "Sources", "Tests", "docs", "scripts", "sql"]
        return try above
            + folders.flatMap { folder in
                try #require(FileManager.default.enumerator(atPath: "\(root)/\(folder)")).compactMap { $0 as? String }
                    .filter { !$0.contains(".build") && !$0.contains("Fuzz/seeds") }
                    .map { "\(folder)/\($0)" }
            }
    }

    /// The pages that a text names: words of letters, digits and `-_./` that end in `.md`.
    static func pages(in text: String) -> [String] {
        let letters = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")
        return text.split { !letters.contains($0) }.map { String($0) }
            .map { $0.hasSuffix(".") ? String($0.dropLast()) : $0 }
            .filter { $0.hasSuffix(".md") && !$0.hasPrefix("/") && $0 != ".md" }
    }

    @Test("no comment and no page names a page that is not in the repository")
    func namedPages() throws {
        let files = try Self.files()
        let known = Set(files)
        var named = 0
        for file in files {
            let path = SourceTree.root + "/" + file
            guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { continue }
            let folder = file.split(separator: "/").dropLast().joined(separator: "/")
            for page in Self.pages(in: text) where !file.hasSuffix("DocumentationTests.swift") {
                named += 1
                let isThere = [page, "docs/\(page)", "\(folder)/\(page)"].contains { place in
                    known.contains(String(NSString(string: "/\(place)").standardizingPath.dropFirst()))
                }
                #expect(isThere, "\(file) names \(page)")
            }
        }
        #expect(named > 60)
    }

    @Test("the reader of names sees them in links, in backquotes and at the end of a sentence")
    func reader() {
        let text = "See [the cache](../cache.md#keys), `docs/http.md`, and 0011-replaced-history.md."
        #expect(Self.pages(in: text) == ["../cache.md", "docs/http.md", "0011-replaced-history.md"])
    }

    @Test(
        "a page of docs is linked from the README or from another page",
        arguments: [
            "glossary", "guide", "http", "numbers", "cache", "imports", "exports", "webhooks", "operations", "console",
        ]
    )
    func linked(page: String) throws {
        let others = try Self.files().filter { $0.hasSuffix(".md") && $0 != "docs/\(page).md" }
        let links = try others.filter { file in
            Self.pages(in: try String(contentsOfFile: SourceTree.root + "/" + file, encoding: .utf8)).contains {
                $0.hasSuffix("\(page).md")
            }
        }
        #expect(links.contains("README.md"))
    }
}
