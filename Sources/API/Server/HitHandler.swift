import HTTPTypes
import NIOCore
import NIOHTTP1

/// Answers on the event loop what lies in memory, before a task is asked.
///
/// Stands between the connection's guard and Hummingbird's handlers. A request that is whole with its header block is held back until
/// it has ended, which is at once, and answered here if the API can; any other is handed on, and so are all behind it until it has
/// its answer: a connection has one answer at a time, in the order of its requests.
///
/// A stream of events is opened from here, too, if nothing was handed on before: Hummingbird is not needed for it, and what a task of
/// its own would hold for as long as the stream does is more than all the rest of it.
final class HitHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let api: API
    private let guardian: ConnectionGuard
    private let wire: WireHandler
    private var seen = Authenticator.SeenToken()
    /// A header block that is not handed on yet.
    private var held: HTTPRequestHead?
    /// Requests handed on whose answer is not written yet.
    private var elsewhere = 0
    /// Whether an answer of ours is not flushed yet.
    private var hasWritten = false
    private var context: ChannelHandlerContext?
    /// Kept until something is handed on that is to be read, or the end; nil also where nobody wants to know, and no stream is opened.
    private var firstHandedOn: EventLoopPromise<Bool>?
    /// Whether a stream of events is being opened or is open: what comes behind it is not read yet.
    private var hasStream = false
    private var opening: Task<Void, Never>?
    /// What happened to the connection while a stream was opened.
    private var missed: [Any] = []

    /// - Parameters:
    ///   - api: answers.
    ///   - guardian: the connection's guard.
    ///   - wire: writes answers.
    ///   - firstHandedOn: told once Hummingbird has to serve the connection; false if it is closed before that.
    init(_ api: API, guardian: ConnectionGuard, wire: WireHandler, firstHandedOn: EventLoopPromise<Bool>? = nil) {
        self.api = api
        self.guardian = guardian
        self.wire = wire
        self.firstHandedOn = firstHandedOn
    }

    deinit { beginReading(false) }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        opening?.cancel()
        beginReading(false)
    }

    /// Says whether what is handed on is to be read.
    private func beginReading(_ isNeeded: Bool) {
        guard !(isNeeded && hasStream) else { return }
        firstHandedOn?.succeed(isNeeded)
        firstHandedOn = nil
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch Self.unwrapInboundIn(data) {
        case .head(let head):
            // A peer that does not take its answers is waited for where that holds up its requests.
            if elsewhere == 0, head.method == .GET || head.method == .HEAD, context.channel.isWritable {
                held = head
            } else {
                elsewhere += 1
                beginReading(true)
                context.fireChannelRead(data)
            }
        case .body:
            release(context)
            context.fireChannelRead(data)
        case .end(let trailers):
            if let head = held, trailers == nil,
                let reply = api.answerAtOnce(head, channel: context.channel, seen: &self.seen)
            {
                held = nil
                reply.write(to: wire, context.channel.allocator)
                hasWritten = true
                guardian.answered()
            } else if let head = held, trailers == nil, firstHandedOn != nil,
                let exchange = api.asksForEvents(head, channel: context.channel)
            {
                held = nil
                open(exchange, context)
            } else {
                release(context)
                context.fireChannelRead(data)
            }
        }
    }

    /// Hands on what was held back.
    private func release(_ context: ChannelHandlerContext) {
        guard let head = held else { return }
        held = nil
        elsewhere += 1
        beginReading(true)
        context.fireChannelRead(Self.wrapInboundOut(.head(head)))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        release(context)
        beginReading(true)
        context.fireErrorCaught(error)
    }

    // MARK: Streams of events

    private func open(_ exchange: Exchange, _ context: ChannelHandlerContext) {
        elsewhere += 1
        hasStream = true
        let (api, loop) = (self.api, context.eventLoop)
        let handler = NIOLoopBound(self, eventLoop: loop)
        opening = Task {
            let reply = await api.respond(to: exchange)
            loop.execute { handler.value.opened(reply) }
        }
    }

    private func opened(_ reply: Reply) {
        opening = nil
        guard let context else { return }
        if let stream = reply.events {
            // What came meanwhile is not answered: the stream is the last answer.
            missed = []
            do {
                try EventStreamHandler.begin(stream, reply, on: context.channel)
            } catch {
                context.close(promise: nil)
            }
            return
        }
        hasStream = false
        elsewhere -= 1
        context.write(Self.wrapOutboundOut(.head(HTTPResponseHead(reply))), promise: nil)
        if reply.body.readableBytes > 0 {
            context.write(Self.wrapOutboundOut(.body(.byteBuffer(reply.body))), promise: nil)
        }
        context.writeAndFlush(Self.wrapOutboundOut(.end(nil)), promise: nil)
        if elsewhere > 0 { beginReading(true) }
        let events = missed
        missed = []
        for event in events { userInboundEventTriggered(context: context, event: event) }
    }

    // MARK: Answers

    func channelReadComplete(context: ChannelHandlerContext) {
        // Once for all requests that came together.
        if hasWritten {
            hasWritten = false
            wire.flush()
        }
        context.fireChannelReadComplete()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = Self.unwrapOutboundIn(data) { elsewhere = max(0, elsewhere - 1) }
        context.write(data, promise: promise)
    }

    // MARK: The end

    /// The peer sends nothing more, and still reads: what it is owed goes out before Hummingbird closes the connection.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard !hasStream else {
            if opening != nil { missed.append(event) }
            return
        }
        guard elsewhere == 0, case ChannelEvent.inputClosed = event else {
            beginReading(true)
            context.fireUserInboundEventTriggered(event)
            return
        }
        beginReading(true)
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

extension Reply {
    /// Larger bodies are handed over as they lie, at the cost of a second buffer for the system.
    private static let copiedBytes = 16 * 1024

    /// Writes the answer as HTTP/1.1 has it.
    ///
    /// By itself and not by NIO's encoder, which wants the fields in an array of its own and each part in a box. The length is
    /// among the fields already.
    fileprivate func write(to wire: WireHandler, _ allocator: ByteBufferAllocator) {
        // With the phrase of a code that has none of its own.
        let status = HTTPResponseStatus(statusCode: self.status.code, reasonPhrase: self.status.reasonPhrase)
        let isCopied = body.readableBytes <= Self.copiedBytes
        // "HTTP/1.1 ", the code, blanks and line ends.
        var size = 32 + status.reasonPhrase.utf8.count + (isCopied ? body.readableBytes : 0)
        // By index, which copies no field.
        for index in fields.indices {
            size += fields[index].name.rawName.utf8.count + fields[index].value.utf8.count + 4
        }
        var bytes = allocator.buffer(capacity: size)
        // One piece of memory to the end, and not a buffer that is asked for room some fifty times.
        bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { memory in
            var head = HeadWriter(memory)
            head.write("HTTP/1.1 ")
            head.write(String(status.code))
            head.write(" ")
            head.write(status.reasonPhrase)
            head.write("\r\n")
            for index in self.fields.indices {
                head.write(self.fields[index].name.rawName)
                head.write(": ")
                head.write(self.fields[index].value)
                head.write("\r\n")
            }
            head.write("\r\n")
            return head.count
        }
        if isCopied { bytes.writeImmutableBuffer(body) }
        wire.write(bytes)
        if !isCopied { wire.write(body) }
    }
}

/// Writes text into memory that is large enough for it; one byte too many is a defect and stops the process.
private struct HeadWriter {
    private let memory: UnsafeMutableRawBufferPointer
    /// The bytes written.
    private(set) var count = 0

    init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    mutating func write(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            precondition(self.count + bytes.count <= self.memory.count)
            UnsafeMutableRawBufferPointer(rebasing: self.memory[self.count...]).copyMemory(
                from: UnsafeRawBufferPointer(bytes)
            )
            self.count += bytes.count
        }
    }
}
