/// A `date`: days since 2000-01-01.
package struct PostgresDate: Hashable, Sendable, Comparable {
    /// Days since 2000-01-01, negative before.
    package let days: Int32

    /// The days between 1970-01-01 and 2000-01-01.
    package static let daysFrom1970: Int32 = 10_957

    /// Makes a date.
    ///
    /// - Parameter days: Days since 2000-01-01.
    package init(days: Int32) {
        self.days = days
    }

    package static func < (lhs: PostgresDate, rhs: PostgresDate) -> Bool { lhs.days < rhs.days }
}

extension PostgresDate: PostgresCodable {
    package static var postgresType: PostgresType { .date }
    package static func canDecode(_ type: PostgresType) -> Bool { type == .date }

    package func encode(into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError) {
        bytes.appendBigEndian(days)
    }

    /// Reads the days; the two infinities are refused, as no business day is one.
    package init(decoding bytes: RawSpan, as type: PostgresType) throws(PostgresError) {
        try bytes.expect(count: 4)
        let days: Int32 = try bytes.bigEndian(at: 0)
        guard days != .max, days != .min else {
            throw PostgresError(.decoding, "a date is infinite", outcome: .failed)
        }
        self.init(days: days)
    }
}
