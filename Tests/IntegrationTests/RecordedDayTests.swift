import Foundation
import TestSupport
import Testing

extension Integration {
    /// A shop's day with three branches, played by examples/recorded-day against two instances.
    ///
    /// What it comes to is computed from what happened by that program, which shares nothing with the server.
    @Suite("A recorded day")
    struct RecordedDayTests {
        /// What runs the program, if it is there.
        private static let python = ["/usr/local/bin", "/usr/bin", "/bin"].map { "\($0)/python3" }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }

        @Test("python3 is here; without it nothing below is tested")
        func installed() {
            if Self.python == nil { print("SKIPPED: python3 is not installed, so no recorded day was played") }
        }

        @Test("500 sales at six tills, and all that goes with them, come to the cent", .enabled(if: python != nil))
        func toTheCent() async throws {
            let deployment = try await Deployment.start()
            let tenant = try await deployment.tenant()
            let folder = try ScratchFolder.make("day")
            let record = "\(folder)/day.json"
            let seed = Int.random(in: 0..<1_000_000)
            let key = try await Self.key(of: tenant, deployment)
            let played = try await Self.play(
                deployment,
                key,
                ["--seed", "\(seed)", "--offline", "20", "--record", record]
            )
            try #require(played.exit == 0, "seed \(seed): \(played.said)")
            #expect(played.said.contains("figures agree"))
            #expect(try await Self.play(deployment, key, ["--check", record]).exit == 0)

            // A figure that is another is told by its name.
            let happened = JSON(parsing: Array(try Data(contentsOf: URL(fileURLWithPath: record))))
            let customer = try #require(happened["ids"]["customer"]["Łukasz"].string)
            let product = try #require(happened["ids"]["product"]["P02"].string)
            let till = try #require(happened["ids"]["till"]["Till 5"].string)
            let sold = try await tenant.post(
                "/v1/sales",
                """
                {"register_id":"\(till)","customer_id":"\(customer)","lines":[{"product_id":"\(product)","quantity":"1"}]}
                """
            )
            try #require(sold.status == 201, "\(sold.text)")
            let checked = try await Self.play(deployment, key, ["--check", record])
            #expect(checked.exit == 1)
            for name in ["Łukasz owes", "P02 at Śródmieście", "tax at 21 %"] {
                #expect(checked.said.contains("DIFFERS  \(name): "), "\(checked.said)")
            }
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        /// A key that may do everything.
        private static func key(of tenant: Tenant, _ deployment: Deployment) async throws -> String {
            let scopes =
                "catalog:read,catalog:write,stock:read,stock:write,sales:read,sales:write,sales:discount,sales:offline,"
                + "payments:write,customers:read,customers:write,reports:read,admin"
            let made = try await deployment.command(
                "key",
                "create",
                "--tenant",
                tenant.slug,
                "--name",
                "day",
                "--scopes",
                scopes,
                "--json"
            )
            return try #require(JSON(parsing: Array(made.output.utf8))["secret"].string, "\(made.output)\(made.errors)")
        }

        private static func play(
            _ deployment: Deployment,
            _ key: String,
            _ arguments: [String]
        ) async throws -> (exit: Int32?, said: String) {
            let urls = deployment.instances.flatMap { ["--url", "http://127.0.0.1:\($0.port)"] }
            let program = try ChildProcess.spawn(
                try #require(python),
                ["\(SourceTree.root)/examples/recorded-day/play.py", "--key", key] + urls + arguments,
                environment: ["PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"]
            )
            let status = try await program.waitForExit()
            try await eventually("the program has said all") { program.output.isClosed }
            let exit: Int32? = if case .exited(let code) = status { code } else { nil }
            return (exit, program.output.text)
        }
    }
}
