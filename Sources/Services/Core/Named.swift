import Cache
import Kernel
import Postgres

/// What a document names by id and can be asked to show by name beside it.
///
/// Bodies have ids alone, so that renaming a customer touches no sale. What shows names is a read of its own, in the module `views`.
package enum Named: String, Sendable, CaseIterable {
    case customer
    case user
    case register
}

/// A page whose members show the names of what they name.
struct NamedPage<Asked: Statement>: Statement where Asked.Row == PageRow {
    static var name: String { "\(Asked.name).named" }
    static var sql: SQL {
        """
        SELECT stock.named_members(p.data, \(.parameter(Asked.parameterTypes.count + 1))), p.next, p.snapshot, p.event
        FROM (\(Asked.sql)) p (data, next, snapshot, event)
        """
    }
    static var parameterTypes: [PostgresType] { Asked.parameterTypes + [.textArray] }
    typealias Row = PageRow

    let page: Asked
    let names: [Named]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try page.bind(&parameters)
        try parameters.append(names.map(\.rawValue))
    }
}

/// A document that shows the names of what it names.
///
/// Its tag begins with the version that a change names, and ends with a digest, as names change without it.
struct NamedDocument<Asked: Document>: Statement {
    static var name: String { "\(Asked.name).read.named" }
    static var sql: SQL {
        """
        SELECT n.body, left(d.etag, -1) || '.' || left(md5(n.body), 16) || '"', pg_current_snapshot()
        FROM (SELECT 1) one
        LEFT JOIN (\(Asked.sql)) d (body, etag) ON true
        CROSS JOIN LATERAL (
            SELECT stock.named(d.body::json, \(.parameter(Asked.parameterTypes.count + 1))) AS body OFFSET 0) n
        """
    }
    static var parameterTypes: [PostgresType] { Asked.parameterTypes + [.textArray] }
    typealias Row = BodyRow

    let document: Asked
    let names: [Named]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try document.bind(&parameters)
        try parameters.append(names.map(\.rawValue))
    }
}

extension KeyBuilder {
    /// The key of a read that shows names, made of the key of the read that does not.
    func showing(_ names: [Named], of module: Module) -> KeyBuilder {
        var builder = KeyBuilder("named")
        builder.add(names.map(\.rawValue).joined(separator: "-"))
        builder.add(module.rawValue)
        builder.add(text)
        return builder
    }
}

extension Caller {
    /// The read of one thing, with the names of what it names.
    ///
    /// - Parameters:
    ///   - module: What retires the answer without them.
    ///   - resource: Which one.
    ///   - kind: Which read it is, where a module has several.
    ///   - names: Which names; without any it is the plain read.
    /// - Returns: The read.
    func read<Asked: Resource>(
        _ module: Module,
        _ resource: Asked,
        _ kind: StaticString = "id",
        showing names: [Named]
    ) -> CachedRead {
        guard !names.isEmpty else { return read(module, resource, kind) }
        let key = KeyBuilder(kind).adding(resource.id.description).showing(names, of: module)
        return CachedRead(
            key: key.key(tenant: tenant.rawValue, module: .views),
            fill: .body(NamedDocument(document: resource, names: names))
        )
    }
}
