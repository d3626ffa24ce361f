/// What a member of a tenant is.
package enum Role: String, Sendable, Hashable, CaseIterable {
    case owner
    case manager
    case cashier
    case stockKeeper = "stock_keeper"
    case viewer
}

/// What an API key may do; a member's role gives the same rights by name (Domain's `Permissions`).
package enum Scope: String, Sendable, Hashable, CaseIterable {
    case catalogRead = "catalog:read"
    case catalogWrite = "catalog:write"
    case stockRead = "stock:read"
    case stockWrite = "stock:write"
    case salesRead = "sales:read"
    case salesWrite = "sales:write"
    /// To sell below the list price: without limit by a key, up to the role's limit by a member.
    case salesDiscount = "sales:discount"
    /// To write down sales that have happened while a till was away.
    case salesOffline = "sales:offline"
    case paymentsWrite = "payments:write"
    case customersRead = "customers:read"
    case customersWrite = "customers:write"
    case reportsRead = "reports:read"
    /// To have files imported, and to see what became of them.
    case importsWrite = "imports:write"
    /// To have events sent to somebody's server.
    case webhooksManage = "webhooks:manage"
    case admin
}
