extension TenantCache {
    /// Retires what this instance has of the scopes a transaction has written.
    ///
    /// To be called after COMMIT and before the answer, with no suspension point in between: from then on this instance
    /// reads what it wrote. The rest, Redis and the other instances, only becomes faster by it; if the process dies before,
    /// the outbox row in the database decides.
    package func committed(tenant: Int64, modules: [Module], xid: UInt64) {
        Failpoint.reach("after_commit")
        let settled = lane.settled
        let now = clock.now
        for module in modules {
            scopes.scope(tenant, module).wrote(xid, settled: settled, at: now)
        }
        commits.push(CommittedWrite(tenant: tenant, modules: modules, xid: xid))
    }

    /// Gives back what is kept under one key, in both levels; the caller has retired the scope if it had to.
    package func unlink(_ key: CacheKey) async {
        l1.remove(key)
        if let secondLevel, secondLevel.isAvailable { await secondLevel.unlink(key) }
    }

    /// Sends the fast bumps of committed writes to Redis; best effort, within ``CacheSettings/bumpBudget``.
    package func bumpSecondLevel(_ writes: [CommittedWrite]) async {
        guard let secondLevel, secondLevel.isAvailable, let ns = lane.state.ns else { return }
        await secondLevel.bump(writes, ns: ns)
    }

    /// Says in Redis that this instance's fills are alive; called every ``CacheSettings/fillerBeatInterval``.
    package func showLife() async {
        guard let secondLevel, secondLevel.isAvailable else { return }
        await secondLevel.beat(instance: self.instance)
    }
}
