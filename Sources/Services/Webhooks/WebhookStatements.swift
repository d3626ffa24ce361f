import Kernel
import Postgres

/// Makes an endpoint that gets what happens from now on.
struct MakeWebhook: Statement {
    static let name = "webhooks.make"
    static let sql: SQL = "SELECT stock.webhook_make($1, $2, $3, $4, $5, $6)"
    static let parameterTypes: [PostgresType] = [.uuid, .text, .textArray, .bool, .bytea, .int4]

    let id: WebhookID
    let url: WebhookURL
    let types: [String]
    let active: Bool
    /// Sealed.
    let secret: [UInt8]
    /// How many a tenant may have.
    let most: Int32

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(url.text)
        try parameters.append(types)
        try parameters.append(active)
        try parameters.append(secret)
        try parameters.append(most)
    }
}

/// Changes an endpoint.
struct ChangeWebhook: Statement {
    static let name = "webhooks.change"
    static let sql: SQL = "SELECT stock.webhook_change($1, $2, $3, $4, $5, $6)"
    static let parameterTypes: [PostgresType] = [.uuid, .int8Array, .textArray, .text, .textArray, .bool]

    let id: WebhookID
    let expected: ExpectedVersion
    /// The topics that whoever changes it may read; nil for all.
    ///
    /// What it gets beside them nobody may have sent elsewhere.
    let readable: [String]?
    let url: WebhookURL?
    let types: [String]?
    let active: Bool?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(expected.parameter)
        try parameters.append(readable)
        try parameters.append(url?.text)
        try parameters.append(types)
        try parameters.append(active)
    }
}

/// Deletes an endpoint.
struct DeleteWebhook: Statement {
    static let name = "webhooks.delete"
    static let sql: SQL = "SELECT stock.webhook_delete($1, $2)"
    static let parameterTypes: [PostgresType] = [.uuid, .int8Array]

    let id: WebhookID
    let expected: ExpectedVersion

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(expected.parameter)
    }
}

/// Gives an endpoint another secret.
struct RotateWebhook: Statement {
    static let name = "webhooks.rotate"
    static let sql: SQL = "SELECT stock.webhook_rotate($1, $2, interval '24 hours')"
    static let parameterTypes: [PostgresType] = [.uuid, .bytea]

    let id: WebhookID
    /// Sealed.
    let secret: [UInt8]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(secret)
    }
}

/// Has an event sent again, or a test.
struct RedeliverWebhook: Statement {
    static let name = "webhooks.again"
    static let sql: SQL = "SELECT stock.webhook_again($1, $2, $3)"
    static let parameterTypes: [PostgresType] = [.uuid, .int8, .int4]

    let id: WebhookID
    /// The event; 0 for a test.
    let sequence: Int64

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(sequence)
        try parameters.append(Int32(WebhookSchedule.mostAside))
    }
}

/// Has an event not be sent.
struct SkipWebhookEvent: Statement {
    static let name = "webhooks.skip"
    static let sql: SQL = "SELECT stock.webhook_skip($1, $2, $3)"
    static let parameterTypes: [PostgresType] = [.uuid, .int8, .uuid]

    let id: WebhookID
    let sequence: Int64
    let delivery: WebhookDeliveryID

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(sequence)
        try parameters.append(delivery)
    }
}

/// The endpoints of the tenant, the first made first.
struct ListWebhooks: Statement {
    static let name = "webhooks.list"
    static let sql: SQL = """
        SELECT stock.list_body(
                   (SELECT string_agg(stock.webhook_body(w.tenant_id, w.id), ',' ORDER BY w.created_at, w.id)
                    FROM stock.webhook w
                    WHERE w.tenant_id = stock.current_tenant()),
                   NULL),
               \(.seen)
        """
    typealias Row = ListRow
}

/// A page of what was tried, the last first; no row if there is no such endpoint.
struct ListWebhookDeliveries: Statement {
    static let name = "webhooks.deliveries"
    static let sql: SQL = """
        WITH placed AS (
            SELECT p.id, p.body, p.place
            FROM stock.webhook_delivery_page($1, $2, $3, $4 + 1) WITH ORDINALITY AS p (id, body, place)
        )
        SELECT string_agg(p.body, ',' ORDER BY p.place) FILTER (WHERE p.place <= $4),
               CASE WHEN count(*) > $4 THEN (SELECT ARRAY[l.id::text] FROM placed l WHERE l.place = $4) END,
               \(.seen)
        FROM placed p
        HAVING EXISTS (SELECT FROM stock.webhook w WHERE w.tenant_id = stock.current_tenant() AND w.id = $1)
        """
    static let parameterTypes: [PostgresType] = [.uuid, .text, .uuid, .int4]

    typealias Row = PageRow

    let id: WebhookID
    let status: WebhookDeliveryStatus?
    /// The last one of the page before.
    let before: WebhookDeliveryID?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(status?.rawValue)
        try parameters.append(before)
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}

/// What came of a try, or instead of one.
package enum WebhookDeliveryStatus: String, CaseIterable, Sendable {
    /// It was answered with 200 to 299.
    case delivered
    case failed
    /// Somebody wanted it not to be sent.
    case skipped
    /// The event was not kept until it could be sent.
    case lost
}
