internal import DequeModule
internal import IOLoop

/// One multiplexed command connection, from connecting to its end; never reused.
///
/// Its executor is the loop that owns the socket. Commands are pipelined: those of one turn leave in one write, replies
/// come back in order. The first one that waits for its reply is watched by one timer; when its time has passed the
/// connection is closed, since a late reply would answer the next command (redis/hiredis #306).
actor RedisConnection: HiredisOwner, ClosableConnection {
    /// What the server told of itself in the handshake.
    struct Welcome: Sendable {
        /// Distinct for every start of a server; nil if `INFO` is not permitted.
        var runID: String?
        /// The digests of the loaded scripts, by name.
        var digests: [String: [UInt8]] = [:]
    }

    private struct InFlight {
        let pending: PendingCommand
        /// The reply must have come by then; never earlier than that of the command before.
        let answerBy: ContinuousClock.Instant
        /// Ends the caller's wait if it is less patient than that.
        let impatience: TimerID?
    }

    private let loop: IOLoop
    private let configuration: RedisConfiguration
    private var context: HiredisContext?
    private var inFlight = Deque<InFlight>()
    private var watch: TimerID?
    private var idleTimer: TimerID?
    private var heardSinceTick = false
    private var closeReason: RedisError?
    private let ending = OneShot<RedisError>()

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    init(configuration: RedisConfiguration, loop: IOLoop) {
        self.configuration = configuration
        self.loop = loop
    }

    // MARK: - Life

    /// Connects and shakes hands: AUTH, ROLE if it matters, SELECT, CLIENT SETNAME, INFO and the scripts, in one write.
    ///
    /// - Parameters:
    ///   - address: An IP address or a path.
    ///   - scripts: The scripts to load.
    /// - Returns: What the server told.
    /// - Throws: ``RedisError``; the connection is closed then.
    func open(_ address: RedisConfiguration.Address, scripts: [RedisScript]) async throws(RedisError) -> Welcome {
        do throws(RedisError) {
            if let closeReason { throw closeReason }
            context = try HiredisContext(connectingTo: address, on: loop, owner: self)
            let welcome = try await shakeHands(scripts)
            if let closeReason { throw closeReason }
            scheduleTick()
            return welcome
        } catch {
            shutDown(error)
            throw error
        }
    }

    private func shakeHands(_ scripts: [RedisScript]) async throws(RedisError) -> Welcome {
        func send(_ command: RedisCommand) -> PendingCommand {
            let pending = PendingCommand(command, deadline: nil, timeout: configuration.connectTimeout)
            start(pending)
            return pending
        }
        let authentication = configuration.password.map { password in
            send(
                configuration.username.map { ["AUTH", .text($0), .text(password)] } ?? ["AUTH", .text(password)]
            )
        }
        let role = configuration.requiresPrimary ? send(["ROLE"]) : nil
        let selection = configuration.database == 0 ? nil : send(["SELECT", .integer(configuration.database)])
        let naming = send(["CLIENT", "SETNAME", .text(configuration.clientName)])
        let information = send(["INFO", "server"])
        let loading = scripts.map { (name: $0.name, pending: send(["SCRIPT", "LOAD", .text($0.source)])) }

        if let authentication {
            _ = try await authentication.reply().successful()
        }
        if let role, let refusal = try await role.reply().successful().refusalOfRole {
            throw refusal
        }
        if let selection {
            _ = try await selection.reply().successful()
        }
        var welcome = Welcome()
        // A name is a courtesy, and INFO may be forbidden.
        _ = try await naming.reply().permitted()
        if let text = try await information.reply().permitted()?.text {
            welcome.runID = Self.runID(in: text)
        }
        for (name, pending) in loading {
            welcome.digests[name] = try await pending.reply().permitted()?.bytes
        }
        return welcome
    }

    private static func runID(in information: String) -> String? {
        let lines = information.utf8.split { $0 == 13 || $0 == 10 }
        return lines.first { $0.starts(with: "run_id:".utf8) }.map { String(Substring($0.dropFirst(7))) }
    }

    /// Waits for the end of the connection, once; a cancelled task ends it.
    ///
    /// - Returns: Why it ended.
    nonisolated func waitUntilClosed() async -> RedisError {
        await withTaskCancellationHandler {
            await ending.value()
        } onCancel: {
            close(RedisError(.closed))
        }
    }

    /// Closes the connection; callable from anywhere.
    nonisolated func close(_ reason: RedisError) {
        loop.execute {
            self.assumeIsolated { $0.shutDown(reason) }
        }
    }

    private func shutDown(_ reason: RedisError) {
        closeReason = closeReason ?? reason
        if let context {
            context.close(reason)
        } else {
            ended(reason)
        }
    }

    private func ended(_ reason: RedisError) {
        closeReason = closeReason ?? reason
        context = nil
        for timer in [watch, idleTimer] {
            if let timer {
                loop.cancel(timer)
            }
        }
        watch = nil
        idleTimer = nil
        ending.decide(closeReason ?? reason)
    }

    // MARK: - Commands

    /// Hands a command over; callable from anywhere, in the order of the calls of one thread.
    nonisolated func submit(_ pending: PendingCommand) {
        loop.execute {
            self.assumeIsolated { $0.start(pending) }
        }
    }

    private func start(_ pending: PendingCommand) {
        guard pending.isWanted else { return }
        guard let context, closeReason == nil else {
            return pending.finish(.failure(closeReason ?? RedisError(.unavailable)))
        }
        guard inFlight.count < configuration.maximumInFlight else {
            return pending.finish(.failure(RedisError(.overloaded)))
        }
        let now = loop.now
        if let deadline = pending.deadline, deadline <= now {
            return pending.finish(.failure(RedisError(.timedOut, "the deadline passed before the command was sent")))
        }
        guard context.send(pending.command, for: pending) else {
            return pending.finish(.failure(RedisError(.invalidCommand, "the command could not be sent")))
        }
        let ownLimit = now.advanced(by: pending.timeout)
        // Replies come in order: behind a command that may take long, nobody is late before it is.
        let answerBy = max(ownLimit, inFlight.last?.answerBy ?? ownLimit)
        let giveUp = min(pending.deadline ?? ownLimit, ownLimit)
        let impatience = giveUp < answerBy ? loop.schedule(at: giveUp, pending) : nil
        inFlight.append(InFlight(pending: pending, answerBy: answerBy, impatience: impatience))
        if watch == nil {
            watch = loop.schedule(at: answerBy, alarm { $0.checkHead() })
        }
    }

    private func alarm(_ body: @escaping @Sendable (isolated RedisConnection) -> Void) -> TimerClosure {
        TimerClosure { [weak self] in
            self?.assumeIsolated { body($0) }
        }
    }

    /// Closes if the command at the head is late; else watches the head there is now.
    ///
    /// The timer is left alone by replies: it costs once in a timeout, not once a command.
    private func checkHead() {
        watch = nil
        guard let head = inFlight.first else { return }
        if head.answerBy <= loop.now {
            let before = inFlight.count
            // If it was this process that slept, the replies lie in the socket.
            context?.readAvailable()
            guard inFlight.count < before else {
                context?.close(RedisError(.timedOut, "the server did not answer in time", mayHaveRun: true))
                return
            }
        }
        if let head = inFlight.first {
            watch = loop.schedule(at: head.answerBy, alarm { $0.checkHead() })
        }
    }

    // MARK: - Idle

    private func scheduleTick() {
        let next = loop.now.advanced(by: configuration.pingInterval)
        idleTimer = loop.schedule(at: next, alarm { $0.tick() })
    }

    /// Asks for a sign of life if nothing was heard since the last tick and nothing is under way.
    private func tick() {
        if !heardSinceTick, inFlight.isEmpty {
            start(PendingCommand(["PING"], deadline: nil, timeout: configuration.commandTimeout))
        }
        heardSinceTick = false
        if closeReason == nil {
            scheduleTick()
        }
    }

    // MARK: - From hiredis

    nonisolated func contextConnected() {}

    nonisolated func contextReceived(_ pending: PendingCommand, _ reply: borrowing HiredisReply) {
        // Copied here, as it dies with this callback, and only if somebody waits for it.
        let isLost = reply.isLost
        let copy = pending.isWanted ? reply.copy() : nil
        assumeIsolated { connection in
            connection.received(pending, copy, isLost: isLost)
        }
    }

    nonisolated func contextReceivedPush(_ reply: borrowing HiredisReply) {}

    nonisolated func contextClosed(_ error: RedisError) {
        assumeIsolated { $0.ended(error) }
    }

    private func received(_ pending: PendingCommand, _ reply: RedisReply?, isLost: Bool) {
        heardSinceTick = true
        if let entry = inFlight.popFirst(), let timer = entry.impatience {
            loop.cancel(timer)
        }
        switch reply {
        case .error(let message):
            let error = RedisError(reply: message)
            pending.finish(.failure(error))
            if error.code == .readOnly, configuration.requiresPrimary {
                // Demoted under our feet, and nobody has said so yet.
                shutDown(RedisError(.notPrimary, "the server has become a replica", mayHaveRun: true))
            }
        case .some(let reply):
            pending.finish(.success(reply))
        case nil where isLost:
            let reason = closeReason ?? context?.lossReason ?? RedisError(.connectionLost)
            pending.finish(.failure(RedisError(reason.code, reason.message, mayHaveRun: true)))
        case nil:
            // Detached: the caller has gone on.
            break
        }
    }
}

extension RedisReply {
    /// Why the server that answered `ROLE` with this is not the one to use; nil if it is a primary.
    var refusalOfRole: RedisError? {
        let role = elements?.first?.text
        return role == "master" ? nil : RedisError(.notPrimary, "the server's role is \(role ?? "unknown")")
    }
}

extension Result<RedisReply, RedisError> {
    /// The reply; errors of any kind are thrown.
    fileprivate func successful() throws(RedisError) -> RedisReply {
        try get()
    }

    /// The reply, or nil if the server understood the command and refused it.
    ///
    /// - Throws: ``RedisError`` if the connection or the server is of no use at the moment.
    fileprivate func permitted() throws(RedisError) -> RedisReply? {
        do {
            return try get()
        } catch {
            switch error.code {
            case .server, .notPermitted, .readOnly, .outOfMemory, .misconfigured: return nil
            default: throw error
            }
        }
    }
}
