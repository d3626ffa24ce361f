import Synchronization

/// The flights under way: at most one for each key and scope version.
///
/// A pure table; the owner runs the flights. A reader never joins a flight of an older version, nor one that began a lease
/// or more ago: its snapshot may miss writes acknowledged since.
struct FlightTable: ~Copyable {
    private struct Name: Hashable {
        let key: CacheKey
        let version: UInt64
    }

    private struct Entry {
        let flight: Flight
        let startedAt: Int64
    }

    private let lease: Int64
    private var flights: [Name: Entry] = [:]

    init(lease: Duration) {
        self.lease = lease.nanoseconds
    }

    /// The number of flights under way.
    var count: Int { self.flights.count }

    /// Joins the flight for this key and version, or begins one; `leads` says which.
    mutating func join(_ key: CacheKey, version: UInt64, now: Int64) -> (flight: Flight, leads: Bool) {
        let name = Name(key: key, version: version)
        if let entry = self.flights[name], now - entry.startedAt < self.lease { return (entry.flight, false) }
        let flight = Flight()
        self.flights[name] = Entry(flight: flight, startedAt: now)
        return (flight, true)
    }

    /// Ends a flight; a younger one that took its place stays.
    mutating func end(_ flight: Flight, _ key: CacheKey, version: UInt64) {
        let name = Name(key: key, version: version)
        if self.flights[name]?.flight === flight { self.flights[name] = nil }
    }
}

/// One computation of an answer, and everybody who waits for it.
final class Flight: Sendable {
    typealias Landing = Result<CachedAnswer, any Error>

    private enum State {
        case underWay([UnsafeContinuation<Landing, Never>])
        case landed(Landing)
    }

    private let state = Mutex(State.underWay([]))

    /// The answer, when it is there.
    func landing() async throws -> CachedAnswer {
        let landing = await withUnsafeContinuation { (continuation: UnsafeContinuation<Landing, Never>) in
            let landed: Landing? = self.state.withLock { state in
                switch state {
                case .underWay(let waiting):
                    state = .underWay(waiting + [continuation])
                    return nil
                case .landed(let landing):
                    return landing
                }
            }
            if let landed { continuation.resume(returning: landed) }
        }
        return try landing.get()
    }

    /// Gives the answer to everybody who waits; only the first landing counts.
    func land(_ landing: Landing) {
        let waiting: [UnsafeContinuation<Landing, Never>] = self.state.withLock { state in
            guard case .underWay(let waiting) = state else { return [] }
            state = .landed(landing)
            return waiting
        }
        for continuation in waiting { continuation.resume(returning: landing) }
    }
}
