import HTTPTypes
import NIOCore
import NIOHTTP1

/// Answers on the event loop what lies in memory, before a task is asked.
///
/// Stands between the connection's guard and Hummingbird's handlers. A request that is whole with its header block is held back until
/// it has ended, which is at once, and answered here if the API can; any other is handed on, and so are all behind it until it has
/// its answer: a connection has one answer at a time, in the order of its requests.
final class HitHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let api: API
    private var seen = Authenticator.SeenToken()
    /// A header block that is not handed on yet.
    private var held: HTTPRequestHead?
    /// Requests handed on whose answer is not written yet.
    private var elsewhere = 0
    /// Whether an answer of ours is not flushed yet.
    private var hasWritten = false

    init(_ api: API) {
        self.api = api
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch Self.unwrapInboundIn(data) {
        case .head(let head):
            // A peer that does not take its answers is waited for where that holds up its requests.
            if self.elsewhere == 0, head.method == .GET || head.method == .HEAD, context.channel.isWritable {
                self.held = head
            } else {
                self.elsewhere += 1
                context.fireChannelRead(data)
            }
        case .body:
            self.release(context)
            context.fireChannelRead(data)
        case .end(let trailers):
            if let head = self.held, trailers == nil,
                let reply = self.api.answerAtOnce(head, channel: context.channel, seen: &self.seen)
            {
                self.held = nil
                self.write(reply, context)
            } else {
                self.release(context)
                context.fireChannelRead(data)
            }
        }
    }

    /// Hands on what was held back.
    private func release(_ context: ChannelHandlerContext) {
        guard let head = self.held else { return }
        self.held = nil
        self.elsewhere += 1
        context.fireChannelRead(Self.wrapInboundOut(.head(head)))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.release(context)
        context.fireErrorCaught(error)
    }

    // MARK: Answers

    private func write(_ reply: Reply, _ context: ChannelHandlerContext) {
        let head = HTTPResponseHead(
            version: .http1_1,
            status: HTTPResponseStatus(statusCode: reply.status.code, reasonPhrase: reply.status.reasonPhrase),
            headers: HTTPHeaders(reply.fields.map { ($0.name.rawName, $0.value) })
        )
        context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
        if reply.body.readableBytes > 0 {
            context.write(Self.wrapOutboundOut(.body(.byteBuffer(reply.body))), promise: nil)
        }
        context.write(Self.wrapOutboundOut(.end(nil)), promise: nil)
        self.hasWritten = true
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Once for all requests that came together.
        if self.hasWritten {
            self.hasWritten = false
            context.flush()
        }
        context.fireChannelReadComplete()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = Self.unwrapOutboundIn(data) { self.elsewhere = max(0, self.elsewhere - 1) }
        context.write(data, promise: promise)
    }

    // MARK: The end

    /// The peer sends nothing more, and still reads: what it is owed goes out before Hummingbird closes the connection.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard self.elsewhere == 0, case ChannelEvent.inputClosed = event else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        // Closing our side waits for what is written; closing the connection would not.
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        context.close(mode: .output, promise: written)
    }
}

@available(*, unavailable)
extension HitHandler: Sendable {}
