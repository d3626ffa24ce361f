import Cache
import Console
import Crypto
import HTTPTypes
import Kernel
import NIOCore
import Services

/// The console, as it is asked for: its page, and the files that the page is made of.
///
/// It is no part of the API, and stands in no document of it: whatever it does, it does by operations that anybody may use. So nobody
/// is asked for a credential here, and what is answered lies ready in memory.
struct ConsolePages: Sendable {
    /// Where the page is.
    static let path = "/console/"

    private let page: File
    private let files: [String: File]

    /// A file with all forms of its bytes.
    private struct File {
        let type: ContentType
        let plain: ByteBuffer
        let compressed: ByteBuffer?
        let etag: String

        init(_ bytes: [UInt8], _ type: ContentType) {
            self.type = type
            plain = ByteBuffer(bytes: bytes)
            compressed = Gzip.deflate(plain)
            etag = "\"\(Hexadecimal.text(SHA256.hash(data: bytes).prefix(16)))\""
        }

        /// What is answered to a browser, which may have the bytes already.
        func reply(_ fields: RequestFields, kept: Reply.Keeping) -> Reply {
            let isCompressed = compressed != nil && fields.acceptsGzip
            let sent = isCompressed ? EntityTag.compressed(etag) : etag
            let current = fields.current(etag, sent: sent)
            var reply =
                current == nil
                ? Reply(.ok, body: isCompressed ? compressed ?? plain : plain, type: type)
                : Reply(.notModified)
            reply.append(.eTag, current ?? sent)
            if current == nil, isCompressed { reply.append(.contentEncoding, "gzip") }
            if compressed != nil { reply.append(.vary, "Accept-Encoding") }
            reply.face = .console
            reply.kept = kept
            reply.isFromMemory = true
            return reply
        }
    }

    /// Makes the console's answers, of its files as they lie in the program.
    init() {
        var digest = SHA256()
        for file in ConsoleFiles.all {
            digest.update(data: Array(file.name.utf8))
            digest.update(data: file.bytes)
        }
        // All files have one version in their path: modules name each other as they lie, and are of one version or not at all.
        let version = Hexadecimal.text(digest.finalize().prefix(8))
        var files: [String: File] = [:]
        for file in ConsoleFiles.all {
            files["\(Self.path)\(version)/\(file.name)"] = File(file.bytes, Self.type(of: file.name))
        }
        self.files = files
        let text = String(decoding: ConsoleFiles.page, as: UTF8.self).replacing("VERSION", with: version)
        page = File(Array(text.utf8), .html)
    }

    /// Answers what is asked of the console.
    ///
    /// - Parameter exchange: The request.
    /// - Returns: The answer; nil if something else is asked for.
    func reply(to exchange: Exchange) -> Reply? {
        let second = exchange.path.utf8.dropFirst().first
        // Of all else the second letter tells; hits of the API come by here.
        guard second == nil || second == UInt8(ascii: "c"), exchange.method == .get || exchange.method == .head
        else { return nil }
        switch exchange.path {
        case "/", "/console":
            var reply = Reply(.found)
            reply.append(.location, Self.path)
            return reply
        case Self.path[...]:
            return page.reply(exchange.fields, kept: .asked)
        default:
            return files[String(exchange.path)]?.reply(exchange.fields, kept: .forGood)
        }
    }

    private static func type(of name: String) -> ContentType {
        switch name.split(separator: ".").last {
        case "css": .css
        case "svg": .svg
        default: .javaScript
        }
    }
}
