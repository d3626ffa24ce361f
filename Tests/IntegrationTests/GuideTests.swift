import Foundation
import TestSupport
import Testing

extension Integration {
    /// docs/guide.md is what it says it is: commands that were run.
    @Suite("docs/guide.md")
    struct GuideTests {
        /// A block of commands, and what it prints: pieces of text in their order, with anything between them.
        struct Step {
            let commands: String
            let pieces: [String]

            /// The first piece that the output does not have behind the ones before it.
            func missing(in output: String) -> String? {
                var rest = output[...]
                for piece in pieces {
                    guard let found = rest.range(of: piece) else { return piece }
                    rest = rest[found.upperBound...]
                }
                return nil
            }
        }

        /// The steps of a page: each block of `sh`, with the block of `text` right behind it.
        static func steps(of page: String) -> [Step] {
            var steps: [Step] = []
            let blocks = page.components(separatedBy: "```")
            for (index, block) in blocks.enumerated() where index % 2 == 1 && block.hasPrefix("sh\n") {
                var pieces: [String] = []
                if index + 2 < blocks.count, blocks[index + 1] == "\n", blocks[index + 2].hasPrefix("text\n") {
                    pieces = blocks[index + 2].dropFirst("text\n".count).split { $0 == "…" || $0 == "\n" }
                        .map { $0.trimmingCharacters(in: .whitespaces) }
                        .filter { !$0.isEmpty }
                }
                steps.append(Step(commands: String(block.dropFirst("sh\n".count)), pieces: pieces))
            }
            return steps
        }

        @Test("every command of the guide, in its order, prints what stands below it, against two instances")
        func commands() async throws {
            let steps = Self.steps(of: try String(contentsOfFile: SourceTree.root + "/docs/guide.md", encoding: .utf8))
            #expect(steps.count > 10 && steps.count(where: { !$0.pieces.isEmpty }) > 10)
            let deployment = try await Deployment.start()
            let tenant = try await deployment.tenant()
            let mark = "\u{1e}"
            let script = steps.map { "\($0.commands)\nprintf '\(mark)'\n" }.joined()
            let printed = try await run(
                "bash",
                ["-c", script],
                environment: [
                    "PATH": "/usr/local/bin:/usr/bin:/bin",
                    "A": "http://127.0.0.1:\(deployment.a.port)",
                    "B": "http://127.0.0.1:\(deployment.b.port)",
                    "EMAIL": "owner@\(tenant.slug).example",
                    "PASSWORD": Tenant.password,
                ]
            )
            let outputs = printed.components(separatedBy: mark)
            try #require(outputs.count == steps.count + 1, "\(printed)")
            for (step, output) in zip(steps, outputs) {
                let missing = step.missing(in: output)
                #expect(missing == nil, "\(step.commands)printed\n\(output)")
            }
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test("the reader of pages takes blocks with what stands right below them, and asks for pieces in their order")
        func reader() {
            let steps = Self.steps(
                of: "a\n```sh\necho b\n```\n```text\n{b…c}\n…d\n```\ne\n```sh\nf\n```\n\n```text\ng\n```\n"
            )
            #expect(steps.map(\.commands) == ["echo b\n", "f\n"])
            #expect(steps.map(\.pieces) == [["{b", "c}", "d"], []])
            #expect(steps[0].missing(in: "{b 1 c} 2 d") == nil)
            #expect(steps[0].missing(in: "d {b c}") == "d")
        }
    }
}
