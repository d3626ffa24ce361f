package import Kernel
package import Postgres

/// What is answered, as SQL: a body and its entity tag, of one thing or of what a command has made.
///
/// One type says it for the read that is cached and for the command that ends in it, so that the two cannot differ.
package protocol Document: Sendable {
    /// The name, unique in the program: `sales.movements`.
    static var name: String { get }

    /// One row of `body text, etag text`, or none; parameters are `$1` and on.
    ///
    /// An etag of NULL lets the cache derive one from the bytes.
    static var sql: SQL { get }

    /// The types of the parameters in order.
    static var parameterTypes: [PostgresType] { get }

    /// Binds the parameters in order.
    func bind(_ parameters: inout Parameters) throws(PostgresError)

    /// The path under which it is found; nil for what has none.
    var path: String? { get }

    /// The id of the thing; nil for what has none.
    var entity: EntityID? { get }
}

extension Document {
    package static var parameterTypes: [PostgresType] { [] }
    package func bind(_ parameters: inout Parameters) throws(PostgresError) {}
    package var path: String? { nil }
    package var entity: EntityID? { nil }
}

/// One row of a table, found by its id: what `GET` of its path answers.
package protocol Resource: Document {
    /// Whose ids they are.
    associatedtype Kind

    /// The path of all of them: `/v1/customers`.
    static var collection: String { get }

    /// Which one.
    var id: ID<Kind> { get }

    /// The one with an id.
    init(_ id: ID<Kind>)
}

extension Resource {
    package static var parameterTypes: [PostgresType] { [.uuid] }
    package func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
    package var path: String? { "\(Self.collection)/\(id)" }
    package var entity: EntityID? { id.entity }
}

/// Reads a document; always one row, whose body is NULL if there is no such thing.
struct ReadDocument<Asked: Document>: Statement {
    static var name: String { "\(Asked.name).read" }
    static var sql: SQL {
        """
        SELECT d.body, d.etag, pg_current_snapshot()
        FROM (SELECT 1) one
        LEFT JOIN (\(Asked.sql)) d (body, etag) ON true
        """
    }
    static var parameterTypes: [PostgresType] { Asked.parameterTypes }
    typealias Row = BodyRow

    let document: Asked

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try document.bind(&parameters) }
}
