/// Transaction ids below which everything was settled at some time in the past: what lets a token forget.
///
/// The lane's own ``LaneStateMachine/settledXmin`` says what *this* instance has applied; a token goes to others, too. A probe
/// older than two leases is proof for all of them: whatever committed before it was acknowledged more than a lease before
/// any answer that a usable instance gives from now on.
struct SettledHistory: Sendable {
    private struct Sample: Sendable {
        let time: Int64
        let settled: UInt64
    }

    private static let limit = 64

    private let spacing: Int64
    private var namespace = Namespace.none
    private var samples: [Sample] = []

    /// Makes a history that answers for ages up to `reach`.
    init(reach: Duration) {
        spacing = reach.nanoseconds / Int64(Self.limit - 2)
    }

    /// Notes what is settled now; the probe it comes from was earlier still.
    mutating func note(_ settled: UInt64, namespace: UInt64, at now: Int64) {
        if namespace != self.namespace || settled < samples.last?.settled ?? 0 {
            // Another history, or one begun anew: its ids have nothing to do with the ones before.
            samples.removeAll(keepingCapacity: true)
            self.namespace = namespace
        }
        if let last = samples.last, now - last.time < spacing { return }
        if samples.count == Self.limit { samples.removeFirst() }
        samples.append(Sample(time: now, settled: settled))
    }

    /// What was settled so long ago; 0 if that is not known.
    func settled(before age: Duration, now: Int64) -> UInt64 {
        samples.last { now - $0.time >= age.nanoseconds }?.settled ?? 0
    }
}
