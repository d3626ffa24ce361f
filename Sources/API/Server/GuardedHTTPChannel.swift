import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// Hummingbird's HTTP/1 channel with our guard in front of it.
///
/// Hummingbird adds handlers behind its own codec, where a header block that never ends cannot be seen and the
/// spelling of a header is lost; the guard has to stand before it.
struct GuardedHTTPChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    private let base: HTTP1Channel
    private let limits: ServerLimits
    private let connections: OpenConnections
    private let bodyLimit: @Sendable (HTTPRequestHead) -> Int

    init(
        limits: ServerLimits,
        connections: OpenConnections,
        bodyLimit: @escaping @Sendable (HTTPRequestHead) -> Int,
        responder: @escaping HTTPChannelHandler.Responder
    ) {
        self.limits = limits
        self.connections = connections
        self.bodyLimit = bodyLimit
        self.base = HTTP1Channel(
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
        let limits = self.limits
        let connections = self.connections
        let bodyLimit = self.bodyLimit
        return self.base.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            let guardian = ConnectionGuard(
                limits: limits,
                connections: connections,
                bodyLimit: bodyLimit,
                logger: logger
            )
            try pipeline.addHandler(guardian, position: .after(decoder))
            try pipeline.addHandler(FirstByteWatch(guardian), position: .first)
            return value
        }
    }

    func handle(value: Value, logger: Logger) async {
        await self.base.handle(value: value, logger: logger)
    }
}
