import Postgres

/// The next rows of an export: a statement that begins behind a place and reads along an index.
protocol ExportPage: Statement where Row == ExportRow {
    /// The columns of its rows, behind which the place of each stands.
    static var columns: [ExportColumn] { get }

    /// What its rows are sorted by.
    static var order: [ExportPlace.Part] { get }

    /// How many rows, and behind which place.
    init(limit: Int32, after: ExportPlace)

    var limit: Int32 { get }
    var after: ExportPlace { get }
}

extension ExportPage {
    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(limit)
        try after.bind(&parameters)
    }
}

/// A row of an export: the texts of its cells, and its place.
struct ExportRow: DecodableRow {
    private var bytes: [UInt8] = []
    /// Where each cell ends in `bytes`; what is NULL has the complement.
    private var ends: [Int] = []

    /// The number of cells, without the place.
    var count: Int { ends.count - 1 }

    /// Where the row stands.
    var place: ArraySlice<UInt8> { self[ends.count - 1] ?? [] }

    init(from row: inout RowReader) throws(PostgresError) {
        while !row.isAtEnd {
            let isThere = try row.withBytes { (span) -> Bool in
                guard let span else { return false }
                // Safe because what the span shows is copied while it is lent.
                span.withUnsafeBytes { bytes.append(contentsOf: $0) }
                return true
            }
            ends.append(isThere ? bytes.count : ~bytes.count)
        }
    }

    /// The text of a cell, nil for NULL.
    subscript(cell: Int) -> ArraySlice<UInt8>? {
        guard ends[cell] >= 0 else { return nil }
        let start = cell == 0 ? 0 : ends[cell - 1]
        return bytes[(start < 0 ? ~start : start)..<ends[cell]]
    }
}
