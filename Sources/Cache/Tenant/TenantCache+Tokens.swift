import Synchronization

extension TenantCache {
    /// The token of a write's answer: what came with the request, and this write.
    ///
    /// - Parameters:
    ///   - incoming: the token of the request; nil if it had none, or an unreadable one.
    ///   - tenant: whose write it is.
    ///   - xid: the transaction.
    ///   - modules: what it wrote.
    /// - Returns: the value of the header.
    package func token(
        _ incoming: ConsistencyToken?,
        tenant: Int64,
        wrote xid: UInt64,
        modules: [Module]
    ) -> String {
        self.token(incoming, tenant, .wrote(xid: xid, modules: modules))
    }

    /// The token of a read's answer, for requests that came with one: what came, and what the client sees now.
    package func token(_ incoming: ConsistencyToken, read answer: CachedAnswer) -> String {
        self.token(incoming, incoming.tenant, .read(answer.module, answer.snapshot))
    }

    /// The token of a replayed answer: what came, and the write it tells of, whichever instance ran it.
    package func token(
        _ incoming: ConsistencyToken?,
        tenant: Int64,
        replayed xid: UInt64,
        modules: [Module],
        seenBy snapshot: Snapshot
    ) -> String {
        self.token(incoming, tenant, .replayed(xid: xid, modules: modules, seenBy: snapshot))
    }

    /// The token of a refusal: what came, and what was visible behind it.
    package func token(_ incoming: ConsistencyToken?, tenant: Int64, refusedBy snapshot: Snapshot) -> String {
        self.token(incoming, tenant, .refused(seenBy: snapshot))
    }

    /// A token of transactions that retired something, whoever ran them: for clients that are told of it.
    ///
    /// - Parameters:
    ///   - before: what they were told before; nil if nothing.
    ///   - tenant: whose they are.
    ///   - retired: the transactions, with the modules of each.
    /// - Returns: the token of all of it, without what no answer can be behind of any more.
    package func token(
        after before: ConsistencyToken?,
        tenant: Int64,
        retired: [(xid: UInt64, modules: [Module])]
    ) -> ConsistencyToken {
        let ns = lane.ns
        let settled = lane.settled
        let now = clock.now
        return composer.withLock { composer in
            retired.reduce(before ?? ConsistencyToken(tenant: tenant)) { token, item in
                composer.compose(
                    token,
                    tenant: tenant,
                    adding: .wrote(xid: item.xid, modules: item.modules),
                    ns: ns,
                    settled: settled,
                    at: now
                )
            }
        }
    }

    private func token(_ incoming: ConsistencyToken?, _ tenant: Int64, _ addition: TokenComposer.Addition) -> String {
        let ns = lane.ns
        let settled = lane.settled
        let now = clock.now
        return composer.withLock { composer in
            composer.compose(incoming, tenant: tenant, adding: addition, ns: ns, settled: settled, at: now)
        }.text
    }
}
