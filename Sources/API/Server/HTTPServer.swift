import HTTPTypes
import HummingbirdCore
package import Logging
package import NIOCore
import NIOHTTP1
import ServiceLifecycle

/// The listening server: `run()` serves until the group it runs in shuts down, then drains.
///
/// Built on Hummingbird's server and not on its `Application`, which copies a logger, sets a task-local value and makes a
/// request id for each request before the responder is called.
package struct HTTPServer: Service {
    private let api: API
    private let address: BindAddress
    private let group: any EventLoopGroup
    private let answersAtOnce: Bool
    private let logger: Logger
    private let onListening: @Sendable (_ port: Int) async -> Void

    /// Prepares a server; nothing is bound yet.
    ///
    /// - Parameters:
    ///   - api: answers the requests.
    ///   - host: the address to bind.
    ///   - port: the port; 0 takes any free one.
    ///   - group: the event loops that serve.
    ///   - answersAtOnce: whether what lies in memory is answered on the event loops; the answers are the same.
    ///   - logger: for what concerns no single request.
    ///   - onListening: called with the port once connections are accepted.
    package init(
        api: API,
        host: String,
        port: Int,
        group: any EventLoopGroup,
        answersAtOnce: Bool = true,
        logger: Logger,
        onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) {
        self.api = api
        address = .hostname(host, port: port)
        self.group = group
        self.answersAtOnce = answersAtOnce
        self.logger = logger
        self.onListening = onListening
    }

    /// Serves.
    ///
    /// On shutdown readiness turns 503 first; towards the end of the drain delay no connection is queued any more, and after it those
    /// that are idle are closed, and those that are busy finish.
    package func run() async throws {
        let api = self.api
        let limits = api.limits
        let answersAtOnce = self.answersAtOnce
        var quiet = self.logger
        // Hummingbird logs each client that goes away at trace and each start at info; ours says what matters.
        quiet.logLevel = max(quiet.logLevel, .notice)
        let listening = ListeningChannel()
        let connections = OpenConnections(
            total: limits.connections,
            perAddress: limits.connectionsPerAddress,
            proxies: api.proxies
        )
        let server = try HTTPServerBuilder { responder in
            GuardedHTTPChannel(
                api: api,
                connections: connections,
                answersAtOnce: answersAtOnce,
                responder: responder
            )
        }.buildServer(
            configuration: ServerConfiguration(
                address: self.address,
                backlog: 1024,
                availableConnectionsDelegate: .maximum(
                    limits.connections + limits.spareConnections,
                    logger: quiet
                )
            ),
            eventLoopGroup: group,
            logger: quiet,
            responder: { request, writer, channel in
                let reply = await Self.answer(api, request, channel)
                if let stream = reply.events {
                    try await channel.eventLoop.submit { try EventStreamHandler.begin(stream, reply, on: channel) }
                        .get()
                } else {
                    try await writer.write(
                        response: HTTPResponse(status: reply.status, headerFields: HTTPFields(reply.fields)),
                        body: reply.responseBody
                    )
                }
                guard reply.closesConnection else { return }
                // What stands behind the last answer is not done: whoever sent it sends it again, elsewhere (RFC 9112, 9.6).
                try await channel.waits(for: channel.closeFuture)
                throw ChannelError.ioOnClosedChannel
            },
            onServerRunning: { [onListening] channel in
                listening.began(channel)
                await onListening(channel.localAddress?.port ?? 0)
            }
        )
        // A group shuts its services down from the last to the first, each after the one behind it has ended.
        var configuration = ServiceGroupConfiguration(
            services: [
                .init(service: server),
                .init(
                    service: Drain(lifecycle: api.lifecycle, channel: listening, limits: limits, logger: self.logger)
                ),
            ],
            logger: quiet
        )
        configuration.maximumGracefulShutdownDuration = limits.drainDelay + limits.drainTotal
        try await ServiceGroup(configuration: configuration).run()
    }

    /// Answers a request by a task of its own: what one has needed it keeps until it ends, and that of a connection lives as long as that does.
    private static func answer(_ api: API, _ request: Request, _ channel: any Channel) async -> Reply {
        async let reply = api.respond(to: request, channel: channel)
        return await reply
    }
}

/// Stands between the signal and the end of accepting.
private struct Drain: Service {
    let lifecycle: Lifecycle
    let channel: ListeningChannel
    let limits: ServerLimits
    let logger: Logger

    func run() async throws {
        try await gracefulShutdown()
        lifecycle.beginDraining()
        let lastCall = min(limits.lastCall, limits.drainDelay)
        // A pause that is meant: load balancers need it to see that readiness is gone.
        try? await Task.sleep(for: limits.drainDelay - lastCall)
        guard lastCall > .zero else { return }
        if !(await channel.stopQueueing()) {
            logger.notice(
                "Who connects in the last moment may be reset: this system lets root alone ignore new connections."
            )
        }
        // Another one: whoever is in the queue is accepted, and sends what it connected for.
        try? await Task.sleep(for: lastCall)
    }
}

extension Reply {
    /// The body as Hummingbird writes it.
    fileprivate var responseBody: ResponseBody {
        if let stream { return ResponseBody(asyncSequence: stream) }
        return body.readableBytes > 0 ? ResponseBody(byteBuffer: body) : ResponseBody()
    }
}
