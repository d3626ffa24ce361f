import Foundation
import TestSupport
import Testing

/// The checker itself, as its users run it: three instances, every fault, random load.
@Suite("Coherence run")
struct CoherenceRunTests {
    /// A zero is worth what was tried: fewer reads or faults than this show nothing.
    static let reads = 5_000
    static let searches = 200
    static let commands = 10
    static let comparisons = 200
    static let faults = 10

    @Test(
        "three instances, every fault for 45 seconds: no answer is wrong, and caches are in use within 5 s of each fault",
        .timeLimit(.minutes(5))
    )
    func everyFault() async throws {
        let folder = try ScratchFolder.make("coherence")
        let history = "\(folder)/history"
        // Printed, so that it can be repeated: the schedule of faults and the choices of the load follow from it.
        let seed = Int.random(in: 1...999_999)
        print("coherence run: seed \(seed)")
        let run = try await StockCommand.run(
            [
                "coherence", "--duration", "45s", "--seed", "\(seed)", "--record", history, "--read-pause", "2",
                "--write-pause", "40", "--json",
            ],
            environment: [:],
            within: .seconds(240)
        )
        let report = JSON(parsing: Array(run.output.utf8))
        print("coherence run: \(run.output)")
        #expect(run.status == .exited(0), "seed \(seed): \(run.output)\(run.errors)")
        #expect(report["violation_count"].int == 0, "seed \(seed): \(report["violations"])")
        #expect(report["unexpected"].int == 0, "seed \(seed): \(report["unexpected_answers"])")
        #expect(try #require(report["reads"].int) >= Self.reads)
        #expect(try #require(report["searches"].int) >= Self.searches)
        #expect(try #require(report["commands"].int) >= Self.commands)
        #expect(try #require(report["comparisons"].int) >= Self.comparisons)
        #expect(try #require(report["fault_count"].int) >= Self.faults)
        // What is promised, on a busy machine, too.
        #expect(report["slow_recoveries"].elements.isEmpty, "seed \(seed): \(report["slow_recoveries"])")

        // The file says the same as the run, and a wrong answer in it is found.
        let again = try await StockCommand.run(["coherence", "check", history, "--json"], environment: [:])
        #expect(again.status == .exited(0), "\(again.output)\(again.errors)")
        #expect(JSON(parsing: Array(again.output.utf8))["reads"].int == report["reads"].int)
        var lines = try String(contentsOfFile: history, encoding: .utf8).split(separator: "\n")
        let start = (report["seconds"].int ?? 600) * 1_000_000 + 600_000_000
        lines.append("r \(start) \(start + 1) 0 0 - 1 0 0 0 0=0")
        try lines.joined(separator: "\n").write(toFile: history, atomically: false, encoding: .utf8)
        let forged = try await StockCommand.run(["coherence", "check", history], environment: [:])
        #expect(forged.status == .exited(1))
        #expect(forged.output.contains("lease: instance 0, subject 0"), "\(forged.output)")
    }

    @Test("an interrupted check ends early, and well, with its report", .timeLimit(.minutes(3)))
    func interrupted() async throws {
        let history = "\(try ScratchFolder.make("coherence"))/history"
        let run = try StockCommand.spawn(
            ["coherence", "--duration", "1h", "--faults", "none", "--instances", "2", "--record", history, "--json"],
            environment: [:]
        )
        try await eventually(within: .seconds(60), "something was read") {
            !run.isRunning || ((try? String(contentsOfFile: history, encoding: .utf8)) ?? "").contains("\nr ")
        }
        run.signal(SIGINT)
        let status = try await run.waitForExit(within: .seconds(60))
        try await eventually("its output ends") { run.output.isClosed }
        #expect(status == .exited(0), "\(run.output.text)\(run.errors.text)")
        let report = JSON(parsing: Array(run.output.text.utf8))
        #expect(report["violation_count"].int == 0, "\(run.output.text)")
        #expect(try #require(report["reads"].int) > 0)
    }

    @Test("bad usage is status 64, before anything is started")
    func usage() async throws {
        for arguments in [
            ["--instance", "http://192.0.2.1:80", "--token", "x"], ["--faults", "earthquake"],
            ["--duration", "forever"], ["--duration", "999999999999999999h"],
            ["--scenario", "none-of-that-name"], ["--instance", "http://127.0.0.1:1", "--faults", "all"],
            // What would do nothing.
            ["--scenario", "list", "--readers", "2"], ["--token", "x"],
            ["--instance", "http://127.0.0.1:1", "--token", "x", "--instances", "2"],
        ] {
            let run = try await StockCommand.run(["coherence"] + arguments, environment: [:], within: .seconds(20))
            #expect(run.status == .exited(64), "\(arguments): \(run.status) \(run.errors)")
        }
        let missing = try await StockCommand.run(["coherence", "check", "/nonexistent"], environment: [:])
        #expect(missing.status == .exited(1))
    }
}
