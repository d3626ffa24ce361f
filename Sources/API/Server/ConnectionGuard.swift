import Logging
import NIOCore
import NIOHTTP1

/// Keeps one connection within its deadlines and limits, and refuses what is not HTTP as we read it.
///
/// Sits between the HTTP decoder and Hummingbird, so it sees each header block before anything acts on it and each
/// answer before it is encoded. ``FirstByteWatch`` at the head of the pipeline tells it of bytes that are no request yet.
/// What it refuses is answered with a problem document and the connection is closed: the rest is never parsed as a request.
final class ConnectionGuard: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private enum Phase {
        /// Requests come and go.
        case open
        /// The answer being written is the last one.
        case lastAnswer
        /// Our side is closed; what still comes is thrown away until the peer closes or `lingering` is over.
        case lingering
        /// Closed.
        case closed
    }

    private let limits: ServerLimits
    private let logger: Logger
    private var deadlines: ConnectionDeadlines
    private var phase = Phase.open
    private var context: ChannelHandlerContext?
    private var tick: NIOScheduledCallback?
    /// How many answers are still to be written before the connection ends; `nil` while it may stay.
    private var answersUntilClose: Int?

    init(limits: ServerLimits, logger: Logger) {
        self.limits = limits
        self.logger = logger
        self.deadlines = ConnectionDeadlines(limits: limits, now: .now())
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.judge()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.phase = .closed
        self.tick?.cancel()
        self.tick = nil
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.phase = .closed
        self.tick?.cancel()
        self.tick = nil
        context.fireChannelInactive()
    }

    /// Bytes came that may begin a request.
    func bytesArrived() {
        self.deadlines.bytesArrived(now: .now())
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .open = self.phase else { return }
        switch Self.unwrapInboundIn(data) {
        case .head(let head):
            self.deadlines.headParsed(now: .now())
            if let refusal = ProtocolRefusal.of(head, limits: self.limits) {
                self.refuse(refusal, context: context)
                return
            }
            if !head.isKeepAlive, self.answersUntilClose == nil {
                self.answersUntilClose = self.deadlines.answering
            }
            if head.headers.contains(name: "expect"), head.headers[canonicalForm: "expect"].first == "100-continue" {
                context.writeAndFlush(
                    Self.wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))),
                    promise: nil
                )
            }
        case .body(let bytes):
            self.deadlines.bodyArrived(bytes: bytes.readableBytes, now: .now())
        case .end:
            self.deadlines.endParsed(now: .now())
        }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError, case .open = self.phase else {
            context.fireErrorCaught(error)
            return
        }
        if self.deadlines.isReadingBody {
            // A route waits for this body: it learns of it, and its answer is the last.
            self.answersUntilClose = self.deadlines.answering
            self.phase = .lastAnswer
            context.fireErrorCaught(error)
        } else {
            self.refuse(ProtocolRefusal(error), context: context)
        }
    }

    /// Answers a request that must not be parsed further, and ends the connection.
    ///
    /// While earlier answers are still to come nothing can be written out of order: then they are the last ones.
    private func refuse(_ refusal: ProtocolRefusal, context: ChannelHandlerContext) {
        self.logger.debug("request refused", metadata: ["code": "\(refusal.code)", "status": "\(refusal.status.code)"])
        // A refused header block counts as one being answered; a parser error comes before any.
        let othersInFlight = refusal.isOfCompleteHead ? self.deadlines.answering - 1 : self.deadlines.answering
        guard othersInFlight == 0 else {
            self.answersUntilClose = othersInFlight
            self.phase = .lastAnswer
            return
        }
        let body = context.channel.allocator.buffer(string: refusal.body)
        var head = HTTPResponseHead(version: .http1_1, status: refusal.status)
        head.headers.add(name: "content-type", value: "application/problem+json")
        head.headers.add(name: "content-length", value: String(body.readableBytes))
        head.headers.add(name: "connection", value: "close")
        for (name, value) in SecurityHeaders.plain {
            head.headers.add(name: name, value: value)
        }
        context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
        context.write(Self.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        context.writeAndFlush(Self.wrapOutboundOut(.end(nil)), promise: nil)
        self.linger(context: context)
    }

    // MARK: Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard self.phase == .open || self.phase == .lastAnswer else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch Self.unwrapOutboundIn(data) {
        case .head(var head):
            if head.headers.first(name: "connection") == "close" {
                self.answersUntilClose = 1
            } else if self.answersUntilClose == 1, head.status.code >= 200 {
                head.headers.replaceOrAdd(name: "connection", value: "close")
                context.write(Self.wrapOutboundOut(.head(head)), promise: promise)
                return
            }
            context.write(data, promise: promise)
        case .body:
            context.write(data, promise: promise)
        case .end:
            self.deadlines.answered(now: .now())
            guard let remaining = self.answersUntilClose else {
                context.write(data, promise: promise)
                return
            }
            self.answersUntilClose = remaining - 1
            guard remaining <= 1, self.phase != .lingering else {
                context.write(data, promise: promise)
                return
            }
            context.writeAndFlush(data, promise: promise)
            self.linger(context: context)
        }
    }

    /// Closes our side, so that the peer reads the answer to its end, and waits a little for the peer to close.
    private func linger(context: ChannelHandlerContext) {
        self.phase = .lingering
        context.close(mode: .output, promise: nil)
        context.eventLoop.assumeIsolated().scheduleTask(in: self.limits.lingering) { [weak self] in
            self?.close()
        }
    }

    // MARK: Deadlines

    private func judge() {
        guard let context, self.phase == .open || self.phase == .lastAnswer else { return }
        let pending = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        switch self.deadlines.verdict(now: .now(), pendingBytes: pending) {
        case .askAgain(let time):
            self.tick = try? context.eventLoop.assumeIsolated().scheduleCallback(at: time, handler: self)
        case .close(let reason):
            self.logger.debug("connection closed", metadata: ["reason": "\(reason.rawValue)"])
            self.close()
        }
    }

    private func close() {
        guard let context, self.phase != .closed else { return }
        self.phase = .closed
        context.close(promise: nil)
    }
}

extension ConnectionGuard: NIOScheduledCallbackHandler {
    func handleScheduledCallback(eventLoop: some EventLoop) {
        self.judge()
    }
}

@available(*, unavailable)
extension ConnectionGuard: Sendable {}

/// Tells the guard of every byte that comes, before the decoder holds it back.
final class FirstByteWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let connection: ConnectionGuard

    init(_ connection: ConnectionGuard) {
        self.connection = connection
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.connection.bytesArrived()
        context.fireChannelRead(data)
    }
}

@available(*, unavailable)
extension FirstByteWatch: Sendable {}
