extension TenantCache {
    /// Why a key would be answered from where it would be; neither fills nor refreshes.
    package func explain(_ key: CacheKey) async -> CacheExplanation {
        CacheExplanation(
            wouldServe: .database,
            because: [],
            l1: .init(),
            l2: .init(),
            scope: .init(),
            lane: .init()
        )
    }
}
