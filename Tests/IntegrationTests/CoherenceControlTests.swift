import Foundation
import TestSupport
import Testing

/// Negative controls: a checker that never finds anything proves nothing.
///
/// Each guard of the protocol is left out by STOCK_GUARDS_OFF, which only debug builds read, and the scenario made for it must go red; the same
/// scenario with every guard must be clean. Two laboratories share them, as most of a play is waiting; instances are started anew for each.
@Suite("Coherence controls")
struct CoherenceControlTests {
    /// One play of a scenario.
    struct Play: CustomStringConvertible {
        let scenario: ControlScenario
        let defect: String?
        var description: String { "\(scenario.name) without \(defect ?? "nothing")" }
    }

    static let plays: [Play] = ControlScenario.all.flatMap { scenario in
        [Play(scenario: scenario, defect: nil)] + scenario.guards.map { Play(scenario: scenario, defect: $0) }
    }

    /// Harmless alone: it is the company in which the hash of the key is missed.
    static let companions: Set<String> = ["colliding_keys"]

    @Test("every defect there is has a scenario that exposes it")
    func complete() throws {
        let names = try Self.defects()
        #expect(names.count >= 23, "\(names)")
        let exposed = Set(ControlScenario.all.flatMap(\.guards))
        #expect(exposed.union(Self.companions) == Set(names))
        #expect(exposed.isDisjoint(with: Self.companions))
    }

    @Test("with every guard each scenario is clean, without its guard it goes red", .timeLimit(.minutes(10)))
    func controls() async throws {
        try await withThrowingTaskGroup { group in
            for half in 0..<2 {
                group.addTask {
                    let plays = Self.plays.enumerated().filter { $0.offset % 2 == half }.map(\.element)
                    try await Self.play(plays, seed: UInt64(half + 1))
                }
            }
            try await group.waitForAll()
        }
    }

    private static func play(_ plays: [Play], seed: UInt64) async throws {
        let laboratory = try await Laboratory.start(instances: 2, seed: seed, executable: StockCommand.path)
        let tenant = try await laboratory.tenant("controls")
        let clock = ContinuousClock()
        for play in plays {
            let start = clock.now
            do {
                var report = try await play.scenario.play(in: laboratory, tenant: tenant, without: play.defect)
                // Some need a write at one moment of a drain, which a round of the scenario may miss on a busy machine.
                for _ in 0..<2 where play.defect != nil && report.summary.violationCount == 0 {
                    report = try await play.scenario.play(in: laboratory, tenant: tenant, without: play.defect)
                }
                let rules = report.summary.rules.map { "\($0.value) \($0.key.rawValue)" }.sorted()
                print(
                    "control: \(play): \(rules.isEmpty ? "clean" : rules.joined(separator: ", ")), \(clock.now - start)"
                )
                if play.defect == nil {
                    #expect(report.summary.violationCount == 0, "\(play): \(report.text)")
                } else {
                    #expect(report.summary.violationCount > 0, "\(play) went unnoticed: \(report.text)")
                }
                #expect(report.summary.unexpectedCount == 0, "\(play): \(report.summary.unexpected)")
            } catch {
                let logs = laboratory.instances.map(\.log).joined(separator: "\n")
                Issue.record("\(play): \(error)\n\(logs.suffix(4_000))")
            }
        }
        await laboratory.stop()
    }

    /// The raw values of `Defect`, read from its source: this bundle runs the program and links none of it.
    private static func defects() throws -> [String] {
        let file = "\(SourceTree.root)/Sources/Cache/Controls/Defects.swift"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        return text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 4, words[0] == "case", words[2] == "=" else { return nil }
            return String(words[3].filter { $0 != "\"" })
        }
    }
}
