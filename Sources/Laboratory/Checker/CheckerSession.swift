import Glibc

/// One client of all instances, used by one thread.
///
/// It has a connection to each, and one session of tokens if it keeps one.
final class CheckerSession {
    /// What a request says about consistency.
    enum Mode {
        /// Nothing.
        case plain
        /// It carries the session's token.
        case token
        /// It asks for the database.
        case bypass
    }

    let shop: CheckedShop
    let judge: CoherenceJudge
    /// The session's number; 0 for a client that keeps no tokens.
    let number: Int
    /// Called with what a read of this client got wrong, and the path.
    private let onViolation: @Sendable (Incoherence, CheckedShop.Path) -> Void
    private let connections: [CheckerConnection]
    private let plain: [[UInt8]]
    private let heads: [[UInt8]]
    private let authorization: String
    /// When an instance that did not answer is asked again, by instance.
    private var restingUntil: [Int64]
    private var sightings: [Sighting] = []
    private var token: [UInt8] = []
    /// Where the last answer came from.
    private(set) var lastSource = AnswerSource.other

    /// How long an instance may be silent before a read is given up.
    var patience = Duration.seconds(2)

    init(
        shop: CheckedShop,
        ports: [Int],
        judge: CoherenceJudge,
        number: Int,
        onViolation: @escaping @Sendable (Incoherence, CheckedShop.Path) -> Void
    ) {
        self.shop = shop
        self.judge = judge
        self.number = number
        self.onViolation = onViolation
        connections = ports.map { CheckerConnection(port: $0) }
        self.authorization = "Host: 127.0.0.1\r\nAuthorization: Bearer \(shop.key)\r\n"
        let authorization = self.authorization
        heads = shop.paths.map { Array("GET \($0.text) HTTP/1.1\r\n\(authorization)".utf8) }
        plain = heads.map { $0 + Array("\r\n".utf8) }
        restingUntil = ports.map { _ in .min }
    }

    /// How many instances there are.
    var instanceCount: Int { connections.count }

    /// Whether an instance answered when it was last asked, or was left alone for long enough.
    func isAwake(_ instance: Int) -> Bool { restingUntil[instance] < judge.now }

    /// Begins the session anew, without a token.
    func beginSession() {
        token = []
        judge.take(.sessionBegins(number))
    }

    // MARK: - Reading

    /// Reads a path on an instance, and has it judged; nil if no good answer came.
    @discardableResult
    func read(_ path: Int, from instance: Int, _ mode: Mode = .plain) -> [Sighting]? {
        let request: [UInt8]
        switch mode {
        case .plain: request = plain[path]
        case .token: request = heads[path] + Array("Stock-Consistency: ".utf8) + token + Array("\r\n\r\n".utf8)
        case .bypass: request = heads[path] + Array("Cache-Control: no-cache\r\n\r\n".utf8)
        }
        let start = judge.now
        let answer: CheckerAnswer
        do {
            answer = try connections[instance].exchange(request, within: patience, isRepeatable: true)
        } catch {
            judge.failed()
            restingUntil[instance] = judge.now + 100_000
            return nil
        }
        let end = judge.now
        guard answer.status == 200 else {
            refuse(answer, "GET \(shop.paths[path].text)")
            return nil
        }
        var read = ReadEvent(start: start, end: end, instance: instance)
        read.session = mode == .token ? number : 0
        read.path = path
        read.source = Self.source(answer.cacheStatus)
        lastSource = read.source
        read.etag = answer.etag.count > 0 ? CheckerConnection.hash(answer.etag) : 0
        read.body = CheckerConnection.hash(answer.body)
        read.isWanted = shop.sightings(in: answer.body, path: path, &sightings)
        if mode == .token, let token = answer.token {
            self.token = Array(token)
            read.renewsToken = true
        }
        for violation in judge.take(read, sightings) { onViolation(violation, shop.paths[path]) }
        return sightings
    }

    private func refuse(_ answer: CheckerAnswer, _ request: @autoclosure () -> String) {
        switch answer.status {
        case 429, 503:
            judge.refused(answer.status)
        default:
            judge.unexpected(
                "\(request()): \(answer.status) \(String(decoding: answer.body.prefix(300), as: UTF8.self))"
            )
        }
    }

    static func source(_ status: UnsafeRawBufferPointer) -> AnswerSource {
        guard status.count > 0 else { return .other }
        if CheckerConnection.find("stale", in: status) != nil { return .stale }
        if CheckerConnection.find("bypass", in: status) != nil { return .bypass }
        if CheckerConnection.find("miss", in: status) != nil { return .miss }
        if CheckerConnection.find("l1; hit", in: status) != nil { return .l1 }
        return CheckerConnection.find("l2; hit", in: status) != nil ? .l2 : .other
    }

    // MARK: - Writing

    /// What became of one try of a write.
    enum Outcome {
        /// The instance executed it and said so.
        case done
        /// It was done by an earlier try.
        case wasDone
        /// Not known, or not now: to be tried again.
        case open
        /// The product is at another revision than the request named.
        case conflict
    }

    /// Sends an edit of a product or category at a revision, once.
    func edit(_ subject: Int, from revision: Int64, on instance: Int) -> Outcome {
        let path = subject == shop.categorySubject ? shop.paths[shop.categoryPath].text : shop.paths[subject].text
        let body = #"{"name":"Checked \#(subject) \#(CheckedShop.word) r\#(revision + 1)"}"#
        let request = """
            PATCH \(path) HTTP/1.1\r\n\(authorization)If-Match: "\(revision)"\r\nContent-Type: application/json\r\n\
            Content-Length: \(body.utf8.count)\r\n\(tokenField)\r\n\(body)
            """
        guard let answer = exchange(request, instance) else { return .open }
        switch answer.status {
        case 200:
            keepToken(of: answer)
            return .done
        case 412:
            // What it was refused by is what the client has seen.
            keepToken(of: answer)
            return .conflict
        default:
            refuse(answer, "PATCH \(path)")
            return .open
        }
    }

    /// Sends a sale of 1.00 with an idempotency key, once.
    func sell(key: String, on instance: Int) -> Outcome {
        let body = """
            {"lines":[{"product_id":"\(shop.goods)","quantity":"1"}],"payments":[{"method":"cash","amount":"1.00"}]}
            """
        let request = """
            POST /v1/sales HTTP/1.1\r\n\(authorization)Idempotency-Key: \(key)\r\nContent-Type: application/json\r\n\
            Content-Length: \(body.utf8.count)\r\n\(tokenField)\r\n\(body)
            """
        guard let answer = exchange(request, instance) else { return .open }
        switch answer.status {
        case 201:
            keepToken(of: answer)
            return answer.isReplayed ? .wasDone : .done
        case 409:
            // The first try still runs.
            return .open
        default:
            refuse(answer, "POST /v1/sales")
            return .open
        }
    }

    /// Whether the last write's answer carried a token, which now stands for it.
    private(set) var hasFreshToken = false

    private var tokenField: String {
        number == 0 ? "" : "Stock-Consistency: \(String(decoding: token, as: UTF8.self))\r\n"
    }

    private func keepToken(of answer: CheckerAnswer) {
        hasFreshToken = false
        guard number != 0, let token = answer.token else { return }
        self.token = Array(token)
        hasFreshToken = true
    }

    private func exchange(_ request: String, _ instance: Int) -> CheckerAnswer? {
        hasFreshToken = false
        do {
            // An edit is repeatable by its If-Match, a sale by its key: what a second copy would do shows in the answer.
            return try connections[instance].exchange(Array(request.utf8), within: .seconds(5), isRepeatable: false)
        } catch {
            judge.failed()
            restingUntil[instance] = judge.now + 100_000
            return nil
        }
    }
}
