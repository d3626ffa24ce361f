import Synchronization

/// Whether the instance wants to be sent requests: true until it begins to drain.
package final class Lifecycle: Sendable {
    private let draining = Atomic<Bool>(false)

    /// An instance that serves.
    package init() {}

    /// Whether the end has begun.
    package var isDraining: Bool { self.draining.load(ordering: .relaxed) }

    /// Readiness turns 503 from now on; requests are still served.
    package func beginDraining() { self.draining.store(true, ordering: .relaxed) }
}
