package import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPCompression

/// Bodies compressed by gzip, once when they are filled, for everybody who accepts it.
///
/// By the codecs of swift-nio-extras, which come as channel handlers: each runs in a channel of its own that leads nowhere,
/// made, used and closed in one call.
package enum Gzip {
    /// The body compressed; nil if that saves less than an eighth.
    package static func deflate(_ body: ByteBuffer) -> ByteBuffer? {
        let channel = EmbeddedChannel(handler: NIOHTTPRequestCompressor(encoding: .gzip))
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        do {
            let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/")
            channel.write(HTTPClientRequestPart.head(head), promise: nil)
            channel.write(HTTPClientRequestPart.body(.byteBuffer(body)), promise: nil)
            try channel.writeOutbound(HTTPClientRequestPart.end(nil))
            while let part = try channel.readOutbound(as: HTTPClientRequestPart.self) {
                guard case .body(.byteBuffer(let deflated)) = part else { continue }
                guard deflated.readableBytes < body.readableBytes - body.readableBytes / 8 else { return nil }
                // The codec's buffer has room for the worst case.
                return Self.trimmed(deflated)
            }
        } catch {}
        return nil
    }

    /// What was compressed; nil if it is not of the given length, or nothing that gzip has written.
    static func inflate(_ deflated: ByteBuffer, length: Int) -> ByteBuffer? {
        let channel = EmbeddedChannel(handler: NIOHTTPRequestDecompressor(limit: .size(length)))
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        var body = ByteBufferAllocator().buffer(capacity: length)
        do {
            let headers: HTTPHeaders = [
                "Content-Encoding": "gzip", "Content-Length": String(deflated.readableBytes),
            ]
            let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/", headers: headers)
            try channel.writeInbound(HTTPServerRequestPart.head(head))
            try channel.writeInbound(HTTPServerRequestPart.body(deflated))
            try channel.writeInbound(HTTPServerRequestPart.end(nil))
            while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
                guard case .body(var portion) = part else { continue }
                body.writeBuffer(&portion)
            }
        } catch {
            return nil
        }
        return body.readableBytes == length ? body : nil
    }

    private static func trimmed(_ buffer: ByteBuffer) -> ByteBuffer {
        var copy = ByteBufferAllocator().buffer(capacity: buffer.readableBytes)
        copy.writeBytes(buffer.readableBytesView)
        return copy
    }
}
