import Kernel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

@testable import Services

/// A server that webhooks are sent to, which does what a test says.
final class Receiver: Sendable {
    /// What came in.
    struct Received: Sendable {
        let head: HTTPRequestHead
        let body: [UInt8]

        var id: String { head.headers["webhook-id"].first ?? "" }
        var signatures: [String] {
            (head.headers["webhook-signature"].first ?? "").split(separator: " ").map { String($0) }
        }
        var timestamp: Int64 { head.headers["webhook-timestamp"].first.flatMap { Int64($0) } ?? 0 }

        var sequence: Int64 {
            guard case .object(let object)? = try? JSONValue.parse(body), case .number(let text)? = object["seq"] else {
                return -1
            }
            return Int64(text) ?? -1
        }
    }

    /// What is done about it.
    enum Behaviour: Sendable {
        case answer(Int, String = "", fields: [String: String] = [:])
        /// Nothing is answered.
        case silence
        /// The connection ends.
        case hangUp
        /// An answer of 200 that goes on for as long as it is listened to.
        case goOn
    }

    typealias Judging = @Sendable (Received) -> Behaviour

    let port: Int
    private let channel: any Channel
    private let state: Mutex<(received: [Received], judge: Judging)>

    private init(channel: any Channel, judging inbox: Inbox) {
        self.channel = channel
        port = channel.localAddress?.port ?? 0
        state = Mutex(([], { _ in .answer(200, "ok") }))
        inbox.receiver.withLock { $0 = self }
    }

    /// Has handlers find the receiver, which is made after them.
    private final class Inbox: Sendable {
        let receiver = Mutex<Receiver?>(nil)
    }

    /// Starts a server on the loopback.
    static func open(tls: NIOSSLContext? = nil) async throws -> Receiver {
        let inbox = Inbox()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(inbox: inbox))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return Receiver(channel: channel, judging: inbox)
    }

    func close() async throws { try await channel.close() }

    var url: String { "http://127.0.0.1:\(port)/hooks?shop=1" }

    /// What came in, in that order.
    var received: [Received] { state.withLock { $0.received } }

    var sequences: [Int64] { received.map(\.sequence) }

    /// Has it do something else from now on.
    func answer(_ judge: @escaping Judging) { state.withLock { $0.judge = judge } }

    func answer(_ code: Int) { answer { _ in .answer(code, "no") } }

    private func take(_ received: Received) -> Behaviour {
        state.withLock { state in
            state.received.append(received)
            return state.judge
        }(received)
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let inbox: Inbox
        private var head: HTTPRequestHead?
        private var body: [UInt8] = []

        init(inbox: Inbox) { self.inbox = inbox }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): (self.head, body) = (head, [])
            case .body(let bytes): body += bytes.readableBytesView
            case .end:
                guard let head, let receiver = inbox.receiver.withLock({ $0 }) else { return }
                act(receiver.take(Received(head: head, body: body)), context)
            }
        }

        private func act(_ behaviour: Behaviour, _ context: ChannelHandlerContext) {
            switch behaviour {
            case .silence: break
            case .hangUp: context.close(promise: nil)
            case .answer(let code, let text, let fields):
                var headers = HTTPHeaders(fields.map { ($0.key, $0.value) })
                headers.add(name: "content-length", value: "\(text.utf8.count)")
                write(code, headers, context)
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            case .goOn:
                write(200, ["transfer-encoding": "chunked"], context)
                goOn(context)
            }
        }

        private func write(_ code: Int, _ headers: HTTPHeaders, _ context: ChannelHandlerContext) {
            let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: code), headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
        }

        /// Writes what no answer has, until nobody listens.
        private func goOn(_ context: ChannelHandlerContext) {
            let part = wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: String(repeating: "x", count: 100)))))
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.writeAndFlush(part).whenSuccess {
                // In a turn of its own: what a socket takes at once is written by now, and each part would go deeper than the last.
                bound.value.1.eventLoop.execute {
                    let (handler, context) = bound.value
                    if context.channel.isActive { handler.goOn(context) }
                }
            }
        }
    }
}

extension AddressRule {
    /// What tests may send to: the machine itself, without TLS.
    static var ofTests: AddressRule {
        get throws { AddressRule(allowsHTTP: true, exceptions: try [AddressRange](list: "127.0.0.0/8")) }
    }
}
