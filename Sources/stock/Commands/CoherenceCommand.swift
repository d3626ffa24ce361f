import ArgumentParser
import Foundation
import Kernel
import Laboratory
import Synchronization
import UnixSignals

/// `stock coherence`: whether the caches are right, judged by what clients wrote and saw.
struct CoherenceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coherence",
        abstract: "Checks that no cached answer is wrong.",
        discussion: """
            With --instance it checks running instances, in a tenant of its own. Without, it builds a laboratory in a \
            temporary folder (PostgreSQL, Redis, instances of this program, a proxy on every link) and makes faults there.

            An interrupt (^C) ends a check early, with its report; a second one at once, without.

            Exit status: 0 clean, 1 violations, 64 bad usage, 78 bad configuration.
            """,
        subcommands: [Run.self, Check.self],
        defaultSubcommand: Run.self
    )

    /// `stock coherence check FILE`.
    struct Check: OperatorCommand {
        static let configuration = CommandConfiguration(abstract: "Judges a history recorded by --record again.")

        @Argument(help: "The file; - is standard input.")
        var file: String

        @Flag(name: .long, help: "Prints one JSON object.")
        var json = false

        func execute() async throws {
            let report = try HistoryFile.check(path: file)
            print(json ? report.json : report.text)
            if !report.isClean { throw CommandFailure(.failed, nil) }
        }
    }

    struct Run: OperatorCommand {
        static let configuration = CommandConfiguration(
            commandName: "run",
            abstract: "Checks running instances, or a laboratory of its own (the default)."
        )

        @Option(name: .customLong("instance"), help: "An instance to check, as http://127.0.0.1:8080; repeat.")
        var urls: [String] = []

        @Option(name: .long, help: "An API key of every scope, of a tenant that is the checker's own.")
        var token: String?

        @Option(name: .long, help: "A file that holds it; - is standard input.")
        var tokenFile: String?

        @Option(name: .long, help: "How long, as 60s or 10m; at most 2 hours. (default: 60s)")
        var duration: String?

        @Option(name: .long, help: "none, all, or a list of names and groups separated by commas.")
        var faults: String?

        @Option(name: .long, help: "The number all chances follow from; a random one if left out.")
        var seed: UInt64?

        @Option(name: .long, help: "Records the history in a file, for `stock coherence check`.")
        var record: String?

        @Option(name: .long, help: "Instances of the laboratory, 2 to 8. (default: 3)")
        var instances: Int?

        @Option(
            name: .long,
            help: "Threads that read, 1 to 64; a quarter of them in sessions with tokens. (default: 12)"
        )
        var readers: Int?

        @Option(
            name: .long,
            help: "Milliseconds between two reads of a thread; 0 for as many as there can be. (default: 0)"
        )
        var readPause: Int?

        @Option(name: .long, help: "Milliseconds between two writes of a thread, on average. (default: 25)")
        var writePause: Int?

        @Option(name: .long, help: "Runs a directed scenario instead; `list` names them all.")
        var scenario: String?

        @Option(name: .long, help: "The guard a scenario is played without; test builds alone can do that.")
        var without: String?

        @Flag(name: .long, help: "Prints one JSON object.")
        var json = false

        @OptionGroup var configuration: ConfigurationOptions

        func validate() throws {
            _ = try seconds()
            for (name, given, accepted) in [
                ("--instances", instances, 2...8), ("--readers", readers, 1...64),
                ("--read-pause", readPause, 0...10_000), ("--write-pause", writePause, 1...10_000),
            ] {
                guard let given, !accepted.contains(given) else { continue }
                throw ValidationError("\(name) is \(accepted.lowerBound) to \(accepted.upperBound)")
            }
            if !urls.isEmpty, let faults, faults != "none" {
                throw ValidationError("--faults needs a laboratory: running instances are checked as they are")
            }
            if !urls.isEmpty, scenario != nil { throw ValidationError("--scenario needs a laboratory") }
            if without != nil, scenario == nil { throw ValidationError("--without needs a --scenario") }
            try refuseIdleOptions()
        }

        /// Refuses what is given and would do nothing: who gave it believes that it did.
        private func refuseIdleOptions() throws {
            if !urls.isEmpty, instances != nil { throw ValidationError("--instances needs a laboratory") }
            if urls.isEmpty, token != nil || tokenFile != nil {
                throw ValidationError("\(token == nil ? "--token-file" : "--token") needs an --instance")
            }
            guard scenario != nil else { return }
            let given: [(name: String, isGiven: Bool)] = [
                ("--duration", duration != nil), ("--faults", faults != nil), ("--instances", instances != nil),
                ("--readers", readers != nil), ("--read-pause", readPause != nil), ("--write-pause", writePause != nil),
            ]
            if let idle = given.first(where: \.isGiven) {
                throw ValidationError("\(idle.name) does nothing with --scenario, which is played as it is written")
            }
        }

        func execute() async throws {
            if scenario == "list" {
                for scenario in ControlScenario.all {
                    print("\(scenario.name): \(scenario.guards.joined(separator: ", "))")
                }
                return
            }
            let report = try await urls.isEmpty ? laboratory() : running()
            print(json ? report.json : report.text)
            if !report.isClean { throw CommandFailure(.failed, nil) }
        }

        private func seconds() throws -> Int {
            let duration = self.duration ?? "60s"
            let digits = duration.prefix { $0.isNumber }
            let unit: Int? =
                switch duration.dropFirst(digits.count) {
                case "s", "": 1
                case "m": 60
                case "h": 3_600
                default: nil
                }
            guard let number = Int(digits), let unit, (1...7_200 / unit).contains(number) else {
                throw ValidationError("--duration is '\(duration)'; accepted: 1s to 2h, as 90s or 10m")
            }
            return number * unit
        }

        private func plan(seed: UInt64) -> WorkloadPlan {
            var plan = WorkloadPlan()
            let readers = self.readers ?? 12
            plan.sessions = readers / 4
            plan.readers = readers - plan.sessions
            plan.readPause = .milliseconds(readPause ?? 0)
            plan.writePause = .milliseconds(writePause ?? 25)
            plan.seed = seed
            return plan
        }

        private var chosenSeed: UInt64 { seed ?? UInt64.random(in: 1...999_999) }

        // MARK: Running instances

        private func running() async throws -> CoherenceReport {
            let targets = try urls.map { url in
                guard let target = Self.target(url) else {
                    throw CommandFailure(
                        .usage,
                        "--instance is '\(url)'; accepted: http://127.0.0.1:PORT, this machine alone"
                    )
                }
                return target
            }
            let key = try SecretSource.read("token", value: token, file: tokenFile)
            guard let first = targets.first else { throw CommandFailure(.usage, "no instance") }
            let me = try await HTTPClient(port: first.port).send(
                "GET",
                "/v1/tenant",
                headers: ["Authorization": "Bearer \(key)"]
            )
            guard me.status == 200, let tenant = me.json["id"].int else {
                throw CommandFailure(.failed, "\(first.name) does not accept the key: \(me.status) \(me.text)")
            }
            let settings = try configuration.settings()
            guard settings.text(.databaseURL) != nil else {
                StandardError.write("not compared with the log: DATABASE_URL is not set\n")
                return try await check(targets, key: key, tenant: tenant, database: nil)
            }
            // ^C ends a check early, with its report.
            return try await DatabaseSession.run(
                try settings.operatorDatabase(),
                endingOn: [.sigterm],
                logger: try settings.commandLogger()
            ) { postgres in
                try await check(targets, key: key, tenant: tenant, database: PostgresCoherence(postgres: postgres))
            }
        }

        private func check(
            _ targets: [CoherenceRun.Target],
            key: String,
            tenant: Int,
            database: (any CoherenceDatabase)?
        ) async throws -> CoherenceReport {
            let run = try await CoherenceRun(
                targets: targets,
                key: key,
                tenant: Int64(tenant),
                plan: plan(seed: chosenSeed),
                database: database,
                recordingTo: record
            )
            let patience = try Patience(.seconds(seconds()))
            return try await run.run { try await $0.wait(until: { patience.isOver }) }
        }

        private static func target(_ url: String) -> CoherenceRun.Target? {
            let address = url.hasPrefix("http://") ? url.dropFirst(7) : url[...]
            let parts =
                address.split(separator: "/", omittingEmptySubsequences: true).first?.split(separator: ":") ?? []
            guard parts.count == 2, ["127.0.0.1", "localhost"].contains(parts[0]), let port = Int(parts[1]),
                (1...65_535).contains(port)
            else { return nil }
            return CoherenceRun.Target(name: url, port: port)
        }

        // MARK: A laboratory

        private func laboratory() async throws -> CoherenceReport {
            let chosen = try faultChoice()
            let played = try scenario.map { name in
                guard let found = ControlScenario.named(name) else {
                    let names = ControlScenario.all.map(\.name).joined(separator: ", ")
                    throw CommandFailure(.usage, "--scenario is '\(name)'; accepted: list, \(names)")
                }
                return found
            }
            let seed = chosenSeed
            if !json { StandardError.write("seed \(seed)\n") }
            let laboratory = try await Laboratory.start(instances: played == nil ? instances ?? 3 : 2, seed: seed)
            let result: Result<CoherenceReport, any Error>
            do {
                if let played {
                    let tenant = try await laboratory.tenant("checked")
                    result = .success(
                        try await played.play(in: laboratory, tenant: tenant, without: without, recordingTo: record)
                    )
                } else {
                    result = .success(try await check(laboratory, seed: seed, faults: chosen))
                }
            } catch {
                result = .failure(error)
            }
            await laboratory.stop()
            return try result.get()
        }

        private func faultChoice() throws -> [Fault] {
            do {
                return try FaultCatalogue.matching(faults ?? "all")
            } catch {
                throw CommandFailure(.usage, "--faults: \(error)")
            }
        }

        private func check(_ laboratory: Laboratory, seed: UInt64, faults: [Fault]) async throws -> CoherenceReport {
            let tenant = try await laboratory.tenant("checked")
            let patience = try Patience(.seconds(seconds()))
            let settings = Settings(variables: ["DATABASE_URL": laboratory.database.appURL])
            // ^C ends a check early, with its report.
            return try await DatabaseSession.run(
                try settings.operatorDatabase(),
                endingOn: [.sigterm],
                logger: try settings.commandLogger()
            ) { postgres in
                let run = try await CoherenceRun(
                    targets: laboratory.instances.map { CoherenceRun.Target(name: $0.name, port: $0.port) },
                    key: tenant.key,
                    tenant: Int64(tenant.id),
                    plan: plan(seed: seed),
                    database: PostgresCoherence(postgres: postgres),
                    recordingTo: record
                )
                return try await run.run { run in
                    try await run.inject(
                        FaultSchedule(seed: seed, faults: faults),
                        in: laboratory,
                        until: { patience.isOver }
                    )
                }
            }
        }
    }
}

/// How long a check goes on: for its time, or until somebody interrupts it.
private final class Patience: Sendable {
    private let end: ContinuousClock.Instant
    private let isInterrupted = Atomic(false)

    init(_ time: Duration) {
        end = .now + time
        // Listens as long as the command runs: nothing else in it ends before the process does.
        Task { [weak self] in
            for await _ in await UnixSignalsSequence(trapping: .sigint) {
                self?.isInterrupted.store(true, ordering: .relaxed)
                signal(SIGINT, SIG_DFL)
                return
            }
        }
    }

    var isOver: Bool { isInterrupted.load(ordering: .relaxed) || .now >= end }
}
