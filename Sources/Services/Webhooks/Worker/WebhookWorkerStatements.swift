import Kernel
import Postgres

/// How long an endpoint is its worker's without a word of it, in seconds: longer than one try may take.
let webhookLeaseSeconds: Int32 = 30

/// The tenants with active endpoints behind one.
struct WebhookTenants: Statement {
    static let name = "webhooks.tenants"
    static let sql: SQL = "SELECT w.id FROM stock.webhook_tenants($1) AS w (id)"
    static let parameterTypes: [PostgresType] = [.int8]
    typealias Row = SingleColumn<Int64>

    /// How many there are at most.
    static let most = 1_000

    let after: Int64

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(after) }
}

/// The tenant that something is due for longest; no row if there is none.
struct WaitingWebhooks: Statement {
    static let name = "webhooks.waits"
    static let sql: SQL = "SELECT w.id FROM stock.webhook_waits($1, $2) AS w (id)"
    static let parameterTypes: [PostgresType] = [.timestamptz, .int8Array]
    typealias Row = SingleColumn<Int64>

    let now: Timestamp
    /// Tenants of which as many endpoints are served here as may.
    let busy: [Int64]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(now)
        try parameters.append(busy)
    }
}

/// Takes an endpoint of the tenant that has something to be sent.
struct TakeWebhook: Statement {
    static let name = "webhooks.take"
    static let sql: SQL = "SELECT w.id, w.is_known FROM stock.webhook_take($1, $2 * interval '1 second', $3) AS w"
    static let parameterTypes: [PostgresType] = [.uuid, .int4, .timestamptz]

    let worker: EntityID
    let now: Timestamp

    struct Row: DecodableRow {
        /// nil if none has.
        let id: WebhookID?
        /// Whether any of the tenant's is active.
        let isKnown: Bool

        init(from row: inout RowReader) throws(PostgresError) {
            id = try row.next()
            isKnown = try row.next()
        }
    }

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(ID<Entity>(worker))
        try parameters.append(webhookLeaseSeconds)
        try parameters.append(now)
    }
}

/// Gives back an endpoint that has more to be sent.
struct ReleaseWebhook: Statement {
    static let name = "webhooks.release"
    static let sql: SQL = "SELECT stock.webhook_release($1, $2, true, $3)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuid, .timestamptz]

    let id: WebhookID
    let worker: EntityID
    let now: Timestamp

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(ID<Entity>(worker))
        try parameters.append(now)
    }
}

/// What is to be sent next; no row, and the endpoint is given back, if there is nothing.
struct NextWebhookMessage: Statement {
    static let name = "webhooks.next"
    static let sql: SQL = """
        SELECT n.seq, n.reason, n.type, n.body, n.attempts, n.failures, n.asides, n.waiting, n.failing_since, n.url, n.secret,
               n.previous_secret
        FROM stock.webhook_next($1, $2, $3 * interval '1 second', $4, $5, $6) AS n
        """
    static let parameterTypes: [PostgresType] = [.uuid, .uuid, .int4, .bool, .uuid, .timestamptz]

    let id: WebhookID
    let worker: EntityID
    /// Whether what waits beside the order comes first.
    let prefersAside: Bool
    /// The id of what tells of lost events.
    let delivery: WebhookDeliveryID
    let now: Timestamp

    /// Why an event is sent.
    enum Reason: String, CaseIterable, Sendable {
        /// It is its turn.
        case event
        case setAside = "set_aside"
        case redelivery
        case test
    }

    struct Row: Sendable {
        let sequence: Int64
        let reason: Reason
        let type: String
        let body: String
        /// How often it was tried.
        let attempts: Int
        /// How often that failed, of an event beside the order since it is there.
        let failures: Int
        /// Events set aside since something was delivered.
        let asides: Int
        /// Events that wait beside the order.
        let waiting: Int
        /// Since when nothing was delivered, if something has failed since.
        let failingSince: Timestamp?
        let url: String
        let secret: [UInt8]
        let previousSecret: [UInt8]?
    }

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(ID<Entity>(worker))
        try parameters.append(webhookLeaseSeconds)
        try parameters.append(prefersAside)
        try parameters.append(delivery)
        try parameters.append(now)
    }
}

extension NextWebhookMessage.Row: DecodableRow {
    init(from row: inout RowReader) throws(PostgresError) {
        sequence = try row.next()
        reason = try row.nextCase()
        type = try row.next()
        body = try row.next()
        attempts = Int(try row.next(Int32.self))
        failures = Int(try row.next(Int32.self))
        asides = Int(try row.next(Int32.self))
        waiting = Int(clamping: try row.next(Int64.self))
        failingSince = try row.next()
        url = try row.next()
        secret = try row.nextBytes()
        previousSecret = try row.next([UInt8]?.self)
    }
}

/// Writes down what came of a try; false if the endpoint is somebody else's by now.
struct RecordWebhookDelivery: Statement {
    static let name = "webhooks.record"
    static let sql: SQL = "SELECT stock.webhook_record($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
    static let parameterTypes: [PostgresType] = [
        .uuid, .uuid, .uuid, .timestamptz, .int8, .text, .text, .int4, .text, .timestamptz, .int4, .text, .int4, .text,
    ]
    typealias Row = SingleColumn<Bool>

    let id: WebhookID
    let worker: EntityID
    let message: NextWebhookMessage.Row
    let reply: WebhookReply
    let outcome: WebhookSchedule.Outcome
    let now: Timestamp

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(ID<Entity>(worker))
        try parameters.append(WebhookDeliveryID.make())
        try parameters.append(now)
        try parameters.append(message.sequence)
        try parameters.append(message.reason.rawValue)
        try parameters.append(message.type)
        try parameters.append(Int32(clamping: message.attempts + 1))
        let (name, delay) = outcome.words
        try parameters.append(name)
        try parameters.append(delay.map { now.adding($0) })
        try parameters.append(reply.code.map { Int32(clamping: $0) })
        try parameters.append(reply.fault?.rawValue)
        try parameters.append(Int32(clamping: Int64(reply.duration / .milliseconds(1))))
        try parameters.append(reply.answer)
    }
}

extension WebhookSchedule.Outcome {
    /// As the table of deliveries calls it, and after how long it is tried again.
    fileprivate var words: (name: String, delay: Duration?) {
        switch self {
        case .delivered: ("delivered", nil)
        case .retried(let delay): ("retried", delay)
        case .setAside(let delay): ("set_aside", delay)
        case .givenUp: ("given_up", nil)
        case .disabled: ("disabled", nil)
        }
    }
}

/// Keeps a secret that was sealed anew.
struct SealWebhookSecret: Statement {
    static let name = "webhooks.seal"
    static let sql: SQL = "SELECT stock.webhook_seal($1, $2, $3, $4)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuid, .bytea, .bytea]

    let id: WebhookID
    let worker: EntityID
    let former: [UInt8]
    let secret: [UInt8]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(ID<Entity>(worker))
        try parameters.append(former)
        try parameters.append(secret)
    }
}

/// Deletes old deliveries of some tenants; where the next step begins, or null at the end.
struct SweepWebhookDeliveries: Statement {
    static let name = "webhooks.sweep"
    static let sql: SQL = "SELECT stock.webhook_sweep($1, $2 * interval '1 second', $3)"
    static let parameterTypes: [PostgresType] = [.int8, .int8, .int4]
    typealias Row = SingleColumn<Int64?>

    let after: Int64
    let keep: Duration

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(after)
        try parameters.append(keep.components.seconds)
        try parameters.append(Int32(1_000))
    }
}
