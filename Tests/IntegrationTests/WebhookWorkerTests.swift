import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Webhooks, by workers that are killed")
    struct WebhookWorkerTests {
        private static let python = ["/usr/local/bin", "/usr/bin", "/bin"].map { "\($0)/python3" }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }

        /// Takes everything, and prints its port first and then of each message its number, its id, and whether a signature fits: told by
        /// another implementation than ours, with the secret that the named file has.
        private static let receiver = """
            import base64, hashlib, hmac, json, sys
            from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

            class Hook(BaseHTTPRequestHandler):
                protocol_version = "HTTP/1.1"
                def do_POST(self):
                    body = self.rfile.read(int(self.headers["content-length"]))
                    key = base64.b64decode(open(sys.argv[1]).read().removeprefix("whsec_"))
                    content = f'{self.headers["webhook-id"]}.{self.headers["webhook-timestamp"]}.'.encode() + body
                    expected = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
                    fits = expected in self.headers["webhook-signature"].split(" ")
                    print(json.loads(body)["seq"], self.headers["webhook-id"], fits, flush=True)
                    self.send_response(204)
                    self.end_headers()
                def log_message(self, *_): pass

            server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
            print(server.server_address[1], flush=True)
            server.serve_forever()
            """

        @Test("python3 is here; without it nothing below is tested")
        func installed() {
            if Self.python == nil { print("SKIPPED: python3 is not installed, so no webhook was sent to it") }
        }

        @Test(
            "what a killed worker has sent and not written down comes once more, and nothing is missing",
            .enabled(if: python != nil)
        )
        func killed() async throws {
            let folder = try ScratchFolder.make("webhooks")
            let secret = "\(folder)/secret"
            try "".write(toFile: secret, atomically: true, encoding: .utf8)
            try Self.receiver.write(toFile: "\(folder)/receiver.py", atomically: true, encoding: .utf8)
            let receiver = try ChildProcess.spawn(
                try #require(Self.python),
                ["\(folder)/receiver.py", secret],
                environment: ["PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"]
            )
            try await eventually("the receiver listens") { receiver.output.count > 0 }
            let port = try #require(receiver.output.lines.first.flatMap { Int($0) })

            let empty = try await Deployment.start(
                instances: 0,
                withRedis: false,
                settings: ["WEBHOOK_ALLOW_HTTP": "true", "WEBHOOK_ALLOW_NETWORKS": "127.0.0.1"]
            )
            let web = try await StockProcess.serve(
                environment: empty.environment.merging(["STOCK_INSTANCE": "web"]) { $1 },
                arguments: ["--role", "web"]
            )
            let deployment = Deployment(
                postgres: empty.postgres,
                standby: nil,
                database: empty.database,
                redis: nil,
                environment: empty.environment,
                instances: [web],
                witness: empty.witness
            )
            let tenant = try await deployment.tenant()
            let made = try await tenant.send("POST", "/v1/webhooks", body: #"{"url":"http://127.0.0.1:\#(port)/"}"#)
            try #require(made.status == 201, "\(made.text)")
            let path = try #require(made[header: "Location"])
            try #require(made.json["secret"].string).write(toFile: secret, atomically: true, encoding: .utf8)
            for number in 1...12 { _ = try await tenant.product(sku: "P-\(number)", onHand: number) }

            var settings = deployment.environment
            settings["STOCK_FAILPOINT"] = "webhook_sent:5"
            settings["STOCK_INSTANCE"] = "doomed"
            let doomed = try StockCommand.spawn(["serve", "--role", "worker"], environment: settings)
            #expect(try await doomed.waitForExit(within: .seconds(60)) == .signaled(SIGKILL))
            try await deployment.database.psql(
                "UPDATE stock.webhook_turn SET leased_until = now() - interval '1 second'"
            )
            let workers = try ["one", "two"].map { name in
                try StockCommand.spawn(
                    ["serve", "--role", "worker"],
                    environment: deployment.environment.merging(["STOCK_INSTANCE": name]) { $1 }
                )
            }
            var read = JSON.null
            try await eventually(within: .seconds(60), "all is sent") {
                read = try await tenant.get(path).json
                return read["head"].int.map { $0 >= 12 } == true && read["after"] == read["head"]
            }
            for number in 13...15 { _ = try await tenant.product(sku: "P-\(number)", onHand: number) }
            let head = try #require(read["head"].int) + 3
            try await eventually(within: .seconds(60), "so is what happens then") {
                try await tenant.get(path).json["after"].int == head
            }
            let lines = receiver.output.lines.dropFirst().map { $0.split(separator: " ").map(String.init) }
            let numbers = lines.compactMap { Int($0[0]) }
            // The fifth twice, as nobody wrote down that it was sent.
            #expect(numbers == Array(1...5) + Array(5...head), "\(numbers)")
            #expect(lines.allSatisfy { $0[2] == "True" })
            #expect(Set(lines.map { $0[1] }).count == head)

            for worker in workers { worker.signal(SIGTERM) }
            for worker in workers { #expect(try await worker.waitForExit(within: .seconds(30)) == .exited(0)) }
            receiver.signal(SIGTERM)
            _ = try await receiver.waitForExit(within: .seconds(30))
            try await deployment.stop()
        }
    }
}
