import Cache
import Coherence

/// What a reader gets from the database, and what only the checker knows about it.
struct SimulatedValue: Equatable {
    /// The history it was read in; a restore begins another.
    var branch: Int32
    /// The number of the last commit that wrote the scope.
    var content: Int32
    /// The key it was read for.
    var key: Int32
    /// What the snapshot saw.
    var snapshot: Snapshot
}

/// Scopes and keys of the simulated world.
enum Shop {
    static let tenants = 2
    /// One STRICT module and one whose old answers may be given when there are no others.
    static let modules: [Module] = [.products, .dashboard]
    static let scopes = Shop.tenants * Shop.modules.count
    static let keysPerScope = 4
    static let keys = Shop.scopes * Shop.keysPerScope
    static let cacheKeys: [CacheKey] = (0..<Shop.keys).map { key in
        CacheKey(
            tenant: Shop.tenant(Shop.scope(ofKey: key)),
            module: Shop.module(Shop.scope(ofKey: key)),
            key: "item:\(key % Shop.keysPerScope)"
        )
    }

    static func scope(ofKey key: Int) -> Int { key / self.keysPerScope }
    static func tenant(_ scope: Int) -> Int64 { Int64(scope / 2 + 1) }
    static func module(_ scope: Int) -> Module { self.modules[scope % 2] }
    static func name(_ scope: Int) -> String { scope % 2 == 0 ? "products" : "dashboard" }
    static func scope(_ tenant: Int64, _ module: String) -> Int {
        Int(tenant - 1) * 2 + (module == "dashboard" ? 1 : 0)
    }
}

/// A transaction's mark that a scope was written.
struct OutboxRow {
    var id: Int
    var xid: UInt64
    var scope: Int
    var content: Int32
}

/// PostgreSQL: transactions, snapshots, outbox, log, lane; crashes and restores.
final class SimulatedDatabase {
    /// What is on disk.
    struct State {
        var branch: Int32 = 0
        var identity = "cluster/1"
        var nextXID: UInt64 = 100
        var latestCompleted: UInt64 = 99
        var running: [UInt64] = []
        var commits: Int32 = 0
        /// The last commit that wrote each scope.
        var contents = [Int32](repeating: 0, count: Shop.scopes)
        var outbox: [OutboxRow] = []
        var nextOutboxID = 0
        /// How often each outbox row was logged.
        var loggings: [UInt8] = []
        var log: [LogRow]
        /// The commit each row of the log is about, its time, beside the log.
        var logContents: [Int32] = [0]
        var logTimes: [Int64] = [0]
        var ns: String
        /// The identity stored in the lane.
        var storedIdentity = "cluster/1"
        var drains: Int64 = 0
        /// The count that survives a crash: idle drains do not wait for their commit to be safe.
        var safeDrains: Int64 = 0

        var firstSequence: Int64 { self.log[0].sequence }
        var head: Int64 { self.log[self.log.count - 1].sequence }
    }

    var state: State
    /// An old data directory.
    var saved: State?
    /// What each scope had where a history was left for another: index is the branch left.
    private(set) var forks: [[Int32]] = []
    /// Counts crashes; what began before one has failed.
    private(set) var epoch: Int32 = 0
    var isUp = true
    /// The drain that holds the lane.
    var locker: Int?
    private(set) var rotations = 0

    init(ns: String, tag: Int32) {
        self.state = State(
            log: [LogRow(sequence: 0, tag: tag, tenant: nil, module: "", xids: [])],
            ns: ns
        )
    }

    // MARK: - Transactions

    func begin() -> UInt64 {
        let xid = self.state.nextXID
        self.state.nextXID += 1
        self.state.running.append(xid)
        return xid
    }

    private func end(_ xid: UInt64) -> Bool {
        guard let place = self.state.running.firstIndex(of: xid) else { return false }
        self.state.running.remove(at: place)
        self.state.latestCompleted = max(self.state.latestCompleted, xid)
        return true
    }

    func rollBack(_ xid: UInt64) {
        _ = self.end(xid)
    }

    /// Commits; nil if the transaction is gone.
    func commit(_ xid: UInt64, scopes: UInt8) -> Int32? {
        guard self.end(xid) else { return nil }
        self.state.commits += 1
        for scope in 0..<Shop.scopes where scopes & (1 << UInt8(scope)) != 0 {
            self.state.contents[scope] = self.state.commits
            self.state.outbox.append(
                OutboxRow(id: self.state.nextOutboxID, xid: xid, scope: scope, content: self.state.commits)
            )
            self.state.nextOutboxID += 1
            self.state.loggings.append(0)
        }
        return self.state.commits
    }

    /// The present snapshot, as `pg_current_snapshot()` gives it on a primary.
    var snapshot: Snapshot {
        let xmax = self.state.latestCompleted + 1
        var xmin = xmax
        var xip: [UInt64] = []
        for xid in self.state.running where xid < xmax {
            xip.append(xid)
            if xid < xmin { xmin = xid }
        }
        return Snapshot(xmin: xmin, xmax: xmax, xip: xip)
    }

    func read(_ key: Int) -> SimulatedValue {
        SimulatedValue(
            branch: self.state.branch,
            content: self.state.contents[Shop.scope(ofKey: key)],
            key: Int32(key),
            snapshot: self.snapshot
        )
    }

    // MARK: - Lane

    func follow(from: Int64?, limit: Int) -> FollowAnswer {
        let first = from ?? self.state.head
        var rows: [LogRow] = []
        // A row that was pruned, or is not there yet: what follows it, if anything, as SQL returns it.
        var index = Int(max(0, first - self.state.firstSequence))
        while index < self.state.log.count, rows.count < limit {
            rows.append(self.state.log[index])
            index += 1
        }
        return FollowAnswer(
            ns: self.state.ns,
            head: self.state.head,
            drains: self.state.drains,
            rows: rows,
            xmin: self.snapshot.xmin
        )
    }

    func rotate(to ns: String) -> String {
        self.rotations += 1
        self.state.ns = ns
        return ns
    }

    /// Commits a drain that saw so many rows.
    ///
    /// - Returns: how many log rows it made.
    func drain(_ seen: Int, isFull: Bool, logs: Bool, now: Int64, tag: () -> Int32) -> Int64 {
        var moved: Int64 = 0
        if seen > 0 {
            var isDone: UInt8 = 0
            let head = self.state.head
            for place in 0..<seen {
                let scope = self.state.outbox[place].scope
                if isDone & (1 << UInt8(scope)) != 0 { continue }
                isDone |= 1 << UInt8(scope)
                var xids: [UInt64] = []
                var content: Int32 = 0
                for other in place..<seen where self.state.outbox[other].scope == scope {
                    let row = self.state.outbox[other]
                    xids.append(row.xid)
                    content = max(content, row.content)
                    if logs { self.state.loggings[row.id] += 1 }
                }
                if !logs { continue }
                moved += 1
                self.state.log.append(
                    LogRow(
                        sequence: head + moved,
                        tag: tag(),
                        tenant: Shop.tenant(scope),
                        module: Shop.name(scope),
                        xids: xids
                    )
                )
                self.state.logContents.append(content)
                self.state.logTimes.append(now)
            }
            self.state.outbox.removeFirst(seen)
        }
        if !isFull { self.state.drains += 1 }
        if moved > 0 { self.state.safeDrains = self.state.drains }
        return moved
    }

    func prune(before time: Int64) {
        var count = 0
        while count < self.state.log.count - 1, self.state.logTimes[count] < time { count += 1 }
        guard count > 0 else { return }
        self.state.log.removeFirst(count)
        self.state.logContents.removeFirst(count)
        self.state.logTimes.removeFirst(count)
    }

    /// The last commit to a scope that the log has up to a position; nil if the position is of another history.
    func logged(_ scope: Int, upTo position: LogPosition) -> Int32? {
        var index = Int(position.sequence - self.state.firstSequence)
        guard index >= 0, index < self.state.log.count, self.state.log[index].tag == position.tag else { return nil }
        let tenant = Shop.tenant(scope)
        let name = Shop.name(scope)
        // What was logged long ago is asked for by the other rules, too.
        var left = 16
        while index >= 0, left > 0 {
            if self.state.log[index].tenant == tenant, self.state.log[index].module == name {
                return self.state.logContents[index]
            }
            index -= 1
            left -= 1
        }
        return 0
    }

    // MARK: - Faults

    /// Crashes and recovers: what was running is gone, idle drains may be uncounted.
    func crash(drains: Int64) {
        self.epoch += 1
        self.locker = nil
        self.state.running.removeAll()
        self.state.latestCompleted = self.state.nextXID - 1
        self.state.drains = drains
    }

    /// Comes back with the old data directory; false if there is none.
    func restore(identity: String?) -> Bool {
        guard let saved = self.saved else { return false }
        let branch = self.state.branch
        self.forks.append(saved.contents)
        self.state = saved
        self.state.branch = branch + 1
        self.saved = nil
        if let identity { self.state.identity = identity }
        self.crash(drains: self.state.safeDrains)
        return true
    }

    /// What a value still shows of a scope, once its history was left.
    func effective(_ value: SimulatedValue, scope: Int) -> Int32 {
        var content = value.content
        var branch = Int(value.branch)
        while branch < Int(self.state.branch) {
            content = min(content, self.forks[branch][scope])
            branch += 1
        }
        return content
    }
}
