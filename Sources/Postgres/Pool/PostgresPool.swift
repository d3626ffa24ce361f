import IOLoop
import Logging
import Synchronization

/// The owner of the connections: carries out what its ``PoolStateMachine`` says.
///
/// It lives on the I/O loop beside the connections, so a unit reaches its connection in the same turn in which it was
/// handed over, and no lock is taken.
actor PostgresPool {
    /// What other threads may know without a hop.
    struct Status: Sendable {
        var shared = 0
        var exclusive = 0
        var listener = 0
        var isBreakerOpen = false
        var serverVersion: Int?
        var availability = Availability()
    }

    nonisolated let loop: IOLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
    nonisolated let status: StatusBox

    private let settings: PostgresConnection.Settings
    private let logger: Logger
    private var machine: PoolStateMachine
    private var connections: [Int: PostgresConnection] = [:]
    private var timer: (id: TimerID, at: ContinuousClock.Instant)?
    private var subscriptions: [UInt64: Subscription] = [:]
    private var lastSubscription: UInt64 = 0
    private var stopped: [() -> Void] = []
    private let metrics = PoolMetrics()

    /// A ``Status`` behind a lock held for a copy.
    final class StatusBox: Sendable {
        private let value = Mutex(Status())

        var current: Status { value.withLock { $0 } }

        func set(_ status: Status) {
            value.withLock { $0 = status }
        }
    }

    init(settings: PostgresConnection.Settings, loop: IOLoop, logger: Logger) {
        self.settings = settings
        self.loop = loop
        self.logger = logger
        status = StatusBox()
        machine = PoolStateMachine(configuration: settings.configuration, now: ContinuousClock.now)
    }

    // MARK: - Life

    /// Begins to connect.
    ///
    /// - Parameter stopped: Called once the pool has shut down.
    func start(_ stopped: @escaping () -> Void) {
        self.stopped.append(stopped)
        perform(machine.start(now: ContinuousClock.now))
    }

    /// Lets units under way finish and closes.
    func shutDown() {
        perform(machine.shutDown(now: ContinuousClock.now))
    }

    // MARK: - Requests

    /// Takes a unit or a wish for a lease.
    ///
    /// - Parameters:
    ///   - request: The request, begun already.
    ///   - isRepeat: Whether it was sent before.
    func submit(_ request: PoolRequest, isRepeat: Bool = false) {
        switch machine.submit(request, now: ContinuousClock.now, isRepeat: isRepeat) {
        case .some(let action): perform(action)
        case .none:
            // Looking at all waiters for the earliest would cost more than a timer that fires too early.
            let patience = ContinuousClock.now.advanced(by: settings.configuration.acquireTimeout)
            arm(min(request.deadline, patience))
        }
    }

    /// Takes back a unit whose caller was cancelled.
    ///
    /// - Parameter request: The unit.
    func cancel(_ request: UnitRequest) {
        guard request.cancel() else { return }
        if let connection = request.connection {
            connection.assumeIsolated { $0.cancel(request) }
        } else if machine.withdraw(.unit(request)) {
            request.finish(.failure(UnitRequest.cancelled))
        }
    }

    /// Takes back a wish for a lease whose caller was cancelled.
    ///
    /// - Parameter request: The wish.
    func cancel(_ request: LeaseRequest) {
        guard request.cancel(), machine.withdraw(.lease(request)) else { return }
        request.finish(.failure(UnitRequest.cancelled))
    }

    /// Takes a leased connection back.
    ///
    /// - Parameter connection: The connection.
    func endLease(_ connection: PostgresConnection) {
        let isUsable = connection.assumeIsolated { $0.endLease() }
        let now = ContinuousClock.now
        for action in machine.released(connection.id, .lease, isUsable: isUsable, now: now) { perform(action) }
    }

    // MARK: - What connections report

    /// Notes that a connection is up.
    ///
    /// - Parameters:
    ///   - id: Its number.
    ///   - serverVersion: The server's version.
    func connectionReady(_ id: Int, serverVersion: Int) {
        var status = status.current
        status.serverVersion = serverVersion
        self.status.set(status)
        perform(machine.connected(id, now: ContinuousClock.now))
        publish()
        guard let connection = connections[id], connection.lane == .listener else { return }
        for channel in Set(subscriptions.values.map(\.channel)) { listen(channel) }
    }

    /// Notes that a unit has its answer.
    ///
    /// - Parameters:
    ///   - request: The unit.
    ///   - answer: Its answer.
    ///   - id: The number of its connection.
    ///   - isRetiring: Whether the connection is not to be used any more.
    func unitEnded(_ request: UnitRequest, _ answer: UnitRequest.Answer, on id: Int, isRetiring: Bool) {
        request.connection = nil
        let actions = machine.released(
            id,
            PoolClaim(request.unit),
            isUsable: !isRetiring,
            now: ContinuousClock.now
        )
        if case .failure(let error) = answer, error.isStalePlan { perform(machine.retireAll()) }
        conclude(request, answer)
        for action in actions { perform(action) }
        if isRetiring { publish() }
    }

    /// Notes that a connection is gone.
    ///
    /// - Parameters:
    ///   - id: Its number.
    ///   - cause: Why.
    ///   - wasConnecting: Whether it never came up.
    ///   - casualties: The units that were under way.
    func connectionClosed(
        _ id: Int,
        cause: PostgresError,
        wasConnecting: Bool,
        casualties: [ConnectionStateMachine.Casualty]
    ) {
        connections[id] = nil
        if cause.code != .closed {
            logger.log(
                level: wasConnecting ? .warning : .info,
                wasConnecting ? "database connection failed" : "database connection ended",
                metadata: ["cause": "\(cause)"]
            )
        }
        let failure = wasConnecting && cause.code != .closed ? cause : nil
        perform(machine.closed(id, failure: failure, now: ContinuousClock.now))
        for casualty in casualties {
            casualty.request.connection = nil
            conclude(casualty.request, .failure(casualty.error))
        }
        publish()
    }

    /// Passes a notification on.
    ///
    /// - Parameters:
    ///   - channel: The channel.
    ///   - payload: Its payload.
    func notified(_ channel: String, _ payload: String) {
        for subscription in subscriptions.values where subscription.channel == channel {
            subscription.yield(.notification(payload))
        }
    }

    private func conclude(_ request: UnitRequest, _ answer: UnitRequest.Answer) {
        if case .failure(let error) = answer, !request.isFinished,
            request.mayRepeat(after: error, now: ContinuousClock.now), machine.isRunning
        {
            request.attempt += 1
            submit(.unit(request), isRepeat: true)
        } else {
            request.finish(answer)
        }
    }

    // MARK: - Listening

    /// Begins to listen for someone.
    ///
    /// - Parameters:
    ///   - channel: The channel.
    ///   - continuation: Where events go.
    ///   - id: The number to end it by.
    func subscribe(_ channel: String, _ continuation: AsyncStream<ListenEvent>.Continuation, id: UInt64) {
        guard machine.isRunning else {
            continuation.finish()
            return
        }
        subscriptions[id] = Subscription(channel: channel, continuation: continuation)
        if machine.readyConnections(.listener) > 0 { listen(channel) }
    }

    /// Ends listening for someone.
    ///
    /// - Parameter id: The number it began with.
    func unsubscribe(_ id: UInt64) {
        guard let channel = subscriptions.removeValue(forKey: id)?.channel else { return }
        guard machine.isRunning, !subscriptions.values.contains(where: { $0.channel == channel }) else { return }
        command("UNLISTEN \(Self.quoted(channel))") { _ in }
    }

    private func listen(_ channel: String) {
        // The events begin after the answer: what was sent before it may be missing.
        command("LISTEN \(Self.quoted(channel))") { [self] answer in
            assumeIsolated { $0.listening(channel, answer) }
        }
    }

    private func listening(_ channel: String, _ answer: UnitRequest.Answer) {
        switch answer {
        case .success:
            for subscription in subscriptions.values where subscription.channel == channel {
                subscription.yield(.resync)
            }
        case .failure(let error):
            // The next connection tries again.
            logger.info("listening failed", metadata: ["cause": "\(error)"])
        }
    }

    private func command(_ text: String, _ completion: @escaping (UnitRequest.Answer) -> Void) {
        var unit = UnitOfWork(tenant: nil, access: .write)
        unit.add(text: text)
        let request = UnitRequest(
            unit: unit,
            lane: .listener,
            deadline: ContinuousClock.now.advanced(by: settings.configuration.statementTimeout)
        )
        request.onFinish(completion)
        submit(.unit(request))
    }

    private static func quoted(_ identifier: String) -> String {
        "\"" + identifier.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    // MARK: - Carrying out

    private func perform(_ actions: [PoolStateMachine.Action]) {
        for action in actions { perform(action) }
        updateTimer()
    }

    private func perform(_ action: PoolStateMachine.Action) {
        switch action {
        case .connect(let id, let lane):
            let connection = PostgresConnection(id: id, lane: lane, loop: loop, settings: settings, pool: self)
            connections[id] = connection
            connection.assumeIsolated { $0.connect() }
        case .send(.unit(let request), let id):
            guard let connection = connections[id] else {
                request.finish(.failure(Self.gone))
                return
            }
            if request.attempt == 0 { metrics.served(request.lane, waited: ContinuousClock.now - request.made) }
            connection.assumeIsolated { $0.send(request) }
        case .send(.lease(let request), let id):
            guard let connection = connections[id] else {
                request.finish(.failure(Self.gone))
                return
            }
            metrics.served(.exclusive, waited: ContinuousClock.now - request.made)
            request.finish(.success(connection))
        case .fail(let request, let error):
            metrics.refused(error)
            request.fail(error)
        case .close(let id):
            connections[id]?.assumeIsolated { $0.close(Self.retired) }
        case .stopped:
            if let timer { loop.cancel(timer.id) }
            timer = nil
            for subscription in subscriptions.values { subscription.finish() }
            subscriptions.removeAll()
            publish()
            let stopped = stopped
            self.stopped = []
            for callback in stopped { callback() }
        }
    }

    private static let gone = PostgresError(.connectionLost, "the connection is gone")
    private static let retired = PostgresError(.closed, "the connection was retired", outcome: .notRun)

    private func publish() {
        var status = status.current
        status.shared = machine.readyConnections(.shared)
        status.exclusive = machine.readyConnections(.exclusive)
        status.listener = machine.readyConnections(.listener)
        status.isBreakerOpen = machine.breaker.isOpen
        if machine.isRunning {
            let isAvailable = status.shared > 0 && status.exclusive > 0
            // A connection replaced in good order is away for a moment, too.
            if let failed = status.availability.update(isAvailable: isAvailable, now: ContinuousClock.now),
                failed > settings.configuration.acquireTimeout
            {
                let seconds = Double(failed.milliseconds) / 1_000
                logger.notice("database reachable again", metadata: ["seconds": "\(seconds)"])
            }
        }
        self.status.set(status)
    }

    /// Numbers of the present.
    ///
    /// - Returns: Connections, work under way and waiting, by lane.
    func statistics() -> PoolStatistics {
        func lane(_ lane: Lane) -> PoolStatistics.Counts {
            PoolStatistics.Counts(
                ready: machine.readyConnections(lane),
                inFlight: machine.inFlight(lane),
                waiting: machine.waiting(lane)
            )
        }
        return PoolStatistics(
            shared: lane(.shared),
            exclusive: lane(.exclusive),
            listener: lane(.listener),
            isBreakerOpen: machine.breaker.isOpen
        )
    }

    private func updateTimer() {
        if let next = machine.nextTick { arm(next) }
    }

    private func arm(_ instant: ContinuousClock.Instant) {
        if let timer {
            guard instant < timer.at else { return }
            loop.cancel(timer.id)
        }
        timer = (loop.schedule(at: instant, self), instant)
    }

    private func onTimer() {
        timer = nil
        perform(machine.tick(now: ContinuousClock.now))
        publish()
    }
}

extension PostgresPool: TimerCallback {
    nonisolated func fire() {
        assumeIsolated { $0.onTimer() }
    }
}

/// Numbers of a pool at one moment.
package struct PoolStatistics: Sendable, Equatable {
    /// Numbers of one lane.
    package struct Counts: Sendable, Equatable {
        /// Connections that take work.
        package let ready: Int
        /// Units and leases under way.
        package let inFlight: Int
        /// Units and leases waiting.
        package let waiting: Int
    }

    package let shared: Counts
    package let exclusive: Counts
    package let listener: Counts
    /// Whether attempts to connect are suspended.
    package let isBreakerOpen: Bool
}
