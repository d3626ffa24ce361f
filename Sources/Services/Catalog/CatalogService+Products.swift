import Cache
import Domain
package import Kernel
import Postgres

extension CatalogService {
    /// `GET /v1/products/{id}`.
    package func product(_ id: ProductID, _ caller: Caller) -> CachedRead {
        CachedRead(key: caller.key(.products, "id") { $0.add(id.description) }, fill: .body(ReadProduct(id: id)))
    }

    /// `GET /v1/products`.
    package func products(_ filter: ProductFilter, _ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("find")
        builder.add(filter.q?.text)
        builder.add(filter.barcode?.text)
        builder.add(filter.categoryID?.description)
        builder.add(filter.stock?.rawValue)
        builder.add(filter.status?.rawValue)
        builder.add(filter.sort.rawValue)
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .products)
        return filter.sort == .name
            ? page.read(ListProductsByName(filter: filter, limit: page.limit, after: page.afterText()))
            : page.read(ListProducts(filter: filter, limit: page.limit, after: page.afterText()))
    }

    /// `GET /v1/products/lookup?code=`: every product with this SKU or barcode, never silently the first.
    package func lookUp(_ code: ProductCode, _ caller: Caller) -> CachedRead {
        CachedRead(key: caller.key(.products, "code") { $0.add(code.text) }, fill: .body(LookUpProducts(code: code)))
    }

    /// `POST /v1/products`: 201 with the product.
    package func createProduct(
        _ draft: ProductDraft,
        key: IdempotencyKey? = nil,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        let id = ProductID.make()
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            try unit.add(GuardNewProduct(draft: draft))
            try unit.add(InsertProduct(id: id, draft: draft))
            if !draft.barcodes.isEmpty { try unit.add(ReplaceBarcodes(id: id, codes: draft.barcodes)) }
            return try unit.add(AnswerProduct(id: id, status: 201, key: key))
        }
    }

    /// `PUT /v1/products/{id}`: 201 when created under the client's id, 200 when replaced.
    ///
    /// - Parameters:
    ///   - id: The client's id.
    ///   - draft: The whole product.
    ///   - condition: What must be there.
    ///   - context: Who asks.
    /// - Returns: The product.
    /// - Throws: 412 `version_mismatch` if something else is there, 404 `not_found` if there is nothing to replace.
    package func putProduct(
        _ id: ProductID,
        _ draft: ProductDraft,
        condition: PutCondition,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        switch condition {
        case .absent:
            do {
                return try await store.write(context) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
                    try unit.add(GuardNewProduct(draft: draft))
                    try unit.add(InsertProduct(id: id, draft: draft))
                    if !draft.barcodes.isEmpty { try unit.add(ReplaceBarcodes(id: id, codes: draft.barcodes)) }
                    return try unit.add(AnswerProduct(id: id, status: 201, key: nil))
                }
            } catch {
                guard error.code == .duplicate, error.errors.first?.pointer == "/id" else { throw error }
                throw Problem(.versionMismatch, "A product with this id exists. Use If-Match to replace it.")
            }
        case .matching(let expected):
            var patch = ProductPatch()
            patch.sku = .set(draft.sku)
            patch.name = .set(draft.name)
            patch.categoryID = .set(draft.categoryID)
            if let unitID = draft.unitID { patch.unitID = .set(unitID) }
            patch.price = .set(draft.price)
            patch.taxRate = .set(draft.taxRate)
            patch.tracksStock = .set(draft.tracksStock)
            patch.oversell = .set(draft.oversell)
            patch.minStock = .set(draft.minStock)
            patch.status = .set(draft.status)
            patch.externalID = .set(draft.externalID)
            patch.barcodes = .set(draft.barcodes)
            return try await updateProduct(id, patch, expected: expected, context)
        }
    }

    /// `PATCH /v1/products/{id}`: 200; 404, 412, 409 `invalid_state` for what a document has fixed.
    package func updateProduct(
        _ id: ProductID,
        _ patch: ProductPatch,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        try await store.write(context) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            try unit.add(GuardProduct(id: id, expected: expected))
            try unit.add(GuardProductFields(id: id, patch: patch))
            try unit.add(UpdateProduct(id: id, patch: patch))
            if let codes = patch.barcodes.newValue { try unit.add(ReplaceBarcodes(id: id, codes: codes)) }
            return try unit.add(AnswerProduct(id: id, status: 200, key: nil))
        }
    }

    /// `DELETE /v1/products/{id}`: 204; 404, 412, 409 `in_use` once a document or movement names it.
    package func deleteProduct(
        _ id: ProductID,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        try await store.write(context) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            try unit.add(GuardProduct(id: id, expected: expected))
            try unit.add(DeleteProduct(id: id))
            return try unit.add(AnswerDeleted())
        }
    }

    /// `POST /v1/products/batch`: up to 1,000 upserts, all or none.
    ///
    /// - Parameters:
    ///   - upserts: The products; each has an external id or a SKU, none is named twice.
    ///   - key: The request's key.
    ///   - context: Who asks.
    /// - Returns: 200 `{data: [{id, sku, external_id, outcome}]}` in the order of the request, the outcome `created`, `updated` or
    ///   `unchanged`; an unchanged row writes nothing.
    /// - Throws: 422 `validation_failed` with every row that cannot be applied.
    package func upsertProducts(
        _ upserts: [ProductUpsert],
        key: IdempotencyKey?,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        var errors: [FieldError] = []
        if upserts.isEmpty || upserts.count > 1000 {
            errors.append(FieldError("/products", "too_many", "Must have 1 to 1000 elements."))
        }
        for (index, upsert) in upserts.enumerated() where upsert.sku == nil && upsert.externalID == nil {
            errors.append(FieldError("/products/\(index)", "required", "Must have a sku or an external_id."))
        }
        guard errors.isEmpty else {
            throw Problem(.validationFailed, "Some products are not valid.", errors: errors)
        }
        let batch = ProductBatch(upserts)
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            try unit.add(UpsertProducts(batch: batch, key: key))
        }
    }
}
