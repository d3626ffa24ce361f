package import Cache
package import Kernel
import Postgres

/// What an owner may see of the tenant's cache, and do to it.
///
/// Everything here is the caller's tenant's alone. Nothing is ever needed: what is cached is retired by the triggers.
package struct CacheService: Sendable {
    /// What became of a test of the cache: each step with what was read and where it came from.
    package struct TestReport: Sendable {
        /// One read.
        package struct Step: Sendable {
            /// What was done before it.
            package let name: String
            /// Where the answer came from, as `Cache-Status` says it.
            package let status: String
            /// Whether it came from where it should.
            package let isGood: Bool
        }

        /// The reads in order.
        package let steps: [Step]
        /// Whether the instance may serve from its caches; if not, every read goes to the database, and rightly.
        package let isUsable: Bool
        /// The value of `Stock-Consistency`, as a module was retired.
        package let consistency: String?
        /// Whether all is as it should be.
        package var isGood: Bool { steps.allSatisfy(\.isGood) }
    }

    static let statements: [any Statement.Type] = [TouchScope.self, ReadProbe.self]

    private let store: Store

    /// Makes the service.
    ///
    /// - Parameter store: Runs its units of work.
    package init(store: Store) { self.store = store }

    /// What the cache of this instance holds and did for the caller's tenant.
    package func statistics(_ context: CallContext) -> CacheStatistics {
        store.cache.stats(tenant: context.tenant.rawValue)
    }

    /// Where a key of the caller's tenant would be answered from, and why.
    ///
    /// Neither fills nor refreshes anything.
    ///
    /// - Parameters:
    ///   - module: The module.
    ///   - key: The key behind it.
    ///   - context: Who asks.
    /// - Returns: The explanation.
    package func explain(_ module: Module, key: String, _ context: CallContext) async -> CacheExplanation {
        await store.cache.explain(CacheKey(tenant: context.tenant.rawValue, module: module, key: key))
    }

    /// The state of the cache in this instance.
    package func health() -> CacheHealth { store.cache.health() }

    /// Retires one module of the caller's tenant on every instance.
    ///
    /// Nothing finer than a module can be retired; a key given with it is also taken out of Redis at once.
    ///
    /// - Parameters:
    ///   - module: What to retire; `nil` retires all.
    ///   - key: A key of that module.
    ///   - context: Who asks.
    /// - Returns: The value of `Stock-Consistency`.
    /// - Throws: What kept the unit from running.
    @discardableResult
    package func invalidate(
        _ module: Module?,
        key: String? = nil,
        _ context: CallContext
    ) async throws(Problem) -> String? {
        let written: Written
        do {
            written = try await store.perform(context.tenant, deadline: context.deadline, repeatsLost: true) {
                (unit) throws(PostgresError) -> Slot<Touched> in
                try unit.add(TouchScope(module: module))
            }.written
        } catch {
            throw store.problem(of: error)
        }
        if let module, let key {
            await store.cache.unlink(CacheKey(tenant: context.tenant.rawValue, module: module, key: key))
        }
        return store.consistency(written, context.token)
    }

    /// Reads a probe, reads it again, retires its module, and reads it once more.
    ///
    /// - Parameter context: Who asks.
    /// - Returns: Where each answer came from.
    /// - Throws: What kept a step from running.
    package func test(_ context: CallContext) async throws(Problem) -> TestReport {
        let probe = CachedRead(
            key: context.caller.key(.reports, "test") { $0.add(UUIDv7.make().description) },
            fill: .body(ReadProbe())
        )
        var caching = context
        caching.bypassCache = false
        caching.token = nil
        let isUsable = store.cache.isUsable
        let first = try await store.answer(probe, caching).status
        var second = try await store.answer(probe, caching).status
        // The relay repeats the retirement of a write that came just before: what was kept in between goes once more.
        for _ in 0..<5 where !second.isHit {
            second = try await store.answer(probe, caching).status
        }
        let consistency = try await invalidate(.reports, context)
        let third = try await store.answer(probe, caching).status
        return TestReport(
            steps: [
                .init(name: "first read", status: first.headerValue, isGood: !first.isHit),
                .init(name: "second read", status: second.headerValue, isGood: second.isHit || !isUsable),
                .init(name: "read after invalidation", status: third.headerValue, isGood: !third.isHit),
            ],
            isUsable: isUsable,
            consistency: consistency
        )
    }
}

extension CacheStatus {
    fileprivate var isHit: Bool {
        switch self {
        case .l1Hit, .l2Hit: true
        case .missStored, .miss, .bypass, .stale: false
        }
    }
}

/// Leaves an outbox row for a module of the tenant, or for each.
private struct TouchScope: Statement {
    static let name = "cache.touch_scope"
    static let sql: SQL = "SELECT 1 FROM stock.cache_touch_scope($1)"
    static let parameterTypes: [PostgresType] = [.text]

    typealias Row = Touched

    var module: Module?

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(module?.rawValue) }
}

/// Says that it was done.
private struct Touched: DecodableRow {
    init(from row: inout RowReader) throws(PostgresError) { _ = try row.next(Int32.self) }
}

/// A body that costs nothing to compute.
private struct ReadProbe: Statement {
    static let name = "cache.probe"
    static let sql: SQL = "SELECT '{\"probe\":true}'::text, NULL::text, pg_current_snapshot()"

    typealias Row = BodyRow
}
