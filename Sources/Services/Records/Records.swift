import Cache
package import Kernel
import Postgres

/// What can be done with the records of one kind, the same for every kind.
package struct Records<R: Record>: Sendable {
    let store: Store
    let cursors: PageCursors

    /// Makes the service of one kind.
    init(store: Store, cursors: PageCursors) {
        self.store = store
        self.cursors = cursors
    }

    /// `GET` of one.
    package func one(_ id: ID<R.Kind>, _ caller: Caller) -> CachedRead {
        let key = Self.key("id").adding(id.description).key(tenant: caller.tenant.rawValue, module: R.module)
        return CachedRead(key: key, fill: .body(ReadDocument(document: R(id))))
    }

    /// The beginning of the key of a read.
    ///
    /// Where a module retires records of several kinds it says which is meant.
    private static func key(_ kind: StaticString) -> KeyBuilder {
        let key = KeyBuilder(kind)
        return R.collection == "/v1/\(R.module.rawValue)" ? key : key.adding(R.nounText)
    }

    /// `POST`: 201 with the record.
    ///
    /// - Parameters:
    ///   - fields: Every column, each set.
    ///   - id: Its id.
    ///   - context: Who asks.
    ///   - key: The request's key, if it has one.
    /// - Returns: The record.
    /// - Throws: 409 `duplicate`, 422 `validation_failed`.
    package func create(
        _ fields: R.Fields,
        id: ID<R.Kind> = .make(),
        _ context: CallContext,
        key: IdempotencyKey? = nil
    ) async throws(Problem) -> Answer {
        let record = R(id)
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<R> in
            try unit.add(Act(actor: AuditActor(context)))
            try record.check(fields, isNew: true, in: &unit)
            try unit.add(InsertRecord(record: record, fields: fields))
            try record.complete(fields, in: &unit)
            return .created(record)
        }
    }

    /// `PATCH`: 200 with the record as it is then.
    ///
    /// - Parameters:
    ///   - id: Which one.
    ///   - fields: What changes.
    ///   - expected: What `If-Match` demands.
    ///   - context: Who asks.
    /// - Returns: The record.
    /// - Throws: 404 `not_found`, 412 `version_mismatch`, 409 `duplicate` and whatever the record refuses.
    package func change(
        _ id: ID<R.Kind>,
        _ fields: R.Fields,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        let record = R(id)
        return try await store.write(context) { (unit) throws(PostgresError) -> Effect<R> in
            try unit.add(Act(actor: AuditActor(context)))
            try unit.add(GuardRecord(record: record, expected: expected))
            try record.check(fields, isNew: false, in: &unit)
            try unit.add(UpdateRecord(record: record, fields: fields))
            try record.complete(fields, in: &unit)
            return .changed(record)
        }
    }

    /// `DELETE`: 204.
    ///
    /// - Parameters:
    ///   - id: Which one.
    ///   - expected: What `If-Match` demands.
    ///   - context: Who asks.
    /// - Returns: Nothing.
    /// - Throws: 404 `not_found`, 412 `version_mismatch`, 409 `in_use` while something names it.
    package func delete(
        _ id: ID<R.Kind>,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        let record = R(id)
        return try await store.write(context) { (unit) throws(PostgresError) -> Effect<Nothing> in
            try unit.add(Act(actor: AuditActor(context)))
            try unit.add(GuardRecord(record: record, expected: expected))
            try unit.add(DeleteRecord(record: record))
            return .deleted
        }
    }
}

extension Records where R: ListedByName {
    /// `GET` of a page, by name.
    ///
    /// - Parameters:
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func list(_ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        let page = try PagePosition(Self.key("list"), page, cursors: cursors, tenant: caller.tenant, module: R.module)
        return page.read(ListRecords<R>(limit: page.limit, after: page.afterText()))
    }
}
