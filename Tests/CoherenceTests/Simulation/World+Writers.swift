import Coherence

@testable import Cache

/// A transaction that writes.
struct SimulatedTransaction {
    enum Phase {
        case running
        case committed
    }

    var phase = Phase.running
    var xid: UInt64 = 0
    var scopes: UInt8 = 0
    var epoch: Int32 = 0
    var branch: Int32 = 0
    var commit: Int32 = 0
    /// The client that waits; nil for raw SQL.
    var client: SimulatedClient?
    var clientTicket: Int32 = 0
    var instance: SimulatedInstance?
    var incarnation: Int32 = 0
}

extension World {
    // MARK: - Transactions

    /// Begins a transaction that writes one scope, or both of a tenant.
    func beginWrite(_ client: SimulatedClient?, tenant: Int64, isCompanion: Bool = false) {
        let index: Int
        if let idle = self.idleTransactions.popLast() {
            index = idle
        } else {
            index = self.transactions.count
            self.transactions.append(SimulatedTransaction())
        }
        let first = Int(tenant - 1) * 2
        let draw = self.random.next() % 10
        let scopes: UInt8 = draw == 0 ? 3 : draw % 2 == 0 ? 1 : 2
        var transaction = SimulatedTransaction()
        transaction.xid = self.database.begin()
        transaction.scopes = scopes << UInt8(first)
        transaction.epoch = self.database.epoch
        transaction.branch = self.database.state.branch
        transaction.client = client
        transaction.clientTicket = isCompanion ? -1 : client?.ticket ?? 0
        transaction.instance = client?.instance
        transaction.incarnation = client?.instance?.incarnation ?? 0
        self.transactions[index] = transaction
        let isLong = self.isBusy && self.percent(self.profile.longTransactions)
        let duration = isLong ? self.between(50, self.profile.longestTransaction) * Self.ms : self.latency()
        self.queue.add(self.now + duration, .transaction, index, 0)
    }

    func writeRaw() {
        let pause = self.between(20, 400) * Self.ms
        self.queue.add(self.now + pause, .rawWriter, 0, 0)
        guard self.isBusy, self.database.isUp, self.percent(self.profile.rawWrites) else { return }
        self.beginWrite(nil, tenant: Int64(1 + self.below(Shop.tenants)))
    }

    func continueTransaction(_ index: Int) {
        let transaction = self.transactions[index]
        switch transaction.phase {
        case .running:
            self.commit(index, transaction)
        case .committed:
            if let instance = transaction.instance, self.isHeld(instance, .transaction, index, 0) { return }
            self.acknowledge(transaction)
            self.idleTransactions.append(index)
        }
    }

    private func commit(_ index: Int, _ transaction: SimulatedTransaction) {
        // A process that died or was stopped does not send COMMIT, or it had sent it.
        if let instance = transaction.instance {
            if instance.incarnation == transaction.incarnation, self.isHeld(instance, .transaction, index, 0) { return }
            let isGone = instance.incarnation != transaction.incarnation || self.now < instance.postgresCutUntil
            if isGone, self.percent(50) {
                if self.database.epoch == transaction.epoch { self.database.rollBack(transaction.xid) }
                self.fail(transaction)
                self.idleTransactions.append(index)
                return
            }
        }
        guard self.database.isUp, self.database.epoch == transaction.epoch,
            let commit = self.database.commit(transaction.xid, scopes: transaction.scopes)
        else {
            self.fail(transaction)
            self.idleTransactions.append(index)
            return
        }
        self.tally.writes += 1
        self.note("transaction \(transaction.xid) commits as \(commit), scopes \(transaction.scopes)")
        self.transactions[index].commit = commit
        self.transactions[index].phase = .committed
        self.queue.add(self.now + self.latency(), .transaction, index, 0)
    }

    private func fail(_ transaction: SimulatedTransaction) {
        if let client = transaction.client, client.ticket == transaction.clientTicket { self.fail(client) }
    }

    /// COMMIT was answered: the process retires what it has, then answers its client.
    private func acknowledge(_ transaction: SimulatedTransaction) {
        guard let instance = transaction.instance else {
            // By raw SQL: acknowledged, and no process knows of it.
            if transaction.branch == self.database.state.branch {
                self.checker.acknowledged(transaction.scopes, transaction.commit, at: self.now)
            }
            return
        }
        // The process died in between, or lost the connection: its client never got an answer.
        guard instance.incarnation == transaction.incarnation, self.database.epoch == transaction.epoch,
            self.now >= instance.postgresCutUntil
        else {
            self.fail(transaction)
            return
        }
        for scope in 0..<Shop.scopes where transaction.scopes & (1 << UInt8(scope)) != 0 {
            if !self.off.noOwnWrites {
                instance.own[scope].append(transaction.xid, settled: instance.lane.settledXmin)
            }
            instance.versions[scope] += 1
            instance.acknowledged[scope] = max(instance.acknowledged[scope], transaction.commit)
        }
        self.checker.acknowledged(transaction.scopes, transaction.commit, at: self.now)
        self.note("instance \(instance.number) acknowledges \(transaction.xid)")
        if let client = transaction.client {
            if client.ticket == transaction.clientTicket {
                self.wrote(client, transaction, instance)
                self.pause(client)
            } else if transaction.clientTicket < 0 {
                self.wrote(client, transaction, instance)
            }
        }
        guard self.percent(self.profile.fastPath) else { return }
        instance.relay.nudged(at: self.now)
        self.wakeRelay(instance)
        guard let ns = instance.lane.ns, instance.server != nil else { return }
        let index: Int
        if let idle = self.idleBumps.popLast() {
            index = idle
        } else {
            index = self.bumps.count
            self.bumps.append(BumpOperation(instance: 0))
        }
        self.bumps[index] = BumpOperation(
            instance: instance.number,
            server: instance.server,
            epoch: instance.serverEpoch,
            ns: ns,
            scopes: transaction.scopes,
            xid: transaction.xid
        )
        self.queue.add(self.now + self.latency(), .bump, index, 0)
    }

    func finishBump(_ index: Int) {
        let operation = self.bumps[index]
        self.idleBumps.append(index)
        let instance = self.instances[operation.instance]
        guard let server = operation.server, server.isUp, server.epoch == operation.epoch,
            self.now >= instance.redisCutUntil
        else { return }
        self.note("instance \(operation.instance) bumps for \(operation.xid)")
        self.scriptBump(server, operation, by: instance)
    }
}
