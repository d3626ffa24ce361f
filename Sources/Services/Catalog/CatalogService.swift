import Cache
import Domain
package import Kernel
import Postgres

/// Categories, units and products: what the shop sells, and in what.
package struct CatalogService: Sendable {
    let store: Store
    let tenants: TenantService
    let cursors: PageCursors

    init(store: Store, tenants: TenantService, cursors: PageCursors) {
        self.store = store
        self.tenants = tenants
        self.cursors = cursors
    }

    static let statements: [any Statement.Type] = [
        ReadCategory.self, ListCategories.self, InsertCategory.self, GuardCategory.self, UpdateCategory.self,
        DeleteCategory.self, AnswerCategory.self,
        ReadUnit.self, ListUnits.self, InsertUnit.self, GuardUnit.self, UpdateUnit.self, DeleteUnit.self,
        AnswerUnit.self,
        ReadProduct.self, LookUpProducts.self, ListProductsByName.self, ListProducts.self, GuardNewProduct.self,
        InsertProduct.self, GuardProduct.self, GuardProductFields.self, UpdateProduct.self, ReplaceBarcodes.self,
        DeleteProduct.self, AnswerProduct.self, AnswerDeleted.self,
        UpsertProducts.self,
    ]

    // MARK: Categories

    /// `GET /v1/categories/{id}`.
    package func category(_ id: CategoryID, _ caller: Caller) -> CachedRead {
        CachedRead(key: caller.key(.categories, "id") { $0.add(id.description) }, fill: .body(ReadCategory(id: id)))
    }

    /// `GET /v1/categories`, by name.
    package func categories(_ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        let query = KeyBuilder("list")
        let page = try PagePosition(query, page, cursors: cursors, tenant: caller.tenant, module: .categories)
        return page.read(ListCategories(limit: page.limit, after: page.afterText()))
    }

    /// `POST /v1/categories`: 201 with the category.
    package func createCategory(
        _ draft: CategoryDraft,
        key: IdempotencyKey? = nil,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        let id = CategoryID.make()
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            try unit.add(InsertCategory(id: id, draft: draft))
            return try unit.add(AnswerCategory(id: id, status: 201, key: key))
        }
    }

    /// `PATCH /v1/categories/{id}`: 200; 404, 412, 422 for a cycle.
    package func updateCategory(
        _ id: CategoryID,
        _ patch: CategoryPatch,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        try await store.write(context) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            try unit.add(GuardCategory(id: id, parent: patch.parentID.newValue ?? nil, expected: expected))
            try unit.add(UpdateCategory(id: id, patch: patch))
            return try unit.add(AnswerCategory(id: id, status: 200, key: nil))
        }
    }

    /// `DELETE /v1/categories/{id}`: 204; 404, 412, 409 `in_use` while products or categories lie in it.
    package func deleteCategory(
        _ id: CategoryID,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        try await store.write(context) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            try unit.add(GuardCategory(id: id, parent: nil, expected: expected))
            try unit.add(DeleteCategory(id: id))
            return try unit.add(AnswerDeleted())
        }
    }

    // MARK: Units

    /// `GET /v1/units/{id}`.
    package func unit(_ id: UnitID, _ caller: Caller) -> CachedRead {
        CachedRead(key: caller.key(.units, "id") { $0.add(id.description) }, fill: .body(ReadUnit(id: id)))
    }

    /// `GET /v1/units`, by name.
    package func units(_ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        let query = KeyBuilder("list")
        let page = try PagePosition(query, page, cursors: cursors, tenant: caller.tenant, module: .units)
        return page.read(ListUnits(limit: page.limit, after: page.afterText()))
    }

    /// `POST /v1/units`: 201 with the unit.
    package func createUnit(
        _ draft: UnitDraft,
        key: IdempotencyKey? = nil,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        let id = UnitID.make()
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            try unit.add(InsertUnit(id: id, draft: draft))
            return try unit.add(AnswerUnit(id: id, status: 201, key: key))
        }
    }

    /// `PATCH /v1/units/{id}`: 200; 404, 412, 409 `invalid_state` if decimals would shrink below the data.
    package func updateUnit(
        _ id: UnitID,
        _ patch: UnitPatch,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        try await store.write(context) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            try unit.add(GuardUnit(id: id, decimals: patch.decimals.newValue, expected: expected))
            try unit.add(UpdateUnit(id: id, patch: patch))
            return try unit.add(AnswerUnit(id: id, status: 200, key: nil))
        }
    }

    /// `DELETE /v1/units/{id}`: 204; 404, 412, 409 `in_use` while products are sold by it.
    package func deleteUnit(
        _ id: UnitID,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        try await store.write(context) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            try unit.add(GuardUnit(id: id, decimals: nil, expected: expected))
            try unit.add(DeleteUnit(id: id))
            return try unit.add(AnswerDeleted())
        }
    }
}
