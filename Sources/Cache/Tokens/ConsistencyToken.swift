/// What one client has written and seen, so that no instance answers it from before that.
///
/// The client carries it from answer to request (`Stock-Consistency`). A *write item* holds the id of a transaction: an answer
/// of one of its modules has to come from a snapshot that sees it. A *read item* holds the snapshot of an answer: a later
/// answer of the module has to come from a snapshot that sees whatever that one saw. Not signed: a forged token does what
/// `Cache-Control: no-cache` does, as the database satisfies every token.
///
/// Whatever is forgotten to stay within bounds is forgotten towards asking the database.
package struct ConsistencyToken: Sendable, Equatable {
    /// How many transactions are kept one by one; of more, all together become a barrier.
    package static let writeLimit = 8
    /// How many running transactions of a read item are kept.
    package static let runningLimit = 16
    /// The longest text that is read.
    package static let textLimit = 1600
    /// How many tokens one request may have.
    package static let partLimit = 4

    /// A transaction, and the modules it wrote.
    struct WriteItem: Sendable, Equatable {
        var xid: UInt64
        var modules: ModuleSet
    }

    /// What the client saw of some modules; the sets of all items are disjoint.
    struct ReadItem: Sendable, Equatable {
        var modules: ModuleSet
        var seen: SeenTransactions
    }

    /// The tenant the ids belong to.
    package let tenant: Int64
    /// The first eight bytes of the namespace the ids belong to; 0 if there are none yet.
    package internal(set) var namespace: UInt64 = 0
    var writes: [WriteItem] = []
    /// Everything up to this id has to be visible.
    ///
    /// Never only the highest id of many: a snapshot may see 105 and not 100.
    var barrier: WriteItem?
    var reads: [ReadItem] = []

    /// Makes a token that asks for nothing.
    package init(tenant: Int64, namespace: UInt64 = 0) {
        self.tenant = tenant
        self.namespace = namespace
    }

    /// Whether any answer will do.
    package var isEmpty: Bool { writes.isEmpty && barrier == nil && reads.isEmpty }

    // MARK: - Adding

    /// Adds a transaction of this client.
    package mutating func add(write xid: UInt64, modules: [Module]) {
        self.add(write: xid, modules: ModuleSet(modules))
    }

    mutating func add(write xid: UInt64, modules: ModuleSet, defects: Defects = Defects()) {
        guard !modules.isEmpty else { return }
        if let index = writes.firstIndex(where: { $0.xid == xid }) {
            writes[index].modules.formUnion(modules)
            return
        }
        writes.append(WriteItem(xid: xid, modules: modules))
        if defects.contains(.maximalIDToken) {
            let all = writes.reduce(into: ModuleSet()) { $0.formUnion($1.modules) }
            writes = [WriteItem(xid: writes.reduce(0) { max($0, $1.xid) }, modules: all)]
        }
        guard writes.count > Self.writeLimit else { return }
        for item in writes { self.add(barrier: item.xid, modules: item.modules) }
        writes.removeAll()
    }

    /// Adds that everything up to an id has to be visible.
    mutating func add(barrier xid: UInt64, modules: ModuleSet) {
        guard !modules.isEmpty else { return }
        guard let present = self.barrier else {
            self.barrier = WriteItem(xid: xid, modules: modules)
            return
        }
        self.barrier = WriteItem(xid: max(xid, present.xid), modules: present.modules.union(modules))
    }

    /// Adds the snapshot of an answer the client was given.
    package mutating func add(read module: Module, snapshot: Snapshot) {
        self.add(read: ModuleSet([module]), SeenTransactions(snapshot))
    }

    mutating func add(read modules: ModuleSet, _ seen: SeenTransactions) {
        var rest = modules
        for index in reads.indices {
            let common = reads[index].modules.intersection(rest)
            guard !common.isEmpty else { continue }
            rest.subtract(common)
            reads[index].modules.subtract(common)
            place(common, reads[index].seen.union(seen))
        }
        place(rest, seen)
        reads.removeAll { $0.modules.isEmpty }
    }

    private mutating func place(_ modules: ModuleSet, _ seen: SeenTransactions) {
        guard !modules.isEmpty else { return }
        if let index = reads.firstIndex(where: { $0.seen == seen && !$0.modules.isEmpty }) {
            reads[index].modules.formUnion(modules)
        } else {
            reads.append(ReadItem(modules: modules, seen: seen))
        }
    }

    /// Adds all that another token of the same tenant asks for.
    ///
    /// - Parameter other: the other one.
    package mutating func formUnion(_ other: ConsistencyToken) {
        let blank = ConsistencyToken(tenant: tenant)
        guard other != blank else { return }
        guard self != blank else {
            self = other
            return
        }
        let isOfOne = namespace == other.namespace
        for item in other.writes { add(write: item.xid, modules: item.modules) }
        if let barrier = other.barrier { add(barrier: barrier.xid, modules: barrier.modules) }
        for item in other.reads { add(read: item.modules, item.seen) }
        guard !isOfOne else { return }
        // One of the two is of a history that is over. Ids of two mean nothing together: only the database can answer.
        namespace = Namespace.none
        if isEmpty { add(barrier: 0, modules: .all) }
    }

    // MARK: - Asking

    /// Whether an answer of a module, computed from a snapshot, may be given to this client.
    package func isSatisfied(by snapshot: Snapshot, module: Module) -> Bool {
        for item in writes where item.modules.contains(module) && !snapshot.sees(item.xid) { return false }
        if let barrier, barrier.modules.contains(module), snapshot.xmin <= barrier.xid { return false }
        for item in reads where item.modules.contains(module) && !item.seen.isCovered(by: snapshot) {
            return false
        }
        return true
    }

    // MARK: - Forgetting

    /// Forgets what no usable cache can be behind of any more.
    ///
    /// - Parameter settled: the xmin of a probe older than two leases: whatever committed below it was acknowledged more than
    ///   a lease before any answer from now on, and such answers reflect it anyway.
    package mutating func prune(settled: UInt64) {
        self.prune(settled: settled, for: .all)
    }

    /// Forgets this of some modules only; RELAXED ones may be answered from further back than a lease.
    mutating func prune(settled: UInt64, for modules: ModuleSet) {
        for index in writes.indices where writes[index].xid < settled {
            writes[index].modules.subtract(modules)
        }
        writes.removeAll { $0.modules.isEmpty }
        if let xid = barrier?.xid, xid < settled {
            barrier?.modules.subtract(modules)
            if barrier?.modules.isEmpty == true { barrier = nil }
        }
        for index in reads.indices where reads[index].seen.xmax <= settled {
            reads[index].modules.subtract(modules)
        }
        reads.removeAll { $0.modules.isEmpty }
    }
}

/// What a client has seen: a snapshot of which it is certain what it did *not* see.
///
/// For an answer "not known" counts as not seen, for a client as seen: both ask for more, never for less. So a transaction
/// may be left out of `running` at any time, and a snapshot whose running transactions are unknown saw all below its end.
struct SeenTransactions: Sendable, Equatable {
    /// Nothing from here on was seen.
    let xmax: UInt64
    /// What was not seen below, ascending.
    let running: [UInt64]

    /// Makes one of transactions in ascending order, all below `xmax`.
    init(xmax: UInt64, running: [UInt64]) {
        var xmax = xmax
        var running = running[...]
        // What was not seen at the very end is the same as an earlier end.
        while let last = running.last, last + 1 == xmax {
            xmax = last
            running.removeLast()
        }
        self.xmax = xmax
        // The oldest ones run for long and are likely to be met again.
        self.running = Array(running.prefix(ConsistencyToken.runningLimit))
    }

    init(_ snapshot: Snapshot) {
        self.init(xmax: snapshot.xmax, running: (snapshot.xip ?? []).filter { $0 < snapshot.xmax }.sorted())
    }

    private func saw(_ xid: UInt64) -> Bool { xid < xmax && !running.contains(xid) }

    /// Whether a snapshot sees all of it.
    func isCovered(by snapshot: Snapshot) -> Bool {
        guard let xip = snapshot.xip else { return snapshot.xmin >= xmax }
        return snapshot.xmax >= xmax && !xip.contains { self.saw($0) }
    }

    /// What one or the other saw.
    func union(_ other: SeenTransactions) -> SeenTransactions {
        let (low, high) = self.xmax <= other.xmax ? (self, other) : (other, self)
        return SeenTransactions(xmax: high.xmax, running: high.running.filter { !low.saw($0) })
    }
}
