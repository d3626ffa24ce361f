import Coherence

@testable import Cache

/// A client: it thinks, reads or writes, and checks what it gets.
final class SimulatedClient {
    enum Phase {
        case thinking
        case asking
        case waiting
        case filling
        case filled
        case writing
    }

    let number: Int
    let tenant: Int64
    /// The instance it always asks; nil asks any.
    let home: Int?
    /// Whether it carries a token.
    let hasToken: Bool
    var ticket: Int32 = 0
    var phase = Phase.thinking
    var instance: SimulatedInstance?
    var key = 0
    var askedAt: Int64 = 0
    var attempts = 0
    var required = Requirement(branch: 0)
    var token: ConsistencyToken
    /// For the checker: the last commit of each scope it has written, and seen.
    var written = [Int32](repeating: 0, count: Shop.scopes)
    var seen = [Int32](repeating: 0, count: Shop.scopes)
    // A fill of its own, past all flights.
    var value: SimulatedValue?
    var epoch: Int32 = 0

    init(_ number: Int, tenant: Int64, home: Int?, hasToken: Bool) {
        self.number = number
        self.tenant = tenant
        self.home = home
        self.hasToken = hasToken
        self.token = ConsistencyToken(tenant: tenant)
    }

    /// Begins a new session; with its old token if only the history was replaced.
    func forget(keepingToken: Bool = false) {
        if !keepingToken { self.token = ConsistencyToken(tenant: self.tenant) }
        for scope in 0..<Shop.scopes {
            self.written[scope] = 0
            self.seen[scope] = 0
        }
    }
}

extension World {
    // MARK: - Life of a client

    /// Lets a client think.
    func pause(_ client: SimulatedClient) {
        client.ticket += 1
        client.phase = .thinking
        client.instance = nil
        let pause = self.between(1, self.profile.longestPause * 1000) * 1000
        self.queue.add(self.now + pause, .client, client.number, client.ticket)
    }

    /// An answer that is none.
    func fail(_ client: SimulatedClient) {
        self.tally.unanswered += 1
        self.pause(client)
    }

    func continueClient(_ client: SimulatedClient, _ ticket: Int32) throws {
        guard ticket == client.ticket else { return }
        switch client.phase {
        case .thinking:
            self.ask(client)
        case .asking:
            guard let instance = client.instance, instance.isRunning else { return self.fail(client) }
            if self.isHeld(instance, .client, client.number, ticket) { return }
            client.required.own = instance.acknowledged[Shop.scope(ofKey: client.key)]
            try self.read(client, instance)
        case .filling:
            self.finishOwnFill(client)
        case .filled:
            guard let instance = client.instance else { return self.fail(client) }
            if self.isHeld(instance, .client, client.number, ticket) { return }
            guard let value = client.value, self.database.isUp, self.database.epoch == client.epoch else {
                return try self.giveStale(client, instance)
            }
            try self.give(value, .database, client, instance)
        case .waiting, .writing:
            break
        }
    }

    /// Sends a request.
    private func ask(_ client: SimulatedClient) {
        guard let instance = client.home.map({ self.instances[$0] }) ?? self.anyInstance(), instance.isRunning else {
            return self.pause(client)
        }
        // Sessions end.
        if client.hasToken, self.permille(20) { client.forget() }
        client.instance = instance
        client.askedAt = self.now
        if self.isBusy, self.percent(self.profile.writes) {
            guard self.database.isUp, instance.postgresEpoch == self.database.epoch else { return self.fail(client) }
            client.phase = .writing
            self.beginWrite(client, tenant: client.tenant)
            // Some clients write two things at once; their ids need not be given out in the order of the answers.
            if client.hasToken, self.percent(30) { self.beginWrite(client, tenant: client.tenant, isCompanion: true) }
            return
        }
        let keys = Shop.keys / Shop.tenants
        // Some keys are asked for often, others seldom.
        client.key = Int(client.tenant - 1) * keys + (self.percent(60) ? self.below(3) : self.below(keys))
        client.required = self.requirement(of: client, scope: Shop.scope(ofKey: client.key))
        client.attempts = 0
        client.phase = .asking
        if client.hasToken { self.tally.tokenReads += 1 }
        self.queue.add(self.now + 20_000, .client, client.number, client.ticket)
    }

    private func anyInstance() -> SimulatedInstance? {
        let instance = self.instances[self.below(self.instances.count)]
        return instance.isRunning ? instance : nil
    }

    // MARK: - Reading, as the product's `TenantCache.read` does

    private func read(_ client: SimulatedClient, _ instance: SimulatedInstance) throws {
        if client.hasToken, client.token.isForeign(to: instance.lane.ns, defects: self.settings.defects) {
            self.tally.bypassed += 1
            self.beginOwnFill(client, instance)
            return
        }
        try self.readThrough(client, instance)
    }

    private func readThrough(_ client: SimulatedClient, _ instance: SimulatedInstance) throws {
        let scope = Shop.scope(ofKey: client.key)
        if self.isUsable(instance), let entry = instance.entries[client.key],
            entry.version == instance.versions[scope], self.satisfies(entry, client)
        {
            self.tally.l1Hits += 1
            try self.give(entry.value, .memory, client, instance)
            return
        }
        guard client.attempts < 3 else {
            self.beginOwnFill(client, instance)
            return
        }
        client.attempts += 1
        client.phase = .waiting
        let (flight, leads) = instance.flights.join(
            Shop.cacheKeys[client.key],
            version: instance.versions[scope],
            now: self.now,
            deadline: Self.deadline
        )
        if leads {
            try self.takeOff(flight, client, instance)
            return
        }
        guard let active = instance.active.first(where: { $0.flight === flight }) else {
            throw Violation(description: "a flight of the table is not under way")
        }
        active.waiting.append(SimulatedFlight.Waiter(client: client, ticket: client.ticket, leads: false))
    }

    /// Whether an entry of L1 has what a client's token asks for.
    private func satisfies(_ entry: SimulatedInstance.Entry, _ client: SimulatedClient) -> Bool {
        guard client.hasToken else { return true }
        if client.token.isForeign(to: entry.namespace, self.settings.defects) { return false }
        return self.isSatisfied(client, client.key, by: entry.value.snapshot)
    }

    /// A flight the client had joined has landed; the answer is looked at once more.
    func landed(_ value: SimulatedValue, _ client: SimulatedClient, _ instance: SimulatedInstance) throws {
        if self.off.joinAnyFlight
            || self.isVisible(instance, client.key, value.snapshot)
                && self.isSatisfied(client, client.key, by: value.snapshot)
        {
            self.tally.joined += 1
            try self.give(value, .joined, client, instance)
        } else {
            try self.readThrough(client, instance)
        }
    }

    func isSatisfied(_ client: SimulatedClient, _ key: Int, by snapshot: Snapshot) -> Bool {
        guard client.hasToken, !self.off.noTokenCheck else { return true }
        return client.token.isSatisfied(by: snapshot, module: Shop.module(Shop.scope(ofKey: key)))
    }

    /// Whether a snapshot sees this instance's own writes.
    func isVisible(_ instance: SimulatedInstance, _ key: Int, _ snapshot: Snapshot) -> Bool {
        if self.off.noOwnWrites { return true }
        let scope = Shop.scope(ofKey: key)
        if instance.own[scope].isEmpty { return true }
        instance.own[scope].prune(settled: instance.lane.settledXmin)
        return instance.own[scope].areVisible(in: snapshot)
    }

    /// The database has not answered: an old answer of a RELAXED module will do, marked as such.
    func giveStale(_ client: SimulatedClient, _ instance: SimulatedInstance) throws {
        let scope = Shop.scope(ofKey: client.key)
        guard Shop.module(scope).isRelaxed, let entry = instance.entries[client.key],
            entry.namespace == Namespace.word(instance.lane.ns),
            self.now - entry.filledAt <= self.settings.staleLimit.nanoseconds,
            entry.version >= instance.historyBegins[scope],
            instance.own[scope].highest < entry.value.snapshot.xmin,
            instance.own[scope].areVisible(in: entry.value.snapshot),
            self.satisfies(entry, client)
        else {
            self.fail(client)
            return
        }
        self.tally.stale += 1
        try self.give(entry.value, .stale, client, instance)
    }

    /// Answers a client, and checks the answer.
    func give(
        _ value: SimulatedValue,
        _ source: AnswerSource,
        _ client: SimulatedClient,
        _ instance: SimulatedInstance
    ) throws {
        if self.traces {
            self.note(
                "client \(client.number) reads key \(client.key) of instance \(instance.number) from \(source): "
                    + "\(value.content) of branch \(value.branch), \(value.snapshot)"
            )
        }
        try self.check(value, source, instance, client)
        if client.hasToken {
            let scope = Shop.scope(ofKey: client.key)
            self.compose(client, instance, .read(Shop.module(scope), value.snapshot))
            if value.branch == self.database.state.branch {
                client.seen[scope] = max(client.seen[scope], value.content)
            }
        }
        if self.profile.isPrompt, self.now - client.askedAt > 2_000_000_000 {
            throw Violation(
                description: "C7: client \(client.number) waited \((self.now - client.askedAt) / Self.ms) ms"
            )
        }
        self.pause(client)
    }

    // MARK: - A fill of one's own

    private func beginOwnFill(_ client: SimulatedClient, _ instance: SimulatedInstance) {
        client.phase = .filling
        client.value = nil
        client.epoch = instance.postgresEpoch
        self.tally.fills += 1
        self.queue.add(self.now + self.latency(), .client, client.number, client.ticket)
    }

    private func finishOwnFill(_ client: SimulatedClient) {
        guard let instance = client.instance else { return self.fail(client) }
        client.phase = .filled
        if self.database.isUp, self.database.epoch == client.epoch, self.now >= instance.postgresCutUntil {
            client.value = self.database.read(client.key)
        }
        self.queue.add(self.fillReplyTime(instance), .client, client.number, client.ticket)
    }

    /// When a fill's answer arrives: its snapshot was taken long before, sometimes.
    func fillReplyTime(_ instance: SimulatedInstance) -> Int64 {
        let isSlow = self.isBusy && self.percent(self.profile.slowFills)
        return self.replyTime(instance) + (isSlow ? self.between(10, self.profile.slowestFill) * Self.ms : 0)
    }

    // MARK: - Tokens

    private func compose(
        _ client: SimulatedClient,
        _ instance: SimulatedInstance,
        _ addition: TokenComposer.Addition
    ) {
        let token = instance.composer.compose(
            client.token,
            tenant: client.tenant,
            adding: addition,
            ns: instance.lane.ns,
            settled: instance.lane.settledXmin,
            at: self.now
        )
        // Sometimes by way of its text, as all of them go.
        if self.random.next() & 7 == 0, let parsed = ConsistencyToken(parsing: token.text, tenant: client.tenant) {
            client.token = parsed
        } else {
            client.token = token
        }
    }

    /// A client was told that its transaction is done.
    func wrote(_ client: SimulatedClient, _ transaction: SimulatedTransaction, _ instance: SimulatedInstance) {
        guard client.hasToken else { return }
        var modules: [Module] = []
        for scope in 0..<Shop.scopes where transaction.scopes & (1 << UInt8(scope)) != 0 {
            modules.append(Shop.module(scope))
            client.written[scope] = max(client.written[scope], transaction.commit)
        }
        self.compose(client, instance, .wrote(xid: transaction.xid, modules: modules))
    }
}
