extension FaultCatalogue {
    /// Processes of the service that die, at the worst moments the protocol has.
    static let kills: [Fault] =
        failpoints.map { place in
            Fault("kill-\(place.replacing("_", with: "-"))", group: "kill", targets: [.instances], durations: moment) {
                laboratory,
                random in
                var random = random
                let instance = laboratory.instance(&random)
                let passes = Int.random(in: 1...4, using: &random)
                try await laboratory.restart(instance, environment: ["STOCK_FAILPOINT": "\(place):\(passes)"])
                // Nothing may ever come by there, for want of traffic: then it dies anywhere.
                let hasDied = await instance.hasEnded(within: .seconds(4))
                return InjectedFault("\(instance.name) \(place):\(passes)\(hasDied ? "" : " not reached")") {
                    try await laboratory.bringBack(instance)
                }
            }
        } + [
            Fault("kill-anywhere", group: "kill", targets: [.instances], durations: moment) { laboratory, random in
                var random = random
                let instance = laboratory.instance(&random)
                try await laboratory.kill(instance)
                return InjectedFault(instance.name) { try await laboratory.bringBack(instance) }
            }
        ]

    /// Processes of the service that stand still, and wake without knowing it.
    static let pauses: [Fault] = [
        pause("stop", durations: .milliseconds(300) ... .seconds(2)),
        pause("stop-long", durations: .seconds(2) ... .seconds(10)),
    ]

    /// Processes of the service that take their time, or leave out what only makes things faster; debug builds can be told to.
    static let slow: [Fault] = delays.map { name, variable, values in
        Fault(name, group: "slow", targets: [.instances], durations: .milliseconds(500) ... .seconds(3)) {
            laboratory,
            random in
            var random = random
            let instance = laboratory.instance(&random)
            let value = Int.random(in: values, using: &random)
            try await laboratory.restart(instance, environment: [variable: String(value)])
            try await instance.becomeReady(within: .seconds(20))
            return InjectedFault("\(instance.name) \(value)") { try await laboratory.bringBack(instance) }
        }
    }

    private static let delays: [(name: String, variable: String, values: ClosedRange<Int>)] = {
        #if DEBUG
        [
            ("drain-slow", "STOCK_DRAIN_DELAY_MS", 100...1200), ("apply-slow", "STOCK_APPLY_DELAY_MS", 100...1200),
            ("bump-off", "STOCK_BUMP_OFF", 1...1),
        ]
        #else
        []
        #endif
    }()

    /// Places where a debug build of the service dies on request; a release build has none.
    private static let failpoints: [String] = {
        #if DEBUG
        ["after_commit", "before_publish", "after_drain", "after_apply", "mid_fill"]
        #else
        []
        #endif
    }()

    private static let moment: ClosedRange<Duration> = .milliseconds(50) ... .milliseconds(600)

    private static func pause(_ name: String, durations: ClosedRange<Duration>) -> Fault {
        Fault(name, group: "pause", targets: [.instances], durations: durations) { laboratory, random in
            var random = random
            let instance = laboratory.instance(&random)
            laboratory.pause(instance)
            return InjectedFault(instance.name) { laboratory.resume(instance) }
        }
    }
}

extension Laboratory {
    /// An instance by chance.
    nonisolated func instance(_ random: inout FaultRandom) -> LabInstance {
        instances[Int.random(in: 0..<instances.count, using: &random)]
    }

    /// Starts an instance without a failpoint and waits until it serves.
    nonisolated func bringBack(_ instance: LabInstance) async throws {
        try await restart(instance)
        try await instance.becomeReady(within: .seconds(20))
    }
}
