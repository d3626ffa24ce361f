import CLibPQ
import IOLoop

/// A connection to PostgreSQL: libpq on the I/O loop's thread, driven by a ``ConnectionStateMachine``.
///
/// Its executor is the loop, so every C call happens there and nothing needs a lock. It reports to its pool by direct
/// calls, as both live on the same thread.
actor PostgresConnection {
    /// What a connection is made with.
    struct Settings: Sendable {
        let configuration: PostgresConfiguration
        let statements: [any Statement.Type]
    }

    nonisolated let id: Int
    nonisolated let lane: Lane
    nonisolated let loop: IOLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    let settings: Settings
    private let pool: PostgresPool
    private(set) var pg: PGConnection?
    private var registration: Registration?
    private var cancelKey: PGCancel?
    var machine = ConnectionStateMachine()
    /// Statements prepared, or sent to be prepared.
    private var prepared: Set<ObjectIdentifier> = []
    /// Why a statement could not be prepared; what runs it fails with 26000 and is given this instead.
    private var prepareErrors: [ObjectIdentifier: PostgresError] = [:]
    /// Since when plans are kept.
    private var plansSince = ContinuousClock.now
    private var connectDeadline: ContinuousClock.Instant?
    private var timer: (id: TimerID, at: ContinuousClock.Instant)?
    private var writePending = false
    /// Whether libpq has logged in, so that readiness means answers.
    private var isEstablished = false
    /// Whether the connection must not be used after its present work: a cancel may still be on its way.
    var isDoomed = false
    var plain = PlainOperation()

    init(id: Int, lane: Lane, loop: IOLoop, settings: Settings, pool: PostgresPool) {
        self.id = id
        self.lane = lane
        self.loop = loop
        self.settings = settings
        self.pool = pool
    }

    // MARK: - Connecting

    /// Begins to connect; the pool is told how it ends.
    func connect() {
        connectDeadline = ContinuousClock.now.advanced(by: settings.configuration.connectTimeout)
        updateTimer()
        let parameters = settings.configuration.connectionParameters
        guard HostResolver.isNeeded(parameters) else {
            start(parameters)
            return
        }
        let loop = loop
        BlockingWork.run {
            let resolved = HostResolver.resolve(parameters)
            loop.execute {
                self.assumeIsolated { $0.resolved(resolved) }
            }
        }
    }

    private func resolved(_ parameters: [(keyword: String, value: String)]?) {
        guard machine.state == .connecting else { return }
        if let parameters {
            start(parameters)
        } else {
            close(PostgresError(.connectFailed, "the name of the database host has no address"))
        }
    }

    private func start(_ parameters: [(keyword: String, value: String)]) {
        do {
            let pg = try PGConnection(starting: parameters)
            self.pg = pg
            guard !pg.isBroken else {
                close(connectError(pg))
                return
            }
            // As if PQconnectPoll had asked to write (manual of PQconnectStart).
            watch(pg, .write)
        } catch {
            close(error)
        }
    }

    private func watch(_ pg: PGConnection, _ interest: IOLoop.Interest) {
        let socket = pg.socket
        guard socket >= 0 else {
            close(connectError(pg))
            return
        }
        registration = loop.register(socket, interest, self)
    }

    private func pollConnect(_ pg: PGConnection) {
        // Polling may close the socket and open another under the same number.
        registration?.deregister()
        registration = nil
        switch pg.poll() {
        case PGRES_POLLING_READING: watch(pg, .read)
        case PGRES_POLLING_WRITING: watch(pg, .write)
        case PGRES_POLLING_OK: established(pg)
        default: close(connectError(pg))
        }
    }

    private func connectError(_ pg: PGConnection) -> PostgresError {
        // libpq gives no SQLSTATE while connecting, and its words name user and host: only their kind is kept.
        let words = pg.errorMessage
        let reason =
            if words.contains("password authentication failed") || words.contains("no password supplied") {
                "the password was refused"
            } else if words.contains("does not exist") && words.contains("database") {
                "there is no such database"
            } else if words.contains("does not exist") && words.contains("role") {
                "there is no such role"
            } else if words.contains("permission denied for database") {
                "the role may not connect to the database"
            } else if words.contains("pg_hba.conf") {
                "the server admits no such connection (pg_hba.conf)"
            } else if words.contains("Connection refused") || words.contains("No such file") {
                "nothing listens at the address"
            } else if words.contains("starting up") || words.contains("shutting down") {
                "the server is starting up or shutting down"
            } else if words.contains("too many") {
                "the server has too many connections"
            } else if words.contains("read-only") || words.contains("hot standby") {
                "the server is read-only"
            } else if words.contains("SSL") || words.contains("certificate") {
                "TLS could not be agreed on"
            } else {
                "the connection could not be made"
            }
        return PostgresError(.connectFailed, reason)
    }

    private func established(_ pg: PGConnection) {
        guard pg.serverVersion >= 150_000 else {
            close(PostgresError(.connectFailed, "the server is older than PostgreSQL 15"))
            return
        }
        guard pg.setNonblocking(), pg.enterPipeline() else {
            close(PostgresError(.connectFailed, "the connection cannot be used without blocking"))
            return
        }
        isEstablished = true
        cancelKey = pg.makeCancel()
        watch(pg, .read)
        guard registration != nil else { return }
        guard sendPrepare([UnitScope.self] + settings.statements, pg), pg.sync() else {
            close(lost)
            return
        }
        sendQueued()
    }

    // MARK: - Units

    /// Sends a unit.
    ///
    /// - Parameter request: The unit; its caller is resumed by this connection or, after a failure, by the pool.
    func send(_ request: UnitRequest) {
        guard request.begin() else {
            ended(request, .failure(UnitRequest.cancelled))
            return
        }
        guard let pg, enterPipeline(pg) else {
            ended(request, .failure(PostgresError(.connectionLost, "the connection is closed", outcome: .notRun)))
            return
        }
        request.connection = self
        guard request.isLeased || forgetOldPlans(pg) else {
            reject(request)
            return
        }
        let unit = request.unit
        var missing: [any Statement.Type] = []
        for entry in unit.entries {
            // Noted as prepared at once: a unit may run the same statement twice.
            if case .prepared(let type) = entry.command, prepared.insert(ObjectIdentifier(type)).inserted {
                missing.append(type)
            }
        }
        if !missing.isEmpty {
            guard sendPrepare(missing, pg), pg.sync() else {
                reject(request)
                return
            }
        }
        guard sendScope(unit, deadline: request.deadline, pg), sendEntries(unit, pg), pg.sync() else {
            reject(request)
            return
        }
        machine.sent(
            ConnectionStateMachine.Flight(
                .unit(request),
                commandCount: unit.entries.count + 1,
                deadline: request.deadline
            )
        )
        sendQueued()
        updateTimer()
    }

    /// Sees that the connection is in pipeline mode.
    func enterPipeline(_ pg: PGConnection) -> Bool {
        if machine.state == .plain, !pg.enterPipeline() { return false }
        return machine.becomePipeline()
    }

    private func sendScope(_ unit: UnitOfWork, deadline: ContinuousClock.Instant, _ pg: PGConnection) -> Bool {
        var left = ContinuousClock.now.duration(to: deadline)
        if let limit = unit.statementTimeout { left = min(left, limit) }
        // 0 would mean no limit; the setting is an Int32.
        let milliseconds = min(max(left.milliseconds, 1), Int64(Int32.max))
        return pg.sendPrepared(
            UnitScope.name,
            texts: unit.tenant.map { String($0) } ?? "",
            String(milliseconds)
        )
    }

    private func sendEntries(_ unit: UnitOfWork, _ pg: PGConnection) -> Bool {
        for entry in unit.entries {
            let isQueued =
                switch entry.command {
                case .prepared(let type):
                    pg.sendPrepared(
                        type.name,
                        unit.parameters,
                        first: Int(entry.firstParameter),
                        count: Int(entry.parameterCount)
                    )
                case .text(let text): pg.sendCommand(text)
                }
            guard isQueued else { return false }
        }
        return true
    }

    /// Without its Sync nothing of the unit can be committed, but the connection is out of step.
    private func reject(_ request: UnitRequest) {
        // Closed first, or the pool would send the unit here again.
        close(lost)
        ended(request, .failure(PostgresError(.connectionLost, "the unit could not be sent", outcome: .notRun)))
    }

    private func sendPrepare(_ types: [any Statement.Type], _ pg: PGConnection) -> Bool {
        for type in types {
            guard pg.sendPrepare(type.name, type.sql, type.parameterTypes) else { return false }
            prepared.insert(ObjectIdentifier(type))
        }
        machine.sent(
            ConnectionStateMachine.Flight(
                .prepare(types),
                commandCount: types.count,
                deadline: ContinuousClock.now.advanced(by: settings.configuration.connectTimeout)
            )
        )
        return true
    }

    /// Has plans made anew that are too old, those of functions and foreign keys as well.
    ///
    /// Never on a lease, whose work may be one transaction that knows what it does.
    private func forgetOldPlans(_ pg: PGConnection) -> Bool {
        let now = ContinuousClock.now
        guard plansSince.duration(to: now) >= settings.configuration.maximalPlanAge else { return true }
        plansSince = now
        guard pg.sendCommand("DISCARD PLANS"), pg.sync() else { return false }
        machine.sent(
            ConnectionStateMachine.Flight(
                .prepare([]),
                commandCount: 1,
                deadline: now.advanced(by: settings.configuration.connectTimeout)
            )
        )
        return true
    }

    /// Takes back a unit whose caller was cancelled.
    ///
    /// - Parameter request: The unit, sent on this connection.
    func cancel(_ request: UnitRequest) {
        guard machine.cancel(request) == .detached else { return }
        request.finish(.failure(UnitRequest.cancelled.with(outcome: .failed)))
        if lane == .exclusive { cancelOnServer() }
    }

    /// Asks the server to cancel what runs, and gives up the connection afterwards.
    ///
    /// A late cancel must not meet the next user. Never on the shared lane, where it would hit a neighbour.
    func cancelOnServer() {
        guard lane == .exclusive, !isDoomed, let cancelKey else { return }
        isDoomed = true
        machine.retire()
        BlockingWork.run { cancelKey.cancel() }
    }

    private func finished(_ flight: ConnectionStateMachine.Flight) {
        switch flight.purpose {
        case .prepare(let types):
            prepareEnded(types, flight)
        case .unit(let request):
            var answer = flight.answer
            if case .failure(let error) = answer, error.sqlState == .invalidSQLStatementName,
                let reason = prepareError(of: request.unit)
            {
                answer = .failure(reason)
            }
            ended(request, answer)
        }
    }

    private func prepareEnded(_ types: [any Statement.Type], _ flight: ConnectionStateMachine.Flight) {
        for (index, type) in types.enumerated() {
            let key = ObjectIdentifier(type)
            if let error = flight.error, let failed = flight.failedPosition, index >= failed {
                // Those after the failed one were skipped: they are prepared when first used.
                prepared.remove(key)
                if index == failed { prepareErrors[key] = error }
            } else {
                prepareErrors[key] = nil
            }
        }
        guard machine.state == .connecting else { return }
        if let error = flight.error, flight.failedPosition == 0 || flight.failedPosition == types.count {
            close(error)
        } else {
            machine.connected()
            connectDeadline = nil
            let version = pg?.serverVersion ?? 0
            pool.assumeIsolated { $0.connectionReady(id, serverVersion: version) }
        }
    }

    private func prepareError(of unit: UnitOfWork) -> PostgresError? {
        for entry in unit.entries {
            if case .prepared(let type) = entry.command, let error = prepareErrors[ObjectIdentifier(type)] {
                return error
            }
        }
        return nil
    }

    private func ended(_ request: UnitRequest, _ answer: UnitRequest.Answer) {
        if request.isLeased {
            request.finish(answer)
        } else {
            let isRetiring = machine.isRetiring
            pool.assumeIsolated { $0.unitEnded(request, answer, on: id, isRetiring: isRetiring) }
        }
    }

    // MARK: - The socket

    private func onReadable() {
        guard let pg else { return }
        if !isEstablished {
            pollConnect(pg)
            return
        }
        let isAlive = pg.consumeInput()
        drain(pg)
        guard self.pg != nil else { return }
        guard isAlive, !pg.isBroken else {
            close(lost)
            return
        }
        if writePending { sendQueued() }
    }

    private func onWritable() {
        guard let pg else { return }
        if !isEstablished {
            pollConnect(pg)
            return
        }
        sendQueued()
    }

    /// Takes all answers that are there.
    func drain(_ pg: PGConnection) {
        while let (channel, payload) = pg.nextNotification() {
            pool.assumeIsolated { $0.notified(channel, payload) }
        }
        switch machine.state {
        case .connecting, .pipeline: drainPipeline(pg)
        case .busy: drainPlain(pg)
        case .plain, .closed: break
        }
    }

    private func drainPipeline(_ pg: PGConnection) {
        var ends = 0
        while !machine.flights.isEmpty, !pg.isBusy {
            let answer: ConnectionStateMachine.Answer
            if let result = pg.nextResult() {
                ends = 0
                switch result.status {
                case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: answer = .success(result)
                case PGRES_PIPELINE_SYNC: answer = .sync
                case PGRES_PIPELINE_ABORTED: answer = .aborted
                case PGRES_FATAL_ERROR:
                    // libpq makes an error without SQLSTATE when the connection broke.
                    guard let error = result.error else { return }
                    answer = .failure(error)
                default: answer = .unexpected
                }
            } else {
                ends += 1
                // One NULL ends a statement, another follows an error at the Sync; more mean that libpq waits for
                // nothing while we do.
                answer = ends > 3 ? .unexpected : .end
            }
            switch machine.received(answer) {
            case .none: break
            case .finished(let flight): finished(flight)
            case .close(let error):
                close(error)
                return
            }
            guard self.pg != nil else { return }
        }
    }

    /// Sends what is queued; keeps reading meanwhile, or both sides stall on full buffers.
    func sendQueued() {
        guard let pg else { return }
        switch pg.flush() {
        case .done:
            if writePending {
                writePending = false
                registration?.setInterest(wantsInput ? .read : [])
            }
            resumeWriter()
        case .pending:
            if !writePending {
                writePending = true
                registration?.setInterest(wantsInput ? [.read, .write] : .write)
            }
        case .failed:
            // What the server said before it went may still be read.
            _ = pg.consumeInput()
            drain(pg)
            close(lost)
        }
    }

    /// Stops or resumes reading: TCP slows the server down.
    func updateReadInterest() {
        var interest: IOLoop.Interest = writePending ? .write : []
        if wantsInput { interest.insert(.read) }
        registration?.setInterest(interest)
    }

    /// Whether bytes are still to be sent.
    var hasUnsentBytes: Bool { writePending }

    // MARK: - Time

    private func updateTimer() {
        var next = connectDeadline
        func consider(_ instant: ContinuousClock.Instant) {
            next = next.map { min($0, instant) } ?? instant
        }
        if let last = machine.flights.last {
            // Deadlines mostly grow: the head is looked at when the timer fires.
            consider(last.deadline)
        }
        if let next { arm(next) }
    }

    /// Sees that the timer fires at an instant or before.
    func arm(_ instant: ContinuousClock.Instant) {
        if let timer {
            guard instant < timer.at else { return }
            loop.cancel(timer.id)
        }
        timer = (loop.schedule(at: instant, self), instant)
    }

    private func onTimer() {
        timer = nil
        let now = ContinuousClock.now
        if let connectDeadline, now >= connectDeadline {
            close(PostgresError(.connectFailed, "the connection took too long to come up"))
            return
        }
        let expiry = machine.expire(now: now, grace: settings.configuration.grace)
        for request in expiry.detached {
            request.finish(
                .failure(PostgresError(.deadlineExceeded, "no answer within the deadline", outcome: .failed))
            )
            if lane == .exclusive { cancelOnServer() }
        }
        if expiry.mustCancel { cancelOnServer() }
        if expiry.mustClose {
            close(PostgresError(.connectionLost, "an answer did not come within its grace", outcome: .unknown))
            return
        }
        guard expirePlain(now) else { return }
        if let next = expiry.next { arm(next) }
        if let deadline = plain.deadline { arm(deadline) }
        if let connectDeadline { arm(connectDeadline) }
    }

    // MARK: - The end

    private var lost: PostgresError {
        PostgresError(.connectionLost, "the connection to the server was lost", outcome: .unknown)
    }

    /// Closes; the units under way and the pool are told.
    ///
    /// - Parameter cause: Why.
    func close(_ cause: PostgresError) {
        guard machine.state != .closed else { return }
        let wasConnecting = machine.state == .connecting
        let casualties = machine.close(cause, now: ContinuousClock.now)
        registration?.deregister()
        registration = nil
        if let timer { loop.cancel(timer.id) }
        timer = nil
        // Frees the connection, after its descriptor left the poller.
        pg = nil
        closePlain(cause)
        for casualty in casualties where casualty.request.isLeased { casualty.request.finish(.failure(casualty.error)) }
        pool.assumeIsolated {
            $0.connectionClosed(
                id,
                cause: cause,
                wasConnecting: wasConnecting,
                casualties: casualties.filter { !$0.request.isLeased }
            )
        }
    }
}

extension PostgresConnection: ReadinessHandler, TimerCallback {
    nonisolated func readable() {
        assumeIsolated { $0.onReadable() }
    }

    nonisolated func writable() {
        assumeIsolated { $0.onWritable() }
    }

    nonisolated func fire() {
        assumeIsolated { $0.onTimer() }
    }
}
