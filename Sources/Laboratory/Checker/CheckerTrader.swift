import Glibc

/// One client that buys, carries, counts, sells, takes back and edits settings, used by one thread.
///
/// It is the only one to write what it reads. After each command every path that shows it is asked for three times: of an instance
/// with the command's token, of the one that did it without, and of the database; all are to be the same.
final class CheckerTrader {
    /// What is done next of each kind; what has several steps is taken a step further.
    enum Act: CaseIterable, Sendable {
        case renameSupplier
        case renameTax
        case renameTaxGroup
        case renameMethod
        case renameLocation
        case renameRegister
        case buy
        case carry
        case count
        case sell
        case drawer
        case spend
    }

    /// What became of an act.
    enum Outcome: Sendable {
        /// It is not known, or nobody could be asked.
        case givenUp
        /// It was done or refused; by whom, if the first who was asked did it.
        case done(by: Int?)
    }

    /// A document and how far it has come.
    private struct Document {
        var path: String
        var step = 1
        var lines: [String] = []
    }

    private struct Answer {
        let status: Int
        let body: [UInt8]
        let source: AnswerSource
        /// Whether it brought a token, which is kept.
        let hasToken: Bool

        var json: JSON { JSON(parsing: body) }
        var text: String { "\(status) \(String(decoding: body.prefix(300), as: UTF8.self))" }
    }

    private let trade: CheckedTrade
    private let judge: CoherenceJudge
    private let connections: [CheckerConnection]
    private let authorization: String
    private var random: CheckerRandom
    private var token = ""
    private var keys = 0
    private let run: UInt64
    private var documents: [Act: Document] = [:]
    /// When an instance that did not answer is asked again, by instance.
    private var restingUntil: [Int64]

    init(shop: CheckedShop, ports: [Int], judge: CoherenceJudge, seed: UInt64) {
        trade = shop.trade
        self.judge = judge
        connections = ports.map { CheckerConnection(port: $0) }
        authorization = "Host: 127.0.0.1\r\nAuthorization: Bearer \(shop.key)\r\n"
        restingUntil = ports.map { _ in .min }
        random = CheckerRandom(seed: seed)
        run = UInt64.random(in: 0...UInt64.max)
    }

    /// Forgets all that was done: the database is another one.
    func beginAnew() {
        token = ""
        documents = [:]
    }

    /// Does something and compares what shows it.
    func step() {
        let act = Act.allCases[random.below(Act.allCases.count)]
        guard let instance = awake(), case .done(let doer) = perform(act, on: nil) else {
            usleep(1_000)
            return
        }
        compare(from: instance, with: awake() ?? instance, usesToken: true)
        // Who did it needs no token to know of it.
        if let doer { compare(from: doer, with: awake() ?? doer, usesToken: false) }
    }

    private func awake() -> Int? {
        let instance = random.below(connections.count)
        return isAwake(instance) ? instance : nil
    }

    private func isAwake(_ instance: Int) -> Bool { restingUntil[instance] < judge.now }

    // MARK: - Comparing

    /// Asks an instance, whose caches may answer, and the database for every path, and has what differs judged.
    func compare(from instance: Int, with other: Int, usesToken: Bool) {
        let fields = usesToken ? tokenField : ""
        let asked = usesToken ? "with the token" : "of the one that did it"
        for path in trade.paths + documents.values.map(\.path) where !judge.areWritersParked && !judge.isStopped {
            // One that answers nothing would keep it from acting for as many time-outs as there are paths.
            guard isAwake(instance), isAwake(other) else { return }
            let start = judge.now
            guard let found = ask(path, instance, fields), let right = ask(path, other, "Cache-Control: no-cache\r\n")
            else { continue }
            judge.compared()
            guard found.status != right.status || found.body != right.body else { continue }
            judge.report(
                Incoherence(
                    rule: .command,
                    start: start,
                    end: judge.now,
                    instance: instance,
                    subject: -1,
                    required: 0,
                    seen: 0,
                    source: found.source,
                    detail: "GET \(path) \(asked): \(found.text); the database, by instance \(other): \(right.text)"
                )
            )
        }
    }

    private func ask(_ path: String, _ instance: Int, _ fields: String) -> Answer? {
        guard let answer = exchange("GET", path, fields, nil, instance, isRepeatable: true) else { return nil }
        guard answer.status < 500, answer.status != 429 else {
            judge.refused(answer.status)
            return nil
        }
        // The body of a refusal names its request.
        return answer.status == 200
            ? answer : Answer(status: answer.status, body: [], source: answer.source, hasToken: answer.hasToken)
    }

    private var tokenField: String { "Stock-Consistency: \(token)\r\n" }

    private func exchange(
        _ method: String,
        _ path: String,
        _ fields: String,
        _ body: String?,
        _ instance: Int,
        isRepeatable: Bool = false
    ) -> Answer? {
        let length = body.map { "Content-Type: application/json\r\nContent-Length: \($0.utf8.count)\r\n" } ?? ""
        let request = Array("\(method) \(path) HTTP/1.1\r\n\(authorization)\(fields)\(length)\r\n\(body ?? "")".utf8)
        let limit: Duration = body == nil ? .seconds(2) : .seconds(5)
        guard
            let answer = try? connections[instance].exchange(request, within: limit, isRepeatable: isRepeatable)
        else {
            judge.failed()
            restingUntil[instance] = judge.now + 100_000
            return nil
        }
        if body != nil, let token = answer.token { self.token = String(decoding: token, as: UTF8.self) }
        return Answer(
            status: answer.status,
            body: Array(answer.body),
            source: CheckerSession.source(answer.cacheStatus),
            hasToken: answer.token != nil
        )
    }

    // MARK: - Acting

    /// Does one thing until that is known to be done, or refused.
    ///
    /// - Parameters:
    ///   - act: What.
    ///   - instance: Where; anywhere if nil.
    /// - Returns: What became of it.
    func perform(_ act: Act, on instance: Int?) -> Outcome {
        switch act {
        case .renameSupplier: rename("/v1/suppliers/\(trade.supplier)", instance)
        case .renameTax: rename("/v1/taxes/\(trade.tax)", instance)
        case .renameTaxGroup: rename("/v1/tax-groups/\(trade.taxGroup)", instance)
        case .renameMethod: rename("/v1/payment-methods/\(trade.method)", instance)
        case .renameLocation: rename("/v1/locations/\(trade.locations.to)", instance)
        case .renameRegister: rename("/v1/registers/\(trade.register)", instance)
        case .buy: buy(instance)
        case .carry: carry(instance)
        case .count: count(instance)
        case .sell: sell(instance)
        case .drawer: drawer(instance)
        case .spend: spend(instance)
        }
    }

    /// Sends a request until the answer says whether it was done.
    private func send(
        _ method: String,
        _ path: String,
        _ body: String,
        _ fields: String,
        _ wanted: Int?
    ) -> (answer: Answer, instance: Int?)? {
        var isFirst = true
        while !judge.isStopped, !judge.areWritersParked {
            guard let instance = wanted ?? awake() else {
                usleep(1_000)
                continue
            }
            if let answer = exchange(method, path, fields + tokenField, body, instance) {
                switch answer.status {
                case 200..<300:
                    judge.commanded()
                    return (answer, isFirst ? instance : nil)
                case 409 where answer.text.contains("idempotency_in_progress"): break
                case 404, 409, 412, 422:
                    // Another history, or an earlier try was executed after all: its token shows what it did. The database may
                    // have been out of reach for that.
                    if answer.hasToken { return (answer, nil) }
                case 429, 503: judge.refused(answer.status)
                default: judge.unexpected("\(method) \(path): \(answer.text)")
                }
            }
            isFirst = false
            usleep(20_000)
        }
        return nil
    }

    private func post(_ path: String, _ body: String, _ instance: Int?) -> (answer: Answer, instance: Int?)? {
        keys += 1
        return send("POST", path, body, "Idempotency-Key: trade-\(run)-\(keys)\r\n", instance)
    }

    private func rename(_ path: String, _ instance: Int?) -> Outcome {
        guard let asked = instance ?? awake(), let now = ask(path, asked, "Cache-Control: no-cache\r\n"),
            let version = now.json["version"].int
        else { return .givenUp }
        // By its version, a try that comes late does nothing.
        let name = #"{"name":"Ⓢ \#(run % 10_000) \#(version)"}"#
        let sent = send("PATCH", path, name, "If-Match: \"\(version)\"\r\n", instance)
        return sent.map { .done(by: $0.instance) } ?? .givenUp
    }

    /// Makes a document by the first request, and takes it further by the others.
    private func advance(
        _ act: Act,
        _ collection: String,
        _ first: String,
        _ instance: Int?,
        _ next: (Document) -> (path: String, body: String)?
    ) -> Outcome {
        guard var document = documents[act] else {
            guard let made = post(collection, first, instance) else { return .givenUp }
            let json = made.answer.json
            guard let id = json["id"].string else { return .done(by: nil) }
            // Sessions and expenses are made elsewhere than they are found.
            let place = act == .drawer ? "/v1/cash-sessions" : collection
            let lines = json["lines"].elements.compactMap(\.["id"].string)
            documents[act] = Document(path: "\(place)/\(id)", lines: lines)
            return .done(by: made.instance)
        }
        guard let request = next(document) else {
            documents[act] = nil
            return .done(by: nil)
        }
        guard let done = post(request.path, request.body, instance) else { return .givenUp }
        document.step += 1
        // What is refused is of a history that is gone.
        documents[act] = done.answer.status < 300 ? document : nil
        return .done(by: done.instance)
    }

    private func buy(_ instance: Int?) -> Outcome {
        let draft = """
            {"supplier_id":"\(trade.supplier)","location_id":"\(trade.locations.from)","lines":[{"product_id":\
            "\(trade.product)","quantity":"7","unit_cost":"0.\(10 + random.below(90))"}],\
            "costs":[{"name":"freight","amount":"0.10"}]}
            """
        let isPaid = random.below(2) == 0
        return advance(.buy, "/v1/purchases", draft, instance) { purchase in
            switch purchase.step {
            case 1: (purchase.path + "/order", "{}")
            case 2:
                purchase.lines.first.map {
                    (purchase.path + "/receive", #"{"lines":[{"line_id":"\#($0)","quantity":"3"}]}"#)
                }
            case 3: (purchase.path + "/receive", "{}")
            case 4 where isPaid: ("/v1/payments", Self.payment(of: purchase.path))
            case 4: (purchase.path + "/cancel", #"{"reason":"zurück"}"#)
            default: nil
            }
        }
    }

    private static func payment(of path: String) -> String {
        let id = path.split(separator: "/").last ?? ""
        return #"{"direction":"out","method":"transfer","amount":"0.50","purchase_id":"\#(id)"}"#
    }

    private func carry(_ instance: Int?) -> Outcome {
        let draft = """
            {"from_location_id":"\(trade.locations.from)","to_location_id":"\(trade.locations.to)",\
            "lines":[{"product_id":"\(trade.product)","quantity":"3"}]}
            """
        return advance(.carry, "/v1/transfers", draft, instance) { transfer in
            let line = transfer.lines.first ?? ""
            return switch transfer.step {
            case 1: (transfer.path + "/send", "{}")
            case 2:
                (
                    transfer.path + "/receive",
                    #"{"lines":[{"line_id":"\#(line)","quantity":"1","lost":"1","reason":"zerbrochen"}]}"#
                )
            case 3: (transfer.path + "/receive", "{}")
            default: nil
            }
        }
    }

    private func count(_ instance: Int?) -> Outcome {
        let counted = 90_000 + random.below(1_000)
        return advance(.count, "/v1/stock/counts", #"{"location_id":"\#(trade.locations.from)"}"#, instance) { count in
            switch count.step {
            case 1:
                (
                    count.path + "/lines",
                    #"{"lines":[{"product_id":"\#(trade.product)","counted":"\#(counted)"}]}"#
                )
            case 2: (count.path + "/close", "{}")
            default: nil
            }
        }
    }

    /// Sells on credit: what comes in by sales is counted by others.
    private func sell(_ instance: Int?) -> Outcome {
        let sale = """
            {"register_id":"\(trade.register)","customer_id":"\(trade.customer)",\
            "lines":[{"product_id":"\(trade.product)","quantity":"2"}]}
            """
        let isReturned = random.below(2) == 0
        return advance(.sell, "/v1/sales", sale, instance) { sale in
            let line = sale.lines.first ?? ""
            return switch sale.step {
            case 1 where isReturned:
                (sale.path + "/returns", #"{"lines":[{"sale_line_id":"\#(line)","quantity":"1"}]}"#)
            case 1: (sale.path + "/cancel", #"{"reason":"помилка"}"#)
            default: nil
            }
        }
    }

    /// Opens a drawer, takes cash out, and counts what is left.
    private func drawer(_ instance: Int?) -> Outcome {
        advance(.drawer, "/v1/registers/\(trade.register)/sessions", #"{"float":"10.00"}"#, instance) { session in
            switch session.step {
            case 1: (session.path + "/entries", #"{"kind":"paid_out","amount":"1.00"}"#)
            case 2: (session.path + "/close", #"{"counted":"9.00"}"#)
            default: nil
            }
        }
    }

    private func spend(_ instance: Int?) -> Outcome {
        let expense = """
            {"category":"Miete","amount":"1.00","method":"transfer","supplier_id":"\(trade.supplier)"}
            """
        return advance(.spend, "/v1/expenses", expense, instance) { expense in
            expense.step == 1 ? (expense.path + "/reverse", #"{"reason":"twice"}"#) : nil
        }
    }
}
