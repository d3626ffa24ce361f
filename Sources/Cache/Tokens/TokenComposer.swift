/// Makes the token of an answer from that of its request: pure, the owner says what the instance knows.
package struct TokenComposer: Sendable {
    /// What an answer adds.
    package enum Addition: Sendable {
        /// A transaction of the client.
        case wrote(xid: UInt64, modules: [Module])
        /// An answer of a module, computed from a snapshot.
        case read(Module, Snapshot)
        /// A stored answer: the transaction that wrote it, and the snapshot its record was found in.
        case replayed(xid: UInt64, modules: [Module], seenBy: Snapshot)
        /// A refusal, made of whatever modules, and a snapshot taken behind it.
        case refused(seenBy: Snapshot)
    }

    private let settings: CacheSettings
    private var history: SettledHistory

    /// Makes a composer that has seen nothing yet.
    package init(settings: CacheSettings) {
        self.settings = settings
        history = SettledHistory(reach: settings.lease * 2 + settings.staleLimit)
    }

    /// The token of an answer.
    ///
    /// - Parameters:
    ///   - incoming: the token of the request; nil if it had none, or an unreadable one.
    ///   - tenant: whose request it is.
    ///   - addition: what the answer adds.
    ///   - ns: the namespace this instance has adopted.
    ///   - settled: ``LaneStateMachine/settledXmin``.
    ///   - now: the time on the cache's clock.
    /// - Returns: the token, of the namespace adopted and without what is settled.
    package mutating func compose(
        _ incoming: ConsistencyToken?,
        tenant: Int64,
        adding addition: Addition,
        ns: String?,
        settled: UInt64,
        at now: Int64
    ) -> ConsistencyToken {
        let namespace = Namespace.word(ns)
        var token = ConsistencyToken(tenant: tenant, namespace: namespace)
        let isForeign = incoming.map { $0.isForeign(to: namespace, self.settings.defects) } ?? false
        if let incoming, !isForeign {
            token = incoming
            token.namespace = namespace
        }
        switch addition {
        case .wrote(let xid, _) where isForeign:
            // What the client wrote before, under another namespace, was acknowledged before this transaction got its id.
            token.add(barrier: xid, modules: .all)
        case .wrote(let xid, let modules):
            token.add(write: xid, modules: ModuleSet(modules), defects: settings.defects)
        case .read(let module, let snapshot):
            // A foreign token was answered by the database, whose snapshot saw everything the client did before.
            token.add(read: isForeign ? .all : ModuleSet([module]), SeenTransactions(snapshot))
        case .refused(let snapshot):
            token.add(read: .all, SeenTransactions(snapshot))
        case .replayed(_, _, let snapshot) where isForeign:
            // What the client wrote under another namespace may be younger than this write: the look-up saw both.
            token.add(read: .all, SeenTransactions(snapshot))
        case .replayed(let xid, let modules, _):
            // It may have a lower id than one already held, and have been committed later: both are kept.
            token.add(write: xid, modules: ModuleSet(modules), defects: settings.defects)
        }
        prune(&token, settled, now)
        return token
    }

    private mutating func prune(_ token: inout ConsistencyToken, _ settled: UInt64, _ now: Int64) {
        history.note(settled, namespace: token.namespace, at: now)
        let age = settings.lease * 2
        token.prune(settled: history.settled(before: age, now: now), for: .strict)
        // These may be given out from further back when the database cannot be asked.
        let relaxed = history.settled(before: age + settings.staleLimit, now: now)
        token.prune(settled: relaxed, for: .relaxed)
    }
}

extension ConsistencyToken {
    /// Whether the ids mean nothing under a namespace: only the database can answer.
    package func isForeign(to ns: String?, defects: Defects = Defects()) -> Bool {
        self.isForeign(to: Namespace.word(ns), defects)
    }

    func isForeign(to namespace: UInt64, _ defects: Defects) -> Bool {
        if defects.contains(.noNamespace) { return false }
        if self.namespace == Namespace.none { return !isEmpty }
        return self.namespace != namespace
    }
}
