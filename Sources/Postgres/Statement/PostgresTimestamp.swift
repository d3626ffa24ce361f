/// A `timestamptz`: microseconds since 2000-01-01 00:00 UTC.
package struct PostgresTimestamp: Hashable, Sendable, Comparable {
    /// Microseconds since 2000-01-01 00:00 UTC, negative before.
    package let microseconds: Int64

    /// The microseconds between 1970-01-01 and 2000-01-01, both 00:00 UTC.
    package static let microsecondsFrom1970: Int64 = 946_684_800_000_000

    /// Makes an instant.
    ///
    /// - Parameter microseconds: Microseconds since 2000-01-01 00:00 UTC.
    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    package static func < (lhs: PostgresTimestamp, rhs: PostgresTimestamp) -> Bool {
        lhs.microseconds < rhs.microseconds
    }
}

extension PostgresTimestamp: PostgresCodable {
    package static var postgresType: PostgresType { .timestamptz }
    package static func canDecode(_ type: PostgresType) -> Bool { type == .timestamptz }

    package func encode(into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError) {
        bytes.appendBigEndian(microseconds)
    }

    /// Reads the microseconds; the two infinities are refused.
    package init(decoding bytes: RawSpan, as type: PostgresType) throws(PostgresError) {
        try bytes.expect(count: 8)
        let microseconds: Int64 = try bytes.bigEndian(at: 0)
        guard microseconds != .max, microseconds != .min else {
            throw PostgresError(.decoding, "a timestamp is infinite", outcome: .failed)
        }
        self.init(microseconds: microseconds)
    }
}
