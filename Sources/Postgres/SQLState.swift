/// The five characters by which PostgreSQL says what happened.
///
/// Matched in a `catch` or a `switch` by `~=`: `case .uniqueViolation:`. List: appendix A of the manual.
package struct SQLState: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// The characters, the first in the highest of five bytes.
    private let packed: UInt64

    /// Makes a code from its text; letters beyond the fifth do not count.
    ///
    /// - Parameter text: Five ASCII characters.
    package init(_ text: some StringProtocol) {
        var value: UInt64 = 0
        for byte in text.utf8.prefix(5) {
            value = value << 8 | UInt64(byte)
        }
        packed = value
    }

    package init(stringLiteral value: String) {
        self.init(value)
    }

    package var description: String {
        var text = ""
        for shift in stride(from: 32, through: 0, by: -8) {
            let byte = UInt8(truncatingIfNeeded: packed >> UInt64(shift))
            if byte != 0 { text.unicodeScalars.append(Unicode.Scalar(byte)) }
        }
        return text
    }

    /// The first two characters: the class.
    package var category: String { String(description.prefix(2)) }

    package static let serializationFailure: SQLState = "40001"
    package static let deadlockDetected: SQLState = "40P01"
    package static let lockNotAvailable: SQLState = "55P03"
    package static let queryCanceled: SQLState = "57014"
    package static let adminShutdown: SQLState = "57P01"
    package static let crashShutdown: SQLState = "57P02"
    package static let cannotConnectNow: SQLState = "57P03"
    package static let uniqueViolation: SQLState = "23505"
    package static let duplicateObject: SQLState = "42710"
    package static let internalError: SQLState = "XX000"
    package static let foreignKeyViolation: SQLState = "23503"
    package static let checkViolation: SQLState = "23514"
    package static let notNullViolation: SQLState = "23502"
    package static let numericValueOutOfRange: SQLState = "22003"
    package static let tooManyConnections: SQLState = "53300"
    package static let readOnlySQLTransaction: SQLState = "25006"
    package static let featureNotSupported: SQLState = "0A000"
    package static let invalidSQLStatementName: SQLState = "26000"
    package static let undefinedTable: SQLState = "42P01"
    package static let insufficientPrivilege: SQLState = "42501"

    /// Whether the server was too busy, too slow or too full for it: what was asked for may be asked for again.
    ///
    /// Class 53 (disk, memory, connections), 55P03 (lock time-out), 57014 (statement time-out or cancel), 25P03 and 25P04 (time-outs of
    /// transactions), 40xxx (conflicts), 58030 (input or output failed, as on a full or ailing disk).
    package var isOverload: Bool {
        let category = packed >> 24
        return category == 0x3533 || category == 0x3430 || self == .lockNotAvailable || self == .queryCanceled
            || self == "25P03" || self == "25P04" || self == "58030"
    }

    /// Whether the unit may be run again as it is: 40001 and 40P01.
    package var isTransient: Bool { self == .serializationFailure || self == .deadlockDetected }

    /// Whether the connection or the server is the reason: 08xxx, 53300, 57P0x, 25006.
    package var isConnectionFailure: Bool {
        packed >> 24 == 0x3038 || self == .tooManyConnections || packed >> 8 == 0x3537_5030
            || self == .readOnlySQLTransaction
    }

    /// Matches an error that carries this code.
    ///
    /// - Parameters:
    ///   - pattern: The code looked for.
    ///   - error: Any error.
    /// - Returns: Whether it is a ``PostgresError`` with that code.
    package static func ~= (pattern: SQLState, error: any Error) -> Bool {
        (error as? PostgresError)?.sqlState == pattern
    }
}
