import Foundation
import TestSupport
import Testing

/// Who may import whom: the rule of the architecture, read from the import lines themselves.
@Suite("Import rules")
struct ArchitectureTests {
    /// Our own modules each target may import.
    static let allowed: [String: Set<String>] = [
        "Fairness": [],
        "IOLoop": ["CEpoll"],
        "Postgres": ["CLibPQ", "Fairness", "IOLoop"],
        "Redis": ["CHiredis", "IOLoop"],
        "Kernel": [],
        "Domain": ["Kernel"],
        "Cache": ["Fairness", "Kernel", "Redis"],
        "Coherence": ["Cache", "Postgres", "Redis"],
        "Services": ["Cache", "Domain", "Fairness", "Kernel", "Postgres"],
        "Console": [],
        "API": ["Cache", "Console", "Domain", "Fairness", "Kernel", "Services"],
        "Laboratory": [],
        "stock": [
            "API", "Cache", "Domain", "Coherence", "IOLoop", "Kernel", "Laboratory", "Postgres", "Redis", "Services",
        ],
    ]

    /// Targets on the hot path, which do without Foundation: it is slow to start, slow to call, and big.
    static let withoutFoundation: Set<String> = [
        "Fairness", "IOLoop", "Postgres", "Redis", "Kernel", "Domain", "Cache", "Coherence", "Console",
    ]

    @Test("every Swift target has a row in the table")
    func complete() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: "\(SourceTree.root)/Sources")
        let targets = folders.filter { !["CEpoll", "CHiredis", "CLibPQ"].contains($0) }
        #expect(Set(targets) == Set(Self.allowed.keys))
    }

    @Test("the image is built from every folder that the package names")
    func image() throws {
        func lines(_ name: String) throws -> [Substring] {
            try String(contentsOfFile: "\(SourceTree.root)/\(name)", encoding: .utf8).split(separator: "\n")
        }
        let copied = try lines("Dockerfile").filter { $0.hasPrefix("COPY ") }.map { $0.split(separator: " ")[1] }
        let ignored = try lines(".dockerignore")
        let named = try lines("Package.swift").compactMap { try #/path: "([A-Za-z]+)/#.firstMatch(in: $0)?.output.1 }
        #expect(named.count > 10)
        for folder in Set(named + ["Sources", "Tests"]) {
            #expect(copied.contains(folder) && !ignored.contains(folder), "\(folder)")
        }
    }

    @Test("a target imports only what stands below it", arguments: allowed.keys.sorted())
    func imports(target: String) throws {
        let own = Set(Self.allowed.keys).union(["CLibPQ", "CHiredis", "CEpoll", "TestSupport"])
        let permitted = try #require(Self.allowed[target])
        for (file, module) in try Self.imports(of: target) {
            if own.contains(module) {
                #expect(permitted.contains(module), "\(file) imports \(module)")
            }
            if Self.withoutFoundation.contains(target) {
                #expect(!module.hasPrefix("Foundation"), "\(file) imports \(module)")
            }
        }
    }

    @Test("of the program, the command that checks coherence alone knows the laboratory")
    func laboratory() throws {
        let files = try Self.imports(of: "stock").filter { $0.module == "Laboratory" }.map(\.file)
        #expect(
            files.sorted() == ["stock/Commands/CoherenceCommand.swift", "stock/Commands/CoherenceDatabase.swift"]
        )
    }

    @Test("the import reader sees every form of an import")
    func reader() {
        #expect(Self.module(inLine: "import Kernel") == "Kernel")
        #expect(Self.module(inLine: "package import Kernel") == "Kernel")
        #expect(Self.module(inLine: "@testable internal import struct Kernel.Money // why") == "Kernel")
        #expect(Self.module(inLine: "    import func Glibc.read") == "Glibc")
        #expect(Self.module(inLine: "// import Kernel") == nil)
        #expect(Self.module(inLine: "let import = 1") == nil)
    }

    static func imports(of target: String) throws -> [(file: String, module: String)] {
        let folder = "\(SourceTree.root)/Sources/\(target)"
        let files = try #require(FileManager.default.enumerator(atPath: folder)).compactMap { $0 as? String }
        return try files.filter { $0.hasSuffix(".swift") }.flatMap { file in
            let text = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
            return text.split(separator: "\n").compactMap { line in
                module(inLine: line).map { ("\(target)/\(file)", $0) }
            }
        }
    }

    static func module(inLine line: Substring) -> String? {
        let modifiers: Set<String> = ["public", "package", "internal", "fileprivate", "private"]
        let kinds: Set<String> = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var"]
        var words = line.split(separator: " ").map { String($0) }
        while let first = words.first, first.hasPrefix("@") || modifiers.contains(first) { words.removeFirst() }
        guard words.first == "import", words.count >= 2 else { return nil }
        words.removeFirst()
        if let first = words.first, kinds.contains(first) { words.removeFirst() }
        return words.first.map { String($0.prefix { $0 != "." }) }
    }
}
