import Kernel
import Logging
import NIOCore
import NIOHTTP1

/// Keeps one connection within its deadlines and limits, and refuses what is not HTTP as we read it.
///
/// Sits between the HTTP decoder and Hummingbird, so it sees each header block before anything acts on it and each
/// answer before it is encoded. ``WireHandler`` at the head of the pipeline tells it of bytes that are no request yet.
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
    private let connections: OpenConnections
    /// The bytes a body may have that a request announces.
    private let bodyLimit: @Sendable (HTTPRequestHead) -> Int
    private let logger: Logger
    private var deadlines: ConnectionDeadlines
    private var connection: OpenConnections.Connection?
    private var phase = Phase.open
    private var context: ChannelHandlerContext?
    private var tick: NIOScheduledCallback?
    /// Whether an answer is begun and not written whole.
    private var isAnswering = false
    /// Whether anything came.
    private var hasSpoken = false
    /// Whether the last request that is answered has come whole.
    private var hasEnded = false
    /// How many answers are still to be written before the connection ends; `nil` while it may stay.
    private var answersUntilClose: Int?

    init(
        limits: ServerLimits,
        connections: OpenConnections,
        bodyLimit: @escaping @Sendable (HTTPRequestHead) -> Int,
        logger: Logger
    ) {
        self.limits = limits
        self.connections = connections
        self.bodyLimit = bodyLimit
        self.logger = logger
        deadlines = ConnectionDeadlines(limits: limits, now: .now())
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        judge()
        if context.channel.isActive { enter(context: context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        // Before this the peer's address is not known.
        enter(context: context)
        context.fireChannelActive()
    }

    private func enter(context: ChannelHandlerContext) {
        guard connection == nil, phase == .open else { return }
        connection = connections.admit(context.channel)
        if connection == nil {
            logger.debug("connection closed", metadata: ["reason": "no_room"])
            close()
        }
    }

    private func leave() {
        if let connection = self.connection { connections.remove(connection) }
        phase = .closed
        tick?.cancel()
        tick = nil
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    /// Whether nothing that comes now is of a request that will be answered.
    fileprivate var isDeaf: Bool { hasEnded || phase == .lingering || phase == .closed }

    /// Bytes came that may begin a request.
    func bytesArrived() {
        hasSpoken = true
        deadlines.bytesArrived(now: .now())
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .open = phase else { return }
        var data = data
        switch Self.unwrapInboundIn(data) {
        case .head(var head):
            let now = NIODeadline.now()
            deadlines.headParsed(now: now)
            guard isOurs(now) else { return }
            if let path = ProtocolRefusal.pathOfAbsoluteForm(head.uri) {
                head.uri = path
                data = Self.wrapInboundOut(.head(head))
            }
            if let refusal = self.refusal(of: head) {
                refuse(refusal, context: context)
                return
            }
            // Behind a request that would speak another protocol the decoder reads nothing any more.
            if !head.isKeepAlive || head.headers.contains(name: "upgrade"), answersUntilClose == nil {
                answersUntilClose = deadlines.answering
            }
            // Behind other answers it would stand within them; who waits for it goes on by itself (RFC 9110, 10.1.1).
            if deadlines.answering == 1, Self.expectsContinue(head) {
                context.writeAndFlush(
                    Self.wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))),
                    promise: nil
                )
            }
        case .body(let bytes):
            deadlines.bodyArrived(bytes: bytes.readableBytes, now: .now())
        case .end:
            let now = NIODeadline.now()
            deadlines.endParsed(now: now)
            hasEnded = answersUntilClose != nil
            guard isOurs(now) else { return }
        }
        context.fireChannelRead(data)
    }

    /// Says what the connection does now, unless it was chosen to make room: then nothing that it sends begins anything any more.
    private func isOurs(_ now: NIODeadline) -> Bool {
        guard let connection else { return true }
        let isOurs =
            if deadlines.answering == 0 {
                connection.isIdle(since: now)
            } else if onlyAwaitsBody {
                connection.isAwaitingBody(since: now)
            } else {
                connection.isBusy()
            }
        if !isOurs { phase = .closed }
        return isOurs
    }

    /// Whether the rest of a body is all that keeps the connection; answers before it, and one to what came of it, are not to be lost.
    private var onlyAwaitsBody: Bool {
        deadlines.isReadingBody && deadlines.answering == 1 && !isAnswering
    }

    /// Why a header block is refused; one that asks whether to send its body learns here that the body is too large.
    private func refusal(of head: HTTPRequestHead) -> ProtocolRefusal? {
        if let refusal = ProtocolRefusal.of(head, limits: self.limits) { return refusal }
        guard Self.expectsContinue(head) else { return nil }
        let limit = bodyLimit(head)
        let announced = head.headers.first(name: "content-length").map { Int($0) ?? .max } ?? 0
        return announced > limit ? .bodyTooLarge(limit: limit) : nil
    }

    /// Whether the client waits for a word before it sends the body (RFC 9110, 10.1.1: in any case).
    private static func expectsContinue(_ head: HTTPRequestHead) -> Bool {
        head.version == .http1_1
            && head.headers[canonicalForm: "expect"].contains { $0.lowercased() == "100-continue" }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError, case .open = phase else {
            context.fireErrorCaught(error)
            return
        }
        if deadlines.isReadingBody {
            // A route waits for this body: it learns of it, and its answer is the last.
            answersUntilClose = deadlines.answering
            phase = .lastAnswer
            context.fireErrorCaught(error)
        } else {
            refuse(ProtocolRefusal(error), context: context)
        }
    }

    /// Answers a request that must not be parsed further, and ends the connection.
    ///
    /// While earlier answers are still to come nothing can be written out of order: then they are the last ones.
    private func refuse(_ refusal: ProtocolRefusal, context: ChannelHandlerContext) {
        logger.debug("request refused", metadata: ["code": "\(refusal.code)", "status": "\(refusal.status.code)"])
        // A refused header block counts as one being answered; a parser error comes before any.
        let othersInFlight = refusal.isOfCompleteHead ? deadlines.answering - 1 : deadlines.answering
        guard othersInFlight == 0 else {
            answersUntilClose = othersInFlight
            phase = .lastAnswer
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
        linger(context: context)
    }

    // MARK: The end of the instance

    /// Whoever has connected and not said yet what it wants is waited for as the queue was: its request may be on its way.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is ChannelShouldQuiesceEvent, !hasSpoken, phase == .open, limits.drainDelay > .zero else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(limits.lastCall)) { [weak self] in
            self?.context?.fireUserInboundEventTriggered(event)
        }
    }

    // MARK: Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard phase == .open || phase == .lastAnswer else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch Self.unwrapOutboundIn(data) {
        case .head(var head):
            if head.status.code >= 200 {
                isAnswering = true
                if !head.headers.contains(name: "content-length"), head.status.mayHaveResponseBody {
                    deadlines.streams(now: .now())
                }
                if deadlines.isReadingBody { _ = connection?.isBusy() }
            }
            if head.headers.first(name: "connection") == "close" {
                answersUntilClose = 1
            } else if answersUntilClose == 1, head.status.code >= 200 {
                head.headers.replaceOrAdd(name: "connection", value: "close")
                context.write(Self.wrapOutboundOut(.head(head)), promise: promise)
                return
            }
            context.write(data, promise: promise)
        case .body:
            context.write(data, promise: promise)
        case .end:
            answered()
            guard let remaining = answersUntilClose else {
                context.write(data, promise: promise)
                return
            }
            answersUntilClose = remaining - 1
            guard remaining <= 1, phase != .lingering else {
                context.write(data, promise: promise)
                return
            }
            context.writeAndFlush(data, promise: promise)
            linger(context: context)
        }
    }

    /// An answer is written whole.
    func answered() {
        let now = NIODeadline.now()
        isAnswering = false
        deadlines.answered(now: now)
        if phase == .open { _ = isOurs(now) }
    }

    /// Closes our side once all is written, so that the peer reads the answer to its end, and then waits a little for it to close.
    private func linger(context: ChannelHandlerContext) {
        phase = .lingering
        let written = context.eventLoop.makePromise(of: Void.self)
        let eventLoop = context.eventLoop.assumeIsolated()
        written.futureResult.assumeIsolated().whenComplete { _ in
            eventLoop.scheduleTask(in: self.limits.lingering) { [weak self] in self?.close() }
        }
        context.close(mode: .output, promise: written)
    }

    /// Whether the connection is given up: what is written is not worth waiting for.
    var isClosed: Bool { phase == .closed }

    /// What is written and not taken yet.
    fileprivate func pendingBytes(_ context: ChannelHandlerContext) -> Int {
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    // MARK: Deadlines

    private func judge() {
        guard let context, self.phase != .closed else { return }
        switch deadlines.verdict(now: .now(), pendingBytes: self.pendingBytes(context)) {
        case .askAgain(let time):
            tick = try? context.eventLoop.assumeIsolated().scheduleCallback(at: time, handler: self)
        case .close(let reason):
            if reason.isOfBody, case .open = self.phase, !isAnswering {
                giveUpBody(reason, context: context)
                return
            }
            logger.debug("connection closed", metadata: ["reason": "\(reason.rawValue)"])
            self.close()
        }
    }

    /// Tells the route that waits for a body that no more of it will come; its answer, 408, is the last.
    private func giveUpBody(_ reason: ConnectionDeadlines.Reason, context: ChannelHandlerContext) {
        logger.debug("body given up", metadata: ["reason": "\(reason.rawValue)"])
        deadlines.bodyGivenUp(now: .now())
        answersUntilClose = deadlines.answering
        phase = .lastAnswer
        _ = connection?.isBusy()
        context.fireErrorCaught(Problem(.requestTimeout, "The rest of the body did not come in time."))
        judge()
    }

    private func close() {
        guard let context, self.phase != .closed else { return }
        self.phase = .closed
        context.close(promise: nil)
    }
}

extension ConnectionGuard: NIOScheduledCallbackHandler {
    func handleScheduledCallback(eventLoop: some EventLoop) {
        judge()
    }
}

@available(*, unavailable)
extension ConnectionGuard: Sendable {}

/// Stands where bytes are bytes: tells the guard of each that comes, before the decoder holds it back, and sends answers that need no
/// encoder.
final class WireHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private let connection: ConnectionGuard
    private var context: ChannelHandlerContext?

    init(_ connection: ConnectionGuard) {
        self.connection = connection
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // The decoder would keep them until the connection is closed.
        guard !connection.isDeaf else { return }
        connection.bytesArrived()
        context.fireChannelRead(data)
    }

    /// Sends bytes with the next flush.
    func write(_ bytes: ByteBuffer) {
        context?.write(Self.wrapOutboundOut(.byteBuffer(bytes)), promise: nil)
    }

    /// Hands the system what is written, past handlers that would only pass the word on.
    func flush() { context?.flush() }

    /// Closes once the system has taken what is written: NIO throws it away where both sides are closed then.
    ///
    /// A peer that takes nothing is given up by the guard's deadlines, as ever.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        // What is not connected yet takes nothing, so that its close must not wait.
        guard mode != .input, !connection.isClosed, context.channel.isActive,
            connection.pendingBytes(context) > 0
        else {
            context.close(mode: mode, promise: promise)
            return
        }
        let taken = context.eventLoop.makePromise(of: Void.self)
        taken.futureResult.assumeIsolated().whenComplete { _ in context.close(mode: mode, promise: promise) }
        context.writeAndFlush(Self.wrapOutboundOut(.byteBuffer(ByteBuffer())), promise: taken)
    }
}

@available(*, unavailable)
extension WireHandler: Sendable {}
