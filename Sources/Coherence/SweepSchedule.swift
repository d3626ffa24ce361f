/// Which scopes' retired values are to be freed in Redis, and when: a pure queue.
///
/// A scope comes once in an interval, however often it is bumped; nothing depends on any of it, so what finds no room is left
/// to expire.
struct SweepSchedule: Sendable {
    /// A scope, by the module's name, which this version of the program need not know.
    struct Name: Hashable, Sendable {
        let tenant: Int64
        let module: String
    }

    private struct Entry {
        /// Not swept before.
        var notBefore: Int64
        /// Whether it was bumped since.
        var isPending: Bool
    }

    private static let limit = 4096
    private let interval: Int64
    private var entries: [Name: Entry] = [:]

    /// An empty queue; `interval` in nanoseconds.
    init(interval: Int64) {
        self.interval = interval
    }

    /// A scope was bumped.
    mutating func bumped(_ name: Name, at now: Int64) {
        if entries[name] != nil {
            entries[name]?.isPending = true
        } else if entries.count < Self.limit {
            entries[name] = Entry(notBefore: now, isPending: true)
        }
    }

    /// Takes the scopes that are due.
    mutating func take(at now: Int64) -> [Name] {
        var due: [Name] = []
        for (name, entry) in entries where entry.notBefore <= now {
            if entry.isPending {
                due.append(name)
                entries[name] = Entry(notBefore: now + interval, isPending: false)
            } else {
                entries[name] = nil
            }
        }
        return due
    }

    /// When to look again; nil if nothing is waiting.
    var nextDue: Int64? {
        entries.values.lazy.filter { $0.isPending }.map { $0.notBefore }.min()
    }
}
