/// A short script of steps that exposes one mistake, and passes without it.
///
/// Named after what happens in it; the guards it is about are those that `Defects` can leave out. Random load finds most of them as well, some
/// only after hours: a control has to be certain.
package struct ControlScenario: Sendable, CustomStringConvertible {
    /// What happens, as `--scenario` names it.
    package let name: String
    /// The guards without which it must go wrong, as STOCK_GUARDS_OFF names them.
    package let guards: [String]
    /// Further configuration of every instance, defective or not.
    let environment: [String: String]
    /// Further configuration of the first instance alone.
    let firstEnvironment: [String: String]
    /// What is left out in any case: harmless by itself, needed to show the rest.
    let companions: [String]
    private let script: @Sendable (ScenarioStage) async throws -> Void

    init(
        _ name: String,
        exposes guards: [String],
        environment: [String: String] = [:],
        first firstEnvironment: [String: String] = [:],
        with companions: [String] = [],
        script: @escaping @Sendable (ScenarioStage) async throws -> Void
    ) {
        self.name = name
        self.guards = guards
        self.environment = environment
        self.firstEnvironment = firstEnvironment
        self.companions = companions
        self.script = script
    }

    /// The name.
    package var description: String { name }

    /// The scenario of a name.
    package static func named(_ name: String) -> ControlScenario? {
        all.first { $0.name == name }
    }

    /// Plays it in a laboratory of two instances with proxies.
    ///
    /// - Parameters:
    ///   - laboratory: where; everything is up and passing again afterwards.
    ///   - tenant: whose products are made for it.
    ///   - defect: the guard left out; nil for none.
    ///   - path: a file that the history is recorded in.
    /// - Returns: what the oracle says.
    /// - Throws: when a step could not be made, which is neither red nor green.
    package func play(
        in laboratory: Laboratory,
        tenant: LabTenant,
        without defect: String?,
        recordingTo path: String? = nil
    ) async throws -> CoherenceReport {
        var environment = environment
        let off = companions + (defect.map { [$0] } ?? [])
        if !off.isEmpty { environment["STOCK_GUARDS_OFF"] = off.joined(separator: ",") }
        try await laboratory.repair()
        await withTaskGroup { group in
            for instance in laboratory.instances {
                group.addTask { try? await instance.kill() }
            }
        }
        // Nothing of the scenario before: neither values nor a server that is about to be replaced.
        try await laboratory.redis.command("FLUSHALL")
        for instance in laboratory.instances {
            let own = instance.index == 0 ? environment.merging(firstEnvironment) { $1 } : environment
            try laboratory.start(instance, environment: own)
        }
        for instance in laboratory.instances { try await instance.becomeReady(within: .seconds(30)) }
        let stage = try await ScenarioStage(laboratory: laboratory, tenant: tenant, recordingTo: path)
        let result: Result<Void, any Error>
        do {
            // Steps have their times, and a busy machine has its own: what does not go wrong at once is tried again.
            for attempt in 0..<(defect == nil ? 1 : 3) where stage.judge.violationCount == 0 {
                if attempt > 0 {
                    for link in laboratory.links { await link.pass() }
                    for instance in laboratory.instances where !instance.isRunning {
                        try laboratory.start(instance, environment: environment)
                        try await instance.becomeReady(within: .seconds(30))
                    }
                }
                try await script(stage)
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        for link in laboratory.links { await link.pass() }
        stage.judge.close()
        try result.get()
        var report = CoherenceReport(
            summary: stage.judge.summary,
            seed: laboratory.seed,
            instances: laboratory.instances.count
        )
        report.remarks = ["scenario \(name), without \(off.isEmpty ? "nothing" : off.joined(separator: ", "))"]
        return report
    }
}
