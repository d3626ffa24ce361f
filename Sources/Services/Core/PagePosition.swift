import Cache
import Kernel
import Postgres

/// Where a page begins: the key it is cached under, and the sort values of the row before it.
struct PagePosition: Sendable {
    /// The page's place in the cache.
    let key: CacheKey
    /// How long the page is.
    let limit: Int
    /// Makes the cursor of the next page.
    let next: @Sendable ([String]) -> String

    /// The sort values of the row before; nil on the first page.
    let values: [String]?
    /// The names that members show.
    private let names: [Named]

    /// Reads a cursor.
    ///
    /// - Parameters:
    ///   - query: Filters and order; a cursor belongs to them.
    ///   - page: How long the page is, which is part of the key and not of the cursor, and where it begins.
    ///   - cursors: The codec.
    ///   - tenant: Whose rows are asked for.
    ///   - module: Where the page is cached; one that shows names is in `views` instead.
    ///   - count: How many sort values a cursor has.
    ///   - names: The names that its members show.
    /// - Throws: 400 `cursor_mismatch`.
    init(
        _ query: KeyBuilder,
        _ page: Page,
        cursors: PageCursors,
        tenant: TenantID,
        module: Module,
        count: Int = 2,
        showing names: [Named] = []
    ) throws(Problem) {
        let query = names.isEmpty ? query : query.showing(names, of: module)
        let module = names.isEmpty ? module : .views
        self.names = names
        let text = "\(module.rawValue) \(query.text)"
        values = try cursors.decode(page.cursor, count: count, tenant: tenant, query: text)
        next = { cursors.encode($0, tenant: tenant, query: text) }
        limit = page.limit
        var builder = query
        builder.add(page.limit)
        for value in values ?? [] { builder.add(value) }
        key = builder.key(tenant: tenant.rawValue, module: module)
    }

    /// The row before a page that is sorted by time.
    ///
    /// A signed cursor holds what a page of ours ended with, so it can be read.
    func afterMoment<Kind>() -> (occurredAt: Timestamp, id: ID<Kind>)? {
        guard let values, values.count == 2, let occurredAt = Timestamp(values[0]), let id = ID<Kind>(values[1]) else {
            return nil
        }
        return (occurredAt, id)
    }

    /// The row before a page that is sorted by a text.
    func afterText() -> NamePlace? {
        guard let values, values.count == 2, let id = EntityID(values[1]) else { return nil }
        return NamePlace(key: values[0], id: id)
    }

    /// The read of this page.
    func read(_ statement: some Statement<PageRow>) -> CachedRead {
        guard names.isEmpty else {
            return CachedRead(key: key, fill: .page(NamedPage(page: statement, names: names), next: next))
        }
        return CachedRead(key: key, fill: .page(statement, next: next))
    }

    /// The read of this page of what belongs to one thing, which answers no row if there is no such thing.
    func readParts(_ statement: some Statement<PageRow>) -> CachedRead {
        CachedRead(key: key, fill: PartsFill(page: .page(statement, next: next)))
    }

    /// The read of this page below figures of its own; it answers no row if there is nothing that they are about.
    func read(_ statement: some Statement<HeadedPageRow>) -> CachedRead {
        CachedRead(key: key, fill: HeadedPageFill(statement: statement, next: next))
    }
}
