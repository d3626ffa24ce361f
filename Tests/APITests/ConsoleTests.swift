import Console
import Foundation
import HTTPTypes
import NIOCore
import TestSupport
import Testing

@testable import API

/// The console as it is served, and what its files promise before a browser runs them (scripts/console/check has one do so).
@Suite("The console")
struct ConsoleTests {
    private static let pages = ConsolePages()

    private func served() async throws -> TestAPI {
        try await TestAPI([TestMemory.route("/v1/it/{id}")], console: Self.pages)
    }

    /// The folder that the page names its files in.
    private func folder(_ api: TestAPI) async throws -> String {
        let page = try await api.send(.get, "/console/").text
        let script = try #require(page.firstMatch(of: /src="(\/console\/[0-9a-f]{16}\/)console\.js"/))
        return String(script.1)
    }

    @Test("the page is asked for each time, runs nothing but its own files, and names where they are")
    func page() async throws {
        let api = try await self.served()
        let page = try await api.send(.get, "/console/")
        #expect(page.status == .ok)
        #expect(page["content-type"] == "text/html; charset=utf-8")
        #expect(page["cache-control"] == "private, no-cache")
        #expect(
            page["content-security-policy"]
                == "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
                + "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; "
                + "trusted-types 'none'"
        )
        #expect(!page.text.contains("VERSION"))
        let tag = try #require(page["etag"])
        #expect(try await api.send(.get, "/console/", [.ifNoneMatch: tag]).status == .notModified)
        for path in ["/", "/console"] {
            let reply = try await api.send(.get, path)
            #expect(reply.status == .found && reply["location"] == "/console/", "\(path)")
        }
    }

    @Test("every file is served for good, plain or compressed, under a path of its version alone")
    func files() async throws {
        let api = try await self.served()
        let folder = try await self.folder(api)
        for file in ConsoleFiles.all {
            let path = folder + file.name
            let plain = try await api.send(.get, path)
            #expect(plain.status == .ok && Array(plain.body.readableBytesView) == file.bytes, "\(path)")
            #expect(plain["cache-control"] == "public, max-age=31536000, immutable")
            let compressed = try await api.send(.get, path, [.acceptEncoding: "gzip"])
            if compressed["content-encoding"] == "gzip" {
                #expect(compressed.body.readableBytes < plain.body.readableBytes)
                #expect(compressed["etag"] != plain["etag"])
            }
            let tag = try #require(plain["etag"])
            #expect(try await api.send(.get, path, [.ifNoneMatch: tag]).status == .notModified)
        }
        for (name, type) in [
            ("console.js", "text/javascript; charset=utf-8"), ("console.css", "text/css; charset=utf-8"),
            ("icon.svg", "image/svg+xml"),
        ] {
            #expect(try await api.send(.head, folder + name)["content-type"] == type)
        }
        for path in ["/console/0123456789abcdef/console.js", folder, folder + "none.js", "/console/index.html"] {
            #expect(try await api.send(.get, path).status == .notFound, "\(path)")
        }
    }

    @Test("where it is switched off there is nothing of it")
    func off() async throws {
        let api = try await TestAPI([])
        for path in ["/", "/console", "/console/"] {
            #expect(try await api.send(.get, path).status == .notFound)
        }
    }

    @Test("on the event loop it is answered as anywhere else")
    func atOnce() async throws {
        var answers: [[String]] = []
        for answersAtOnce in [true, false] {
            let api = try await self.served()
            let paths = ["/", "/console/", try await self.folder(api) + "console.css"]
            let got = try await api.serve(answersAtOnce: answersAtOnce) { client in
                var got: [String] = []
                for path in paths {
                    let answer = try await client.send("GET", path)
                    let fields = answer.headers.filter { !["date", "x-request-id"].contains($0.name.lowercased()) }
                    got.append(
                        "\(answer.status) \(answer.body.count) \(fields.map { "\($0.name): \($0.value)" }.sorted())"
                    )
                }
                return got
            }
            answers.append(got)
        }
        #expect(answers[0] == answers[1])
    }

    // MARK: Files

    private static let root = "\(SourceTree.root)/Sources/Console/Assets"

    private static func text(_ name: String) throws -> String {
        try String(contentsOfFile: "\(root)/\(name)", encoding: .utf8)
    }

    @Test("the program has every file of the folder, and they are light")
    func complete() throws {
        let files = try FileManager.default.subpathsOfDirectory(atPath: Self.root).filter { $0.contains(".") }
        #expect(Set(files) == Set(ConsoleFiles.all.map(\.name) + ["index.html"]))
        let size = ConsoleFiles.all.reduce(0) { $0 + $1.bytes.count }
        #expect(size <= 256 * 1024, "all of it has \(size) bytes")
    }

    @Test("no file turns a text into elements or code, or names another host")
    func harmless() throws {
        let words = [
            "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc",
            "DOMParser", "createContextualFragment", "javascript:",
        ]
        for file in ConsoleFiles.all {
            let text = String(decoding: file.bytes, as: UTF8.self)
            for word in words { #expect(!text.contains(word), "\(file.name) says \(word)") }
            // The name of a vocabulary, which nobody asks for.
            let others = text.replacing("http://www.w3.org/2000/svg", with: "")
            #expect(!others.contains(/https?:\/\/[a-z]/), "\(file.name) names another host")
        }
    }

    @Test("modules import what is there")
    func imports() throws {
        let names = Set(ConsoleFiles.all.map(\.name))
        for file in ConsoleFiles.all where file.name.hasSuffix(".js") {
            let folder = file.name.split(separator: "/").dropLast().map { String($0) }
            for match in String(decoding: file.bytes, as: UTF8.self).matches(of: /(?:from|import\()\s*'(\.[^']+)'/) {
                var place = folder
                for part in match.1.split(separator: "/") where part != "." {
                    if part == ".." { _ = place.popLast() } else { place.append(String(part)) }
                }
                #expect(names.contains(place.joined(separator: "/")), "\(file.name) imports \(match.1)")
            }
        }
        // Views are imported by their names.
        let views = try Self.text("console.js").matches(of: /\n  ([a-z]+): \['[a-z_]+', '[a-z:]+'\],/).map { $0.1 }
        #expect(views.count > 20)
        for view in views { #expect(names.contains("views/\(view).js"), "there is no view \(view)") }
    }

    @Test("the client that is published is the console's own, and small")
    func client() throws {
        let published = try String(contentsOfFile: "\(SourceTree.root)/clients/typescript/stock.js", encoding: .utf8)
        #expect(try published == Self.text("core/client.js"))
        #expect(published.utf8.count <= 30 * 1024)
    }

    @Test("every word is there in all four languages, once, in order, with the same places to fill")
    func words() throws {
        let lines = try Self.text("dictionary.js").split(separator: "`")[3].split(separator: "\n")
        let names = lines.flatMap { $0.split(separator: " = ")[0].split(separator: " ").map { String($0) } }
        #expect(names.count > 400)
        #expect(Set(names).count == names.count)
        for line in lines {
            // A ditto stands for the text before it.
            var texts: [Substring] = []
            for text in line.split(separator: " = ", maxSplits: 1).last?.split(separator: "|") ?? [] {
                texts.append(text == "\"" ? texts.last ?? "" : text)
            }
            #expect(texts.count == 4, "\(line)")
            #expect(Set(texts.map { Set($0.matches(of: /\{\w+\}/).map { String($0.0) }) }).count == 1, "\(line)")
            #expect(Set(texts.map { $0.contains(" / ") }).count == 1, "\(line)")
        }
        for file in ConsoleFiles.all where file.name.hasSuffix(".js") {
            let text = String(decoding: file.bytes, as: UTF8.self)
            let said = text.matches(of: /\b(?:t\(|name: |label: |hint: |title: |one: )'([a-z][a-z_0-9]*)'/).map(\.1)
            // A column, a field, a figure or a fact in short: its name, its kind, and what it is one of.
            let declared = text.matches(
                of:
                    /'([a-z][a-z_0-9]*)!? (?:amount|price|number|percent|day|moment|word|badge|flag|name|text|area|decimal|integer|choice|record|date|email|list)(?: [a-z_0-9 ]+)?'/
            ).map(\.1)
            let choices = text.matches(of: /'[a-z_0-9]+!? choice ([a-z_0-9 ]+)'/).flatMap { $0.1.split(separator: " ") }
            for word in (said + declared + choices).map({ String($0) }) {
                // `unit_id` is called as `unit` is, unless it has a name of its own.
                let plain = word.replacing(/_(?:location_id|id|quantity|total|hits|exceeded)$/, with: "")
                let isSaid = names.contains(word) || names.contains(plain) || Self.unsaid.contains(word)
                #expect(isSaid, "\(file.name) says \(word)")
            }
        }
    }

    /// Names that nobody is shown.
    private static let unsaid: Set<String> = ["q", "message", "l1", "l2"]
}
