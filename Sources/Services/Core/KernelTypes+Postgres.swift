package import Kernel
package import Postgres

// How the values of the shop's world travel to and from columns.

extension ID: PostgresEncodable {
    package static var postgresType: PostgresType { .uuid }

    package func encode(into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError) {
        try PostgresUUID(high: entity.high, low: entity.low).encode(into: &bytes, as: type)
    }
}

extension ID: PostgresDecodable {
    package static func canDecode(_ type: PostgresType) -> Bool { type == .uuid }

    package init(decoding bytes: RawSpan, as type: PostgresType) throws(PostgresError) {
        let uuid = try PostgresUUID(decoding: bytes, as: type)
        self.init(EntityID(high: uuid.high, low: uuid.low))
    }
}

extension ID: PostgresArrayElement {
    package static var arrayType: PostgresType { .uuidArray }
}

extension TenantID: PostgresEncodable {
    package static var postgresType: PostgresType { .int8 }

    package func encode(into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError) {
        try rawValue.encode(into: &bytes, as: type)
    }
}

extension TenantID: PostgresDecodable {
    package static func canDecode(_ type: PostgresType) -> Bool { type == .int8 }

    package init(decoding bytes: RawSpan, as type: PostgresType) throws(PostgresError) {
        self.init(rawValue: try Int64(decoding: bytes, as: type))
    }
}

extension BusinessDay: PostgresEncodable {
    package static var postgresType: PostgresType { .date }

    package func encode(into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError) {
        try PostgresDate(days: daysSince1970 - PostgresDate.daysFrom1970).encode(into: &bytes, as: type)
    }
}

extension BusinessDay: PostgresDecodable {
    package static func canDecode(_ type: PostgresType) -> Bool { type == .date }

    package init(decoding bytes: RawSpan, as type: PostgresType) throws(PostgresError) {
        let date = try PostgresDate(decoding: bytes, as: type)
        guard let day = BusinessDay(daysSince1970: Int(date.days) + Int(PostgresDate.daysFrom1970)) else {
            throw PostgresError(.decoding, "a date lies outside the years 1 to 9999", outcome: .failed)
        }
        self = day
    }
}

extension BusinessDay: PostgresArrayElement {
    package static var arrayType: PostgresType { .dateArray }
}

extension Timestamp: PostgresEncodable {
    package static var postgresType: PostgresType { .timestamptz }

    package func encode(into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError) {
        let (microseconds, overflow) = microsecondsSince1970.subtractingReportingOverflow(
            PostgresTimestamp.microsecondsFrom1970
        )
        guard !overflow else { throw PostgresError(.encoding, "a time lies outside what a column holds") }
        try PostgresTimestamp(microseconds: microseconds).encode(into: &bytes, as: type)
    }
}

extension Timestamp: PostgresDecodable {
    package static func canDecode(_ type: PostgresType) -> Bool { type == .timestamptz }

    package init(decoding bytes: RawSpan, as type: PostgresType) throws(PostgresError) {
        let stored = try PostgresTimestamp(decoding: bytes, as: type).microseconds
        let (microseconds, overflow) = stored.addingReportingOverflow(PostgresTimestamp.microsecondsFrom1970)
        guard !overflow else {
            throw PostgresError(.decoding, "a timestamp lies outside what can be counted", outcome: .failed)
        }
        self.init(microsecondsSince1970: microseconds)
    }
}

extension Timestamp: PostgresArrayElement {
    package static var arrayType: PostgresType { .timestamptzArray }
}

extension Parameters {
    /// Binds a fixed-point number to a `numeric`; nil is SQL NULL.
    package mutating func append<T: FixedPoint>(_ value: T?) throws(PostgresError) {
        try appendNumeric(value?.rawValue, scale: T.scale)
    }

    /// Binds a fixed-point number to a `numeric`.
    package mutating func append<T: FixedPoint>(_ value: T) throws(PostgresError) {
        try appendNumeric(value.rawValue, scale: T.scale)
    }

    /// Binds fixed-point numbers to a `numeric[]`.
    package mutating func append<T: FixedPoint>(_ values: [T]) throws(PostgresError) {
        try appendNumericArray(values.map(\.rawValue), scale: T.scale)
    }

    /// Binds fixed-point numbers to a `numeric[]`; nil is SQL NULL.
    package mutating func append<T: FixedPoint>(_ values: [T?]) throws(PostgresError) {
        try appendNumericArray(values.map { $0?.rawValue }, scale: T.scale)
    }

    /// Binds route, key and hash of an idempotency key: `text, text, bytea`, all NULL without one.
    package mutating func append(_ key: IdempotencyKey?) throws(PostgresError) {
        try append(key?.route)
        try append(key?.key)
        if let key { try append(key.requestHash) } else { try appendNull() }
    }

    /// Binds the name of an enumeration's case to a `text`.
    package mutating func append<T: RawRepresentable>(_ value: T) throws(PostgresError)
    where T.RawValue == String {
        try append(value.rawValue)
    }

    /// Binds the name of an enumeration's case to a `text`; nil is SQL NULL.
    package mutating func append<T: RawRepresentable>(_ value: T?) throws(PostgresError)
    where T.RawValue == String {
        try append(value?.rawValue)
    }
}

extension RowReader {
    /// Reads the next column, a `numeric`.
    package mutating func next<T: FixedPoint>(_ type: T.Type = T.self) throws(PostgresError) -> T {
        T(rawValue: try nextNumeric(scale: T.scale))
    }

    /// Reads the next column, a `numeric` that may be NULL.
    package mutating func next<T: FixedPoint>(_ type: T?.Type = T?.self) throws(PostgresError) -> T? {
        try nextNumericIfPresent(scale: T.scale).map { T(rawValue: $0) }
    }

    /// Reads the next column, a text that names a case.
    package mutating func nextCase<T: RawRepresentable>(_ type: T.Type = T.self) throws(PostgresError) -> T
    where T.RawValue == String {
        let name = try next(String.self)
        guard let value = T(rawValue: name) else {
            throw PostgresError(.decoding, "a column holds a name that \(T.self) does not know", outcome: .failed)
        }
        return value
    }
}
