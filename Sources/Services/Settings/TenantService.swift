package import Cache
package import Kernel
import Postgres

/// What a tenant chose: `GET, PATCH /v1/tenant`, its registers, and the settings the other services work by.
package struct TenantService: Sendable {
    private let store: Store

    init(store: Store) { self.store = store }

    static let statements: [any Statement.Type] = [
        ReadTenantSettings.self, ReadTenantActivity.self, ReadTenantBody.self, ListRegisters.self, GuardTenant.self,
        UpdateTenant.self,
        AnswerTenant.self,
    ]

    /// The settings of a tenant, found in memory without suspending.
    ///
    /// - Parameters:
    ///   - tenant: The tenant.
    ///   - token: What the client has written and seen, its own settings perhaps.
    ///   - deadline: When the caller gives up.
    /// - Returns: The settings and the tenant's current day.
    /// - Throws: 404 `not_found` if there is no such tenant, or what kept the database from answering.
    package func settings(
        of tenant: TenantID,
        token: ConsistencyToken? = nil,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> TenantSettings {
        let key = Self.settingsKey(tenant)
        if let settings: TenantSettings = store.hit(key, token: token) { return settings }
        let postgres = store.postgres
        let value: TenantSettings? = try await store.value(key, token: token, deadline: deadline) {
            let rows = try await postgres.query(
                ReadTenantSettings(),
                tenant: tenant.rawValue,
                on: .shared,
                deadline: deadline
            )
            guard let row = rows.first else { throw Problem.notFound }
            return Filled(
                content: .value(row.settings),
                snapshot: Snapshot(row.snapshot),
                lifetime: row.untilMidnight
            )
        }
        guard let value else { throw .notFound }
        return value
    }

    /// Whether a tenant exists and is not suspended, asked of the database.
    ///
    /// - Parameters:
    ///   - tenant: The tenant.
    ///   - deadline: When the caller gives up.
    /// - Returns: Whether it is served; not known counts as no.
    package func isActive(_ tenant: TenantID, deadline: ContinuousClock.Instant) async -> Bool {
        let rows = try? await store.query(ReadTenantActivity(), tenant: tenant, deadline: deadline)
        return rows?.first?.isActive == true
    }

    /// The tenant's current day, as this client must see it.
    func today(_ context: CallContext) async throws(Problem) -> BusinessDay {
        try await settings(of: context.tenant, token: context.token, deadline: context.deadline).today
    }

    /// The settings, if they are in memory now.
    package func peek(_ tenant: TenantID) -> TenantSettings? { store.hit(Self.settingsKey(tenant)) }

    /// `GET /v1/tenant`.
    package func get(_ context: CallContext) async throws(Problem) -> CachedAnswer {
        let key = KeyBuilder("tenant").key(tenant: context.tenant.rawValue, module: .settings)
        return try await store.read(key, context, fill: ReadTenantBody())
    }

    /// `GET /v1/registers`.
    package func registers(_ context: CallContext) async throws(Problem) -> CachedAnswer {
        let key = KeyBuilder("registers").key(tenant: context.tenant.rawValue, module: .settings)
        return try await store.read(key, context, fill: ListRegisters())
    }

    /// `PATCH /v1/tenant`.
    ///
    /// - Parameters:
    ///   - patch: What changes.
    ///   - expected: What `If-Match` demands.
    ///   - context: Who asks.
    /// - Returns: 200 with the settings.
    /// - Throws: 412 `version_mismatch`, 409 `invalid_state` for what the first document fixed, 422 `validation_failed`.
    package func update(
        _ patch: TenantPatch,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        try await store.write(context) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            try unit.add(Act(actor: AuditActor(context)))
            try unit.add(GuardTenant(patch: patch, expected: expected))
            try unit.add(UpdateTenant(patch: patch))
            return try unit.add(AnswerTenant())
        }
    }

    private static func settingsKey(_ tenant: TenantID) -> CacheKey {
        KeyBuilder("current").key(tenant: tenant.rawValue, module: .settings)
    }
}
