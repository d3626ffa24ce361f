package import Cache
package import Kernel
import Synchronization

/// Those of this instance who wait for events, by tenant: what one of them would read is read once for all.
///
/// It is woken by the log, which the instance follows anyway: a row of the log and the numbers of the events behind it are one
/// transaction. So waiting costs the database nothing, and a tenant nobody waits for costs this instance a look into a table.
package final class EventHub: LogListener {
    /// What waiting may cost.
    package struct Limits: Sendable {
        /// Who may wait of one tenant.
        package var perTenant = 100
        /// Who may wait in this instance.
        package var total = 5000
        /// Events and retirements that one of them has not taken yet.
        package var events = 256
        /// The same in bytes.
        package var bytes = 256 * 1024
        /// The least time between two retirements that are told.
        package var coalescing = Duration.milliseconds(50)
        /// How often everybody hears that there is nothing, a little less than a second.
        package var beat = Duration.milliseconds(900)

        /// The limits that hold where nothing else is said.
        package init() {}
    }

    /// How much there was of what.
    package struct Statistics: Sendable {
        /// Who waits now.
        package let waiting: Int
        /// Those told nothing more, as they were too slow.
        package let slow: Int64
        /// Events told, each counted for everybody who was.
        package let told: Int64
    }

    /// The place of one who waits; given back when nothing holds it any more.
    package final class Seat: Sendable {
        private let hub: EventHub
        private let tenant: TenantID

        fileprivate init(_ hub: EventHub, _ tenant: TenantID) {
            self.hub = hub
            self.tenant = tenant
        }

        deinit { hub.giveBack(tenant) }
    }

    /// The waiting of one tenant.
    private struct Room {
        /// The last event that was read for it.
        var last: Int64
        /// Whether there may be events after that.
        var isStale = true
        var subscriptions: [ObjectIdentifier: EventSubscription] = [:]
        /// What was retired and is not told yet, by transaction.
        var retired: [UInt64: Set<Module>] = [:]
        /// Whether anything may have been.
        var isAllRetired = false
        /// What was told of retirements, without what is known everywhere by now: a client that keeps the last token it heard has all of it.
        var told: ConsistencyToken?
        /// When retirements may be told again.
        var retirementsDue: ContinuousClock.Instant = .now

        var hasRetirements: Bool { isAllRetired || !retired.isEmpty }
    }

    private struct State {
        var rooms: [TenantID: Room] = [:]
        var seats: [TenantID: Int] = [:]
        var taken = 0
    }

    /// Reads the events of a tenant after a number.
    package typealias Reading = @Sendable (TenantID, Int64, Int) async throws(Problem) -> EventPage

    /// How many events are read at once.
    private static let pageLimit = 200
    /// Tenants that are read for at once.
    private static let readers = 8
    /// The pause after a reading that failed.
    private static let pause = Duration.milliseconds(100)

    /// What waiting may cost.
    package let limits: Limits

    private let cache: TenantCache
    private let reading: Reading
    private let state = Mutex(State())
    private let readBell = Doorbell()
    private let pulseBell = Doorbell()
    private let slow = Atomic<Int64>(0)
    private let told = Atomic<Int64>(0)

    /// Makes a hub in which nobody waits.
    ///
    /// - Parameters:
    ///   - cache: Makes the tokens of retirements.
    ///   - limits: What waiting may cost.
    ///   - reading: Reads events.
    package init(cache: TenantCache, limits: Limits = Limits(), reading: @escaping Reading) {
        self.cache = cache
        self.limits = limits
        self.reading = reading
    }

    /// How much there was of what.
    package var statistics: Statistics {
        Statistics(
            waiting: state.withLock { $0.taken },
            slow: slow.load(ordering: .relaxed),
            told: told.load(ordering: .relaxed)
        )
    }

    // MARK: Coming and going

    /// Gives a place to one who wants to wait.
    ///
    /// - Parameter tenant: For whose events.
    /// - Returns: The place.
    /// - Throws: 429 `rate_limited` if the tenant has no more, 503 `overloaded` if the instance has not.
    package func admit(_ tenant: TenantID) throws(Problem) -> Seat {
        let refusal: Problem? = state.withLock { state in
            let seats = state.seats[tenant, default: 0]
            guard seats < limits.perTenant else {
                let detail = "This tenant has \(limits.perTenant) streams and waiting requests here, as many as it may."
                return Problem(.rateLimited, detail, retryAfter: 5)
            }
            guard state.taken < limits.total else {
                return Problem(.overloaded, "As many wait for events here as may.", retryAfter: 5)
            }
            state.seats[tenant] = seats + 1
            state.taken += 1
            return nil
        }
        if let refusal { throw refusal }
        return Seat(self, tenant)
    }

    private func giveBack(_ tenant: TenantID) {
        state.withLock { state in
            state.taken -= 1
            guard let seats = state.seats[tenant] else { return }
            state.seats[tenant] = seats > 1 ? seats - 1 : nil
        }
    }

    /// Has somebody told of what comes after a number, without a gap.
    ///
    /// - Parameters:
    ///   - subscription: Who.
    ///   - tenant: Of whose events.
    ///   - position: All up to this number is known.
    /// - Returns: Whether it is: if not, more was told to others already, and has to be read first.
    package func join(_ subscription: EventSubscription, of tenant: TenantID, at position: Int64) -> Bool {
        let (hasJoined, isNew): (Bool, Bool) = state.withLock { state in
            let isNew = state.rooms[tenant] == nil
            // What was numbered before there was a room has woken nobody: it is read once.
            var room = state.rooms.removeValue(forKey: tenant) ?? Room(last: position)
            defer { state.rooms[tenant] = room }
            guard room.last <= position else { return (false, false) }
            subscription.begin(at: position)
            room.subscriptions[ObjectIdentifier(subscription)] = subscription
            return (true, isNew)
        }
        if isNew { readBell.ring() }
        return hasJoined
    }

    /// Has somebody told nothing more.
    package func leave(_ subscription: EventSubscription, of tenant: TenantID) {
        state.withLock { state in
            state.rooms[tenant]?.subscriptions[ObjectIdentifier(subscription)] = nil
            if state.rooms[tenant]?.subscriptions.isEmpty == true { state.rooms[tenant] = nil }
        }
    }

    /// Has everybody look at once whether they are still to be here.
    package func wakeEverybody() {
        for subscription in everybody { subscription.beat() }
    }

    private var everybody: [EventSubscription] {
        state.withLock { state in state.rooms.values.flatMap { $0.subscriptions.values } }
    }

    // MARK: What the log says

    package func retired(_ bumps: [LaneStateMachine.Bump]) {
        var doubted: [EventSubscription] = []
        let (isStale, hasRetirements): (Bool, Bool) = state.withLock { state in
            guard !state.rooms.isEmpty else { return (false, false) }
            var (isStale, hasRetirements) = (false, false)
            // A hint comes before the number, and is followed by the row.
            for bump in bumps where bump.sequence != nil {
                let tenant = TenantID(rawValue: bump.tenant)
                guard state.rooms[tenant] != nil else { continue }
                isStale = true
                state.rooms[tenant]?.isStale = true
                guard let module = Module(rawValue: bump.module) else { continue }
                hasRetirements = true
                for xid in bump.xids { state.rooms[tenant]?.retired[xid, default: []].insert(module) }
                if module == .identity, let room = state.rooms[tenant] { doubted += room.subscriptions.values }
            }
            return (isStale, hasRetirements)
        }
        for subscription in doubted { subscription.askWho() }
        if isStale { readBell.ring() }
        if hasRetirements { pulseBell.ring() }
    }

    package func lostPlace() {
        let subscriptions: [EventSubscription] = state.withLock { state in
            for tenant in state.rooms.keys {
                state.rooms[tenant]?.isStale = true
                state.rooms[tenant]?.isAllRetired = true
            }
            return state.rooms.values.flatMap { $0.subscriptions.values }
        }
        guard !subscriptions.isEmpty else { return }
        for subscription in subscriptions { subscription.askWho() }
        readBell.ring()
        pulseBell.ring()
    }

    // MARK: At work

    /// Reads and tells until the task is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask(priority: .high) { await self.follow() }
            group.addTask { await self.pulse() }
        }
    }

    private func follow() async {
        while !Task.isCancelled {
            let stale: [(TenantID, Int64)] = state.withLock { state in
                let tenants = state.rooms.filter { $0.value.isStale }.keys.prefix(Self.readers)
                return tenants.compactMap { tenant in
                    state.rooms[tenant]?.isStale = false
                    return state.rooms[tenant].map { (tenant, $0.last) }
                }
            }
            guard !stale.isEmpty else {
                _ = await readBell.wait(atMost: nil)
                continue
            }
            let failures = await withTaskGroup(of: Bool.self, returning: Int.self) { group in
                for (tenant, last) in stale { group.addTask { await self.read(tenant, after: last) } }
                return await group.reduce(0) { $0 + ($1 ? 0 : 1) }
            }
            // The database is away or busy; what was not read is read as soon as it can be.
            if failures == stale.count { _ = await Doorbell().wait(atMost: Self.pause) }
        }
    }

    /// Reads what a room has not been told and tells it; false if that failed.
    private func read(_ tenant: TenantID, after last: Int64) async -> Bool {
        do throws(Problem) {
            let page = try await reading(tenant, last, Self.pageLimit)
            tell(page, after: last, to: tenant)
            return true
        } catch {
            let isGone = error.code == .eventsPruned
            let subscriptions: [EventSubscription] = state.withLock { state in
                state.rooms[tenant]?.isStale = !isGone
                guard isGone, let room = state.rooms.removeValue(forKey: tenant) else { return [] }
                return Array(room.subscriptions.values)
            }
            for subscription in subscriptions { subscription.end(.restored) }
            return isGone
        }
    }

    private func tell(_ page: EventPage, after last: Int64, to tenant: TenantID) {
        // Who joins from here on knows all of it.
        let subscriptions: [EventSubscription] = state.withLock { state in
            guard let room = state.rooms[tenant] else { return [] }
            // Another room than the one it was read for, to which less was told: what is between is read first.
            guard room.last >= last else {
                state.rooms[tenant]?.isStale = true
                return []
            }
            state.rooms[tenant]?.last = max(room.last, page.last)
            if page.last < page.head { state.rooms[tenant]?.isStale = true }
            return page.events.isEmpty ? [] : Array(room.subscriptions.values)
        }
        for subscription in subscriptions where subscription.tell(page.events, within: limits) {
            slow.wrappingAdd(1, ordering: .relaxed)
        }
    }

    /// Tells retirements when they are due, and everybody that there is nothing.
    private func pulse() async {
        var beat = ContinuousClock.now + limits.beat
        while !Task.isCancelled {
            let due = tellRetirements()
            if ContinuousClock.now >= beat {
                wakeEverybody()
                beat = .now + limits.beat
            }
            _ = await pulseBell.wait(atMost: max(.milliseconds(1), min(due ?? beat, beat) - .now))
        }
    }

    /// Tells what was retired where that is due.
    ///
    /// - Returns: When the next is; nil if there is none.
    private func tellRetirements() -> ContinuousClock.Instant? {
        let now = ContinuousClock.now
        var next: ContinuousClock.Instant?
        let rooms: [(TenantID, Room)] = state.withLock { state in
            var due: [(TenantID, Room)] = []
            for (tenant, room) in state.rooms where room.hasRetirements {
                guard room.retirementsDue <= now else {
                    next = min(next ?? room.retirementsDue, room.retirementsDue)
                    continue
                }
                due.append((tenant, room))
            }
            for (tenant, _) in due {
                state.rooms[tenant]?.retired = [:]
                state.rooms[tenant]?.isAllRetired = false
                state.rooms[tenant]?.retirementsDue = now + limits.coalescing
            }
            return due
        }
        for (tenant, room) in rooms {
            let listeners = room.subscriptions.values.filter(\.hearsRetirements)
            guard !listeners.isEmpty else { continue }
            let retirement = tokened(room, tenant)
            for listener in listeners where listener.tell(retirement, within: limits) {
                slow.wrappingAdd(1, ordering: .relaxed)
            }
        }
        return next
    }

    private func tokened(_ room: Room, _ tenant: TenantID) -> Retirement {
        guard !room.isAllRetired else { return Retirement(modules: Module.allCases, consistency: nil) }
        let modules = room.retired.values.reduce(into: Set()) { $0.formUnion($1) }
        let token = cache.token(
            after: room.told,
            tenant: tenant.rawValue,
            retired: room.retired.sorted { $0.key < $1.key }.map { ($0.key, Array($0.value)) }
        )
        state.withLock { $0.rooms[tenant]?.told = token }
        return Retirement(modules: Module.allCases.filter(modules.contains), consistency: token.text)
    }

    /// Counts events that were sent.
    package func count(told events: Int) {
        told.wrappingAdd(Int64(events), ordering: .relaxed)
    }
}
