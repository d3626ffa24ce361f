package import Cache
import Kernel
package import Postgres

/// A record that people edit: a row with a version, some columns of which a client writes.
///
/// What differs between records is said here; how one is made, changed, deleted, read and listed is the same for all of them
/// (``Records``).
package protocol Record: Resource {
    /// The columns a client writes, each kept or set.
    associatedtype Fields: Sendable

    /// What retires its answers.
    static var module: Module { get }

    /// Its table: `stock.customer`.
    static var table: SQL { get }

    /// What one is called, in refusals and in the document: `customer`.
    static var noun: SQL { get }

    /// The function that makes its body: `stock.customer_body`.
    static var body: SQL { get }

    /// The columns a client writes.
    static var columns: [Column<Fields>] { get }

    /// Statements of its own, beside those that every record has.
    static var others: [any Statement.Type] { get }

    /// Every statement there is for it, for connections to prepare as they come up. Not for a record to say.
    static var statements: [any Statement.Type] { get }

    /// Adds what must be true before the row is written; the row is locked, if it is there.
    ///
    /// - Parameters:
    ///   - fields: What is written.
    ///   - isNew: Whether the row is made.
    ///   - unit: Where statements go.
    /// - Throws: ``PostgresError`` of code `encoding`.
    func check(_ fields: Fields, isNew: Bool, in unit: inout UnitOfWork) throws(PostgresError)

    /// Adds what belongs to the record and lies in other tables.
    func complete(_ fields: Fields, in unit: inout UnitOfWork) throws(PostgresError)
}

extension Record {
    package static var sql: SQL {
        """
        SELECT \(body)(r.tenant_id, r.id), '"' || r.version || '"'
        FROM \(table) r
        WHERE r.tenant_id = stock.current_tenant() AND r.id = $1
        """
    }

    /// What one is called, as text.
    package static var nounText: String { noun.text }

    package static var others: [any Statement.Type] { [] }

    package static var statements: [any Statement.Type] { shared + others }

    /// The statements that every record has.
    fileprivate static var shared: [any Statement.Type] {
        [
            ReadDocument<Self>.self, InsertRecord<Self>.self, GuardRecord<Self>.self, UpdateRecord<Self>.self,
            DeleteRecord<Self>.self, Conclude<Self>.self,
        ]
    }

    package func check(_ fields: Fields, isNew: Bool, in unit: inout UnitOfWork) throws(PostgresError) {}
    package func complete(_ fields: Fields, in unit: inout UnitOfWork) throws(PostgresError) {}
}

/// A record whose list is by name and whole.
///
/// What can be narrowed has a list of its own instead.
package protocol ListedByName: Record {}

extension ListedByName {
    package static var statements: [any Statement.Type] { shared + [ListRecords<Self>.self] + others }
}
