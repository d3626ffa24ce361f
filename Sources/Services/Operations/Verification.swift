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

/// Checks the invariants of the shop, one query each, every tenant in one snapshot of its own.
package struct Verification: Sendable {
    private let postgres: PostgresClient

    /// How many violations of one invariant are reported per tenant; the first ones show what the rest is.
    package static let reported = 100

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
                var violations: [Violation] = []
                let tenants: [TenantID]
                if let tenant {
                    tenants = [tenant]
                } else {
                    violations += try await check(Invariants.global, tenant: nil, lease)
                    var unit = UnitOfWork(tenant: nil, access: .read)
                    let slot = try unit.add(ListTenantIDs())
                    tenants = try await lease.perform(unit).rows(slot).map(\.value)
                }
                for tenant in tenants {
                    violations += try await check(Invariants.ofTenant, tenant: tenant, lease)
                }
                return violations
            }
        } catch {
            throw OperationsError(error)
        }
    }

    private func check(
        _ invariants: [any Invariant.Type],
        tenant: TenantID?,
        _ lease: Lease
    ) async throws -> [Violation] {
        try await lease.transaction(tenant: tenant?.rawValue, isolation: .repeatableReadReadOnly) {
            // Whole tables are read here, by plans that fit their size: what suits the short statements does not.
            try await lease.execute(
                script: """
                    SET LOCAL enable_seqscan = on;
                    SET LOCAL plan_cache_mode = force_custom_plan;
                    SET LOCAL work_mem = '64MB'
                    """
            )
            var violations: [Violation] = []
            for invariant in invariants {
                violations += try await rows(of: invariant, tenant, lease).map {
                    Violation(invariant: invariant.number, tenant: tenant, detail: $0)
                }
            }
            return violations
        }
    }

    private func rows<I: Invariant>(
        of type: I.Type,
        _ tenant: TenantID?,
        _ lease: Lease
    ) async throws(PostgresError) -> [String] {
        var unit = UnitOfWork(tenant: tenant?.rawValue, access: .read)
        let slot = try unit.add(I())
        return try await lease.perform(unit).rows(slot).prefix(Self.reported).map(\.value)
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
    static let sql: StaticString = "SELECT t.id FROM stock.tenant t ORDER BY t.id"

    typealias Row = SingleColumn<TenantID>
}
