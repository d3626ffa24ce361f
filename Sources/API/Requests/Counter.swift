import Synchronization

/// The number of requests this process has named.
enum Counter {
    private static let requests = Atomic<UInt64>(0)

    /// The next number, from zero.
    static func next() -> UInt64 {
        requests.wrappingAdd(1, ordering: .relaxed).oldValue
    }
}
