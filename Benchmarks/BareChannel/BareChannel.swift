import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// The limit a cached read is held against: a channel handler of NIO's that answers the same bytes from memory, and does nothing else.
///
/// usage: bare-channel PORT ANSWER, where ANSWER is a file with the head and body of an HTTP answer, as `curl -i` writes it.
@main
struct BareChannel {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 3, let port = Int(arguments[1]) else {
            FileHandle.standardError.write(Data("usage: bare-channel PORT ANSWER\n".utf8))
            exit(64)
        }
        let answer = try Data(contentsOf: URL(filePath: arguments[2]))
        guard let end = answer.firstRange(of: Data("\r\n\r\n".utf8)) else {
            FileHandle.standardError.write(Data("\(arguments[2]): no end of the head\n".utf8))
            exit(65)
        }
        var headers = HTTPHeaders()
        let head = String(decoding: answer[..<end.lowerBound], as: UTF8.self)
        for line in head.split(separator: "\r\n").dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            headers.add(name: String(parts[0]), value: parts[1].drop { $0 == " " }.description)
        }
        let fields = headers
        let body = ByteBuffer(bytes: answer[end.upperBound...])
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false, withErrorHandling: false)
                    try pipeline.addHandler(Answer(fields, body))
                }
            }
            .bind(host: "127.0.0.1", port: port)
            .get()
        try await channel.closeFuture.get()
    }
}

private final class Answer: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let fields: HTTPHeaders
    private let body: ByteBuffer

    init(_ fields: HTTPHeaders, _ body: ByteBuffer) {
        self.fields = fields
        self.body = body
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .end = Self.unwrapInboundIn(data) else { return }
        let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: self.fields)
        context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
        context.write(Self.wrapOutboundOut(.body(.byteBuffer(self.body))), promise: nil)
        context.write(Self.wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
}

@available(*, unavailable)
extension Answer: Sendable {}
