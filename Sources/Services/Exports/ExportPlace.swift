import Kernel
import Postgres

/// A place in an export: what its rows are sorted by, of the last row that was read.
///
/// Clients get it as text in the column `cursor`, and hand it back to go on behind that row. It names nothing but rows of the tenant
/// that asks, so it is not signed.
package struct ExportPlace: Sendable, Equatable {
    /// What one of the values is.
    enum Part: Sendable {
        case time
        case whole
        case long
        case id
    }

    private enum Value: Sendable, Equatable {
        case time(Timestamp)
        case whole(Int32)
        case long(Int64)
        case id(EntityID)
    }

    private let values: [Value]

    /// The place before the first row.
    ///
    /// - Parameter parts: what rows are sorted by.
    /// - Returns: the place.
    static func start(_ parts: [Part]) -> ExportPlace {
        ExportPlace(
            values: parts.map { part in
                switch part {
                // The first second of the year 1: no document is as old.
                case .time: .time(Timestamp(microsecondsSince1970: -62_135_596_800_000_000))
                case .whole: .whole(0)
                case .long: .long(0)
                case .id: .id(EntityID(high: 0, low: 0))
                }
            }
        )
    }

    private init(values: [Value]) { self.values = values }

    /// Reads a place from its text, its values between slashes.
    ///
    /// - Parameters:
    ///   - text: as a row has it.
    ///   - parts: what rows are sorted by.
    init?(_ text: String, _ parts: [Part]) {
        let pieces = text.split(separator: "/", omittingEmptySubsequences: false)
        guard text.utf8.count <= 200, pieces.count == parts.count else { return nil }
        var values: [Value] = []
        for (piece, part) in zip(pieces, parts) {
            let value: Value? =
                switch part {
                case .time: Timestamp(piece).map { .time($0) }
                case .whole: Int32(piece).map { .whole($0) }
                case .long: Int64(piece).map { .long($0) }
                case .id: EntityID(piece).map { .id($0) }
                }
            guard let value else { return nil }
            values.append(value)
        }
        self.values = values
    }

    /// Binds the values in order.
    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        for value in values {
            switch value {
            case .time(let time): try parameters.append(time)
            case .whole(let number): try parameters.append(number)
            case .long(let number): try parameters.append(number)
            case .id(let id): try parameters.append(PostgresUUID(high: id.high, low: id.low))
            }
        }
    }
}
