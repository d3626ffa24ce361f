import Foundation
import Synchronization
import TestSupport
import Testing

extension Integration {
    @Suite("Behind a load balancer")
    struct BalancerTests {
        /// Restarts of an instance while the load goes on; more by hand.
        static let restarts = ProcessInfo.processInfo.environment["STOCK_TEST_RESTARTS"].flatMap { Int($0) } ?? 3
        /// Requests a second.
        static let rate = ProcessInfo.processInfo.environment["STOCK_TEST_RATE"].flatMap { Int($0) } ?? 200

        static var programs: [Balancer.Program] { Balancer.Program.allCases.filter { $0.path != nil } }

        @Test("the programs are here; without them nothing below is tested")
        func installed() {
            for program in Balancer.Program.allCases where program.path == nil {
                print("SKIPPED: \(program.rawValue) is not installed, so nothing was tested behind it")
            }
        }

        @Test("what operators ask is not reachable through it, in any spelling", arguments: programs)
        func operations(program: Balancer.Program) async throws {
            let deployment = try await Deployment.start(instances: 1)
            let balancer = try await Balancer.start(program, deployment.instances.map(\.port))
            let client = balancer.client()
            for path in [
                "/metrics", "/metrics?x=1", "/metrics/", "//metrics", "/%6detrics", "/./metrics", "/health/../metrics",
                "/health/detailed", "/health/detailed/", "/health//detailed", "/health/%64etailed", "/METRICS",
            ] {
                let answer = try await client.send("GET", path)
                #expect(!(200..<400).contains(answer.status), "\(path): \(answer.status)")
                #expect(!answer.text.contains("stock_") && !answer.text.contains("uptime"), "\(path)")
            }
            #expect(try await client.send("GET", "/health").status == 200)
            // Where they are meant to be asked they are.
            #expect(try await deployment.a.operations.send("GET", "/metrics").status == 200)
            #expect(try await deployment.a.operations.send("GET", "/health/detailed").json["ready"] == .bool(true))
            try await balancer.stop()
            try await deployment.stop()
        }

        @Test(
            "who guesses passwords is shut out by address, as the balancer tells it, and nobody else is",
            arguments: programs
        )
        func addresses(program: Balancer.Program) async throws {
            let deployment = try await Deployment.start(
                instances: 1,
                settings: ["TRUSTED_PROXIES": "127.0.0.1", "RATE_LIMIT_LOGIN": "5"]
            )
            let tenant = try await deployment.tenant()
            let balancer = try await Balancer.start(program, deployment.instances.map(\.port))
            func logIn(_ client: HTTPClient, _ password: String, _ fields: [String: String] = [:]) async throws -> Int {
                try await client.send(
                    "POST",
                    "/v1/auth/login",
                    headers: fields.merging(["Content-Type": "application/json"]) { $1 },
                    body: #"{"email":"owner@\#(tenant.slug).example","password":"\#(password)"}"#
                ).status
            }
            let guesser = balancer.client(from: "127.0.0.2")
            var statuses: [Int] = []
            try await eventually(within: .seconds(120), "the guesser is refused") {
                statuses.append(try await logIn(guesser, "wrong \(statuses.count)"))
                return statuses.last == 429
            }
            // What it says of itself does not help it, nor does it hurt another.
            for claim in ["127.0.0.9", "10.0.0.1, 127.0.0.9", "127.0.0.1"] {
                #expect(try await logIn(guesser, "wrong again", ["X-Forwarded-For": claim]) == 429, "\(claim)")
            }
            let other = balancer.client(from: "127.0.0.3")
            var answer = 0
            try await eventually(within: .seconds(120), "the owner's own password is taken from elsewhere") {
                answer = try await logIn(other, Tenant.password)
                return answer != 503
            }
            #expect(answer == 200)
            try await eventually("the log names the client and not the balancer") {
                let lines = deployment.a.process.errors.lines.map { JSON(parsing: Array($0.utf8)) }
                let clients = Set(
                    lines.filter { $0["route"].string == "/v1/auth/login" }.compactMap { $0["client"].string }
                )
                return clients.isSuperset(of: ["127.0.0.2", "127.0.0.3"]) && !clients.contains("127.0.0.9")
            }
            try await balancer.stop()
            try await deployment.stop()
        }

        @Test(
            "instances that are restarted one after the other cost no request, sales included, and no event",
            arguments: programs
        )
        func rolling(program: Balancer.Program) async throws {
            // The delay that is shipped: what it is worth is tested here.
            let deployment = try await Deployment.start(instances: 3, settings: ["STOCK_DRAIN_DELAY": ""])
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "ROLL", price: "1.00")
            let balancer = try await Balancer.start(program, deployment.instances.map(\.port))
            let till = Till(tenant: tenant.at([balancer.client()]), product: product, rate: Self.rate)
            let head = try #require(try await tenant.get("/v1/events?limit=1").json["head"].int)
            let followers = (0..<8).map { _ in Follower(of: tenant, port: balancer.port, after: head) }
            var instances = deployment.instances
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await till.work() }
                for follower in followers { group.addTask { await follower.work() } }
                defer {
                    till.close()
                    for follower in followers { follower.close() }
                }
                for number in 0..<Self.restarts {
                    let index = number % instances.count
                    let end = try await instances[index].terminate()
                    #expect(end == .exited(0), "\(end)\n\(instances[index].process.errors.text.suffix(20_000))")
                    let new = try await deployment.instance(
                        named: "i\(index)",
                        port: instances[index].port,
                        settings: ["STOCK_DRAIN_DELAY": ""]
                    )
                    instances[index] = new
                    try await eventually(within: .seconds(30), "the balancer sends it requests again") {
                        let metrics = try await new.operations.send("GET", "/metrics").text
                        return metrics.contains(#"stock_http_request_seconds_count{method="GET",route="/v1/"#)
                    }
                }
            }
            let counts = till.counts
            print("\(program.rawValue), \(Self.restarts) restarts: \(counts)")
            #expect(counts.broken.isEmpty, "\(counts.broken)\n\(balancer.troubles)")
            #expect(counts.sales > 0 && counts.reads > 0)
            // Every stream was cut by some restart, found another instance at the first try, and missed nothing.
            let events = try await tenant.at([instances[0].client]).get("/v1/events?limit=1").json
            let last = try #require(events["head"].int)
            for follower in followers {
                try await follower.catchesUp(to: last)
                #expect(follower.ids == Array(head + 1...last))
                #expect(follower.refusals.isEmpty, "\(follower.refusals)")
            }
            let connections = followers.map(\.connections)
            #expect(connections.max() ?? 0 > 1)
            print("  \(last - head) events, each to \(followers.count) streams over \(connections) connections")
            // Each was sent once: what was answered is what is there.
            let recorded = try await deployment.database.psql("SELECT count(*) FROM stock.sale")
            #expect(recorded == "\(counts.sales)")
            try await balancer.stop()
            for instance in instances { try await instance.terminate() }
            try await deployment.stop()
        }

        @Test(
            "what the shipped configuration of HAProxy needs to look away is shorter than what an instance waits for it"
        )
        func detection() throws {
            let text = try String(contentsOfFile: Balancer.Program.haproxy.shipped, encoding: .utf8)
            let words = text.split(whereSeparator: \.isWhitespace)
            func value(_ name: Substring) throws -> Int {
                let index = try #require(words.firstIndex(of: name))
                let text = words[index + 1]
                if text.hasSuffix("ms") { return try #require(Int(text.dropLast(2))) }
                if text.hasSuffix("s") { return try #require(Int(text.dropLast())) * 1000 }
                return try #require(Int(text))
            }
            // The first refusal at the end of an interval, the others after shorter ones; each may take as long as a check may.
            let fall = try value("fall")
            let slowest = try value("inter") + (fall - 1) * value("fastinter")
            let readme = try String(contentsOfFile: SourceTree.root + "/README.md", encoding: .utf8)
            let row = try #require(readme.split(separator: "\n").first { $0.hasPrefix("| `STOCK_DRAIN_DELAY`") })
            let delay = try #require(row.split(separator: "`").last { Int($0) != nil }.flatMap { Int($0) }) * 1000
            #expect(slowest * 2 < delay, "\(slowest) ms to look away, \(delay) ms to do it in")
        }
    }
}

/// A stream that goes on through a balancer as its instances come and go: what a client of events does.
private final class Follower: Sendable {
    private struct State {
        var ids: [Int] = []
        var connections = 0
        var refusals: [String] = []
        var isClosing = false
    }

    private let tenant: Tenant
    private let port: Int
    private let head: Int
    private let state = Mutex(State())

    init(of tenant: Tenant, port: Int, after head: Int) {
        (self.tenant, self.port, self.head) = (tenant, port, head)
    }

    var ids: [Int] { state.withLock { $0.ids } }
    var connections: Int { state.withLock { $0.connections } }
    /// Answers that were no stream.
    var refusals: [String] { state.withLock { $0.refusals } }

    func close() { state.withLock { $0.isClosing = true } }

    func work() async {
        while !state.withLock({ $0.isClosing }) {
            await follow { self.state.withLock { $0.isClosing } }
            // A pause that is meant: `retry`, at its least.
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// Follows until it has everything.
    func catchesUp(to last: Int) async throws {
        try await eventually(within: .seconds(60), "the stream is at \(last)") {
            await self.follow { self.ids.last ?? self.head >= last }
            return ids.last ?? self.head >= last
        }
    }

    /// One connection, until it ends or there is enough of it.
    private func follow(until isEnough: @escaping @Sendable () -> Bool) async {
        let (from, before) = state.withLock { ($0.ids.last ?? head, $0.ids) }
        do {
            let source = try EventSource(port: port, token: tenant.token, lastID: from)
            state.withLock { $0.connections += 1 }
            try await eventually(within: .seconds(3600), every: .milliseconds(50), "the stream ends") {
                self.state.withLock { $0.ids = before + source.ids }
                return source.isOver || isEnough()
            }
            source.cut()
            guard !isEnough() else { return }
            let answer = source.head
            // That there is too much to do is said to streams as to everybody, and is counted at the till.
            if !answer.hasPrefix("HTTP/1.1 200"), !answer.contains(#""code":"overloaded""#) {
                state.withLock { $0.refusals.append(answer) }
            }
        } catch {
            state.withLock { $0.refusals.append("\(error)") }
        }
    }
}

/// Reads and sales at a fixed rate through a balancer, each sent once: no failure is made good by sending it again.
private final class Till: Sendable {
    struct Counts: CustomStringConvertible {
        var reads = 0
        var sales = 0
        /// Answers of the service that it has too much to do.
        var overloaded = 0
        /// Everything that no instance answered.
        var broken: [String] = []
        var description: String {
            "\(reads) reads, \(sales) sales, \(overloaded) overloaded, \(broken.count) broken"
        }
    }

    private let tenant: Tenant
    private let product: String
    private let rate: Int
    private let state = Mutex((counts: Counts(), isClosing: false))

    init(tenant: Tenant, product: String, rate: Int) {
        self.tenant = tenant
        self.product = product
        self.rate = rate
    }

    var counts: Counts { state.withLock { $0.counts } }

    func close() { state.withLock { $0.isClosing = true } }

    func work() async {
        let width = 16
        let start = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
            for clerk in 0..<width {
                group.addTask {
                    var number = clerk
                    while !self.state.withLock({ $0.isClosing }) {
                        // A pause that is meant: the rate.
                        let due = start.advanced(by: .seconds(1) * number / self.rate)
                        try? await Task.sleep(until: due, clock: .continuous)
                        await self.ask(number)
                        number += width
                    }
                }
            }
        }
    }

    private func ask(_ number: Int) async {
        // One in five sells; of the rest one in four is new to every cache.
        let isSale = (number / 16).isMultiple(of: 5)
        do {
            let answer =
                if isSale {
                    try await tenant.post("/v1/sales", Tenant.sale([(product, 1)], total: "1.00"))
                } else if number.isMultiple(of: 4) {
                    try await tenant.get("/v1/products?q=\(number)")
                } else {
                    try await tenant.get("/v1/products/\(product)")
                }
            state.withLock { state in
                switch answer.status {
                case 201: state.counts.sales += 1
                case 200: state.counts.reads += 1
                case 503 where answer.json["code"].string == "overloaded": state.counts.overloaded += 1
                default: state.counts.broken.append("\(isSale ? "sale" : "read"): \(answer.status) \(answer.text)")
                }
            }
        } catch {
            state.withLock { $0.counts.broken.append("\(isSale ? "sale" : "read"): \(error)") }
        }
    }
}
