import Kernel
import NIOHTTP1

/// Why a request is refused before any route sees it, and the answer it gets.
struct ProtocolRefusal {
    /// The status of the answer.
    let status: HTTPResponseStatus
    /// The problem's code.
    let code: Problem.Code
    /// What was wrong and what is accepted.
    let detail: String
    /// Whether a whole header block came; otherwise the parser gave up within one.
    let isOfCompleteHead: Bool

    private init(_ status: HTTPResponseStatus, _ code: Problem.Code, _ detail: String, isOfCompleteHead: Bool = true) {
        self.status = status
        self.code = code
        self.detail = detail
        self.isOfCompleteHead = isOfCompleteHead
    }

    /// The refusal of a parser error.
    ///
    /// - Parameter error: What the HTTP decoder met; its name is not shown, as it names a library's states.
    init(_ error: HTTPParserError) {
        switch error {
        case .headerOverflow:
            self.init(
                .requestHeaderFieldsTooLarge,
                .tooLarge,
                "The header block or one of its fields is too large.",
                isOfCompleteHead: false
            )
        default:
            self.init(
                .badRequest,
                .invalidRequest,
                "The request is not well-formed HTTP/1.1.",
                isOfCompleteHead: false
            )
        }
    }

    /// The refusal of a body before it is sent.
    ///
    /// - Parameter limit: the bytes it may have.
    /// - Returns: the refusal.
    static func bodyTooLarge(limit: Int) -> ProtocolRefusal {
        ProtocolRefusal(.payloadTooLarge, .tooLarge, "The body may have at most \(limit) bytes.")
    }

    /// The path, with its query, of a target that names scheme and host as well.
    ///
    /// Requests to proxies have that form, and every server has to take it (RFC 9112, 3.2.2). The host in it says nothing to us: whose
    /// data is asked for the credential says.
    ///
    /// - Parameter target: the request target.
    /// - Returns: the path; nil for a target of another form.
    static func pathOfAbsoluteForm(_ target: String) -> String? {
        let bytes = target.utf8
        guard bytes.first != UInt8(ascii: "/"), let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let scheme = target[..<colon].lowercased()
        let rest = bytes[bytes.index(after: colon)...]
        guard scheme == "http" || scheme == "https", rest.starts(with: "//".utf8) else { return nil }
        let authority = rest.dropFirst(2)
        let end = authority.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? authority.endIndex
        guard end > authority.startIndex else { return nil }
        let path = String(target[end...])
        return path.utf8.first == UInt8(ascii: "/") ? path : "/" + path
    }

    /// The refusal of a header block, or `nil` when it is acceptable.
    ///
    /// What two programs could read in two ways is refused: a length beside an encoding, a second length or host.
    ///
    /// - Parameters:
    ///   - head: The header block.
    ///   - limits: The limits to hold it to.
    /// - Returns: Why it is refused, or `nil`.
    static func of(_ head: HTTPRequestHead, limits: ServerLimits) -> ProtocolRefusal? {
        guard head.version == .http1_1 || head.version == .http1_0 else {
            return ProtocolRefusal(
                .httpVersionNotSupported,
                .invalidRequest,
                "Only HTTP/1.1 and HTTP/1.0 are spoken here."
            )
        }
        guard head.uri.utf8.count <= limits.targetBytes else {
            return ProtocolRefusal(
                .uriTooLong,
                .tooLarge,
                "The request target is longer than \(limits.targetBytes) bytes."
            )
        }
        guard head.uri.utf8.first == UInt8(ascii: "/") else {
            return ProtocolRefusal(
                .badRequest,
                .invalidRequest,
                "The request target must be a path or a URL of http or https."
            )
        }
        var hosts = 0
        var lengths = 0
        var encodings = 0
        var fields = 0
        for (name, value) in head.headers {
            fields += 1
            // Only these three matter; comparing lengths first keeps the loop cheap.
            switch name.utf8.count {
            case 4 where name.lowercased() == "host":
                hosts += 1
            case 14 where name.lowercased() == "content-length":
                lengths += 1
            case 17 where name.lowercased() == "transfer-encoding":
                encodings += 1
                guard value.lowercased() == "chunked" else {
                    return ProtocolRefusal(
                        .badRequest,
                        .invalidRequest,
                        "The only transfer encoding understood is chunked."
                    )
                }
            default:
                break
            }
        }
        guard fields <= limits.headerFieldCount else {
            return ProtocolRefusal(
                .requestHeaderFieldsTooLarge,
                .tooLarge,
                "More than \(limits.headerFieldCount) header fields."
            )
        }
        guard hosts == 1 || (hosts == 0 && head.version == .http1_0) else {
            return ProtocolRefusal(.badRequest, .invalidRequest, "Exactly one Host field is required.")
        }
        guard lengths + encodings <= 1 else {
            return ProtocolRefusal(
                .badRequest,
                .invalidRequest,
                "A body has one Content-Length or one Transfer-Encoding."
            )
        }
        return nil
    }

    /// The problem document: fixed texts and our own code, so nothing needs escaping.
    var body: String {
        """
        {"type":"\(code.type)","title":"\(code.title)","status":\(status.code),\
        "detail":"\(detail)","code":"\(code.rawValue)"}
        """
    }
}
