import Crypto
import Kernel
import Postgres

/// What the rows of a file have named so far, kept by the connection of the import: a file may have any number of rows, and the process
/// has a bounded memory.
///
/// A key is kept as the first half of its SHA-256, of which no two that are met will be alike.
struct NamedKeys {
    private let session: ImportSession

    /// Begins with none; what a run that was broken off has left is gone.
    init(_ session: ImportSession) async throws {
        self.session = session
        try await session.perform(OpenKeys())
    }

    /// Notes the keys of the next rows.
    ///
    /// - Parameter rows: the keys of each row.
    /// - Returns: the places of those rows that name what an earlier row has named.
    /// - Throws: ``ImportFailure``, `PostgresError`.
    func note(_ rows: [[String]]) async throws -> Set<Int> {
        var repeated: Set<Int> = []
        var places: [EntityID: Int] = [:]
        for (place, keys) in rows.enumerated() {
            for key in keys.map(Self.digest) {
                if places[key] == nil { places[key] = place } else { repeated.insert(place) }
            }
        }
        guard !places.isEmpty else { return [] }
        for row in try await session.all(NoteKeys(keys: Array(places.keys))) {
            if let place = places[row.key] { repeated.insert(place) }
        }
        return repeated
    }

    /// Gives the connection back as it was.
    func close() async throws {
        try await session.perform(CloseKeys())
    }

    private static func digest(_ key: String) -> EntityID {
        var high: UInt64 = 0
        var low: UInt64 = 0
        for (index, byte) in SHA256.hash(data: Array(key.utf8)).enumerated().prefix(16) {
            if index < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
        }
        return EntityID(high: high, low: low)
    }
}

/// Makes the table of the keys.
private struct OpenKeys: Statement {
    static let name = "imports.open_keys"
    static let sql: SQL = "SELECT stock.import_keys_open()"
}

/// Drops it.
private struct CloseKeys: Statement {
    static let name = "imports.close_keys"
    static let sql: SQL = "SELECT stock.import_keys_close()"
}

/// Notes keys; its rows are those that were noted before.
private struct NoteKeys: Statement {
    static let name = "imports.note_keys"
    static let sql: SQL = "SELECT k.key FROM stock.import_keys_noted($1) AS k (key)"
    static let parameterTypes: [PostgresType] = [.uuidArray]

    let keys: [EntityID]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(keys.map { PostgresUUID(high: $0.high, low: $0.low) })
    }

    struct Row: DecodableRow {
        let key: EntityID

        init(from row: inout RowReader) throws(PostgresError) {
            let uuid: PostgresUUID = try row.next()
            key = EntityID(high: uuid.high, low: uuid.low)
        }
    }
}
