import Cache
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
    package func customer(_ id: CustomerID, _ caller: Caller) -> CachedRead {
        CachedRead(key: caller.key(.customers, "id") { $0.add(id.description) }, fill: .body(ReadCustomer(id: id)))
    }

    /// `GET /v1/customers`, by name.
    package func customers(_ filter: CustomerFilter, _ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("find")
        builder.add(filter.q?.text)
        builder.add(filter.active.map { $0 ? "1" : "0" })
        builder.add(filter.hasBalance.map { $0 ? "1" : "0" })
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .customers)
        return page.read(ListCustomers(filter: filter, limit: page.limit, after: page.afterText()))
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
