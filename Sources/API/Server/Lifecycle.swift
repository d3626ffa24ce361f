import Synchronization

/// Whether the instance wants to be sent requests: from the end of its warm-up until it begins to drain.
package final class Lifecycle: Sendable {
    private let draining = Atomic<Bool>(false)
    private let warmingUp = Atomic<Bool>(false)
    private let examining = Atomic<Bool>(false)
    private let drainingSince = Mutex<ContinuousClock.Instant?>(nil)
    private let onDraining = Mutex<[@Sendable () -> Void]>([])

    /// An instance that serves.
    package init() {}

    /// Whether the end has begun.
    package var isDraining: Bool { draining.load(ordering: .relaxed) }

    /// When the end began; nil before.
    var drainBegan: ContinuousClock.Instant? { isDraining ? drainingSince.withLock { $0 } : nil }

    /// Whether the caches are being filled before the first request.
    package var isWarmingUp: Bool { warmingUp.load(ordering: .relaxed) }

    /// Whether the database is known to be one that tenants' data may be served from.
    package var isAdmitted: Bool { !examining.load(ordering: .relaxed) }

    /// Nothing but operations is served from now on, until the database was looked at and found right.
    package func beginExamination() { examining.store(true, ordering: .relaxed) }

    /// The database is right.
    package func admit() { examining.store(false, ordering: .relaxed) }

    /// Readiness is 503 from now on, until the end of the warm-up; requests are served all the same.
    func beginWarmUp() { warmingUp.store(true, ordering: .relaxed) }

    /// The instance is ready.
    func endWarmUp() { warmingUp.store(false, ordering: .relaxed) }

    /// Readiness turns 503 from now on; requests are still served.
    package func beginDraining() {
        drainingSince.withLock { $0 = $0 ?? .now }
        draining.store(true, ordering: .sequentiallyConsistent)
        for tell in onDraining.withLock({ $0 }) { tell() }
    }

    /// Has somebody told when the end begins.
    func whenDraining(_ tell: @escaping @Sendable () -> Void) { onDraining.withLock { $0.append(tell) } }
}
