import Cache
import Kernel

/// Where a page of documents begins: the moment and id of the row before it, and the key the page is cached under.
struct PagePosition: Sendable {
    /// The page's place in the cache.
    let key: CacheKey
    /// Makes the cursor of the next page.
    let next: @Sendable ([String]) -> String

    private let values: [String]?

    /// Reads a cursor.
    ///
    /// - Parameters:
    ///   - query: Filters and order; a cursor belongs to them.
    ///   - limit: How long the page is; part of the key, not of the cursor.
    ///   - cursor: What the client sent.
    ///   - cursors: The codec.
    ///   - context: Who asks.
    ///   - module: Where the page is cached.
    /// - Throws: 400 `cursor_mismatch`.
    init(
        _ query: KeyBuilder,
        limit: Int,
        cursor: String?,
        cursors: PageCursors,
        _ context: CallContext,
        module: Module
    ) throws(Problem) {
        let tenant = context.tenant
        let text = "\(module.rawValue) \(query.text)"
        values = try cursors.decode(cursor, count: 2, tenant: tenant, query: text)
        next = { cursors.encode($0, tenant: tenant, query: text) }
        var builder = query
        builder.add(limit)
        for value in values ?? [] { builder.add(value) }
        key = builder.key(tenant: tenant.rawValue, module: module)
    }

    /// The row before the page.
    ///
    /// A signed cursor holds what a page of ours ended with, so it can be read.
    func after<Kind>() -> (occurredAt: Timestamp, id: ID<Kind>)? {
        guard let values, values.count == 2, let occurredAt = Timestamp(values[0]), let id = ID<Kind>(values[1]) else {
            return nil
        }
        return (occurredAt, id)
    }

    /// The row before a page that is sorted by a text.
    func afterText<Kind>() -> (text: String, id: ID<Kind>)? {
        guard let values, values.count == 2, let id = ID<Kind>(values[1]) else { return nil }
        return (values[0], id)
    }
}
