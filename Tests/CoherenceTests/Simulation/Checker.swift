import Cache

/// The offline oracle: what an answer has to show.
struct Checker {
    private struct Acknowledgement {
        var time: Int64
        var content: Int32
    }

    /// Of each scope, ascending in both.
    private var acknowledgements = [[Acknowledgement]](repeating: [], count: Shop.scopes)
    /// The generations under which each key was filled with a lease, in a world without faults.
    private var leases = [Set<[UInt8]>](repeating: [], count: Shop.keys)
    /// Of the keys that were filled twice under one generation.
    private(set) var filledTwice = 0

    /// Notes that a client was told that its write is done.
    mutating func acknowledged(_ scopes: UInt8, _ content: Int32, at time: Int64) {
        for scope in 0..<Shop.scopes where scopes & (1 << UInt8(scope)) != 0 {
            // A later answer never asks for less than an earlier one.
            let highest = max(content, self.acknowledgements[scope].last?.content ?? 0)
            self.acknowledgements[scope].append(Acknowledgement(time: time, content: highest))
            if self.acknowledgements[scope].count > 2000 { self.acknowledgements[scope].removeFirst(1000) }
        }
    }

    /// Notes that a key is filled under a lease.
    mutating func leased(key: Int, generation: [UInt8]) {
        if !self.leases[key].insert(generation).inserted { self.filledTwice += 1 }
    }

    /// The commit that everybody has to see of a scope who asks at a time so much later.
    func required(_ scope: Int, until time: Int64) -> Int32 {
        var index = self.acknowledgements[scope].count - 1
        while index >= 0 {
            if self.acknowledgements[scope][index].time <= time { return self.acknowledgements[scope][index].content }
            index -= 1
        }
        return 0
    }

    /// The history was left: what it had beyond `contents` is no longer asked for.
    mutating func restored(to contents: [Int32]) {
        for scope in 0..<Shop.scopes {
            self.acknowledgements[scope].removeAll { $0.content > contents[scope] }
        }
    }
}

extension World {
    /// What a request has to be answered with at least, noted when it is sent.
    func requirement(of client: SimulatedClient, scope: Int) -> Requirement {
        var required = Requirement(branch: self.database.state.branch)
        required.lease = self.checker.required(scope, until: self.now - self.lease)
        if client.hasToken {
            required.token = client.written[scope]
            required.seen = client.seen[scope]
        }
        return required
    }

    /// Looks at an answer before a client gets it.
    func check(
        _ value: SimulatedValue,
        _ source: AnswerSource,
        _ instance: SimulatedInstance,
        _ client: SimulatedClient
    ) throws {
        let key = client.key
        let scope = Shop.scope(ofKey: key)
        guard Int(value.key) == key else {
            throw self.violation("C5", source, instance, client, "is of key \(value.key)")
        }
        let required = client.required
        // A restore in between takes back what was asked for.
        guard required.branch == self.database.state.branch else { return }
        let shown = self.database.effective(value, scope: scope)
        if source != .stale, shown < required.lease {
            let what = "shows \(shown), \(required.lease) was acknowledged a lease ago"
            throw self.violation("C1", source, instance, client, what)
        }
        if shown < required.own {
            let what = "shows \(shown), this instance acknowledged \(required.own)"
            throw self.violation("C2", source, instance, client, what)
        }
        if shown < required.token {
            throw self.violation("C2", source, instance, client, "shows \(shown), the token has \(required.token)")
        }
        if shown < required.seen {
            throw self.violation("C3", source, instance, client, "shows \(shown), the client has seen \(required.seen)")
        }
    }

    /// C4: what Redis was trusted with is not older than what this instance has applied.
    func checkSecondLevel(
        _ value: SimulatedValue,
        _ instance: SimulatedInstance,
        _ key: Int
    ) throws {
        guard let applied = instance.lane.applied, value.branch == self.database.state.branch else { return }
        let scope = Shop.scope(ofKey: key)
        guard let logged = self.database.logged(scope, upTo: applied), value.content < logged else { return }
        throw Violation(
            description: "C4: L2 of instance \(instance.number) at \(self.now / Self.ms) ms shows \(value.content) "
                + "of scope \(scope), \(logged) is applied (\(applied.sequence))"
        )
    }

    private func violation(
        _ rule: String,
        _ source: AnswerSource,
        _ instance: SimulatedInstance,
        _ client: SimulatedClient,
        _ what: String
    ) -> Violation {
        Violation(
            description: "\(rule): \(source) of instance \(instance.number) at \(self.now / Self.ms) ms, "
                + "key \(client.key), scope \(Shop.scope(ofKey: client.key)), client \(client.number): \(what)"
        )
    }

    /// Faults are over and everybody had five seconds: C6 and C9.
    func checkEnd() throws {
        guard self.database.isUp else { throw Violation(description: "the database is down in the end") }
        guard self.database.state.outbox.isEmpty else {
            throw Violation(description: "C6: the outbox is not empty in the end")
        }
        if !self.off.noOutbox, let row = self.database.state.loggings.firstIndex(where: { $0 != 1 }) {
            throw Violation(
                description: "C9: outbox row \(row) was logged \(self.database.state.loggings[row]) times"
            )
        }
        for (index, row) in self.database.state.log.enumerated()
        where row.sequence != self.database.state.firstSequence + Int64(index) {
            throw Violation(description: "C9: the log is not dense at \(row.sequence)")
        }
        for instance in self.instances {
            guard instance.lane.applied?.sequence == self.database.state.head else {
                throw Violation(description: "C6: instance \(instance.number) is not at the head in the end")
            }
            guard self.isUsable(instance) else {
                throw Violation(description: "C6: instance \(instance.number) is not in use in the end")
            }
        }
        guard self.checker.filledTwice == 0 else {
            throw Violation(description: "C7: \(self.checker.filledTwice) keys were filled twice under one generation")
        }
        guard self.profile.hasRedis else { return }
        guard self.primary.data.watermark?.sequence == self.database.state.head,
            self.primary.data.watermark?.ns == self.database.state.ns
        else { throw Violation(description: "C6: Redis is not at the head in the end") }
        guard let alive = self.primary.data.alive, alive.runID == self.primary.runID, self.now < alive.until else {
            throw Violation(description: "C6: Redis is not declared up to date in the end")
        }
    }
}

/// What a request has to be answered with at least.
struct Requirement {
    var branch: Int32
    /// Acknowledged a lease before.
    var lease: Int32 = 0
    /// Acknowledged by this process before.
    var own: Int32 = 0
    /// Written by the client that asks.
    var token: Int32 = 0
    /// Seen by the client that asks.
    var seen: Int32 = 0

    init(branch: Int32) {
        self.branch = branch
    }
}

/// Where an answer came from.
enum AnswerSource {
    case memory
    case stale
    case redis
    case joined
    case database
}
