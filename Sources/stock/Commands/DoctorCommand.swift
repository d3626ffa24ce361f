import ArgumentParser
import Foundation
import IOLoop
import Kernel
import Logging
import Postgres
import Redis
import Services

/// `stock doctor`: looks at what the service stands on and says what to do.
struct DoctorCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Examines connections, versions, roles, row-level security, the outbox and Redis."
    )

    @OptionGroup var configuration: ConfigurationOptions

    @Option(name: .long, help: "The folder of migrations, if it is not found beside the program.")
    var sql: String?

    @Flag(name: .long, help: "Prints one JSON object.")
    var json = false

    func execute() async throws {
        let settings = try configuration.settings()
        let database = try settings.operatorDatabase()
        let redis = try settings.redis()
        let logger = try settings.commandLogger()
        let folder = try SQLFolder.find(sql)
        var findings: [Finding]
        do {
            findings = try await DatabaseSession.run(database, logger: logger) { postgres in
                try await Doctor(postgres: postgres, folder: folder).examine(deadline: .now + .seconds(60))
            }
        } catch let error as OperationsError {
            findings = [Finding("database", .failure, "\(error) It was looked for at \(database).")]
        }
        findings += await RedisExamination(configuration: redis).findings(logger: logger)
        print(json ? Self.json(findings) : Self.text(findings))
        if findings.contains(where: { $0.level == .failure }) { throw CommandFailure(.failed, nil) }
    }

    private static func text(_ findings: [Finding]) -> String {
        let width = (findings.map(\.check.count).max() ?? 0) + 2
        return findings.map {
            "\($0.level.rawValue.padding(toWidth: 9))\($0.check.padding(toWidth: width))\($0.detail)"
        }
        .joined(separator: "\n")
    }

    private static func json(_ findings: [Finding]) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("findings")
            writer.array { writer in
                for finding in findings {
                    writer.object { writer in
                        writer.member("check", finding.check)
                        writer.member("level", finding.level.rawValue)
                        writer.member("detail", finding.detail)
                    }
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

/// What doctor asks of Redis.
struct RedisExamination {
    let configuration: RedisConfiguration?

    func findings(logger: Logger) async -> [Finding] {
        guard let configuration else {
            return [Finding("redis", .ok, "none is configured; every instance caches in its own memory")]
        }
        let loop = IOLoop()
        loop.start()
        defer { loop.stop() }
        let client = RedisClient(configuration: configuration, loop: loop, logger: logger)
        let running = Task { await client.run() }
        let findings = await examine(client)
        running.cancel()
        await running.value
        return findings
    }

    private func examine(_ client: RedisClient) async -> [Finding] {
        let deadline = ContinuousClock.now + .seconds(3)
        var lastError = "it did not answer within 3 s"
        // The client connects in the background; asked again until it has.
        while ContinuousClock.now < deadline {
            do {
                let memory = try await client.send(["INFO", "memory"])
                return [Finding("redis", .ok, Self.description(client))] + Self.policy(memory)
            } catch {
                lastError = String(describing: error)
                try? await Task.sleep(for: .milliseconds(20))
            }
        }
        return [
            Finding(
                "redis",
                .warning,
                "\(lastError). Reads are slower without it and stay right; check \(variables(client.configuration))."
            )
        ]
    }

    private static func description(_ client: RedisClient) -> String {
        guard case .sentinels(let sentinels) = client.configuration.location, let address = client.address else {
            return "answers"
        }
        return "\(address) answers; Sentinel calls it \(sentinels.name)"
    }

    private func variables(_ configuration: RedisConfiguration) -> String {
        switch configuration.location {
        case .server: "REDIS_URL"
        case .sentinels: "REDIS_SENTINELS and REDIS_SENTINEL_MASTER"
        }
    }

    private static func policy(_ reply: RedisReply) -> [Finding] {
        guard case .bulk(let bytes) = reply else { return [] }
        var figures: [Substring: Substring] = [:]
        let text = String(decoding: bytes, as: UTF8.self)
        for line in text.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            figures[line[..<colon]] = line[line.index(after: colon)...]
        }
        guard let limit = figures["maxmemory"].flatMap({ Int($0) }), let policy = figures["maxmemory_policy"] else {
            return []
        }
        if limit == 0 {
            return [
                Finding("redis memory", .warning, "no maxmemory; set one, with maxmemory-policy allkeys-lru")
            ]
        }
        if !policy.hasPrefix("allkeys-") {
            return [
                Finding("redis memory", .warning, "maxmemory-policy is \(policy); allkeys-lru is meant for a cache")
            ]
        }
        return [Finding("redis memory", .ok, "\(limit) bytes, \(policy)")]
    }
}
