package import Cache
package import Domain
package import Kernel
package import Postgres

/// One cached read: under which key its answer lies, and what makes it.
///
/// A service answers a question with this value and does nothing yet. It makes both halves of one query value, which was brought
/// into its one form when it was made: the key is text made of its fields, the statement binds the same fields, and neither has
/// seen the request. So an answer cannot be that of another question; a test compares what statements bind wherever keys are equal.
package enum CachedRead: Sendable {
    /// The read is known.
    case known(CacheKey, any Fill)

    /// The read is known once the tenant's settings are, as its days are counted from the tenant's today.
    case dated(CachedValue<TenantSettings>, read: @Sendable (BusinessDay) throws(Problem) -> CachedRead)

    /// The read is known once it is known how the tenant's scales write their codes.
    case scanned(CachedValue<[ScalePattern]>, read: @Sendable ([ScalePattern]) -> CachedRead)

    /// A read that is known.
    ///
    /// - Parameters:
    ///   - key: Where the answer lies; made by ``Caller/key(_:_:)`` or a page's position, so that it is the caller's tenant's.
    ///   - fill: What makes it.
    init(key: CacheKey, fill: some Fill) { self = .known(key, fill) }
}

/// One cached value of the services' own: small, kept in this instance's memory alone, never sent to a client as it is.
package struct CachedValue<Value: Sendable>: Sendable {
    let key: CacheKey
    let fill: any Fill
}

/// What makes a cached answer: one statement, and what is kept of its row.
///
/// The statement runs for the tenant of the key, whoever asks.
package protocol Fill: Sendable {
    /// The statement's type.
    associatedtype Asked: Statement

    /// The statement, which also answers the snapshot it saw.
    var statement: Asked { get }

    /// What is kept of its row.
    ///
    /// - Parameter row: The row.
    /// - Returns: The answer.
    /// - Throws: A refusal.
    func filled(_ row: inout Asked.Row) throws -> Filled

    /// What it means that there is no row; a fault unless a fill says otherwise.
    var absence: any Error { get }

    /// Computes the answer.
    ///
    /// - Parameters:
    ///   - postgres: The way to PostgreSQL.
    ///   - tenant: Whose rows the statement sees.
    ///   - deadline: When nobody waits any longer.
    /// - Returns: The answer.
    /// - Throws: What kept the statement from answering.
    func run(
        on postgres: PostgresClient,
        for tenant: TenantID,
        until deadline: ContinuousClock.Instant
    ) async throws
        -> Filled
}

extension Fill {
    package var absence: any Error {
        PostgresError(.unexpectedRowCount, "no row where there must be one", statement: Asked.name)
    }

    package func run(
        on postgres: PostgresClient,
        for tenant: TenantID,
        until deadline: ContinuousClock.Instant
    ) async throws -> Filled {
        let rows = try await postgres.query(statement, tenant: tenant.rawValue, on: .shared, deadline: deadline)
        guard var row = rows.first else { throw absence }
        return try filled(&row)
    }
}

/// A body with its tag.
struct BodyFill<Asked: Statement>: Fill where Asked.Row == BodyRow {
    let statement: Asked

    func filled(_ row: inout BodyRow) -> Filled { Filled(row) }
}

/// A list without pages.
struct ListFill<Asked: Statement>: Fill where Asked.Row == ListRow {
    let statement: Asked

    func filled(_ row: inout ListRow) -> Filled { Filled(row) }
}

/// A page, whose cursor is made here.
struct PageFill<Asked: Statement>: Fill where Asked.Row == PageRow {
    let statement: Asked
    /// Makes the cursor of the page behind it from the sort values of its last row.
    let next: @Sendable ([String]) -> String

    func filled(_ row: inout PageRow) -> Filled { Filled(page: &row, cursor: next) }
}

/// A page of what belongs to one thing; no row says that there is no such thing.
struct PartsFill<Asked: Statement>: Fill where Asked.Row == PageRow {
    let page: PageFill<Asked>

    var statement: Asked { page.statement }
    var absence: any Error { Problem.notFound }

    func filled(_ row: inout PageRow) -> Filled { page.filled(&row) }
}

/// A page below figures of its own; no row says that there is nothing that they are about.
struct HeadedPageFill<Asked: Statement>: Fill where Asked.Row == HeadedPageRow {
    let statement: Asked
    /// Makes the cursor of the page behind it from the sort values of its last row.
    let next: @Sendable ([String]) -> String

    var absence: any Error { Problem.notFound }

    func filled(_ row: inout HeadedPageRow) -> Filled { Filled(head: row.head, page: &row.page, cursor: next) }
}

extension Fill {
    /// The body that a statement answers.
    static func body<Asked>(_ statement: Asked) -> BodyFill<Asked> where Self == BodyFill<Asked> {
        BodyFill(statement: statement)
    }

    /// The list that a statement answers.
    static func list<Asked>(_ statement: Asked) -> ListFill<Asked> where Self == ListFill<Asked> {
        ListFill(statement: statement)
    }

    /// The page that a statement answers.
    static func page<Asked>(
        _ statement: Asked,
        next: @escaping @Sendable ([String]) -> String
    ) -> PageFill<Asked> where Self == PageFill<Asked> {
        PageFill(statement: statement, next: next)
    }
}

extension Caller {
    /// The key of a cached read of the caller's tenant; one of another tenant cannot be written.
    ///
    /// - Parameters:
    ///   - module: What retires the answer.
    ///   - kind: Which read it is.
    ///   - parts: Adds the fields of the query value.
    /// - Returns: The key.
    func key(_ module: Module, _ kind: StaticString, _ parts: (inout KeyBuilder) -> Void = { _ in }) -> CacheKey {
        var builder = KeyBuilder(kind)
        parts(&builder)
        return builder.key(tenant: tenant.rawValue, module: module)
    }

    /// The read of one thing, under its id.
    ///
    /// - Parameters:
    ///   - module: What retires the answer.
    ///   - resource: Which one.
    ///   - kind: Which read it is, where a module has several.
    /// - Returns: The read.
    func read<Asked: Resource>(_ module: Module, _ resource: Asked, _ kind: StaticString = "id") -> CachedRead {
        CachedRead(
            key: key(module, kind) { $0.add(resource.id.description) },
            fill: .body(ReadDocument(document: resource))
        )
    }
}
