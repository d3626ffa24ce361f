package import Cache
package import Kernel
import Postgres

/// Customers and what they owe.
package struct CustomersService: Sendable {
    private let store: Store
    private let tenants: TenantService
    private let cursors: PageCursors

    init(store: Store, tenants: TenantService, cursors: PageCursors) {
        self.store = store
        self.tenants = tenants
        self.cursors = cursors
    }

    static let statements: [any Statement.Type] = [
        ReadCustomer.self, ListCustomers.self, GuardCustomer.self, GuardCreditLimit.self, InsertCustomer.self,
        UpdateCustomer.self, DeleteCustomer.self, AnswerCustomer.self,
    ]

    /// `GET /v1/customers/{id}`.
    package func customer(_ id: CustomerID, _ context: CallContext) async throws(Problem) -> CachedAnswer {
        let key = KeyBuilder("id").adding(id.description).key(tenant: context.tenant.rawValue, module: .customers)
        return try await store.read(key, context, fill: ReadCustomer(id: id))
    }

    /// `GET /v1/customers`, by name.
    package func customers(
        _ filter: CustomerFilter,
        _ page: Page,
        _ context: CallContext
    ) async throws(Problem) -> CachedAnswer {
        var filter = filter
        filter.q = filter.q.map { Text.trimmed($0).lowercased() }.flatMap { $0.isEmpty ? nil : $0 }
        var builder = KeyBuilder("list")
        builder.add(filter.q)
        builder.add(filter.active.map { $0 ? "1" : "0" })
        builder.add(filter.hasBalance.map { $0 ? "1" : "0" })
        let query = "customers " + builder.text
        builder.add(page.limit)
        builder.add(page.cursor)
        let after = try cursors.decode(page.cursor, count: 2, tenant: context.tenant, query: query)
        return try await store.page(
            builder.key(tenant: context.tenant.rawValue, module: .customers),
            context,
            cursor: { [cursors, tenant = context.tenant] in cursors.encode($0, tenant: tenant, query: query) },
            fill: ListCustomers(filter: filter, limit: page.limit, after: try NamePlace(after))
        )
    }

    /// `POST /v1/customers`: 201 with the customer.
    package func createCustomer(
        _ draft: CustomerDraft,
        key: IdempotencyKey? = nil,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        let id = CustomerID.make()
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            if let limit = draft.creditLimit { try unit.add(GuardCreditLimit(limit: limit)) }
            try unit.add(InsertCustomer(id: id, draft: draft))
            return try unit.add(AnswerCustomer(id: id, status: 201, key: key))
        }
    }

    /// `PATCH /v1/customers/{id}`: 200; 404, 412.
    package func updateCustomer(
        _ id: CustomerID,
        _ patch: CustomerPatch,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        try await store.write(context) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            try unit.add(GuardCustomer(id: id, expected: expected))
            if let limit = patch.creditLimit.newValue ?? nil { try unit.add(GuardCreditLimit(limit: limit)) }
            try unit.add(UpdateCustomer(id: id, patch: patch))
            return try unit.add(AnswerCustomer(id: id, status: 200, key: nil))
        }
    }

    /// `DELETE /v1/customers/{id}`: 204; 404, 412, 409 `in_use` once a document names them.
    package func deleteCustomer(
        _ id: CustomerID,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        try await store.write(context) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            try unit.add(GuardCustomer(id: id, expected: expected))
            try unit.add(DeleteCustomer(id: id))
            return try unit.add(AnswerDeleted())
        }
    }
}
