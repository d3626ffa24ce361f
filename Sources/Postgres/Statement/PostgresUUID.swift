/// The sixteen bytes of a `uuid`, as two integers: compared and hashed without touching memory.
package struct PostgresUUID: Hashable, Sendable, Comparable {
    /// The first eight bytes, most significant first.
    package let high: UInt64
    /// The last eight bytes.
    package let low: UInt64

    /// Makes an identifier from its halves.
    ///
    /// - Parameters:
    ///   - high: The first eight bytes.
    ///   - low: The last eight bytes.
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package static func < (lhs: PostgresUUID, rhs: PostgresUUID) -> Bool {
        (lhs.high, lhs.low) < (rhs.high, rhs.low)
    }
}

extension PostgresUUID: PostgresCodable {
    package static var postgresType: PostgresType { .uuid }
    package static func canDecode(_ type: PostgresType) -> Bool { type == .uuid }

    package func encode(into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError) {
        bytes.appendBigEndian(high)
        bytes.appendBigEndian(low)
    }

    package init(decoding bytes: RawSpan, as type: PostgresType) throws(PostgresError) {
        try bytes.expect(count: 16)
        self.init(high: try bytes.bigEndian(at: 0), low: try bytes.bigEndian(at: 8))
    }
}
