import Cache
import Domain
package import Kernel
package import Postgres

/// Endpoints to which a tenant's events are sent; a ``WebhookWorker`` sends them.
///
/// An endpoint is a place in the numbers of the events: switched off and on again it goes on from there. Nothing of it is cached, as it
/// changes while it is read.
package struct WebhooksService: Sendable {
    /// Types that an endpoint may name.
    package static let mostTypes = 0...100

    /// Endpoints of a tenant.
    private static let mostWebhooks: Int32 = 20

    /// Every statement of webhooks, prepared on each connection.
    package static let statements: [any Statement.Type] =
        [
            MakeWebhook.self, ChangeWebhook.self, DeleteWebhook.self, RotateWebhook.self, RedeliverWebhook.self,
            SkipWebhookEvent.self, ListWebhooks.self, ListWebhookDeliveries.self, Conclude<Webhook>.self,
            ReadDocument<Webhook>.self,
        ] + WebhookWorker.statements

    /// Which servers may be sent to.
    package let rule: AddressRule

    private let store: Store
    private let cursors: PageCursors
    private let secrets: WebhookSecrets

    init(store: Store, cursors: PageCursors, secrets: WebhookSecrets, rule: AddressRule) {
        self.store = store
        self.cursors = cursors
        self.secrets = secrets
        self.rule = rule
    }

    /// Makes an endpoint, which gets what happens from now on.
    ///
    /// - Parameters:
    ///   - draft: Where it is, and what it gets.
    ///   - context: Who asks.
    /// - Returns: 201 with the endpoint and its `secret`, which is shown this once.
    /// - Throws: 403 `forbidden` for types that the caller may not read, 409 `invalid_state` if there are too many.
    package func make(_ draft: WebhookDraft, _ context: CallContext) async throws(Problem) -> Answer {
        guard let url = draft.url else { throw Problem(.validationFailed, "The body is not valid.") }
        let types = try Self.types(draft.types, for: context.caller)
        let (id, secret) = (WebhookID.make(), WebhookSecret.random())
        let sealed = try secrets.seal(secret, tenant: context.tenant, webhook: id)
        var answer = try await store.write(context) { (unit) throws(PostgresError) -> Effect<Webhook> in
            try unit.add(Act(actor: AuditActor(context)))
            try unit.add(
                MakeWebhook(
                    id: id,
                    url: url,
                    types: types,
                    active: draft.active,
                    secret: sealed,
                    most: Self.mostWebhooks
                )
            )
            return .created(Webhook(id))
        }
        answer.append("secret", secret.text)
        return answer
    }

    /// Changes an endpoint; one that is on again goes on from where it was.
    ///
    /// - Parameters:
    ///   - id: Which one.
    ///   - patch: What changes.
    ///   - expected: What `If-Match` demands.
    ///   - context: Who asks.
    /// - Returns: 200 with the endpoint.
    /// - Throws: 403 `forbidden` for types that the caller may not read, also of those that it has; 404, 412.
    package func change(
        _ id: WebhookID,
        _ patch: WebhookPatch,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        var types: [String]?
        if let asked = patch.types.newValue { types = try Self.types(asked, for: context.caller) }
        let change = ChangeWebhook(
            id: id,
            expected: expected,
            readable: EventFilter.readable(by: context.caller)?.map(\.rawValue),
            url: patch.url.newValue,
            types: types,
            active: patch.active.newValue
        )
        return try await write(id, context) { (unit) throws(PostgresError) in try unit.add(change) }
    }

    /// Deletes an endpoint; what was not sent is not sent.
    ///
    /// - Parameters:
    ///   - id: Which one.
    ///   - expected: What `If-Match` demands.
    ///   - context: Who asks.
    /// - Returns: 204.
    /// - Throws: 404, 412.
    package func delete(
        _ id: WebhookID,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        try await store.write(context) { (unit) throws(PostgresError) -> Effect<Nothing> in
            try unit.add(Act(actor: AuditActor(context)))
            try unit.add(DeleteWebhook(id: id, expected: expected))
            return .deleted
        }
    }

    /// Gives an endpoint another secret; for 24 hours messages are signed by both.
    ///
    /// - Parameters:
    ///   - id: Which one.
    ///   - context: Who asks.
    /// - Returns: 200 with the endpoint and its `secret`, which is shown this once.
    /// - Throws: 404.
    package func rotate(_ id: WebhookID, _ context: CallContext) async throws(Problem) -> Answer {
        let secret = WebhookSecret.random()
        let sealed = try secrets.seal(secret, tenant: context.tenant, webhook: id)
        var answer = try await write(id, context) { (unit) throws(PostgresError) in
            try unit.add(RotateWebhook(id: id, secret: sealed))
        }
        answer.append("secret", secret.text)
        return answer
    }

    /// Has a test sent to an endpoint; what comes of it is among its deliveries.
    ///
    /// - Parameters:
    ///   - id: Which one.
    ///   - context: Who asks.
    /// - Returns: 200 with the endpoint.
    /// - Throws: 404, 409 `invalid_state` if it is off.
    package func test(_ id: WebhookID, _ context: CallContext) async throws(Problem) -> Answer {
        try await write(id, context) { (unit) throws(PostgresError) in
            try unit.add(RedeliverWebhook(id: id, sequence: 0))
        }
    }

    /// Has an event sent to an endpoint once more, with its own id and beside the order; one that waits is tried at once.
    ///
    /// - Parameters:
    ///   - id: Which endpoint.
    ///   - sequence: The number of the event.
    ///   - context: Who asks.
    /// - Returns: 200 with the endpoint.
    /// - Throws: 404, 409 `invalid_state` if it is off or too many wait, 422 for an event that is not kept or not sent there.
    package func redeliver(
        _ id: WebhookID,
        _ sequence: Int64,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        try await write(id, context) { (unit) throws(PostgresError) in
            try unit.add(RedeliverWebhook(id: id, sequence: sequence))
        }
    }

    /// Has an event not be sent that an endpoint waits for, or has set aside.
    ///
    /// - Parameters:
    ///   - id: Which endpoint.
    ///   - sequence: The number of the event.
    ///   - context: Who asks.
    /// - Returns: 200 with the endpoint.
    /// - Throws: 404, 409 `invalid_state` for any other event.
    package func skip(_ id: WebhookID, _ sequence: Int64, _ context: CallContext) async throws(Problem) -> Answer {
        try await write(id, context) { (unit) throws(PostgresError) in
            try unit.add(SkipWebhookEvent(id: id, sequence: sequence, delivery: .make()))
        }
    }

    private func write(
        _ id: WebhookID,
        _ context: CallContext,
        _ command: (inout UnitOfWork) throws(PostgresError) -> Void
    ) async throws(Problem) -> Answer {
        try await store.write(context) { (unit) throws(PostgresError) -> Effect<Webhook> in
            try unit.add(Act(actor: AuditActor(context)))
            try command(&unit)
            return .changed(Webhook(id))
        }
    }

    /// What an endpoint gets: never more than whoever says so may read.
    ///
    /// - Returns: None for all there are, of topics that this program does not know, too.
    private static func types(_ asked: [String], for caller: Caller) throws(Problem) -> [String] {
        _ = try EventFilter(for: caller, asked: asked)
        guard asked.isEmpty, let readable = EventFilter.readable(by: caller) else { return asked }
        return readable.map(\.rawValue).sorted()
    }

    // MARK: Reading

    /// One endpoint with how far it is.
    package func one(_ id: WebhookID, _ caller: Caller) -> CachedRead { caller.read(.settings, Webhook(id), "webhook") }

    /// All endpoints, the first made first.
    package func all(_ caller: Caller) -> CachedRead {
        CachedRead(key: caller.key(.settings, "webhooks"), fill: .list(ListWebhooks()))
    }

    /// A page of what was tried to send to an endpoint, the last first.
    ///
    /// - Parameters:
    ///   - id: Which endpoint.
    ///   - status: Of those alone that came to this.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page, to be answered fresh.
    /// - Throws: 400 `cursor_mismatch`.
    package func deliveries(
        _ id: WebhookID,
        _ status: WebhookDeliveryStatus?,
        _ page: Page,
        _ caller: Caller
    ) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("webhook-deliveries")
        builder.add(id.description)
        builder.add(status?.rawValue ?? "")
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .settings, count: 1)
        let before = page.values?.first.flatMap { WebhookDeliveryID($0) }
        return page.readParts(ListWebhookDeliveries(id: id, status: status, before: before, limit: page.limit))
    }
}
