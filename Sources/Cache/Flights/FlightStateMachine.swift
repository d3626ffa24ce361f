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

    private let key: CacheKey
    private let keyHash: [UInt8]
    private let settings: CacheSettings
    /// Whether it computes anew what is still there.
    package let renews: Bool
    private var random: UInt64
    private var captured: Captured?
    private var looks = 0
    /// The lease waited for, and the generation it was taken under.
    private var seen: (lease: [UInt8], generation: [UInt8])?
    private var ns = ""
    private var hasFilled = false
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

    /// Whether the way has led to the database.
    package var asksDatabase: Bool { hasFilled }

    // MARK: - Before the answer

    /// Begins; `canAsk` says whether Redis is there, may hold this, and the instance may use it.
    package mutating func begin(canAsk: Bool) -> Step {
        guard canAsk, key.module.isShared else { return fill() }
        looks = 1
        return .look
    }

    /// Takes in what a look-up found; nil is an error.
    package mutating func looked(_ answer: SecondLevelAnswer?, _ knowledge: Knowledge) -> Step {
        guard let answer else { return fill() }
        switch judge(answer, knowledge) {
        case .hit(let value):
            return .serve(value)
        case .untrusted:
            return fill()
        case .invisible(let ns):
            // No other fill would help this reader more than its own does.
            capture(answer.generation, ns)
            return fill()
        case .miss(let ns):
            self.ns = ns
            capture(answer.generation, ns)
            return .lease(ns: ns)
        }
    }

    /// Takes in what the script answered; nil is an error.
    package mutating func leased(_ answer: LeaseAnswer?, at now: Int64) -> Step {
        switch answer {
        case nil:
            return self.fill()
        case .fill(let generation)?:
            captured = Captured(generation: generation, ns: self.ns, holdsLease: true)
            return self.fill(at: now)
        case .hit(let generation, _)?:
            // Looked at again, as only a look-up shows the watermark of the server that answers.
            capture(generation, self.ns)
            guard looks < 3 else { return self.fill(at: now) }
            looks += 1
            return .look
        case .wait(let generation, let lease)?:
            capture(generation, self.ns)
            if renews { return .done }
            seen = (lease, generation)
            let waitedFrom = notes.waitedFrom ?? now
            notes.waitedFrom = waitedFrom
            guard now - waitedFrom < settings.fillWait.nanoseconds else { return self.fill(at: now) }
            return .poll(lease: lease, after: pause())
        }
    }

    /// Takes in what was found after a while; nil is an error.
    package mutating func polled(_ answer: PollAnswer?, at now: Int64, _ knowledge: Knowledge) -> Step {
        guard let answer, let seen = self.seen else { return fill(at: now) }
        switch judge(answer.answer, knowledge) {
        case .hit(let value):
            notes.waitedUntil = now
            return .serve(value)
        case .untrusted:
            captured = nil
            return fill(at: now)
        case .invisible(let ns):
            capture(answer.answer.generation, ns)
            return fill(at: now)
        case .miss(let ns):
            self.ns = ns
            capture(answer.answer.generation, ns)
            guard now - (notes.waitedFrom ?? now) < settings.fillWait.nanoseconds else {
                return fill(at: now)
            }
            // A lease under a retired generation is none, and one that changed is another's.
            guard answer.lease == seen.lease, answer.answer.generation == seen.generation else {
                return .lease(ns: ns)
            }
            if answer.isOwnerAlive { return .poll(lease: seen.lease, after: pause()) }
            return .steal(seen: seen.lease, generation: seen.generation)
        }
    }

    /// Takes in whether the lease could be taken over; nil is an error.
    package mutating func stolen(_ isStolen: Bool?, at now: Int64) -> Step {
        guard let isStolen, let seen = self.seen else { return fill(at: now) }
        guard isStolen else {
            // Somebody was faster.
            guard now - (notes.waitedFrom ?? now) < settings.fillWait.nanoseconds else {
                return fill(at: now)
            }
            return .lease(ns: self.ns)
        }
        notes.hasStolen = true
        captured = Captured(generation: seen.generation, ns: self.ns, holdsLease: true)
        return fill(at: now)
    }

    /// Takes in that the value served cannot be read after all: the database is asked.
    package mutating func rejected(_ value: Envelope) {
        notes.mismatches += 1
        capture(value.generation, String(decoding: value.ns, as: UTF8.self))
        _ = fill()
    }

    // MARK: - After the answer

    /// Takes in that the database has answered; `isStorable` says whether Redis may have it.
    package func filled(isStorable: Bool) -> Step {
        guard let captured else { return .done }
        if isStorable, settings.defects.contains(.lateCapture) { return .recapture }
        if isStorable { return .store(captured) }
        return captured.holdsLease ? .release(captured) : .done
    }

    /// Takes in the generation found after the fill.
    package func recaptured(_ generation: [UInt8]?) -> Step {
        guard var captured else { return .done }
        captured.generation = generation ?? captured.generation
        return .store(captured)
    }

    /// Takes in that the database has not answered.
    package func failed() -> Step {
        guard let captured, captured.holdsLease else { return .done }
        return .release(captured)
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

    private mutating func capture(_ generation: [UInt8]?, _ ns: String) {
        captured = generation.map { Captured(generation: $0, ns: ns, holdsLease: false) }
    }

    private mutating func fill(at now: Int64? = nil) -> Step {
        if notes.waitedFrom != nil { notes.waitedUntil = now }
        hasFilled = true
        return .fill
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
