import Synchronization

/// The cache of all tenants: memory first, then Redis, then the database.
///
/// Right through crashes, lost messages and restarts of Redis, because an answer counts only under the scope version (L1)
/// or generation (L2) captured *before* its snapshot, and because an instance that cannot show that it follows the log
/// serves nothing from its caches. Who follows the log and drives ``lane`` is the coherence service; without one this cache
/// never becomes usable, and every read asks the database.
package final class TenantCache: Sendable {
    /// What was chosen.
    package let settings: CacheSettings
    /// The name of this process run, unique.
    package let instance: String
    /// What this instance knows about the log.
    package let lane: CoherenceLane
    /// Committed writes of this instance, for the coherence service.
    package let commits: CommitQueue
    /// The clock of leases and expiry.
    package let clock: CacheClock

    let scopes: ScopeTable
    let l1: L1
    let metrics: CacheMetrics
    let composer: Mutex<TokenComposer>
    /// How often there was doubt about being up to date.
    let holes = Atomic<UInt64>(0)
    let condition = Mutex(CacheCondition())
    let secondLevel: (any SecondLevel)?
    let flights: Mutex<FlightTable>
    let bulkhead: Bulkhead

    /// Makes a cache; `secondLevel` is Redis, nil runs on memory alone.
    package init(
        settings: CacheSettings = CacheSettings(),
        secondLevel: (any SecondLevel)? = nil,
        instance: String = "i-" + Generation.fresh(),
        clock: CacheClock = .system
    ) {
        let scopes = ScopeTable()
        self.settings = settings
        self.instance = instance
        self.scopes = scopes
        lane = CoherenceLane(settings: settings, scopes: scopes, clock: clock)
        commits = CommitQueue()
        self.clock = clock
        self.secondLevel = secondLevel
        l1 = L1(
            bytes: settings.l1Bytes,
            shards: settings.l1Shards ?? Processors.count * 4,
            staleLimit: settings.staleLimit
        )
        flights = Mutex(FlightTable(settings: settings))
        metrics = CacheMetrics()
        composer = Mutex(TokenComposer(settings: settings))
        bulkhead = Bulkhead(
            perTenant: settings.tenantFills,
            total: settings.instanceFills,
            waiting: settings.waitingFills
        )
    }

    /// Whether this instance may serve from its caches at this moment.
    package var isUsable: Bool { settings.isEnabled && self.isUsable(at: clock.now) }

    /// The lease is looked at here, at the moment of serving: a process that was stopped wakes up with its lease over.
    func isUsable(at now: Int64) -> Bool {
        let until = lane.usableUntil
        if settings.defects.contains(.noLease) { return until > .min }
        return now < until
    }

    /// Whether a snapshot sees this instance's own writes and what a token asks for.
    func isVisible(_ snapshot: Snapshot, _ scope: Scope, _ token: ConsistencyToken?) -> Bool {
        guard self.settings.defects.contains(.noOwnWrites) || scope.isVisible(in: snapshot, settled: lane.settled)
        else { return false }
        guard let token, !self.settings.defects.contains(.noTokenCheck) else { return true }
        return token.isSatisfied(by: snapshot, module: scope.module)
    }
}
