import Kernel
import Postgres

/// A place in a list that is ordered by a text and then by id.
struct NamePlace: Sendable {
    /// The sort text of the last row before.
    let key: String
    /// Its id.
    let id: EntityID
}

extension Parameters {
    /// Binds a place as `text, uuid`; both are NULL at the beginning.
    mutating func append(_ place: NamePlace?) throws(PostgresError) {
        try append(place?.key)
        try append(place.map { PostgresUUID(high: $0.id.high, low: $0.id.low) })
    }
}
