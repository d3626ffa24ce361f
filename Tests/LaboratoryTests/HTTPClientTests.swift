import Laboratory
import NIOCore
import NIOPosix
import Testing

@Suite("HTTP client")
struct HTTPClientTests {
    /// Answers whatever comes once, and closes as a server does whose patience with idle connections is over.
    private final class OneAnswer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let closed: @Sendable () -> Void

        init(closed: @escaping @Sendable () -> Void) { self.closed = closed }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let answer = ByteBuffer(string: "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            context.writeAndFlush(Self.wrapOutboundOut(answer), promise: nil)
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { closed() }
    }

    @Test("a connection that was closed while it was idle is not asked, and so loses no request")
    func idle() async throws {
        let (closings, closing) = AsyncStream.makeStream(of: Void.self)
        let server = try await ServerBootstrap(group: ProxyTests.loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(OneAnswer { closing.yield() })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let client = HTTPClient(port: try #require(server.localAddress?.port), forgivesClosing: false)
        var ended = closings.makeAsyncIterator()
        for _ in 0..<3 {
            #expect(try await client.send("GET", "/").status == 200)
            await ended.next()
        }
        try await server.close()
    }
}
