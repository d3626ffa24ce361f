import Kernel
import Postgres

/// A place in a list that is ordered by a text and then by id.
struct NamePlace: Sendable {
    /// The sort text of the last row before.
    let key: String
    /// Its id.
    let id: EntityID

    /// Reads what a cursor carried; `nil` is the beginning.
    init?(_ values: [String]?) throws(Problem) {
        guard let values else { return nil }
        guard values.count == 2, let id = EntityID(values[1]) else {
            throw Problem(.cursorMismatch, "The cursor belongs to another query.")
        }
        key = values[0]
        self.id = id
    }
}

extension Parameters {
    /// Binds a place as `text, uuid`; both are NULL at the beginning.
    mutating func append(_ place: NamePlace?) throws(PostgresError) {
        try append(place?.key)
        try append(place.map { PostgresUUID(high: $0.id.high, low: $0.id.low) })
    }
}
