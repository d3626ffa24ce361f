package import Kernel
package import Postgres

/// A row that an invariant of the domain says can not be.
package struct Violation: Sendable, Equatable {
    /// The invariant's number: `I1`.
    package let invariant: String

    /// Whose row it is; nil for what belongs to no tenant.
    package let tenant: TenantID?

    /// What is wrong.
    package let detail: String
}

/// Checks the invariants of the shop, each by one query in a snapshot of its own, tenant after tenant.
package struct Verification: Sendable {
    private let postgres: PostgresClient

    /// How many violations of one invariant are reported per tenant; the first ones show what the rest is.
    package static let reported = 100

    /// What the session of a check is set to.
    ///
    /// The queries have no parameters, so that each has one plan, made for whichever tenant comes first, and the next may
    /// have a million rows where that one had two. Rows are found by tenant and joined by hashing or merging, which is
    /// right for any number, whatever the statistics say.
    package static let settings: StaticString = """
        SET plan_cache_mode = force_generic_plan;
        SET enable_nestloop = off;
        SET enable_seqscan = off;
        SET random_page_cost = 1.1;
        SET work_mem = '64MB'
        """

    /// Makes a verification.
    ///
    /// - Parameter postgres: Connects as stock_app.
    package init(postgres: PostgresClient) {
        self.postgres = postgres
    }

    /// Checks everything.
    ///
    /// - Parameters:
    ///   - tenant: One tenant only; nil is every one, and what belongs to none.
    ///   - deadline: When to give up.
    /// - Returns: What is wrong, nothing if all holds.
    /// - Throws: ``OperationsError`` if a query could not be run.
    package func run(
        tenant: TenantID? = nil,
        deadline: ContinuousClock.Instant
    ) async throws(OperationsError) -> [Violation] {
        do {
            return try await postgres.withLease(deadline: deadline) { lease in
                try await lease.execute(script: Self.settings.description)
                var violations: [Violation] = []
                let tenants: [TenantID]
                if let tenant {
                    tenants = [tenant]
                } else {
                    violations += try await Self.check(Invariants.global, tenant: nil, lease)
                    if try await lease.row(of: InstanceFollows()).value {
                        violations += try await Self.check(Invariants.whileFollowed, tenant: nil, lease)
                    }
                    tenants = try await lease.rows(of: ListTenantIDs()).map(\.value)
                }
                for tenant in tenants {
                    violations += try await Self.check(Invariants.ofTenant, tenant: tenant, lease)
                }
                return violations
            }
        } catch {
            throw OperationsError(error)
        }
    }

    /// Checks a tenant as the transaction that is open on a connection sees it.
    ///
    /// - Parameters:
    ///   - tenant: The tenant.
    ///   - lease: The connection, whose session is set for it.
    /// - Returns: What is wrong, nothing if all holds.
    /// - Throws: `PostgresError` if a query could not be run.
    static func violations(of tenant: TenantID, in lease: Lease) async throws(PostgresError) -> [Violation] {
        try await lease.execute(script: settings.description)
        return try await check(Invariants.ofTenant, tenant: tenant, lease)
    }

    /// All of a tenant's invariants in one round trip: there may be many tenants, most of them small.
    private static func check(
        _ invariants: [any Invariant.Type],
        tenant: TenantID?,
        _ lease: Lease
    ) async throws(PostgresError) -> [Violation] {
        var unit = UnitOfWork(tenant: tenant?.rawValue, access: .read)
        var slots: [Slot<SingleColumn<String>>] = []
        for invariant in invariants { slots.append(try add(invariant, to: &unit)) }
        let result = try await lease.perform(unit)
        var violations: [Violation] = []
        for (invariant, slot) in zip(invariants, slots) {
            for row in try result.rows(slot).prefix(Self.reported) {
                violations.append(Violation(invariant: invariant.number, tenant: tenant, detail: row.value))
            }
        }
        return violations
    }

    private static func add<I: Invariant>(
        _ type: I.Type,
        to unit: inout UnitOfWork
    ) throws(PostgresError) -> Slot<SingleColumn<String>> {
        try unit.add(I())
    }
}

/// One invariant: a query whose rows, one text each, are what violates it.
protocol Invariant: Statement where Row == SingleColumn<String> {
    /// Its number in the list of invariants.
    static var number: String { get }

    init()
}

/// Every tenant.
struct ListTenantIDs: Statement {
    static let name = "verify.tenants"
    static let sql: SQL = "SELECT t.id FROM stock.tenant t ORDER BY t.id"

    typealias Row = SingleColumn<TenantID>
}
