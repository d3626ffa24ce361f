import HTTPTypes
import NIOCore
import NIOHTTP1

/// Writes a stream of events as the answer that a connection is waiting for, and as its last.
///
/// Stands behind the connection's guard, which has its deadlines and its end in hand as for any answer. At rest it is an object that
/// the stream calls, and no task: of these there are thousands.
final class EventStreamHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// Nil once its last word is written.
    private var stream: EventStream?
    private var head: HTTPResponseHead?
    private var context: ChannelHandlerContext?
    /// What the stream waits for, which is not done yet.
    private var work: Task<Void, Never>?
    private var leaving: Scheduled<Void>?

    private init(_ stream: EventStream, _ head: HTTPResponseHead) {
        self.stream = stream
        self.head = head
    }

    /// Begins to write an answer.
    ///
    /// To be called on the channel's event loop.
    ///
    /// - Parameters:
    ///   - stream: what is told.
    ///   - reply: the answer it belongs to.
    ///   - channel: the connection.
    /// - Throws: what has the pipeline refuse it, as a connection that is closed does.
    static func begin(_ stream: EventStream, _ reply: Reply, on channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        let guardian = try pipeline.handler(type: ConnectionGuard.self)
        try pipeline.addHandler(EventStreamHandler(stream, HTTPResponseHead(reply)), position: .after(guardian))
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        guard let stream, let head else { return }
        self.head = nil
        context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
        let loop = context.eventLoop
        let handler = NIOLoopBound(self, eventLoop: loop)
        stream.listen { loop.execute { handler.value.proceed() } }
        proceed()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        work?.cancel()
        rest()
    }

    func channelInactive(context: ChannelHandlerContext) {
        rest()
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        proceed()
        context.fireChannelWritabilityChanged()
    }

    /// Nobody listens any more.
    private func rest() {
        stream = nil
        leaving?.cancel()
        leaving = nil
    }

    /// Sends what there is, for as long as it is taken.
    private func proceed() {
        guard let context, work == nil else { return }
        var hasWritten = false
        defer { if hasWritten { context.flush() } }
        while let stream, context.channel.isWritable {
            switch stream.step() {
            case .send(let bytes):
                context.write(Self.wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
                hasWritten = true
            case .work:
                let loop = context.eventLoop
                let handler = NIOLoopBound(self, eventLoop: loop)
                work = Task {
                    await stream.work()
                    loop.execute {
                        handler.value.work = nil
                        handler.value.proceed()
                    }
                }
                return
            case .rest(let time):
                if let time, leaving == nil {
                    leaving = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(time - .now)) {
                        self.leaving = nil
                        self.proceed()
                    }
                }
                return
            case .end(let bytes):
                rest()
                context.write(Self.wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
                context.writeAndFlush(Self.wrapOutboundOut(.end(nil)), promise: nil)
                hasWritten = false
                return
            case .cut:
                rest()
                return
            }
        }
    }
}

@available(*, unavailable)
extension EventStreamHandler: Sendable {}

extension HTTPResponseHead {
    /// The head of an answer.
    init(_ reply: Reply) {
        var headers = HTTPHeaders()
        headers.reserveCapacity(reply.fields.count)
        for field in reply.fields { headers.add(name: field.name.rawName, value: field.value) }
        let status = HTTPResponseStatus(statusCode: reply.status.code, reasonPhrase: reply.status.reasonPhrase)
        self.init(version: .http1_1, status: status, headers: headers)
    }
}
