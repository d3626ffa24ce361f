/// The way of one answer that is not in memory: Redis, the lease of a fill, the database, Redis again.
///
/// A pure machine: it says what to do next and is told what came of it; the owner does the I/O, and judges together with
/// what the instance knows of the log at that moment. The same machine is driven by the cache and by the simulator.
///
///     begin -> look -> serve
///                   -> lease -> fill -> store | release
///                            -> poll -> serve | poll | lease | steal | fill
///
/// Whatever Redis does, the way ends in an answer: each turn is bounded, and every error leads to the database.
package struct FlightStateMachine: Sendable {
    /// A generation captured before the snapshot of the fill.
    ///
    /// Captured after it, a bump in between would go unnoticed, and the old value be stored under the new generation.
    package struct Captured: Sendable, Equatable {
        /// The generation.
        package var generation: [UInt8]
        /// The namespace it belongs to.
        package var ns: String
        /// Whether others wait for this fill.
        package var holdsLease: Bool
    }

    /// What to do next.
    package enum Step: Sendable {
        /// Read watermark, declaration, generation and value.
        case look
        /// Ask for the right to fill.
        case lease(ns: String)
        /// Look again after a while.
        case poll(lease: [UInt8], after: Duration)
        /// Take the lease of somebody who is gone.
        case steal(seen: [UInt8], generation: [UInt8])
        /// Answer with this value of Redis.
        case serve(Envelope)
        /// Ask the database.
        case fill
        /// Read the generation again (only ``Defect/lateCapture`` asks for this).
        case recapture
        /// Put the answer into Redis.
        case store(Captured)
        /// Give the lease back.
        case release(Captured)
        /// Nothing is left to do.
        case done
    }

    /// What the owner knows at the moment a reply is judged.
    package struct Knowledge {
        /// The namespace adopted.
        package var ns: String?
        /// The last log row applied.
        package var applied: Int64?
        /// Whether the data set of Redis is of the history followed.
        package var isRecognised: Bool
        /// Whether the instance may serve from its caches, evaluated now.
        package var isUsable: Bool
        /// Microseconds since 1970, for expiry.
        package var wallTime: Int64
        /// Whether a snapshot sees what the token asks for, and this instance's own writes.
        package var isVisible: (Snapshot) -> Bool

        /// Makes it.
        package init(
            ns: String?,
            applied: Int64?,
            isRecognised: Bool,
            isUsable: Bool,
            wallTime: Int64,
            isVisible: @escaping (Snapshot) -> Bool
        ) {
            self.ns = ns
            self.applied = applied
            self.isRecognised = isRecognised
            self.isUsable = isUsable
            self.wallTime = wallTime
            self.isVisible = isVisible
        }
    }

    /// What is worth counting about the way.
    package struct Notes: Sendable, Equatable {
        /// Why Redis was not believed.
        package var untrusted: Trust.Cause?
        /// Values that cannot be what they are stored as.
        package var mismatches = 0
        /// Whether a value was passed over because it misses writes the reader must see.
        package var missesWrites = false
        /// When waiting for another's fill began.
        package var waitedFrom: Int64?
        /// When it ended.
        package var waitedUntil: Int64?
        /// Whether the lease of somebody gone was taken.
        package var hasStolen = false
    }

    private enum Verdict {
        case hit(Envelope)
        /// Trusted, and no value that counts.
        case miss(ns: String)
        /// Trusted, and the value misses writes the reader must see.
        case invisible(ns: String)
        case untrusted
    }

    /// Where the way has come to, with what the next event is judged by.
    private enum State {
        /// Nothing was asked.
        case new
        /// Redis is looked into, after a lease was refused with what was captured then.
        case looking(Captured?)
        /// The right to fill is asked for.
        case leasing(ns: String, Captured?)
        /// Somebody else fills.
        case polling(Wait)
        /// The lease of somebody gone is asked for.
        case stealing(Wait)
        /// A value of Redis is the answer.
        case serving
        /// The database is asked; with nothing captured its answer is not for Redis.
        case filling(Captured?)
        /// The generation is read again.
        case recapturing(Captured)
        /// Nothing more is taken in.
        case over
    }

    /// The lease waited for.
    private struct Wait {
        let lease: [UInt8]
        /// The generation it was taken under.
        let generation: [UInt8]
        var ns: String
        var captured: Captured?
    }

    private let key: CacheKey
    private let keyHash: [UInt8]
    private let settings: CacheSettings
    /// Whether it computes anew what is still there.
    package let renews: Bool
    private var random: UInt64
    private var state = State.new
    private var looks = 0
    /// What is worth counting.
    package private(set) var notes = Notes()

    /// Makes the way of one answer.
    ///
    /// - Parameters:
    ///   - key: what is read.
    ///   - settings: the chosen times.
    ///   - renews: computes an answer anew before the present one ends; gives way to anybody who does already.
    ///   - seed: spreads the polls.
    package init(key: CacheKey, settings: CacheSettings, renews: Bool = false, seed: UInt64) {
        self.key = key
        keyHash = Envelope.keyHash(key)
        self.settings = settings
        self.renews = renews
        random = seed | 1
    }

    /// Whether the database is asked.
    package var asksDatabase: Bool {
        if case .filling = state { true } else { false }
    }

    /// Stops at an event that the owner cannot have: each is the answer to the step before it, and no reply of Redis or of the
    /// database decides which method is called.
    private func refuse(_ event: String) -> Never {
        let present =
            switch state {
            case .new: "nothing was asked"
            case .looking: "Redis is looked into"
            case .leasing: "a lease is asked for"
            case .polling: "another's fill is waited for"
            case .stealing: "a lease is taken over"
            case .serving: "a value of Redis is served"
            case .filling: "the database is asked"
            case .recapturing: "the generation is read again"
            case .over: "the way is over"
            }
        preconditionFailure("a flight was told that \(event) while \(present)")
    }

    // MARK: - Before the answer

    /// Begins; `canAsk` says whether Redis is there, may hold this, and the instance may use it.
    package mutating func begin(canAsk: Bool) -> Step {
        guard case .new = state else { refuse("it begins") }
        guard canAsk, key.module.isShared else { return fill(nil) }
        return look(nil)
    }

    /// Takes in what a look-up found; nil is an error.
    package mutating func looked(_ answer: SecondLevelAnswer?, _ knowledge: Knowledge) -> Step {
        guard case .looking(let captured) = state else { refuse("a look-up ended") }
        guard let answer else { return fill(captured) }
        switch judge(answer, knowledge) {
        case .hit(let value):
            return serve(value)
        case .untrusted:
            return fill(nil)
        case .invisible(let ns):
            // No other fill would help this reader more than its own does.
            return fill(Self.captured(answer.generation, ns))
        case .miss(let ns):
            return lease(ns, Self.captured(answer.generation, ns))
        }
    }

    /// Takes in what the script answered; nil is an error.
    package mutating func leased(_ answer: LeaseAnswer?, at now: Int64) -> Step {
        guard case .leasing(let ns, let captured) = state else { refuse("a lease was answered") }
        switch answer {
        case nil:
            return fill(captured)
        case .fill(let generation)?:
            return fill(Captured(generation: generation, ns: ns, holdsLease: true), at: now)
        case .hit(let generation, _)?:
            // Looked at again, as only a look-up shows the watermark of the server that answers.
            let captured = Self.captured(generation, ns)
            return looks < 3 ? look(captured) : fill(captured, at: now)
        case .wait(let generation, let lease)?:
            if renews {
                state = .over
                return .done
            }
            let wait = Wait(lease: lease, generation: generation, ns: ns, captured: Self.captured(generation, ns))
            if notes.waitedFrom == nil { notes.waitedFrom = now }
            return mayWait(at: now) ? poll(wait) : fill(wait.captured, at: now)
        }
    }

    /// Takes in what was found after a while; nil is an error.
    package mutating func polled(_ answer: PollAnswer?, at now: Int64, _ knowledge: Knowledge) -> Step {
        guard case .polling(var wait) = state else { refuse("a poll ended") }
        guard let answer else { return fill(wait.captured, at: now) }
        switch judge(answer.answer, knowledge) {
        case .hit(let value):
            notes.waitedUntil = now
            return serve(value)
        case .untrusted:
            return fill(nil, at: now)
        case .invisible(let ns):
            return fill(Self.captured(answer.answer.generation, ns), at: now)
        case .miss(let ns):
            wait.ns = ns
            wait.captured = Self.captured(answer.answer.generation, ns)
            guard mayWait(at: now) else { return fill(wait.captured, at: now) }
            // A lease under a retired generation is none, and one that changed is another's.
            guard answer.lease == wait.lease, answer.answer.generation == wait.generation else {
                return lease(ns, wait.captured)
            }
            return answer.isOwnerAlive ? poll(wait) : steal(wait)
        }
    }

    /// Takes in whether the lease could be taken over; nil is an error.
    package mutating func stolen(_ isStolen: Bool?, at now: Int64) -> Step {
        guard case .stealing(let wait) = state else { refuse("a lease was taken over or not") }
        switch isStolen {
        case nil:
            return fill(wait.captured, at: now)
        case false?:
            // Somebody was faster.
            return mayWait(at: now) ? lease(wait.ns, wait.captured) : fill(wait.captured, at: now)
        case true?:
            notes.hasStolen = true
            return fill(Captured(generation: wait.generation, ns: wait.ns, holdsLease: true), at: now)
        }
    }

    /// Takes in that the value served cannot be read after all: the database is asked.
    package mutating func rejected(_ value: Envelope) {
        guard case .serving = state else { refuse("a value cannot be read") }
        notes.mismatches += 1
        _ = fill(Self.captured(value.generation, String(decoding: value.ns, as: UTF8.self)))
    }

    // MARK: - After the answer

    /// Takes in that the database has answered; `isStorable` says whether Redis may have it.
    package mutating func filled(isStorable: Bool) -> Step {
        guard case .filling(let captured) = state else { refuse("the database has answered") }
        state = .over
        guard let captured else { return .done }
        guard isStorable else { return captured.holdsLease ? .release(captured) : .done }
        guard settings.defects.contains(.lateCapture) else { return .store(captured) }
        state = .recapturing(captured)
        return .recapture
    }

    /// Takes in the generation found after the fill.
    package mutating func recaptured(_ generation: [UInt8]?) -> Step {
        guard case .recapturing(var captured) = state else { refuse("the generation was read again") }
        state = .over
        captured.generation = generation ?? captured.generation
        return .store(captured)
    }

    /// Takes in that the database has not answered.
    package mutating func failed() -> Step {
        guard case .filling(let captured) = state else { refuse("the database has not answered") }
        state = .over
        guard let captured, captured.holdsLease else { return .done }
        return .release(captured)
    }

    // MARK: - Steps

    private mutating func look(_ captured: Captured?) -> Step {
        looks += 1
        state = .looking(captured)
        return .look
    }

    private mutating func lease(_ ns: String, _ captured: Captured?) -> Step {
        state = .leasing(ns: ns, captured)
        return .lease(ns: ns)
    }

    private mutating func poll(_ wait: Wait) -> Step {
        state = .polling(wait)
        return .poll(lease: wait.lease, after: pause())
    }

    private mutating func steal(_ wait: Wait) -> Step {
        state = .stealing(wait)
        return .steal(seen: wait.lease, generation: wait.generation)
    }

    private mutating func serve(_ value: Envelope) -> Step {
        state = .serving
        return .serve(value)
    }

    private mutating func fill(_ captured: Captured?, at now: Int64? = nil) -> Step {
        if notes.waitedFrom != nil { notes.waitedUntil = now }
        state = .filling(captured)
        return .fill
    }

    private func mayWait(at now: Int64) -> Bool {
        now - (notes.waitedFrom ?? now) < settings.fillWait.nanoseconds
    }

    private static func captured(_ generation: [UInt8]?, _ ns: String) -> Captured? {
        generation.map { Captured(generation: $0, ns: ns, holdsLease: false) }
    }

    // MARK: - Judging

    private mutating func judge(_ answer: SecondLevelAnswer, _ knowledge: Knowledge) -> Verdict {
        // Asked again, as the process may have been stopped while the reply lay in the socket.
        guard knowledge.isUsable else {
            notes.untrusted = .unusable
            return .untrusted
        }
        let trust = Trust.judge(
            answer,
            ns: knowledge.ns,
            applied: knowledge.applied,
            isRecognised: knowledge.isRecognised,
            defects: settings.defects
        )
        if case .untrusted(let cause) = trust {
            notes.untrusted = cause
            return .untrusted
        }
        guard let ns = knowledge.ns else { return .untrusted }
        guard let bytes = answer.value, let generation = answer.generation else { return .miss(ns: ns) }
        guard let value = Envelope(decoding: bytes) else {
            notes.mismatches += 1
            return .miss(ns: ns)
        }
        let defects = settings.defects
        guard defects.contains(.noNamespace) || value.ns.elementsEqual(ns.utf8), value.generation == generation else {
            return .miss(ns: ns)
        }
        guard defects.contains(.noKeyHash) || value.keyHash == keyHash else {
            // Never expected: somebody's key builder collides, or somebody else writes into this Redis.
            notes.mismatches += 1
            return .miss(ns: ns)
        }
        let left = value.left(at: knowledge.wallTime)
        guard left > 0, !renews || left > value.lifetime / 10 else { return .miss(ns: ns) }
        guard knowledge.isVisible(value.snapshot) else {
            notes.missesWrites = true
            return .invisible(ns: ns)
        }
        return .hit(value)
    }

    /// A pause before the next poll (xorshift64).
    private mutating func pause() -> Duration {
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        let interval = settings.pollInterval
        let spread = UInt64(max(1, (interval.upperBound - interval.lowerBound).nanoseconds))
        return interval.lowerBound + .nanoseconds(Int64(random % spread))
    }
}
