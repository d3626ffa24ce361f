/// The flights under way: at most one for each key and scope version.
///
/// A pure table; the owner runs the flights. A reader never joins a flight of an older version, nor one that began a lease
/// or more ago: its snapshot may miss writes acknowledged since.
struct FlightTable: ~Copyable {
    private struct Name: Hashable {
        let key: CacheKey
        let version: UInt64
        let renews: Bool
    }

    private struct Entry {
        let flight: Flight
        let startedAt: Int64
    }

    private let lease: Int64
    private let joinsAny: Bool
    private var flights: [Name: Entry] = [:]

    init(settings: CacheSettings) {
        lease = settings.lease.nanoseconds
        joinsAny = settings.defects.contains(.joinAnyFlight)
    }

    /// The number of flights under way.
    var count: Int { flights.count }

    private func name(_ key: CacheKey, _ version: UInt64, _ renews: Bool) -> Name {
        Name(key: key, version: joinsAny ? 0 : version, renews: renews)
    }

    /// Joins the flight for this key and version, or begins one; `leads` says which.
    ///
    /// Flights that renew an answer in the background are apart: they may end without one.
    mutating func join(
        _ key: CacheKey,
        version: UInt64,
        now: Int64,
        deadline: ContinuousClock.Instant,
        renews: Bool = false
    ) -> (flight: Flight, leads: Bool) {
        let name = self.name(key, version, renews)
        if let entry = flights[name], joinsAny || now - entry.startedAt < lease {
            return (entry.flight, false)
        }
        let flight = Flight(deadline: deadline)
        flights[name] = Entry(flight: flight, startedAt: now)
        return (flight, true)
    }

    /// Ends a flight; a younger one that took its place stays.
    mutating func end(_ flight: Flight, _ key: CacheKey, version: UInt64, renews: Bool = false) {
        let name = self.name(key, version, renews)
        if flights[name]?.flight === flight { flights[name] = nil }
    }
}
