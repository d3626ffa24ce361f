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
        self.lease = settings.lease.nanoseconds
        self.joinsAny = settings.defects.contains(.joinAnyFlight)
    }

    /// The number of flights under way.
    var count: Int { self.flights.count }

    private func name(_ key: CacheKey, _ version: UInt64, _ renews: Bool) -> Name {
        Name(key: key, version: self.joinsAny ? 0 : version, renews: renews)
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
        if let entry = self.flights[name], self.joinsAny || now - entry.startedAt < self.lease {
            return (entry.flight, false)
        }
        let flight = Flight(deadline: deadline)
        self.flights[name] = Entry(flight: flight, startedAt: now)
        return (flight, true)
    }

    /// Ends a flight; a younger one that took its place stays.
    mutating func end(_ flight: Flight, _ key: CacheKey, version: UInt64, renews: Bool = false) {
        let name = self.name(key, version, renews)
        if self.flights[name]?.flight === flight { self.flights[name] = nil }
    }
}
