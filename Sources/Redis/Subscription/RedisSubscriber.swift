package import IOLoop
package import Logging

/// One channel of Redis, on a connection of its own that renews itself.
///
/// Messages are lost whenever the connection is, and the channel does not number them: each ``Event/subscribed`` says that
/// any number of messages may be missing before it.
package final class RedisSubscriber: Sendable {
    /// What the channel's one consumer is told, in order.
    package enum Event: Sendable, Hashable {
        /// The server has confirmed the subscription: messages from now on arrive, earlier ones may be missing.
        case subscribed
        /// A message of the channel.
        case message([UInt8])
        /// The connection ended, was silent for too long, or the consumer too slow.
        case lost
    }

    /// The events, for one consumer; ends with ``run()``.
    package struct Events: AsyncSequence, AsyncIteratorProtocol, Sendable {
        let queue: EventQueue

        package func makeAsyncIterator() -> Events {
            self
        }

        package func next() async -> Event? {
            await queue.next()
        }

        package func next(isolation actor: isolated (any Actor)?) async -> Event? {
            await queue.next()
        }
    }

    package let configuration: RedisConfiguration
    private let loop: IOLoop
    private let channel: [UInt8]
    private let logger: Logger
    private let queue: EventQueue
    private let role: String

    /// Makes a subscriber, which connects when ``run()`` is called.
    ///
    /// - Parameters:
    ///   - configuration: Where Redis is and how patient to be.
    ///   - loop: The loop that owns the socket, started by its owner.
    ///   - channel: The channel's name.
    ///   - logger: Hears of connections that come and go.
    ///   - role: What the log calls the connection.
    package init(
        configuration: RedisConfiguration,
        loop: IOLoop,
        channel: String,
        logger: Logger,
        role: String = "subscriber"
    ) {
        self.configuration = configuration
        self.loop = loop
        self.channel = Array(channel.utf8)
        self.logger = logger
        self.role = role
        queue = EventQueue(capacity: configuration.subscriberQueue)
    }

    /// What happens on the channel, for one consumer.
    package var events: Events { Events(queue: queue) }

    /// Keeps the subscription until the task is cancelled: the body of a service.
    package func run() async {
        let reconnection = Reconnection(configuration: configuration, loop: loop, logger: logger, role: role)
        await reconnection.keep { address, route throws(RedisError) in
            let connection = SubscriberConnection(
                configuration: configuration,
                loop: loop,
                channel: channel,
                queue: queue
            )
            route.attach(connection)
            try await connection.open(address)
            let reason = await connection.waitUntilClosed()
            queue.appendLost()
            return reason
        }
        queue.finish()
    }
}
