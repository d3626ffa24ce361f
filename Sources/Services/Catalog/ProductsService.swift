import Cache
import Domain
package import Kernel
import Postgres

extension Records<Product> {
    /// `GET /v1/products`.
    ///
    /// - Parameters:
    ///   - filter: Which ones, in which order.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func list(_ filter: ProductFilter, _ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        // What a place is in the other orders is not what it was when they were called by the first name.
        var builder = filter.sort == .name ? KeyBuilder("find") : KeyBuilder("sorted")
        builder.add(filter.q?.text)
        builder.add(filter.barcode?.text)
        builder.add(filter.categoryID?.description)
        builder.add(filter.stock?.rawValue)
        builder.add(filter.status?.rawValue)
        builder.add(filter.sort.rawValue)
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .products)
        return page.read(ListProducts(filter: filter, limit: page.limit, after: page.afterText()))
    }

    /// `GET /v1/products/lookup?code=`: every product with this SKU or barcode, never silently the first; of a code that is none,
    /// what it says otherwise.
    package func lookUp(_ code: ProductCode, _ caller: Caller) -> CachedRead {
        guard ScalePattern.mayFit(code.text) else { return Self.read(ScannedCode(code.text, scales: []), caller) }
        return .scanned(ScaleCode.patterns(of: caller.tenant)) { scales in
            Self.read(ScannedCode(code.text, scales: scales), caller)
        }
    }

    private static func read(_ code: ScannedCode, _ caller: Caller) -> CachedRead {
        let key = caller.key(.products, "code") { builder in
            builder.add(code.text)
            guard !code.others.isEmpty || code.fault != nil else { return }
            builder.add(code.others.joined(separator: " "))
            builder.add(code.quantity?.text())
            builder.add(code.amount?.text())
            builder.add(code.lot)
            builder.add(code.expiresOn?.description)
            builder.add(code.fault?.detail)
        }
        return CachedRead(key: key, fill: .list(LookUpProducts(code: code)))
    }

    /// `GET /v1/products/{id}/price-history`: what its prices and costs were, the last change first.
    ///
    /// - Parameters:
    ///   - id: Which product.
    ///   - kind: Of its price or of its cost only.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func priceHistory(
        of id: ProductID,
        _ kind: PriceKind?,
        _ page: Page,
        _ caller: Caller
    ) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("prices")
        builder.add(id.description)
        builder.add(kind?.rawValue)
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .products)
        let after: (occurredAt: Timestamp, id: ProductID)? = page.afterMoment()
        return page.readParts(
            ListPriceHistory(product: id, kind: kind, after: after?.id.entity, limit: page.limit)
        )
    }

    /// `PUT /v1/products/{id}`: 201 when created under the client's id, 200 when replaced.
    ///
    /// - Parameters:
    ///   - id: The client's id.
    ///   - fields: The whole product.
    ///   - condition: What must be there.
    ///   - context: Who asks.
    /// - Returns: The product.
    /// - Throws: 412 `version_mismatch` if something else is there, 404 `not_found` if there is nothing to replace.
    package func put(
        _ id: ProductID,
        _ fields: ProductFields,
        condition: PutCondition,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        switch condition {
        case .absent:
            do {
                return try await create(fields, id: id, context)
            } catch {
                guard error.code == .duplicate, error.errors.first?.pointer == "/id" else { throw error }
                throw Problem(.versionMismatch, "A product with this id exists. Use If-Match to replace it.")
            }
        case .matching(let expected):
            return try await change(id, fields, expected: expected, context)
        }
    }

    /// `POST /v1/products/batch`: up to 1,000 upserts, all or none.
    ///
    /// - Parameters:
    ///   - upserts: The products; each has an external id or a SKU, none is named twice.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 `{data: [{id, sku, external_id, outcome}]}` in the order of the request, the outcome `created`, `updated` or
    ///   `unchanged`; an unchanged row writes nothing.
    /// - Throws: 422 `validation_failed` with every row that cannot be applied.
    package func upsert(
        _ upserts: [ProductUpsert],
        _ context: CallContext,
        key: IdempotencyKey? = nil
    ) async throws(Problem) -> Answer {
        var errors: [FieldError] = []
        if upserts.isEmpty || upserts.count > 1000 {
            errors.append(FieldError("/products", .tooMany, "Must have 1 to 1000 elements."))
        }
        for (index, upsert) in upserts.enumerated() where upsert.sku == nil && upsert.externalID == nil {
            errors.append(FieldError("/products/\(index)", .required, "Must have a sku or an external_id."))
        }
        guard errors.isEmpty else {
            throw Problem(.validationFailed, "Some products are not valid.", errors: errors)
        }
        let batch = ProductBatch(upserts)
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<UpsertedProducts> in
            try unit.add(Act(actor: AuditActor(context)))
            return .changed(UpsertedProducts(batch: batch))
        }
    }
}
