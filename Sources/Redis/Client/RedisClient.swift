package import IOLoop
package import Logging
private import Synchronization

/// What happened to the command connection of a ``RedisClient``.
package enum RedisConnectionEvent: Sendable, Hashable {
    /// A connection is ready.
    ///
    /// The run id is distinct for every start of a server, nil if `INFO` is not permitted; the epoch counts connections.
    case connected(runID: String?, epoch: UInt64)
    /// The connection is gone; what was in flight may or may not have run.
    case disconnected
}

/// A reply and the connection that brought it.
package struct RedisAnswer: Sendable {
    package let reply: RedisReply
    /// The run id of the server that answered, from its connection's handshake.
    package let runID: String?
    /// Which connection of this client it was.
    package let epoch: UInt64
}

/// Redis for the whole process: one multiplexed command connection that renews itself.
///
/// ``run()`` keeps the connection; without it, and while Redis is away, every call fails at once and costs no time-out.
/// Commands of any number of tasks share the connection and leave together. A task that is cancelled goes on at once and
/// the reply it waited for is dropped.
package final class RedisClient: Sendable {
    /// A connection that is ready, with what it told.
    private final class Link: Sendable {
        let connection: RedisConnection
        let address: RedisConfiguration.Address
        let runID: String?
        let epoch: UInt64

        init(
            connection: RedisConnection,
            address: RedisConfiguration.Address,
            runID: String?,
            epoch: UInt64
        ) {
            self.connection = connection
            self.address = address
            self.runID = runID
            self.epoch = epoch
        }
    }

    /// What a command finds before any lock or hop.
    private enum Gate {
        static let disconnected: UInt8 = 0
        static let open: UInt8 = 1
        /// Connected, but the breaker has to be asked.
        static let guarded: UInt8 = 2
    }

    private struct State {
        var link: Link?
        var epoch: UInt64 = 0
        /// Of scripts by name; a digest follows from the source, so it outlives connections and servers.
        var digests: [String: [UInt8]] = [:]
        var breaker: CircuitBreaker
        /// The server connected last.
        var lastAddress: RedisConfiguration.Address?
        var streams: [UInt64: AsyncStream<RedisConnectionEvent>.Continuation] = [:]
        var lastStreamID: UInt64 = 0
        var hasEnded = false
    }

    package let configuration: RedisConfiguration
    private let loop: IOLoop
    private let logger: Logger
    private let scripts: [RedisScript]
    private let state: Mutex<State>
    private let gate = Atomic<UInt8>(Gate.disconnected)
    private let metrics = RedisMetrics()

    /// Makes a client, which connects when ``run()`` is called.
    ///
    /// - Parameters:
    ///   - configuration: Where Redis is and how patient to be.
    ///   - loop: The loop that owns the socket, started by its owner.
    ///   - scripts: Scripts to load with each handshake.
    ///   - logger: Hears of connections that come and go.
    package init(configuration: RedisConfiguration, loop: IOLoop, scripts: [RedisScript] = [], logger: Logger) {
        self.configuration = configuration
        self.loop = loop
        self.scripts = scripts
        self.logger = logger
        state = Mutex(State(breaker: CircuitBreaker(limits: configuration.breaker)))
    }

    // MARK: - Life

    /// Keeps the connection until the task is cancelled: the body of a service.
    package func run() async {
        let reconnection = Reconnection(configuration: configuration, loop: loop, logger: logger, role: "commands")
        await reconnection.keep { address, route throws(RedisError) in
            let connection = RedisConnection(configuration: configuration, loop: loop)
            route.attach(connection)
            let welcome = try await connection.open(address, scripts: scripts)
            let epoch = connected(connection, address, welcome)
            logger.info(
                "Redis connected",
                metadata: ["redis": "\(configuration)", "server": "\(address)", "epoch": "\(epoch)"]
            )
            let reason = await connection.waitUntilClosed()
            disconnected(reason)
            return reason
        }
        let streams = state.withLock { state in
            state.hasEnded = true
            defer { state.streams = [:] }
            return state.streams
        }
        for stream in streams.values {
            stream.finish()
        }
    }

    private func connected(
        _ connection: RedisConnection,
        _ address: RedisConfiguration.Address,
        _ welcome: RedisConnection.Welcome
    ) -> UInt64 {
        state.withLock { state in
            state.epoch += 1
            if configuration.requiresPrimary, state.lastAddress != address {
                // What the former primary did says nothing about its successor.
                state.breaker = CircuitBreaker(limits: configuration.breaker)
                state.lastAddress = address
            }
            state.link = Link(connection: connection, address: address, runID: welcome.runID, epoch: state.epoch)
            state.digests.merge(welcome.digests) { _, new in new }
            updateGate(state)
            emit(.connected(runID: welcome.runID, epoch: state.epoch), to: state)
            return state.epoch
        }
    }

    private func disconnected(_ reason: RedisError) {
        state.withLock { state in
            state.link = nil
            // Once for a lost connection, however many commands it took along; not for one that we left.
            if reason.code != .closed, reason.code != .notPrimary {
                state.breaker.failed(at: loop.now)
            }
            updateGate(state)
            emit(.disconnected, to: state)
        }
    }

    /// Inside the lock, so that events keep their order; yielding to a stream resumes its task elsewhere.
    private func emit(_ event: RedisConnectionEvent, to state: State) {
        for stream in state.streams.values {
            stream.yield(event)
        }
    }

    private func updateGate(_ state: State) {
        let value =
            if state.link == nil {
                Gate.disconnected
            } else if state.breaker.isClosed {
                Gate.open
            } else {
                Gate.guarded
            }
        gate.store(value, ordering: .relaxed)
    }

    // MARK: - What it knows

    /// Whether a command would be tried now: connected, and not held back by the breaker.
    package var isAvailable: Bool {
        switch gate.load(ordering: .relaxed) {
        case Gate.open: true
        case Gate.guarded:
            state.withLock { $0.link != nil && $0.breaker.wouldPermit(at: loop.now) }
        default: false
        }
    }

    /// Whether there is a connection, used or held back.
    package var isConnected: Bool { gate.load(ordering: .relaxed) != Gate.disconnected }

    /// Whether commands are held back after errors, as of now.
    package var isBreakerOpen: Bool {
        state.withLock { !$0.breaker.wouldPermit(at: loop.now) }
    }

    /// Where the server connected now listens; nil without a connection.
    package var address: RedisConfiguration.Address? {
        state.withLock { $0.link?.address }
    }

    /// The run id of the server connected now; nil without a connection or the right to ask for it.
    package var runID: String? {
        state.withLock { $0.link?.runID }
    }

    /// The number of connections made so far.
    package var connectionEpoch: UInt64 {
        state.withLock { $0.epoch }
    }

    /// What happens to the connection from now on, beginning with the connection there is.
    ///
    /// A slow consumer loses old events, not the newest: each tells all there is to know. Ends with ``run()``.
    package func connectionEvents() -> AsyncStream<RedisConnectionEvent> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: RedisConnectionEvent.self,
            bufferingPolicy: .bufferingNewest(16)
        )
        let id = state.withLock { state -> UInt64? in
            guard !state.hasEnded else { return nil }
            state.lastStreamID += 1
            state.streams[state.lastStreamID] = continuation
            if let link = state.link {
                continuation.yield(.connected(runID: link.runID, epoch: link.epoch))
            }
            return state.lastStreamID
        }
        guard let id else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.state.withLock { $0.streams.removeValue(forKey: id) }
        }
        return stream
    }

    // MARK: - Commands

    /// Sends a command and waits for its reply.
    ///
    /// - Parameters:
    ///   - command: The command; not one that changes the connection's state, which all share.
    ///   - deadline: When the caller stops waiting; the connection is judged by the timeout alone.
    ///   - timeout: What the server may take; nil takes ``RedisConfiguration/commandTimeout``.
    /// - Returns: The reply, never an error reply.
    /// - Throws: ``RedisError``; an error reply by its kind.
    package func send(
        _ command: RedisCommand,
        deadline: ContinuousClock.Instant? = nil,
        timeout: Duration? = nil
    ) async throws(RedisError) -> RedisReply {
        try await exchange(command, deadline: deadline, timeout: timeout).reply
    }

    /// Sends a command; the answer names the server and connection it came from.
    ///
    /// For judging a value by the server it is from, even if the connection changes meanwhile.
    ///
    /// - Parameters:
    ///   - command: The command.
    ///   - deadline: When the caller stops waiting.
    ///   - timeout: What the server may take; nil takes ``RedisConfiguration/commandTimeout``.
    /// - Returns: The reply with its origin.
    /// - Throws: ``RedisError``; an error reply by its kind.
    package func exchange(
        _ command: RedisCommand,
        deadline: ContinuousClock.Instant? = nil,
        timeout: Duration? = nil
    ) async throws(RedisError) -> RedisAnswer {
        let link: Link
        do throws(RedisError) {
            link = try admit()
        } catch {
            metrics.wasNotSent()
            throw error
        }
        let sent = ContinuousClock.now
        let pending = PendingCommand(command, deadline: deadline, timeout: timeout ?? configuration.commandTimeout)
        link.connection.submit(pending)
        let answer = await pending.reply()
        metrics.ended(answer, took: ContinuousClock.now - sent)
        observe(answer)
        return RedisAnswer(reply: try answer.get(), runID: link.runID, epoch: link.epoch)
    }

    /// Runs a script by its digest, or by its source if the server does not know it: nothing had run then.
    ///
    /// - Parameters:
    ///   - script: The script.
    ///   - keys: `KEYS` of the script.
    ///   - arguments: `ARGV` of the script.
    ///   - deadline: When the caller stops waiting.
    ///   - timeout: What the server may take; nil takes ``RedisConfiguration/commandTimeout``.
    /// - Returns: What the script returned.
    /// - Throws: ``RedisError``; an error reply by its kind.
    package func evaluate(
        _ script: RedisScript,
        keys: [RedisArgument],
        arguments: [RedisArgument] = [],
        deadline: ContinuousClock.Instant? = nil,
        timeout: Duration? = nil
    ) async throws(RedisError) -> RedisReply {
        func command(_ name: RedisArgument, _ text: RedisArgument) -> RedisCommand {
            var command = RedisCommand(reservingBytes: 512, arguments: 3 + keys.count + arguments.count)
            command.append(name)
            command.append(text)
            command.append(Int64(keys.count))
            keys.forEach { command.append($0) }
            arguments.forEach { command.append($0) }
            return command
        }
        if let digest = try await digest(of: script, deadline: deadline, timeout: timeout) {
            do throws(RedisError) {
                return try await send(command("EVALSHA", .bytes(digest)), deadline: deadline, timeout: timeout)
            } catch .noScript {
                // Flushed, or another server: EVAL leaves it loaded.
            }
        }
        return try await send(command("EVAL", .text(script.source)), deadline: deadline, timeout: timeout)
    }

    /// The script's digest, asked for once; nil if scripts may not be loaded.
    private func digest(
        of script: RedisScript,
        deadline: ContinuousClock.Instant?,
        timeout: Duration?
    ) async throws(RedisError) -> [UInt8]? {
        if let digest = state.withLock({ $0.digests[script.name] }) {
            return digest
        }
        do throws(RedisError) {
            let load: RedisCommand = ["SCRIPT", "LOAD", .text(script.source)]
            guard let digest = try await send(load, deadline: deadline, timeout: timeout).bytes else { return nil }
            state.withLock { $0.digests[script.name] = digest }
            return digest
        } catch .notPermitted {
            return nil
        }
    }

    private func admit() throws(RedisError) -> Link {
        switch gate.load(ordering: .relaxed) {
        case Gate.disconnected:
            throw RedisError(.unavailable)
        case Gate.guarded:
            let permitted = state.withLock { state in
                state.link != nil && state.breaker.permits(at: loop.now)
            }
            guard permitted else { throw RedisError(.breakerOpen) }
        default:
            break
        }
        guard let link = state.withLock({ $0.link }) else { throw RedisError(.unavailable) }
        return link
    }

    /// Tells the breaker what it has to know; nothing in the usual case.
    private func observe(_ answer: PendingCommand.Answer) {
        switch answer {
        case .failure(let error) where error.countsForBreaker:
            state.withLock { state in
                state.breaker.failed(at: loop.now)
                updateGate(state)
            }
        case .failure(let error) where !error.isReply:
            break
        case .success, .failure:
            guard gate.load(ordering: .relaxed) == Gate.guarded else { return }
            state.withLock { state in
                state.breaker.succeeded()
                updateGate(state)
            }
        }
    }
}
