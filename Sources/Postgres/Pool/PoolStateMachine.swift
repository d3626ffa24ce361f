import Fairness
import IOLoop

/// Which connection does what, free of any I/O: a fixed number of slots per lane, a queue per lane, the breaker.
///
/// After the pool of postgres-nio: every method returns what its owner is to do. A connection's number is
/// `generation * slots + slot`, so an event of a connection that is gone is recognised and ignored.
///
/// Tenants take turns by cost in every lane (``FairQueue``), and what has begun cannot be taken back, so there are shares as well:
/// bulks, of whomever, run on half of the exclusive connections at most, and while more than one tenant is about none has all of them.
struct PoolStateMachine {
    /// What a slot is doing.
    private enum SlotState {
        /// No connection; the next attempt is due at the instant.
        case down(until: ContinuousClock.Instant)
        case connecting
        case ready
    }

    private struct Slot {
        let lane: Lane
        let capacity: Int
        var state: SlotState
        var connection: Int
        /// Whose units and leases are on the connection.
        var claims: [PoolClaim] = []
        /// Takes nothing new; closed once empty.
        var isRetiring = false
        var expires: ContinuousClock.Instant
        /// Failed attempts in a row.
        var failures = 0

        /// Units and leases on the connection.
        var inFlight: Int { claims.count }
    }

    private struct Waiter {
        let request: PoolRequest
        let expires: ContinuousClock.Instant
    }

    /// What to do.
    enum Action {
        /// Make a connection for a lane.
        case connect(connection: Int, lane: Lane)
        /// Hand the request to the connection.
        case send(PoolRequest, connection: Int)
        case fail(PoolRequest, PostgresError)
        /// Close an idle connection.
        case close(connection: Int)
        /// The last connection is gone after a shutdown.
        case stopped
    }

    private enum Phase {
        case initial
        case running
        case draining
        case stopped
    }

    private let configuration: PostgresConfiguration
    private let random: @Sendable () -> Double
    private var phase = Phase.initial
    private var slots: [Slot] = []
    /// Slots of the exclusive lane without work; the last used is used next.
    private var idle: [Int] = []
    private var queues: [Lane: FairQueue<PoolClaim, Waiter>] = [:]
    /// Bulks under way.
    private var bulks = 0
    /// The tenant that asked last, and until when another one counts as being about.
    private var lastTenant: Int64?
    private var isSharedUntil: ContinuousClock.Instant?
    private(set) var breaker: ConnectBreaker
    /// What a request without a connection fails with: it tells why the last attempt failed, as long as none has gone well since.
    private var unavailable = Self.disconnected
    /// Lanes that had a connection once: before that a waiter is given longer.
    private var known: Set<Lane> = []
    private var drainDeadline: ContinuousClock.Instant?

    /// Makes a pool without connections.
    ///
    /// - Parameters:
    ///   - configuration: Sizes and times.
    ///   - now: The present.
    ///   - random: Numbers in 0..<1 for jitter.
    init(
        configuration: PostgresConfiguration,
        now: ContinuousClock.Instant,
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.configuration = configuration
        self.random = random
        breaker = ConnectBreaker(configuration.breaker)
        let lanes: [(Lane, count: Int, capacity: Int)] = [
            (.shared, max(1, configuration.sharedConnections), max(1, configuration.unitsPerSharedConnection)),
            (.exclusive, max(1, configuration.exclusiveConnections), 1),
            (.listener, 1, max(1, configuration.unitsPerSharedConnection)),
        ]
        for (lane, count, capacity) in lanes {
            queues[lane] = FairQueue()
            for _ in 0..<count {
                slots.append(
                    Slot(
                        lane: lane,
                        capacity: capacity,
                        state: .down(until: now),
                        connection: slots.count,
                        expires: now
                    )
                )
            }
        }
    }

    // MARK: What is seen from outside

    /// The number of connections of a lane that take work.
    ///
    /// - Parameter lane: The lane.
    /// - Returns: The number.
    func readyConnections(_ lane: Lane) -> Int {
        slots.count { $0.lane == lane && isUsable($0) }
    }

    /// The number of units and leases under way on a lane.
    ///
    /// - Parameter lane: The lane.
    /// - Returns: The number.
    func inFlight(_ lane: Lane) -> Int {
        slots.reduce(0) { $0 + ($1.lane == lane ? $1.inFlight : 0) }
    }

    /// The number of units and leases waiting for a lane.
    ///
    /// - Parameter lane: The lane.
    /// - Returns: The number.
    func waiting(_ lane: Lane) -> Int { queues[lane]?.count ?? 0 }

    /// Whether it takes requests.
    var isRunning: Bool { phase == .running || phase == .initial }

    // MARK: Life

    /// Begins to connect.
    ///
    /// - Parameter now: The present.
    /// - Returns: What to do.
    mutating func start(now: ContinuousClock.Instant) -> [Action] {
        guard phase == .initial else { return phase == .stopped ? [.stopped] : [] }
        phase = .running
        return tick(now: now)
    }

    /// Takes nothing new, fails what waits, closes what is idle.
    ///
    /// - Parameter now: The present.
    /// - Returns: What to do.
    mutating func shutDown(now: ContinuousClock.Instant) -> [Action] {
        guard phase == .running || phase == .initial else { return [] }
        phase = .draining
        drainDeadline = now.advanced(by: configuration.drainTimeout)
        var actions: [Action] = []
        for lane in Lane.allCases {
            for waiter in takeWaiters(lane) { actions.append(.fail(waiter.request, Self.closed)) }
        }
        idle.removeAll()
        for index in slots.indices {
            switch slots[index].state {
            case .connecting: actions.append(.close(connection: slots[index].connection))
            case .ready:
                slots[index].isRetiring = true
                if slots[index].inFlight == 0 { actions.append(.close(connection: slots[index].connection)) }
            case .down: break
            }
        }
        return actions + stoppedIfEmpty()
    }

    private mutating func stoppedIfEmpty() -> [Action] {
        guard phase == .draining else { return [] }
        for slot in slots {
            if case .down = slot.state { continue }
            return []
        }
        phase = .stopped
        return [.stopped]
    }

    // MARK: Requests

    /// Takes a request.
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - now: The present.
    ///   - isRepeat: Whether it was sent before: then it goes to the head of the queue.
    /// - Returns: What to do, nil if it waits.
    mutating func submit(_ request: PoolRequest, now: ContinuousClock.Instant, isRepeat: Bool = false) -> Action? {
        guard isRunning else { return .fail(request, Self.closed) }
        // What is sent too late would be cancelled on the way, and of a write nobody could say what became of it.
        guard now < request.deadline else { return .fail(request, Self.deadlineExceeded) }
        let lane = request.lane
        let claim = request.claim
        note(claim, now: now)
        // Who waits while a connection is free waits for a share of its own, so nobody is passed.
        if mayBegin(claim, on: lane, now: now), let index = pick(lane) {
            queues[lane]?.begin(claim, cost: isRepeat ? 1 : request.cost)
            return send(request, claim, on: index)
        }
        if breaker.isOpen, readyConnections(lane) == 0 { return .fail(request, unavailable) }
        guard waiting(lane) < configuration.maximalWaiters else { return .fail(request, Self.overloaded) }
        let patience = known.contains(lane) ? configuration.acquireTimeout : configuration.connectTimeout
        // A bulk waits for its turn among bulks as a rule, which says nothing about how busy the database is.
        let expires = claim.kind == .heavy ? request.deadline : min(request.deadline, now.advanced(by: patience))
        let waiter = Waiter(request: request, expires: expires)
        if isRepeat {
            queues[lane]?.prepend(waiter, of: claim)
        } else {
            queues[lane]?.append(waiter, of: claim, cost: request.cost)
        }
        return nil
    }

    /// Takes a waiting request back.
    ///
    /// - Parameter request: The request.
    /// - Returns: Whether it was waiting; else it was sent.
    mutating func withdraw(_ request: PoolRequest) -> Bool {
        let identity = request.identity
        return queues[request.lane]?.removeAll(of: request.claim) { $0.request.identity == identity }.isEmpty == false
    }

    private mutating func takeWaiters(_ lane: Lane) -> [Waiter] {
        queues[lane]?.removeAll { _ in true } ?? []
    }

    // MARK: Shares

    /// Remembers who is about.
    private mutating func note(_ claim: PoolClaim, now: ContinuousClock.Instant) {
        guard let tenant = claim.tenant, tenant != lastTenant else { return }
        if lastTenant != nil { isSharedUntil = now.advanced(by: Self.company) }
        lastTenant = tenant
    }

    /// For how long after two tenants were seen the connections are shared; a tenant that is alone may have them all.
    private static let company: Duration = .seconds(10)

    /// Whether a claim may have another connection, or another place on one.
    private func mayBegin(_ claim: PoolClaim, on lane: Lane, now: ContinuousClock.Instant) -> Bool {
        guard claim.kind != .lease, let queue = queues[lane] else { return true }
        func working(_ kind: PoolClaim.Kind) -> Int { queue.working(of: PoolClaim(tenant: claim.tenant, kind: kind)) }
        let isShared = isSharedUntil.map { now < $0 } ?? false
        switch lane {
        case .exclusive:
            let connections = max(1, configuration.exclusiveConnections)
            if claim.kind == .heavy, bulks >= max(1, connections / 2) { return false }
            return !isShared || working(.light) + working(.heavy) < max(1, connections - 1)
        case .shared:
            let places = max(1, configuration.sharedConnections) * max(1, configuration.unitsPerSharedConnection)
            return !isShared || working(.light) + working(.heavy) < max(1, places / 2)
        case .listener:
            return true
        }
    }

    private mutating func send(_ request: PoolRequest, _ claim: PoolClaim, on index: Int) -> Action {
        slots[index].claims.append(claim)
        if claim.kind == .heavy, slots[index].lane == .exclusive { bulks += 1 }
        return .send(request, connection: slots[index].connection)
    }

    private mutating func end(_ claim: PoolClaim, on lane: Lane) {
        queues[lane]?.end(claim)
        if claim.kind == .heavy, lane == .exclusive { bulks -= 1 }
    }

    // MARK: Choosing

    /// The shared connection with the least work, or the exclusive one used last.
    private mutating func pick(_ lane: Lane) -> Int? {
        if lane == .exclusive { return idle.popLast() }
        var best: Int?
        for index in slots.indices where slots[index].lane == lane && isUsable(slots[index]) {
            guard slots[index].inFlight < slots[index].capacity else { continue }
            if let other = best, slots[other].inFlight <= slots[index].inFlight { continue }
            best = index
        }
        return best
    }

    private func isUsable(_ slot: Slot) -> Bool {
        if case .ready = slot.state { !slot.isRetiring } else { false }
    }

    private mutating func serve(_ lane: Lane, now: ContinuousClock.Instant) -> [Action] {
        var actions: [Action] = []
        while let claim = queues[lane]?.next(where: { mayBegin($0, on: lane, now: now) }), let index = pick(lane) {
            guard let waiter = queues[lane]?.begin(claim) else { break }
            actions.append(send(waiter.request, claim, on: index))
        }
        return actions
    }

    // MARK: Connections

    /// Notes that a connection is up.
    ///
    /// - Parameters:
    ///   - connection: Its number.
    ///   - now: The present.
    /// - Returns: What to do.
    mutating func connected(_ connection: Int, now: ContinuousClock.Instant) -> [Action] {
        guard let index = slot(connection), phase == .running else { return [.close(connection: connection)] }
        slots[index].state = .ready
        slots[index].failures = 0
        slots[index].isRetiring = false
        slots[index].expires = now.advanced(by: configuration.maximalAge * (0.9 + 0.2 * random()))
        if slots[index].lane == .exclusive { idle.append(index) }
        known.insert(slots[index].lane)
        breaker.recordSuccess()
        unavailable = Self.disconnected
        // After the probe's success the other slots need not wait for their turn.
        for other in slots.indices {
            if case .down(let until) = slots[other].state, until > now, slots[other].failures > 0 {
                slots[other].state = .down(until: now.advanced(by: configuration.backoff.first * random()))
            }
        }
        return serve(slots[index].lane, now: now) + tick(now: now)
    }

    /// Notes that a unit or a lease on a connection has ended.
    ///
    /// - Parameters:
    ///   - connection: Its number.
    ///   - claim: Whose it was.
    ///   - isUsable: Whether the connection may be used again.
    ///   - now: The present.
    /// - Returns: What to do.
    mutating func released(
        _ connection: Int,
        _ claim: PoolClaim,
        isUsable: Bool,
        now: ContinuousClock.Instant
    ) -> [Action] {
        guard let index = slot(connection), let place = slots[index].claims.firstIndex(of: claim) else { return [] }
        slots[index].claims.remove(at: place)
        end(claim, on: slots[index].lane)
        if !isUsable || now >= slots[index].expires { slots[index].isRetiring = true }
        if slots[index].isRetiring {
            return slots[index].inFlight == 0 ? [.close(connection: connection)] : []
        }
        if slots[index].lane == .exclusive { idle.append(index) }
        return waiting(slots[index].lane) == 0 ? [] : serve(slots[index].lane, now: now)
    }

    /// Replaces every connection: a migration made their prepared statements useless.
    ///
    /// - Returns: What to do.
    mutating func retireAll() -> [Action] {
        idle.removeAll()
        var actions: [Action] = []
        for index in slots.indices where isUsable(slots[index]) {
            slots[index].isRetiring = true
            if slots[index].inFlight == 0 { actions.append(.close(connection: slots[index].connection)) }
        }
        return actions
    }

    /// Notes that a connection is gone or did not come up.
    ///
    /// - Parameters:
    ///   - connection: Its number.
    ///   - failure: Why an attempt failed; that counts for the breaker. Nil for a connection that was up, or was not wanted any more.
    ///   - now: The present.
    /// - Returns: What to do.
    mutating func closed(_ connection: Int, failure: PostgresError?, now: ContinuousClock.Instant) -> [Action] {
        guard let index = slot(connection) else { return [] }
        if case .down = slots[index].state { return [] }
        idle.removeAll { $0 == index }
        for claim in slots[index].claims { end(claim, on: slots[index].lane) }
        slots[index].claims.removeAll()
        slots[index].connection += slots.count
        if phase == .draining {
            slots[index].state = .down(until: now)
            return stoppedIfEmpty()
        }
        var actions: [Action] = []
        let backoff = configuration.backoff
        if let failure {
            unavailable = PostgresError(.databaseUnavailable, failure.message)
            let wait = backoff.wait(after: slots[index].failures, random: random())
            slots[index].failures += 1
            slots[index].state = .down(until: now.advanced(by: wait))
            if breaker.recordFailure(now: now) { actions += failWithoutConnection() }
        } else {
            slots[index].state = .down(until: now.advanced(by: backoff.first * random()))
        }
        return actions + tick(now: now)
    }

    private mutating func failWithoutConnection() -> [Action] {
        var actions: [Action] = []
        for lane in Lane.allCases where readyConnections(lane) == 0 {
            for waiter in takeWaiters(lane) { actions.append(.fail(waiter.request, unavailable)) }
        }
        return actions
    }

    private func slot(_ connection: Int) -> Int? {
        let index = connection % slots.count
        return slots[index].connection == connection ? index : nil
    }

    // MARK: Time

    /// Does what is due.
    ///
    /// - Parameter now: The present.
    /// - Returns: What to do.
    mutating func tick(now: ContinuousClock.Instant) -> [Action] {
        var actions: [Action] = []
        if phase == .draining {
            if let drainDeadline, now >= drainDeadline {
                for slot in slots {
                    if case .down = slot.state { continue }
                    actions.append(.close(connection: slot.connection))
                }
            }
            return actions
        }
        guard phase == .running else { return [] }
        for lane in Lane.allCases { actions += expireWaiters(lane, now: now) }
        for index in slots.indices {
            switch slots[index].state {
            case .down(let until) where now >= until && breaker.allowsAttempt(now: now):
                slots[index].state = .connecting
                actions.append(.connect(connection: slots[index].connection, lane: slots[index].lane))
            case .ready where now >= slots[index].expires && !slots[index].isRetiring:
                slots[index].isRetiring = true
                idle.removeAll { $0 == index }
                if slots[index].inFlight == 0 { actions.append(.close(connection: slots[index].connection)) }
            case .down, .connecting, .ready: break
            }
        }
        return actions
    }

    private mutating func expireWaiters(_ lane: Lane, now: ContinuousClock.Instant) -> [Action] {
        guard let late = queues[lane]?.removeAll(where: { now >= $0.expires }) else { return [] }
        return late.map { waiter in
            let error =
                if now >= waiter.request.deadline {
                    Self.deadlineExceeded
                } else if readyConnections(lane) > 0 {
                    Self.overloaded
                } else {
                    unavailable
                }
            return .fail(waiter.request, error)
        }
    }

    /// When ``tick(now:)`` has something to do next.
    var nextTick: ContinuousClock.Instant? {
        if phase == .draining { return drainDeadline }
        guard phase == .running else { return nil }
        var next: ContinuousClock.Instant?
        func consider(_ instant: ContinuousClock.Instant) {
            next = next.map { min($0, instant) } ?? instant
        }
        for lane in Lane.allCases {
            queues[lane]?.forEach { consider($0.expires) }
        }
        for slot in slots {
            switch slot.state {
            case .down(let until):
                // While the breaker lets nobody through, the answer of its probe is the next event.
                if let attempt = breaker.opensAttemptAt {
                    consider(max(until, attempt))
                } else if !breaker.isOpen {
                    consider(until)
                }
            case .ready where !slot.isRetiring: consider(slot.expires)
            case .connecting, .ready: break
            }
        }
        return next
    }

    private static let closed = PostgresError(.closed, "the client is shutting down")
    private static let overloaded = PostgresError(.overloaded, "no connection became free in time")
    private static let disconnected = PostgresError(.databaseUnavailable, "there is no connection to the database")
    private static let deadlineExceeded = PostgresError(
        .deadlineExceeded,
        "the deadline passed while waiting for a connection"
    )
}
