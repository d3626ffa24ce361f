import Synchronization

/// The lane's state in this instance, shared between the readers and the tasks that follow the log.
///
/// What the machine decides is done while its lock is held, so that whoever judges a value from Redis sees position and
/// bumps together: with the bumps done and the old position still in force, a Redis that lags would be trusted, and its old
/// value would be kept under the new version.
package final class CoherenceLane: Sendable {
    private let machine: Mutex<LaneStateMachine>
    private let scopes: ScopeTable
    private let usableUntilTime = Atomic<Int64>(.min)
    private let settledTransaction = Atomic<UInt64>(0)

    private let clock: CacheClock
    private let listeners = Mutex<[any LogListener]>([])

    init(settings: CacheSettings, scopes: ScopeTable, clock: CacheClock) {
        machine = Mutex(LaneStateMachine(settings: settings))
        self.scopes = scopes
        self.clock = clock
    }

    /// Until when the caches may be served from, on the cache's clock.
    package var usableUntil: Int64 { usableUntilTime.load(ordering: .acquiring) }

    /// A transaction id below which every commit has been applied here.
    var settled: UInt64 { settledTransaction.load(ordering: .acquiring) }

    /// A copy of the machine, to look at.
    package var state: LaneStateMachine { machine.withLock { $0 } }

    /// Has one hear what is retired from now on.
    package func tell(_ listener: any LogListener) { listeners.withLock { $0.append(listener) } }

    /// Begins a probe.
    package func probeBegins(at time: Int64) -> LaneStateMachine.ProbeStart {
        machine.withLock { $0.probeBegins(at: time) }
    }

    /// Takes in what a probe found.
    @discardableResult
    package func probeEnded(
        _ start: LaneStateMachine.ProbeStart,
        _ answer: FollowAnswer
    ) -> LaneStateMachine.Effects {
        perform { $0.probeEnded(start, answer) }
    }

    /// Takes in a message of the bus; nil stands for one that could not be read.
    @discardableResult
    package func received(_ message: BusMessage?) -> LaneStateMachine.Effects {
        let now = clock.now
        return perform { $0.received(message, at: now) }
    }

    /// Raises a doubt.
    @discardableResult
    package func doubt(_ doubt: LaneStateMachine.Doubt) -> LaneStateMachine.Effects {
        perform { $0.doubt(doubt) }
    }

    /// The namespace adopted.
    var ns: String? { machine.withLock { $0.ns } }

    /// Judges what Redis returned, at one moment of this instance's knowledge.
    ///
    /// - Parameters:
    ///   - watermark: what the data set says of itself.
    ///   - body: the judgement, which is given whether that was recognised.
    /// - Returns: what `body` does.
    func judge<Verdict: Sendable>(
        _ watermark: [UInt8]?,
        _ body: (_ ns: String?, _ applied: Int64?, _ isRecognised: Bool) -> Verdict
    ) -> Verdict {
        machine.withLock { machine in
            let isRecognised = machine.recognises(watermark.flatMap { Watermark(parsing: $0) })
            return body(machine.ns, machine.applied?.sequence, isRecognised)
        }
    }

    private func perform(
        _ step: (inout LaneStateMachine) -> LaneStateMachine.Effects
    ) -> LaneStateMachine.Effects {
        let effects = machine.withLock { machine in
            let effects = step(&machine)
            if effects.forgetsWrites { self.scopes.forEach { $0.forgetWrites() } }
            if effects.dropsAll { self.scopes.forEach { $0.bump() } }
            let now = effects.bumps.isEmpty ? 0 : self.clock.now
            for bump in effects.bumps {
                guard let module = Module(rawValue: bump.module),
                    let scope = self.scopes.existing(bump.tenant, module)
                else { continue }
                // Bumped first: whoever no longer finds the transaction here must find the new version.
                scope.bump(via: bump.source, sequence: bump.sequence, xids: bump.xids, at: now)
                if bump.isLogged, !bump.xids.isEmpty { scope.logged(bump.xids) }
            }
            // Published last: a lease renewed before the bumps would cover entries they retire.
            self.settledTransaction.store(machine.settledXmin, ordering: .releasing)
            self.usableUntilTime.store(machine.usableUntil, ordering: .releasing)
            return effects
        }
        if effects.dropsAll || !effects.bumps.isEmpty {
            for listener in listeners.withLock({ $0 }) {
                if effects.dropsAll { listener.lostPlace() }
                if !effects.bumps.isEmpty { listener.retired(effects.bumps) }
            }
        }
        return effects
    }
}
