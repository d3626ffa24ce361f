package import Cache
package import Kernel
package import Logging
import Metrics
import ServiceLifecycle

/// Fills the memory of an instance that starts with what clients ask for most, and tells the others what that is.
///
/// Readiness waits for it, but never long: after the bound the instance serves, warm or not. Nothing that fails here keeps it
/// from starting.
package struct WarmUp: Service {
    /// What a warm-up may cost.
    package struct Bounds: Sendable {
        /// How long readiness waits for it.
        package var time = Duration.seconds(5)
        /// How long it waits for the store to be reached.
        package var storeTime = Duration.seconds(1)
        /// How many paths are replayed.
        package var paths = 128
        /// How many at once.
        package var width = 4
        /// How often what was counted is told to the others.
        package var flushInterval = Duration.seconds(10)

        /// The bounds to ship.
        package init() {}
    }

    private let api: API
    private let cache: TenantCache
    private let store: any BusyPathStore
    private let isActive: @Sendable (TenantID, ContinuousClock.Instant) async -> Bool
    private let bounds: Bounds
    private let logger: Logger
    private let replayed = Metrics.Counter(label: "stock_warm_up_replayed_total")

    /// Makes a warm-up; from here on the instance is not ready until it has run.
    ///
    /// - Parameters:
    ///   - api: what is asked; its requests are counted.
    ///   - cache: what is filled.
    ///   - store: where instances keep what is busy.
    ///   - isActive: whether a tenant may be served: it exists and is not suspended.
    ///   - bounds: what it may cost.
    ///   - logger: told how it went.
    package init(
        api: API,
        cache: TenantCache,
        store: any BusyPathStore,
        isActive: @escaping @Sendable (TenantID, ContinuousClock.Instant) async -> Bool,
        bounds: Bounds = Bounds(),
        logger: Logger
    ) {
        self.api = api
        self.cache = cache
        self.store = store
        self.isActive = isActive
        self.bounds = bounds
        self.logger = logger
        api.lifecycle.beginWarmUp()
    }

    /// Warms up, then tells what is busy until the process shuts down, and once more then.
    package func run() async {
        await cancelWhenGracefulShutdown {
            await self.warm()
            while !Task.isCancelled {
                try? await Task.sleep(for: self.bounds.flushInterval)
                if !Task.isCancelled { await self.flush() }
            }
        }
        await flush()
    }

    private func warm() async {
        let deadline = ContinuousClock.now + bounds.time
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                // Whatever a replay waits for, readiness does not wait longer.
                try? await Task.sleep(until: deadline, clock: .continuous)
                self.api.lifecycle.endWarmUp()
            }
            await self.replay(until: deadline)
            self.api.lifecycle.endWarmUp()
            group.cancelAll()
        }
    }

    private func replay(until deadline: ContinuousClock.Instant) async {
        // Before the log is followed nothing is kept, so there is nothing to be gained.
        guard await holds(until: deadline, { self.cache.isUsable }) else { return }
        let began = ContinuousClock.now
        let paths = await self.paths(until: min(deadline, began + bounds.storeTime))
        guard !paths.isEmpty else { return }
        var tenants: [TenantID: Bool] = [:]
        for tenant in Set(paths.map(\.tenant)) where ContinuousClock.now < deadline {
            tenants[tenant] = await isActive(tenant, deadline)
        }
        let wanted = paths.filter { tenants[$0.tenant] == true }
        let count = await withTaskGroup(of: Bool.self) { group in
            var rest = wanted[...]
            var done = 0
            for _ in 0..<self.bounds.width {
                guard let path = rest.popFirst() else { break }
                group.addTask { await self.api.replay(path, deadline: deadline) }
            }
            while let isDone = await group.next() {
                if isDone { done += 1 }
                guard ContinuousClock.now < deadline, !Task.isCancelled, let path = rest.popFirst() else { continue }
                group.addTask { await self.api.replay(path, deadline: deadline) }
            }
            return done
        }
        replayed.increment(by: count)
        logger.info(
            "warmed up",
            metadata: [
                "known": "\(paths.count)", "replayed": "\(count)",
                "milliseconds": "\((ContinuousClock.now - began) / .milliseconds(1))",
            ]
        )
    }

    /// What is busy, asked until somebody answers: the connection may only be on its way.
    private func paths(until deadline: ContinuousClock.Instant) async -> [BusyPath] {
        while true {
            let paths = await store.busiest(bounds.paths)
            if !paths.isEmpty { return paths }
            guard store.isWaitedFor, await Self.pause(until: deadline) else { return [] }
        }
    }

    private func holds(until deadline: ContinuousClock.Instant, _ condition: () -> Bool) async -> Bool {
        while !condition() {
            guard await Self.pause(until: deadline) else { return false }
        }
        return true
    }

    private static func pause(until deadline: ContinuousClock.Instant) async -> Bool {
        guard ContinuousClock.now < deadline else { return false }
        do {
            try await Task.sleep(for: .milliseconds(10))
            return true
        } catch {
            return false
        }
    }

    private func flush() async {
        let counts = api.busy.takeAll()
        if !counts.isEmpty { await store.add(counts) }
    }
}
