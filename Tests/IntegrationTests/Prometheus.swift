import Foundation
import TestSupport

/// A Prometheus that looks at instances by the rules for operators, with minutes made seconds.
struct Prometheus {
    /// The program, nil where it is not installed.
    static let path: String? = ["/usr/bin/prometheus", "/usr/local/bin/prometheus"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    private let process: ChildProcess
    private let client: HTTPClient
    private let folder: String

    /// Starts it, and waits until it has seen all targets.
    ///
    /// - Parameter targets: the instances by name.
    /// - Returns: the running Prometheus; whoever starts it stops it.
    /// - Throws: what kept it from starting.
    static func start(_ targets: [String: StockProcess]) async throws -> Prometheus {
        let folder = try ScratchFolder.make("prometheus")
        for name in ["recording.yml", "alerts.yml"] {
            let rules = try String(contentsOfFile: "\(SourceTree.root)/docs/monitoring/\(name)", encoding: .utf8)
            try quickened(rules).write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
        }
        // An instance is asked as often as the spans need, and has as long to answer: a debug build that shares its processors is slow.
        let configuration = """
            global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 200ms}
            rule_files: [recording.yml, alerts.yml]
            scrape_configs:
              - job_name: stock
                file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]

            """
        try configuration.write(toFile: "\(folder)/prometheus.yml", atomically: true, encoding: .utf8)
        let port = try FreePort.next()
        let prometheus = Prometheus(
            process: try ChildProcess.spawn(
                path ?? "prometheus",
                [
                    "--config.file=\(folder)/prometheus.yml", "--storage.tsdb.path=\(folder)/data",
                    "--web.listen-address=127.0.0.1:\(port)", "--log.level=warn",
                ],
                environment: ["PATH": "/usr/bin:/bin", "HOME": folder],
                directory: folder,
                processIDFile: "\(folder)/pid"
            ),
            client: HTTPClient(port: port),
            folder: folder
        )
        try prometheus.look(at: targets)
        try await eventually(within: .seconds(30), "Prometheus has seen every instance") {
            guard let answer = try? await prometheus.client.send("GET", "/api/v1/query?query=up%20%3D%3D%201") else {
                return false
            }
            return answer.json["data"]["result"].elements.count == targets.count
        }
        return prometheus
    }

    /// The same rules for a clock on which a minute is a second: what is asked of a series and how much is too much stays.
    private static func quickened(_ rules: String) -> String {
        // What is looked back over is a few scrapes at least, and a few restarts of an instance.
        let spans = [("[1h]", "[8s]"), ("[15m]", "[60s]"), ("[5m]", "[6s]"), ("[1m]", "[4s]")]
        let waits = ["30s", "1m", "5m"].map { ("for: \($0)\n", "for: 600ms\n") }
        return (spans + waits).reduce(rules) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
    }

    /// Tells it where the instances are.
    func look(at targets: [String: StockProcess]) throws {
        let groups = targets.map { name, instance in
            #"{"targets":["127.0.0.1:\#(instance.operations.port)"],"labels":{"instance":"\#(name)"}}"#
        }
        try "[\(groups.joined(separator: ","))]".write(
            toFile: "\(folder)/targets.json",
            atomically: true,
            encoding: .utf8
        )
    }

    /// The names of the alerts that fire.
    func firing() async throws -> Set<String> {
        let alerts = try await client.send("GET", "/api/v1/alerts").json["data"]["alerts"].elements
        return Set(alerts.filter { $0["state"].string == "firing" }.compactMap { $0["labels"]["alertname"].string })
    }

    /// When the process that was looked at last began, as it says so; nil while there is none.
    func start(of instance: String) async throws -> String? {
        let query = "process_start_time_seconds%7Binstance%3D%22\(instance)%22%7D"
        return try await client.send("GET", "/api/v1/query?query=\(query)")
            .json["data"]["result"].elements.first?["value"].elements.last?.string
    }

    /// Does something again and again until each of these alerts has fired, together or one after the other.
    ///
    /// - Throws: What fires instead.
    func fires(_ alerts: Set<String>, while body: () async throws -> Void = {}) async throws {
        var missing = alerts
        try await watches(within: .seconds(60), until: "\(alerts.sorted()) fire", while: body) { now in
            missing.subtract(now)
            return missing.isEmpty
        }
    }

    /// Waits until alerts are over.
    ///
    /// Others may fire, and by right, on a machine on which other work makes everything late.
    ///
    /// - Throws: What fires still.
    func clears(_ alerts: Set<String>, while body: () async throws -> Void = {}) async throws {
        // Restarts are remembered for a minute here.
        try await watches(within: .seconds(120), until: "\(alerts.sorted()) are over", while: body) {
            $0.isDisjoint(with: alerts)
        }
    }

    private func watches(
        within limit: Duration,
        until expectation: String,
        while body: () async throws -> Void,
        _ condition: (Set<String>) -> Bool
    ) async throws {
        var now: Set<String> = []
        do {
            try await eventually(within: limit, every: .milliseconds(50), expectation) {
                try await body()
                now = try await firing()
                return condition(now)
            }
        } catch is TimeLimitExceeded {
            throw TimeLimitExceeded(expectation: "\(expectation); firing: \(now.sorted())", limit: limit)
        }
    }

    /// Ends it.
    func stop() async throws {
        process.signal(SIGKILL)
        try await process.waitForExit(within: .seconds(10))
    }
}
