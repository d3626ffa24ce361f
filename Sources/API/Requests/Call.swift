import Cache
import Crypto
import HTTPTypes
import HummingbirdCore
import Kernel
import NIOCore
import Services

/// One request on its way through its route: what was asked, by whom, until when.
package struct Call: Sendable {
    /// The route that was found.
    let route: Route
    /// The request as it came.
    let exchange: Exchange
    /// The text of the path's varying segments.
    let segments: [Substring]
    /// After this the answer is worth nothing; counted from the end of the body.
    private(set) var deadline: ContinuousClock.Instant
    /// Largest body accepted.
    let bodyLimit: Int
    /// Who asks; `nil` on open routes.
    let caller: Caller?
    /// What the client has written and seen, if it said so and that can be read.
    let token: ConsistencyToken?
    /// Makes the tokens of reads; `nil` in tests without a cache.
    let cache: TenantCache?
    /// Charged for a body whose length shows only when it is read; `nil` for a request that costs its tenant nothing.
    let rates: RateLimits?
    /// The body, once all of it is here.
    private var received: ByteBuffer?

    init(
        route: Route,
        exchange: Exchange,
        segments: [Substring],
        deadline: ContinuousClock.Instant,
        bodyLimit: Int,
        caller: Caller?,
        token: ConsistencyToken?,
        cache: TenantCache?,
        rates: RateLimits?
    ) {
        self.route = route
        self.exchange = exchange
        self.segments = segments
        self.deadline = deadline
        self.bodyLimit = bodyLimit
        self.caller = caller
        self.token = token
        self.cache = cache
        self.rates = rates
    }

    // MARK: Who and until when

    /// Who asks, with deadline and name, as services take it.
    ///
    /// - Throws: `unauthenticated` on an open route; a defect of the table.
    func context() throws(Problem) -> CallContext {
        guard let caller else { throw Problem(.unauthenticated, "This needs a credential.") }
        return CallContext(
            caller: caller,
            deadline: self.deadline,
            requestID: exchange.requestID,
            address: self.address,
            bypassCache: bypassesCache,
            token: self.token
        )
    }

    /// Where the request comes from; to be asked only where that matters.
    var client: IPAddress? { exchange.client }

    /// Where the request came from.
    var origin: Origin {
        let client = self.client
        return Origin(
            requestID: exchange.requestID,
            address: client?.description ?? "unknown",
            network: client.limited
        )
    }

    /// Whether the answer must come from the database: because the client says so, or because what it says of its writes
    /// cannot be read, which must not make it miss one.
    var bypassesCache: Bool {
        exchange.fields.bypassesCache || (exchange.fields.consistency != nil && token == nil)
    }

    /// The client's address, for logs and the audit: what a header claims only where a trusted proxy says so.
    var address: String { client?.description ?? "unknown" }

    // MARK: What was asked

    /// The id in the path; a malformed one is one that does not exist.
    ///
    /// - Parameter index: which of the varying segments.
    /// - Returns: the id.
    /// - Throws: `not_found`.
    func id<Kind>(_ index: Int = 0) throws(Problem) -> ID<Kind> {
        guard index < segments.count, let id = ID<Kind>(segments[index]) else { throw .notFound }
        return id
    }

    /// The media type that the answer is to have: of those that the route gives, the one that the client likes best.
    ///
    /// - Returns: The type.
    /// - Throws: 406 `not_acceptable`.
    func answerType() throws(Problem) -> ContentType {
        let accept = exchange.fields.accept
        if route.isFirstForm(accept) { return route.answerType }
        return try Accept.choose(among: route.answerTypes, by: accept)
    }

    /// Reads the query; every fault is in one problem.
    ///
    /// - Parameter read: asks for each parameter the route knows.
    /// - Returns: what it made of them.
    /// - Throws: `invalid_request` with every fault.
    func query<T>(_ read: (inout Query) throws(Problem) -> T) throws(Problem) -> T {
        var query = Query(exchange.query)
        let value = try read(&query)
        try query.finish()
        return value
    }

    /// Refuses any parameter, for routes that take none.
    func noQuery() throws(Problem) {
        guard let text = exchange.query, !text.isEmpty else { return }
        try Query(text).finish()
    }

    /// Reads a JSON body; every fault is in one problem.
    ///
    /// - Parameter read: asks for each field the route knows.
    /// - Returns: what it made of them.
    /// - Throws: `invalid_request`, `validation_failed`, `too_large`, `unsupported_media_type`.
    func body<T>(_ read: (inout JSONObjectReader) -> T) async throws -> T {
        try Self.read(await json(), read)
    }

    /// Reads the body of a route.
    ///
    /// - Parameter body: Says how.
    /// - Returns: What it made of it; of an empty object, if it may be left out and is.
    /// - Throws: as ``body(_:)``.
    func body<Value>(_ body: Body<Value>) async throws -> Value {
        try Self.read(await json(isOptional: body.isOptional), body.read)
    }

    /// Reads the body of a command, and its idempotency key.
    ///
    /// - Parameters:
    ///   - body: Says how it is read.
    ///   - demand: Whether there must be a key.
    /// - Returns: The value, and the key, which knows what was asked - the body and what the path names - by a digest that spelling
    ///   does not change.
    /// - Throws: as ``body(_:)``; `idempotency_key_missing`.
    func keyedBody<Value>(
        _ body: Body<Value>,
        _ demand: Route.KeyDemand
    ) async throws -> (Value, IdempotencyKey?) {
        if demand == .accepted, exchange.fields.idempotencyKey == nil {
            return (try await self.body(body), nil)
        }
        let text = try idempotencyKey()
        let json = try await self.json(isOptional: body.isOptional)
        let value = try Self.read(json, body.read)
        var digest = SHA256()
        digest.update(data: json.canonicalBytes)
        // A key is the route's, which is the same for all things of a kind.
        for segment in segments { digest.update(data: Array(segment.lowercased().utf8)) }
        let hash = Array(digest.finalize())
        return (value, IdempotencyKey(route: self.route.idempotencyScope, key: text, requestHash: hash))
    }

    /// Reads a body that is bytes, whatever its media type says they are.
    ///
    /// - Returns: The bytes.
    /// - Throws: `too_large`; `invalid_request` if they are not what `Content-Digest` says (RFC 9530), so that what a line has spoiled
    ///   is sent again. Digests by other algorithms than SHA-256 are not looked at.
    func bytes() async throws -> [UInt8] {
        let bytes = Array(try await collect().readableBytesView)
        guard let digest = try ContentDigest(exchange.fields.contentDigest) else { return bytes }
        guard digest.sha256.elementsEqual(SHA256.hash(data: bytes)) else {
            throw Problem(.invalidRequest, "The body is not the one that Content-Digest is of; send it again.")
        }
        return bytes
    }

    private static func read<T>(_ json: JSONValue, _ read: (inout JSONObjectReader) -> T) throws(Problem) -> T {
        var reader = try JSONObjectReader(body: json)
        let value = read(&reader)
        try reader.finish()
        return value
    }

    /// The body as JSON; an empty object, if it may be left out and is.
    private func json(isOptional: Bool = false) async throws -> JSONValue {
        guard isOptional else {
            try checkMediaType()
            return try Self.parse(await collect())
        }
        let bytes = try await collect()
        if bytes.readableBytes == 0 { return .object(JSONObject()) }
        try checkMediaType()
        return try Self.parse(bytes)
    }

    private static func parse(_ bytes: ByteBuffer) throws(Problem) -> JSONValue {
        do throws(JSONError) {
            return try JSONValue.parse(Array(bytes.readableBytesView))
        } catch {
            throw error.problem
        }
    }

    /// The call with its body, so that whoever sends slowly takes no place meanwhile, and has the same time for its answer.
    ///
    /// - Parameter patience: how long an answer may take from then on.
    /// - Returns: the same call if its route reads no body, or none was sent.
    /// - Throws: `too_large`; what ended the connection.
    func withBody(_ patience: Duration) async throws -> Call {
        guard route.body != nil, exchange.fields.hasBody else { return self }
        var call = self
        call.received = try await collect()
        call.deadline = .now + patience
        return call
    }

    private func collect() async throws -> ByteBuffer {
        if let received { return received }
        guard exchange.fields.bodyLength <= bodyLimit else { throw tooLarge }
        do {
            let body = try await exchange.body.collect(upTo: bodyLimit)
            if exchange.fields.isChunked, let caller = self.caller {
                rates?.charge(caller, bytes: body.readableBytes)
            }
            return body
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
    }

    private var tooLarge: Problem {
        Problem(.tooLarge, "The body may have at most \(bodyLimit) bytes.")
    }

    private func checkMediaType() throws(Problem) {
        let type = exchange.fields.contentType ?? ""
        var parts = type.split(separator: ";", omittingEmptySubsequences: false)[...]
        let name = parts.popFirst()?.trimmingSpaces.lowercased() ?? ""
        let isPatch = route.method == .patch
        guard name == "application/json" || (isPatch && name == "application/merge-patch+json") else {
            let accepted = isPatch ? "application/merge-patch+json or application/json" : "application/json"
            throw Problem(
                .unsupportedMediaType,
                "The body must be \(accepted) in UTF-8, not \"\(Text.excerpt(type))\"."
            )
        }
        for part in parts {
            // Nothing may stand between semicolons (RFC 9110, 5.6.6), and parameters nobody defined mean nothing.
            let parameter = part.trimmingSpaces.lowercased()
            guard parameter.hasPrefix("charset=") else { continue }
            var charset = parameter.dropFirst("charset=".count)
            if charset.count >= 2, charset.first == "\"", charset.last == "\"" {
                charset = charset.dropFirst().dropLast()
            }
            guard charset == "utf-8" || charset == "utf8" else {
                throw Problem(.unsupportedMediaType, "The body must be in UTF-8, not \(Text.excerpt(charset)).")
            }
        }
    }

    // MARK: Conditions

    /// The idempotency key.
    ///
    /// - Throws: `idempotency_key_missing`, or `invalid_request` for one that is malformed.
    func idempotencyKey() throws(Problem) -> String {
        guard let sent = exchange.fields.idempotencyKey else {
            throw Problem(
                .idempotencyKeyMissing,
                "Send an Idempotency-Key of your own making, so that the request can be repeated without harm."
            )
        }
        guard let key = Self.idempotencyKey(in: sent) else {
            throw Problem(.invalidRequest, "An Idempotency-Key has 1 to 255 visible ASCII characters.")
        }
        return key
    }

    /// The key that a text says, in a field or in a body: the same in quotes and without.
    ///
    /// - Parameter text: What was sent.
    /// - Returns: The key; nil unless it is 1 to 255 visible ASCII characters.
    static func idempotencyKey(in text: String) -> String? {
        let isQuoted = text.count >= 2 && text.hasPrefix("\"") && text.hasSuffix("\"")
        let key = isQuoted ? text.dropFirst().dropLast() : text[...]
        let isOne = (1...255).contains(key.utf8.count) && key.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        return isOne ? String(key) : nil
    }

    /// What `If-Match` demands of the row.
    ///
    /// - Returns: The versions accepted.
    /// - Throws: `precondition_required` without the field.
    func expectedVersion() throws(Problem) -> ExpectedVersion {
        guard let field = exchange.fields.ifMatch else {
            throw Problem(
                .preconditionRequired,
                "Send If-Match with the ETag you read, so that nobody's change is overwritten unseen."
            )
        }
        return try ExpectedVersion(ifMatch: field)
    }

    // MARK: Answers

    /// The answer to a cached read: the bytes as they lie, 304 when the client has them, 404 when there is nothing.
    ///
    /// Whoever accepts gzip gets the compressed bytes as they lie, too: they are made once, when the answer is.
    func reply(_ answer: CachedAnswer) throws -> Reply {
        guard let body = answer.body else { throw SeenRefusal(problem: .notFound, consistency: seen(in: answer)) }
        let type = try answerType()
        if type == .csv, let table = route.gives.table { return try reply(answer, body, as: table) }
        var reply: Reply
        if let compressed = answer.compressed {
            let isCompressed = exchange.fields.acceptsGzip
            let etag = isCompressed ? EntityTag.compressed(answer.etag) : answer.etag
            if let current = exchange.fields.current(answer.etag, sent: etag) {
                reply = Reply(.notModified)
                reply.append(.eTag, current)
            } else {
                reply = Reply(.ok, body: isCompressed ? compressed : body, type: type)
                reply.append(.eTag, etag)
                if isCompressed { reply.append(.contentEncoding, "gzip") }
            }
            reply.append(.vary, "Accept-Encoding")
        } else {
            let etag = answer.etag
            let isCurrent = exchange.fields.current(etag, sent: etag) != nil
            reply = isCurrent ? Reply(.notModified) : Reply(.ok, body: body, type: type)
            reply.append(.eTag, etag)
        }
        // Also of what is not sent again: the fields of both are one.
        if type == .html { reply.face = .page }
        return dressed(reply, of: answer)
    }

    /// The same as a table, which is made of the body that is cached; the page behind it is linked, as a table has no place for it.
    private func reply(_ answer: CachedAnswer, _ body: ByteBuffer, as table: CSVTable) throws(Problem) -> Reply {
        let etag = EntityTag.table(answer.etag)
        var reply: Reply
        if exchange.fields.current(etag, sent: etag) != nil {
            reply = Reply(.notModified)
        } else {
            let (text, next) = try table.write(body)
            reply = Reply(.ok, body: text, type: .csv)
            if let next {
                let query = (exchange.query ?? "").split(separator: "&").filter { !$0.hasPrefix("cursor=") }
                let rest = (query.map { String($0) } + ["cursor=\(next)"]).joined(separator: "&")
                reply.append(.link, "<\(exchange.path)?\(rest)>; rel=\"next\"")
            }
        }
        reply.append(.eTag, etag)
        return dressed(reply, of: answer)
    }

    /// The fields of every cached read: where it came from, and what it reflects.
    private func dressed(_ plain: Reply, of answer: CachedAnswer) -> Reply {
        var reply = plain
        reply.append(.cacheStatus, answer.status.headerValue)
        reply.fields.append(Reply.varyAuthorization)
        reply.kept = .asked
        reply.isFromMemory = answer.status == .l1Hit
        return reply.with(eventSequence: answer.eventSequence).with(consistency: seen(in: answer))
    }

    /// What a client that keeps a token has seen with an answer.
    private func seen(in answer: CachedAnswer) -> String? {
        guard exchange.fields.consistency != nil, let cache = self.cache, let caller = self.caller else { return nil }
        return cache.token(token ?? ConsistencyToken(tenant: caller.tenant.rawValue), read: answer)
    }

    /// The answer of a write.
    func reply(_ answer: Answer) -> Reply {
        var reply =
            answer.status == 204
            ? Reply(.noContent) : Reply(HTTPResponse.Status(code: answer.status), body: answer.body)
        if answer.status >= 400 {
            // A stored refusal, replayed: it is the problem document of the first time.
            reply = Reply(HTTPResponse.Status(code: answer.status), body: answer.body, type: .problem)
        }
        if let location = answer.location { reply.append(.location, location) }
        if let etag = answer.etag { reply.append(.eTag, etag) }
        if answer.replayed { reply.append(.idempotencyReplayed, "true") }
        return reply.with(consistency: answer.consistency)
    }
}

extension StringProtocol {
    /// The text without spaces and tabs at its ends.
    var trimmingSpaces: Substring {
        var bytes = Substring(self).utf8
        while let first = bytes.first, first == 0x20 || first == 0x09 { bytes.removeFirst() }
        while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
        return Substring(bytes)
    }
}
