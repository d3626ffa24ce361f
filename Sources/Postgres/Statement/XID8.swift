/// The number of a transaction, 64 bits wide: it never wraps around.
package struct XID8: Hashable, Sendable, Comparable {
    /// The number.
    package let rawValue: UInt64

    /// Makes a transaction number.
    ///
    /// - Parameter rawValue: The number.
    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static func < (lhs: XID8, rhs: XID8) -> Bool { lhs.rawValue < rhs.rawValue }
}

extension XID8: PostgresCodable {
    package static var postgresType: PostgresType { .xid8 }
    package static func canDecode(_ type: PostgresType) -> Bool { type == .xid8 }

    package func encode(into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError) {
        bytes.appendBigEndian(rawValue)
    }

    package init(decoding bytes: RawSpan, as type: PostgresType) throws(PostgresError) {
        try bytes.expect(count: 8)
        self.init(rawValue: try bytes.bigEndian(at: 0))
    }
}
