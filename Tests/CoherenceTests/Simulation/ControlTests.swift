import Cache
import Testing

#if COHERENCE_CONTROLS

/// A guard left out, and a world that shows it.
struct Control: CustomStringConvertible, Sendable {
    let defects: Set<Defect>
    let profile: Profile

    var description: String {
        self.defects.map { $0.rawValue }.sorted().joined(separator: "+") + " in \(self.profile.name)"
    }
}

/// Negative controls: with a guard left out, the same oracle goes red within 100,000 steps.
@Suite struct SimulationControlTests {
    static let bound = 100_000

    static let controls: [Control] = [
        Control(defects: [.blindStore], profile: .slow),
        Control(defects: [.lateCapture], profile: .slow),
        Control(defects: [.noScopeCapture], profile: .slow),
        Control(defects: [.joinAnyFlight], profile: .slow),
        Control(defects: [.reuseGeneration], profile: .slow),
        Control(defects: [.counterGeneration], profile: .slow),
        Control(defects: [.noGapCheck], profile: .lossyBus),
        Control(defects: [.followWithoutBump], profile: .links),
        Control(defects: [.noOutbox], profile: .killings),
        Control(defects: [.noLease], profile: .noRedis),
        Control(defects: [.beatRenewsLease], profile: .longTransactions),
        Control(defects: [.oneDrain], profile: .stuckRelays),
        Control(defects: [.noAliveAndNoWatermark], profile: .redisLosses),
        Control(defects: [.aliveBeforeReplay], profile: .redisLosses),
        Control(defects: [.watermarkInMemory], profile: .redisLosses),
        Control(defects: [.ringInMemory], profile: .redisLosses),
        Control(defects: [.noTokenCheck], profile: .longTransactions),
        Control(defects: [.maximalIDToken], profile: .longTransactions),
        Control(defects: [.noOwnWrites], profile: .longTransactions),
        Control(defects: [.noNamespace], profile: .shortLog),
        Control(defects: [.noTag], profile: .restoresAlone),
        Control(defects: [.reuseNamespaceOnReset], profile: .redisLosses),
        Control(defects: [.noKeyHash, .collidingKeys], profile: .calm),
    ]

    /// The seeds are fixed; several, as any change of a machine changes what happens in a world.
    static let seeds: Range<UInt64> = 0..<16

    @Test("with a guard left out the same check goes red", arguments: Self.controls)
    func red(_ control: Control) {
        for seed in Self.seeds {
            let world = World(seed: seed, profile: control.profile, defects: Defects(control.defects))
            do {
                try world.run(steps: Self.bound)
            } catch {
                // What only the end shows is no answer that was wrong.
                guard world.steps <= Self.bound else { continue }
                // The same world with the guard is clean, or the control would show nothing.
                let twin = World(seed: seed, profile: control.profile)
                #expect(throws: Never.self, "\(control), seed \(seed), with the guard") {
                    try twin.run(steps: world.steps)
                }
                print("\(control), seed \(seed): step \(world.steps), \(error)")
                return
            }
        }
        Issue.record("\(control): no violation")
    }

    @Test("every guard has a control")
    func complete() {
        let controlled = Self.controls.reduce(into: Set<Defect>()) { $0.formUnion($1.defects) }
        #expect(controlled == Set(Defect.allCases))
    }

    @Test("colliding names of values are harmless while the hash is compared")
    func collisions() throws {
        try World(seed: 1, profile: .everything, defects: Defects([.collidingKeys])).run(steps: Self.bound)
    }

    /// Looks for seeds: `STOCK_SIMULATOR_HUNT=no_ns,no_tag` or `all` prints where each profile goes red.
    @Test("hunt", .enabled(if: Environment.value("STOCK_SIMULATOR_HUNT") != nil), arguments: Defect.allCases)
    func hunt(_ defect: Defect) {
        let wanted = Environment.value("STOCK_SIMULATOR_HUNT") ?? ""
        guard wanted == "all" || wanted.split(separator: ",").contains(Substring(defect.rawValue)) else { return }
        var defects: Set<Defect> = [defect]
        if defect == .noKeyHash { defects.insert(.collidingKeys) }
        for profile in Profile.all {
            var found: [String] = []
            for seed in 0..<3 as Range<UInt64> where found.isEmpty {
                let world = World(seed: seed, profile: profile, defects: Defects(defects))
                do {
                    try world.run(steps: Self.bound)
                } catch {
                    found.append("\(seed)@\(world.steps) \("\(error)".prefix(100))")
                }
            }
            print("HUNT \(defect.rawValue) \(profile.name): \(found)")
        }
    }
}

#endif
