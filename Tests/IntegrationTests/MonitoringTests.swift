import Foundation
import Synchronization
import TestSupport
import Testing

extension Integration {
    /// What `docs/monitoring` has for those who run instances.
    @Suite("Rules, dashboards and runbook")
    struct MonitoringTests {
        private static let folder = SourceTree.root + "/docs/monitoring"

        private static func text(_ name: String) throws -> String {
            try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
        }

        /// The names of alerts and recorded series, as the rules have them.
        private static func names(_ word: String, in file: String) throws -> [String] {
            try text(file).split(separator: "\n").compactMap { line in
                let line = line.trimmingCharacters(in: .whitespaces)
                return line.hasPrefix("- \(word): ") ? String(line.dropFirst(word.count + 4)) : nil
            }
        }

        @Test("rules are rules, and their own tests pass")
        func checked() async throws {
            guard Prometheus.path != nil else {
                print("SKIPPED: prometheus is not installed, so no rule was checked (sudo apt-get install prometheus)")
                return
            }
            for arguments in [
                ["check", "rules", "recording.yml", "alerts.yml"], ["check", "config", "prometheus.yml"],
                ["test", "rules", "tests.yml"],
            ] {
                let child = try ChildProcess.spawn("promtool", arguments, directory: Self.folder)
                let status = try await child.waitForExit(within: .seconds(60))
                try await eventually("the output of promtool ends") { child.output.isClosed }
                #expect(status == .exited(0), "promtool \(arguments.joined(separator: " ")): \(child.output.text)")
            }
            let tests = try Self.text("tests.yml")
            for alert in try Self.names("alert", in: "alerts.yml") {
                let fires = tests.contains("alertname: \(alert)\n        exp_alerts:\n")
                #expect(fires && tests.contains("alertname: \(alert), exp_alerts: []"), "\(alert) is not tried")
            }
        }

        @Test("every alert has its part of the runbook, and every series that is asked for is one that there is")
        func known() async throws {
            let page = "docs/monitoring/runbook.md"
            let runbook = try String(contentsOfFile: "\(SourceTree.root)/\(page)", encoding: .utf8)
            for alert in try Self.names("alert", in: "alerts.yml") {
                #expect(runbook.contains("\n## \(alert)\n"), "\(alert)")
                #expect(try Self.text("alerts.yml").contains("runbook: \(page)#\(alert.lowercased())\n"), "\(alert)")
            }
            let described = try String(
                contentsOfFile: SourceTree.root + "/Sources/API/Metrics/MetricDescription.swift",
                encoding: .utf8
            )
            let known = Set(
                described.matches(of: /"((?:stock|process)_[a-z0-9_]+)"/).map { String($0.output.1) }
                    + (try Self.names("record", in: "recording.yml"))
            )
            let dashboards = try FileManager.default.contentsOfDirectory(atPath: "\(Self.folder)/dashboards")
            #expect(dashboards.sorted() == ["cache.json", "fleet.json", "shop.json"])
            for file in ["recording.yml", "alerts.yml"] + dashboards.map({ "dashboards/\($0)" }) {
                for match in try Self.text(file).matches(of: /\b((?:stock|process)[_:][a-z0-9_:]+)\b/) {
                    var name = String(match.output.1)
                    for suffix in ["_bucket", "_count", "_sum"] where name.hasSuffix(suffix) {
                        name = String(name.dropLast(suffix.count))
                    }
                    #expect(known.contains(name), "\(file): \(match.output.1)")
                }
            }
            for name in dashboards {
                let json = JSON(parsing: Array(try Self.text("dashboards/\(name)").utf8))
                #expect(json["uid"].string == "stock-\(name.dropLast(5))")
                #expect(json["panels"].elements.count >= 6, "\(name)")
            }
        }

        @Test(
            "each alert fires when what it is about happens, and clears when it is over",
            .enabled(if: Prometheus.path != nil, "SKIPPED: prometheus is not installed, so no alert was seen to fire")
        )
        func fires() async throws {
            let deployment = try await Deployment.start(ownPostgres: true)
            let tenant = try await deployment.tenant()
            let (tea, salt) = (try await tenant.product(sku: "TÉ"), try await tenant.product(sku: "SAL"))
            try await deployment.settles(for: tenant, within: .seconds(20))
            let prometheus = try await Prometheus.start(["a": deployment.a, "b": deployment.b])
            var seen: Set<String> = []
            // Silent before what they are about, so that it is why they fire, and when it is over.
            func alarm(
                _ alerts: String...,
                asking ask: () async throws -> Void = {},
                _ about: (_ fires: (_ while: () async throws -> Void) async throws -> Void) async throws -> Void
            ) async throws {
                try await prometheus.clears(Set(alerts), while: ask)
                try await about { body in
                    try await prometheus.fires(Set(alerts), while: body)
                    seen.formUnion(alerts)
                }
                try await prometheus.clears(Set(alerts), while: ask)
            }
            func ask(_ path: String) async { _ = try? await tenant.get(path, headers: ["Cache-Control": "no-cache"]) }

            // A value that belongs to another key.
            let redis = try #require(deployment.redis)
            for product in [tea, salt] { try await tenant.warm("/v1/products/\(product)") }
            func entry(_ product: String) async throws -> String {
                var found = ""
                try await eventually("Redis has \(product)") {
                    found = try await redis.command("--scan", "--pattern", "*id:\(product)*")
                        .trimmingCharacters(in: .whitespacesAndNewlines)
                    return !found.isEmpty && !found.contains("\n")
                }
                return found
            }
            try await alarm("StockCacheForeign") { fires in
                _ = try await redis.command("COPY", try await entry(tea), try await entry(salt), "REPLACE")
                #expect(try await tenant.get("/v1/products/\(salt)", from: .b).json["id"].string == salt)
                try await fires {}
            }

            // Redis is gone.
            try await alarm("StockRedisGone") { fires in
                try await redis.kill()
                try await fires {}
                try await redis.start(keepingData: false)
            }

            // No relay is at work.
            try await alarm("StockOutboxStuck", "StockCacheUnused") { fires in
                let relay = try await Blockade.ofTheRelay(on: deployment.database)
                _ = try await tenant.rename(tea, to: "Té verde")
                try await fires {}
                try await relay.end()
            }

            // Everybody waits for one who holds a lock, first sales, for which there are fewer connections than come.
            func waiting(asking count: Int, until then: () async throws -> Void) async throws {
                let lock = try await Blockade.begin("LOCK TABLE stock.product, stock.sale", on: deployment.database)
                let progress = Progress()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    defer { progress.isOver.store(true, ordering: .relaxed) }
                    let sale =
                        #"{"lines":[{"sku":"SAL","quantity":"1"}],"payments":[{"method":"cash","amount":"1.00"}]}"#
                    for _ in 0..<12 { group.addTask { _ = try? await tenant.post("/v1/sales", sale) } }
                    try await eventually(within: .seconds(30), "a sale waits for the lock") {
                        try await waits(longerThan: 0)
                    }
                    // Who waits past the deadline is refused, and asks again.
                    for _ in 0..<count {
                        group.addTask {
                            while !progress.isOver.load(ordering: .relaxed) { await ask("/v1/products/\(tea)") }
                        }
                    }
                    try await then()
                    progress.isOver.store(true, ordering: .relaxed)
                    try await lock.end()
                    try await group.waitForAll()
                }
            }
            func waits(longerThan milliseconds: Int) async throws -> Bool {
                try await deployment.database.psql(
                    """
                    SELECT count(*) > 0 FROM pg_stat_activity
                     WHERE wait_event_type = 'Lock' AND clock_timestamp() - query_start > interval '\(milliseconds) ms'
                    """
                ) == "t"
            }
            try await alarm("StockFull") { full in
                try await waiting(asking: 120) { try await full {} }
            }
            // Again and again, each time for no longer than is slow, as a refusal is not a slow answer. Then quick answers, without which a
            // share of slow ones is of nothing.
            try await alarm("StockSlow", "StockPostgresWaits", asking: { await ask("/v1/products/\(tea)") }) { slow in
                try await slow {
                    try await waiting(asking: 12) {
                        try await eventually(within: .seconds(30), "what is slow") { try await waits(longerThan: 900) }
                    }
                }
            }

            // PostgreSQL is gone.
            try await alarm(
                "StockNotReady",
                "StockPostgresGone",
                "StockErrors",
                "StockPostgresRefuses",
                asking: { await ask("/v1/products/\(tea)") }
            ) { fires in
                try await deployment.postgres.kill()
                try await fires { await ask("/v1/products/\(tea)") }
                try await deployment.postgres.startIfStopped()
            }

            // More log-ins than there is processor time for.
            try await alarm("StockLogInFlood") { fires in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<4 {
                        let client = HTTPClient(port: deployment.a.port)
                        for _ in 0..<30 {
                            group.addTask {
                                _ = try? await client.send(
                                    "POST",
                                    "/v1/auth/login",
                                    headers: ["Content-Type": "application/json"],
                                    body: #"{"email":"\#(number)@example.com","password":"wrong and long enough"}"#
                                )
                            }
                        }
                    }
                    try await fires {}
                    try await group.waitForAll()
                }
            }

            // Few files may be open.
            try await alarm("StockFiles") { fires in
                let id = "\(deployment.a.process.processID)"
                let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(id)/fd").count
                _ = try await run("prlimit", ["--pid", id, "--nofile=\(open + 8):"])
                try await fires {}
                _ = try await run("prlimit", ["--pid", id, "--nofile=4096:"])
            }

            var b = deployment.b
            func restart() async throws {
                b = try await deployment.instance(named: "i1", port: b.port)
                try prometheus.look(at: ["a": deployment.a, "b": b])
            }

            // The thread of the sockets has what others leave of the processors, and they leave little.
            try await alarm("StockLoopBlocked") { fires in
                let tasks = "/proc/\(b.process.processID)/task"
                for task in try FileManager.default.contentsOfDirectory(atPath: tasks)
                where (try? String(contentsOfFile: "\(tasks)/\(task)/comm", encoding: .utf8)) == "stock-io\n" {
                    _ = try await run("chrt", ["--idle", "--pid", "0", task])
                }
                let others = try (0..<2 * ProcessInfo.processInfo.activeProcessorCount).map { _ in
                    try ChildProcess.spawn("timeout", ["120", "sh", "-c", "while :; do :; done"])
                }
                try await fires {}
                for other in others {
                    // Which `timeout` passes on.
                    other.signal(SIGTERM)
                    _ = try await other.waitForExit()
                }
                // Only who may do anything can give it back what it had.
                try await b.kill()
                try await restart()
            }

            // An instance that dies, again and again.
            try await alarm("StockRestarts") { restarts in
                for round in 0..<3 {
                    let before = try await prometheus.start(of: "b")
                    if round == 0 {
                        try await alarm("StockDown") { down in
                            try await b.kill()
                            try await down {}
                            try await restart()
                        }
                    } else {
                        try await b.kill()
                        try await restart()
                    }
                    // One that dies before it was looked at is a start that nobody counts.
                    try await eventually(within: .seconds(30), "start \(round) is seen") {
                        let now = try await prometheus.start(of: "b")
                        return now != nil && now != before
                    }
                }
                try await restarts {}
            }

            #expect(Set(try Self.names("alert", in: "alerts.yml")) == seen)
            try await prometheus.stop()
            try await b.terminate()
            try await deployment.stop()
        }
    }
}
