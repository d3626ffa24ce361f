import Cache
package import Kernel

extension Records<Customer> {
    /// `GET /v1/customers`.
    ///
    /// - Parameters:
    ///   - filter: Which ones, in which order.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func list(_ filter: CustomerFilter, _ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("find")
        builder.add(filter.q?.text)
        builder.add(filter.active.map { $0 ? "1" : "0" })
        builder.add(filter.hasBalance.map { $0 ? "1" : "0" })
        if filter.sort != .name { builder.add(filter.sort.rawValue) }
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .customers)
        return page.read(ListCustomers(filter: filter, limit: page.limit, after: page.afterText()))
    }
}
