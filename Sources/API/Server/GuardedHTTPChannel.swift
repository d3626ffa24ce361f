import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// Hummingbird's HTTP/1 channel with our guard in front of it, and behind that whoever answers from memory.
///
/// Hummingbird adds handlers behind its own codec, where a header block that never ends cannot be seen and the
/// spelling of a header is lost; the guard has to stand before it.
struct GuardedHTTPChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    private let base: HTTP1Channel
    private let api: API
    private let connections: OpenConnections
    private let answersAtOnce: Bool

    init(
        api: API,
        connections: OpenConnections,
        answersAtOnce: Bool,
        responder: @escaping HTTPChannelHandler.Responder
    ) {
        let limits = api.limits
        self.api = api
        self.connections = connections
        self.answersAtOnce = answersAtOnce
        base = HTTP1Channel(
            responder: responder,
            configuration: .init(
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: limits.headerFieldBytes,
                    maxHeaderListSize: limits.headerBlockBytes,
                    maxHeaderFieldCount: limits.headerFieldCount
                )
            )
        )
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let api = self.api
        let connections = self.connections
        let answersAtOnce = self.answersAtOnce
        return base.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            let guardian = ConnectionGuard(
                limits: api.limits,
                connections: connections,
                bodyLimit: { api.bodyLimit(method: $0.method.rawValue, target: $0.uri) },
                logger: logger
            )
            try pipeline.addHandler(guardian, position: .after(decoder))
            let wire = WireHandler(guardian)
            if answersAtOnce {
                try pipeline.addHandler(HitHandler(api, guardian: guardian, wire: wire), position: .after(guardian))
            }
            try pipeline.addHandler(wire, position: .first)
            return value
        }
    }

    func handle(value: Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}
