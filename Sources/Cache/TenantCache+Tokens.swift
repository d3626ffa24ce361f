extension TenantCache {
    /// The token of a write's answer: what came with the request, and this write.
    package func token(
        _ incoming: ConsistencyToken?,
        tenant: Int64,
        wrote xid: UInt64,
        modules: [Module]
    ) -> String {
        var token = incoming ?? ConsistencyToken(tenant: tenant)
        token.add(write: xid, modules: modules)
        return token.text
    }

    /// The token of a read's answer: what came with the request, and what the client sees now.
    package func token(_ incoming: ConsistencyToken, read answer: CachedAnswer, _ key: CacheKey) -> String {
        var token = incoming
        token.add(read: key.module, snapshot: answer.snapshot)
        return token.text
    }
}
