internal import IOLoop
internal import Logging
private import Synchronization

/// The way to the primary that Sentinel names at the time: I/O around a ``SentinelStateMachine``.
///
/// Sentinels are asked anew for every connection. Beside that each one is listened to all the time: once it says that the
/// primary has changed, the connection to the former one is closed, although that one may live and answer.
final class SentinelRoute: Route {
    private typealias Primary = SentinelStateMachine.Primary

    private struct State {
        var machine: SentinelStateMachine
        var connection: (any ClosableConnection)?
        /// Of a name's addresses each attempt takes the next.
        var attempt = 0
    }

    /// A name takes this long to resolve at most, before the next sentinel is asked.
    private static let patience = Duration.seconds(2)
    /// What Sentinel calls the event of a new primary.
    private static let channel = "+switch-master"

    private let sentinels: RedisSentinels
    private let configuration: RedisConfiguration
    private let loop: IOLoop
    private let logger: Logger
    private let role: String
    private let state: Mutex<State>

    /// Makes the way of one connection.
    ///
    /// - Parameters:
    ///   - sentinels: Whom to ask.
    ///   - configuration: Of the connection, whose time-outs hold for the sentinels, too.
    ///   - loop: The loop that owns the sockets.
    ///   - logger: Hears of sentinels that come and go.
    ///   - role: What the log calls the connection.
    init(
        to sentinels: RedisSentinels,
        configuration: RedisConfiguration,
        loop: IOLoop,
        logger: Logger,
        role: String
    ) {
        self.sentinels = sentinels
        self.configuration = configuration
        self.loop = loop
        self.logger = logger
        self.role = role
        state = Mutex(State(machine: SentinelStateMachine(sentinels)))
    }

    // MARK: - Asking

    func next() async throws(RedisError) -> RedisConfiguration.Address {
        var step = state.withLock { state in
            state.connection = nil
            return state.machine.begin()
        }
        while true {
            switch step {
            case .ask(let sentinel):
                let reply = await ask(sentinel)
                if Task.isCancelled { throw RedisError(.cancelled) }
                step = state.withLock { $0.machine.replied(reply) }
            case .connect(let address):
                let addresses = try await AddressResolver.resolve(address, within: Self.patience, on: loop)
                return addresses[state.withLock { $0.attempt } % addresses.count]
            case .giveUp(let error):
                throw error
            }
        }
    }

    func attach(_ connection: any ClosableConnection) {
        let isLeaving = state.withLock { state in
            state.connection = connection
            return state.machine.isLeaving
        }
        if isLeaving {
            connection.close(Self.left)
        }
    }

    func missed() {
        state.withLock { state in
            state.attempt += 1
            state.machine.missed()
        }
    }

    private static let left = RedisError(.notPrimary, "Sentinel has named another primary", mayHaveRun: true)

    /// How to reach a sentinel: as impatient as the connection, and with the sentinel's own password.
    private func configuration(of sentinel: Int) -> RedisConfiguration {
        var other = RedisConfiguration(address: sentinels.addresses[sentinel], password: sentinels.password)
        other.clientName = configuration.clientName
        other.connectTimeout = configuration.connectTimeout
        other.commandTimeout = configuration.connectTimeout
        other.backoff = configuration.backoff
        other.backoff.longest *= 2
        // A switch missed meanwhile is made up for by asking, so it need not be noticed as soon as a lost bus.
        other.subscriberSilence = configuration.subscriberSilence * 3
        return other
    }

    private func ask(_ sentinel: Int) async -> SentinelStateMachine.Reply {
        do throws(RedisError) {
            let addresses = try await AddressResolver.resolve(
                sentinels.addresses[sentinel],
                within: Self.patience,
                on: loop
            )
            var lastError = RedisError(.connectionFailed)
            for address in addresses {
                do throws(RedisError) {
                    return try await ask(sentinel, at: address)
                } catch {
                    lastError = error
                }
            }
            return .failed(lastError)
        } catch {
            return .failed(error)
        }
    }

    private func ask(
        _ sentinel: Int,
        at address: RedisConfiguration.Address
    ) async throws(RedisError) -> SentinelStateMachine.Reply {
        let configuration = configuration(of: sentinel)
        let connection = RedisConnection(configuration: configuration, loop: loop)
        defer { connection.close(RedisError(.closed)) }
        _ = try await connection.open(address, scripts: [])
        let question = PendingCommand(
            ["SENTINEL", "get-master-addr-by-name", .text(sentinels.name)],
            deadline: nil,
            timeout: configuration.commandTimeout
        )
        let details = PendingCommand(
            ["SENTINEL", "master", .text(sentinels.name)],
            deadline: nil,
            timeout: configuration.commandTimeout
        )
        connection.submit(question)
        connection.submit(details)
        let answer = try await question.reply().get()
        if case .null = answer { return .unknown }
        guard let primary = SentinelReplies.address(in: answer) else {
            throw RedisError(.unexpectedReply, "the sentinel's answer is no address")
        }
        // The number of the decision is worth having, and may be refused.
        let epoch = try? await details.reply().get()
        return .primary(Primary(address: primary, epoch: epoch.flatMap(SentinelReplies.configurationEpoch)))
    }

    // MARK: - Listening

    /// Listens to every sentinel until the task is cancelled.
    func watch() async {
        await withTaskGroup(of: Void.self) { group in
            for sentinel in sentinels.addresses.indices {
                let subscriber = RedisSubscriber(
                    configuration: configuration(of: sentinel),
                    loop: loop,
                    channel: Self.channel,
                    logger: logger,
                    role: "sentinel of \(role)"
                )
                group.addTask { await subscriber.run() }
                group.addTask { await self.listen(to: sentinel, subscriber.events) }
            }
        }
    }

    private func listen(to sentinel: Int, _ events: RedisSubscriber.Events) async {
        for await event in events {
            switch event {
            case .subscribed:
                // Switches before this were not heard.
                if case .primary(let primary) = await ask(sentinel) {
                    announced(primary, by: sentinel)
                }
            case .message(let payload):
                if let address = SentinelReplies.newPrimary(in: payload, of: sentinels.name) {
                    announced(Primary(address: address, epoch: nil), by: sentinel)
                }
            case .lost:
                break
            }
        }
    }

    private func announced(_ primary: Primary, by sentinel: Int) {
        let connection = state.withLock { state in
            state.machine.announced(primary, by: sentinel) ? state.connection : nil
        }
        guard let connection else { return }
        logger.notice(
            "Sentinel has named another primary",
            metadata: ["redis": "\(configuration)", "connection": "\(role)", "server": "\(primary.address)"]
        )
        connection.close(Self.left)
    }
}
