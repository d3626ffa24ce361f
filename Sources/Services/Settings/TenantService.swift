import Cache
package import Kernel
import Postgres

/// What a tenant chose: `GET, PATCH /v1/tenant`, and the settings the other services work by.
package struct TenantService: Sendable {
    private let store: Store

    init(store: Store) { self.store = store }

    static let statements: [any Statement.Type] = [
        ReadTenantSettings.self, ReadTenantActivity.self, ReadDocument<TenantDocument>.self,
        GuardTenant.self, UpdateTenant.self, Conclude<TenantDocument>.self,
    ]

    /// The settings of a tenant, with its current day.
    ///
    /// - Parameter tenant: The tenant.
    /// - Returns: What reads them; 404 `not_found` if there is no such tenant.
    package func settings(of tenant: TenantID) -> CachedValue<TenantSettings> {
        CachedValue(
            key: KeyBuilder("current").key(tenant: tenant.rawValue, module: .settings),
            fill: SettingsFill()
        )
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

    /// `GET /v1/tenant`.
    package func get(_ caller: Caller) -> CachedRead {
        CachedRead(key: caller.key(.settings, "tenant"), fill: .body(ReadDocument(document: TenantDocument())))
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
        try await store.write(context) { (unit) throws(PostgresError) -> Effect<TenantDocument> in
            try unit.add(Act(actor: AuditActor(context)))
            try unit.add(GuardTenant(patch: patch, expected: expected))
            try unit.add(UpdateTenant(patch: patch))
            return .changed(TenantDocument())
        }
    }
}

/// The settings until the tenant's next midnight, as they name its day.
private struct SettingsFill: Fill {
    let statement = ReadTenantSettings()

    var absence: any Error { Problem.notFound }

    func filled(_ row: inout ReadTenantSettings.Row) -> Filled {
        Filled(content: .value(row.settings), snapshot: Snapshot(row.snapshot), lifetime: row.untilMidnight)
    }
}
