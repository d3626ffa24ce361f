import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

/// Hummingbird's HTTP/1 channel with our guard in front of it, and behind that whoever answers from memory.
///
/// Hummingbird adds handlers behind its own codec, where a header block that never ends cannot be seen and the
/// spelling of a header is lost; the guard has to stand before it.
struct GuardedHTTPChannel: ServerChildChannel {
    /// A connection, and whether Hummingbird is to serve it: known once something comes that is not answered without.
    struct Value: ServerChildChannelValue {
        fileprivate let unserved: Unserved
        fileprivate let isHummingbirds: EventLoopFuture<Bool>

        var channel: any Channel { unserved.requests.channel }
    }

    /// A connection that nobody serves yet.
    ///
    /// One that is accepted while accepting ends is never served, and NIO stops the process where such a one is let go and not closed.
    fileprivate final class Unserved: Sendable {
        let requests: HTTP1Channel.Value
        private let isServed = Atomic<Bool>(false)

        init(_ requests: HTTP1Channel.Value) { self.requests = requests }

        deinit {
            guard !isServed.load(ordering: .relaxed) else { return }
            Task { [requests] in try? await requests.executeThenClose { _, _ in } }
        }

        /// Leaves the connection to the caller, who closes it.
        func serve() -> HTTP1Channel.Value {
            isServed.store(true, ordering: .relaxed)
            return requests
        }
    }

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
            try pipeline.addHandler(wire, position: .first)
            guard answersAtOnce else {
                return Value(
                    unserved: Unserved(value),
                    isHummingbirds: channel.eventLoop.makeSucceededFuture(true)
                )
            }
            let promise = channel.eventLoop.makePromise(of: Bool.self)
            let hits = HitHandler(api, guardian: guardian, wire: wire, firstHandedOn: promise)
            try pipeline.addHandler(hits, position: .after(guardian))
            return Value(unserved: Unserved(value), isHummingbirds: promise.futureResult)
        }
    }

    /// Serves a connection until it is closed.
    ///
    /// What this task has needed it keeps for as long as it runs, so it begins with as little as can be: most of a connection that
    /// waits would be the memory of a task that waits.
    func handle(value: Value, logger: Logger) async {
        let requests = value.unserved.serve()
        if (try? await requests.channel.waits(for: value.isHummingbirds)) == true {
            await base.handle(value: requests, logger: logger)
        } else {
            // It is closed, and nobody has asked for what came by it.
            try? await requests.executeThenClose { _, _ in }
        }
    }
}

extension Channel {
    /// Waits for what comes at the latest when the connection is closed; who is told not to wait any more closes it.
    func waits<Value: Sendable>(for future: EventLoopFuture<Value>) async throws -> Value {
        try await withTaskCancellationHandler {
            try await future.get()
        } onCancel: {
            self.close(promise: nil)
        }
    }
}
