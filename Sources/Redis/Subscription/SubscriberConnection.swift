internal import IOLoop

/// One connection that listens to one channel, from connecting to its end; never reused.
///
/// A subscription proves that it lives by the confirmation of another SUBSCRIBE to the same channel: PING is unusable
/// here in hiredis 0.14.1. It never unsubscribes; it closes.
actor SubscriberConnection: HiredisOwner, ClosableConnection {
    private let loop: IOLoop
    private let configuration: RedisConfiguration
    private let channel: [UInt8]
    private let queue: EventQueue
    private var context: HiredisContext?
    private var timer: TimerID?
    private(set) var lastHeard: ContinuousClock.Instant
    private var isSubscribed = false
    /// ROLE, whose reply comes before the confirmation and decides whether that counts.
    private var roleQuestion: PendingCommand?
    private var closeReason: RedisError?
    private let confirmation = OneShot<Result<Void, RedisError>>()
    private let ending = OneShot<RedisError>()

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    init(configuration: RedisConfiguration, loop: IOLoop, channel: [UInt8], queue: EventQueue) {
        self.configuration = configuration
        self.loop = loop
        self.channel = channel
        self.queue = queue
        lastHeard = loop.now
    }

    // MARK: - Life

    /// Connects, shakes hands and subscribes, in one write; returns with the server's confirmation.
    ///
    /// - Parameter address: An IP address or a path.
    /// - Throws: ``RedisError``; the connection is closed then.
    func open(_ address: RedisConfiguration.Address) async throws(RedisError) {
        do throws(RedisError) {
            if let closeReason { throw closeReason }
            let context = try HiredisContext(connectingTo: address, on: loop, owner: self)
            self.context = context
            schedule(after: configuration.connectTimeout) { connection in
                connection.shutDown(RedisError(.timedOut, "no confirmation of the subscription"))
            }
            let authentication = configuration.password.map { password in
                send(
                    configuration.username.map { ["AUTH", .text($0), .text(password)] } ?? ["AUTH", .text(password)]
                )
            }
            if configuration.requiresPrimary {
                roleQuestion = send(["ROLE"])
            }
            // Courtesies, whose refusal means nothing: NO-EVICT is of Redis 7.
            _ = send(["CLIENT", "SETNAME", .text(configuration.clientName)])
            _ = send(["CLIENT", "NO-EVICT", "on"])
            guard context.subscribe(to: channel) else {
                throw RedisError(.connectionFailed, "the subscription could not be sent")
            }
            if let authentication {
                _ = try await authentication.reply().get()
            }
            try await confirmation.value(ifCancelled: .failure(RedisError(.cancelled))).get()
        } catch {
            shutDown(error)
            throw error
        }
    }

    private func send(_ command: RedisCommand) -> PendingCommand {
        let pending = PendingCommand(command, deadline: nil, timeout: configuration.connectTimeout)
        if context?.send(command, for: pending) != true {
            pending.finish(.failure(RedisError(.connectionFailed, "the command could not be sent")))
        }
        return pending
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
        let reason = closeReason ?? reason
        closeReason = reason
        context = nil
        if let timer {
            loop.cancel(timer)
        }
        timer = nil
        confirmation.decide(.failure(reason))
        ending.decide(reason)
    }

    // MARK: - Signs of life

    private func schedule(after delay: Duration, _ body: @escaping @Sendable (isolated SubscriberConnection) -> Void) {
        if let timer {
            loop.cancel(timer)
        }
        timer = loop.schedule(
            at: loop.now.advanced(by: delay),
            TimerClosure { [weak self] in
                self?.assumeIsolated { body($0) }
            }
        )
    }

    /// Looks again after a third of the silence that is allowed, and exactly when all of it has passed.
    private func watchSilence() {
        let end = loop.now.duration(to: lastHeard.advanced(by: configuration.subscriberSilence))
        schedule(after: max(.zero, min(configuration.subscriberSilence / 3, end))) { $0.checkSilence() }
    }

    private func checkSilence() {
        timer = nil
        let third = configuration.subscriberSilence / 3
        if loop.now - lastHeard >= configuration.subscriberSilence {
            // If it was this process that slept, the signs lie in the socket.
            context?.readAvailable()
            if loop.now - lastHeard >= configuration.subscriberSilence {
                return shutDown(RedisError(.timedOut, "the server was silent for too long"))
            }
        }
        if loop.now - lastHeard >= third, context?.subscribe(to: channel) != true {
            return shutDown(RedisError(.connectionLost))
        }
        if closeReason == nil {
            watchSilence()
        }
    }

    // MARK: - From hiredis

    nonisolated func contextConnected() {}

    nonisolated func contextReceived(_ pending: PendingCommand, _ reply: borrowing HiredisReply) {
        switch reply.copy() {
        case .error(let message):
            answered(pending, .failure(RedisError(reply: message)))
        case .some(let reply):
            answered(pending, .success(reply))
        case nil:
            let reason = assumeIsolated { $0.closeReason ?? $0.context?.lossReason }
            pending.finish(.failure(reason ?? RedisError(.connectionLost)))
        }
    }

    /// Judges the role here and not in the task that connects: the confirmation may lie in the same bytes.
    nonisolated private func answered(_ pending: PendingCommand, _ answer: PendingCommand.Answer) {
        assumeIsolated { connection in
            guard pending === connection.roleQuestion else { return }
            connection.roleQuestion = nil
            switch answer {
            case .success(let reply):
                if let refusal = reply.refusalOfRole { connection.shutDown(refusal) }
            case .failure(let error):
                connection.shutDown(error)
            }
        }
        pending.finish(answer)
    }

    nonisolated func contextReceivedPush(_ reply: borrowing HiredisReply) {
        let copy = reply.copy()
        assumeIsolated { $0.received(copy) }
    }

    nonisolated func contextClosed(_ error: RedisError) {
        assumeIsolated { $0.ended(error) }
    }

    private func received(_ push: RedisReply?) {
        lastHeard = loop.now
        guard case .array(let elements) = push, elements.count == 3, closeReason == nil else { return }
        switch elements[0] {
        case .bulk(let kind) where kind.elementsEqual("message".utf8):
            if case .bulk(let payload) = elements[2] {
                append(.message(payload))
            }
        case .bulk(let kind) where kind.elementsEqual("subscribe".utf8) && !isSubscribed:
            isSubscribed = true
            // Confirmed first: whoever has heard of the subscription hears of its end, however soon the task is cancelled then.
            confirmation.decide(.success(()))
            append(.subscribed)
            watchSilence()
        default:
            break
        }
    }

    private func append(_ event: RedisSubscriber.Event) {
        if !queue.append(event) {
            shutDown(RedisError(.overloaded, "the consumer is too slow"))
        }
    }
}
