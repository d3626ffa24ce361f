extension Int16: PostgresCodable {
    package static var postgresType: PostgresType { .int2 }
    package static func canDecode(_ type: PostgresType) -> Bool { type == .int2 }

    package func encode(into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError) {
        bytes.appendBigEndian(self)
    }

    package init(decoding bytes: RawSpan, as type: PostgresType) throws(PostgresError) {
        try bytes.expect(count: 2)
        self = try bytes.bigEndian(at: 0)
    }
}

extension Int32: PostgresCodable {
    package static var postgresType: PostgresType { .int4 }
    package static func canDecode(_ type: PostgresType) -> Bool { type == .int4 || type == .int2 }

    package func encode(into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError) {
        bytes.appendBigEndian(self)
    }

    package init(decoding bytes: RawSpan, as type: PostgresType) throws(PostgresError) {
        if type == .int2 {
            self = Int32(try Int16(decoding: bytes, as: type))
        } else {
            try bytes.expect(count: 4)
            self = try bytes.bigEndian(at: 0)
        }
    }
}

extension Int64: PostgresCodable {
    package static var postgresType: PostgresType { .int8 }
    package static func canDecode(_ type: PostgresType) -> Bool { type == .int8 || type == .int4 || type == .int2 }

    package func encode(into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError) {
        bytes.appendBigEndian(self)
    }

    package init(decoding bytes: RawSpan, as type: PostgresType) throws(PostgresError) {
        if type == .int8 {
            try bytes.expect(count: 8)
            self = try bytes.bigEndian(at: 0)
        } else {
            self = Int64(try Int32(decoding: bytes, as: type))
        }
    }
}

extension Bool: PostgresCodable {
    package static var postgresType: PostgresType { .bool }
    package static func canDecode(_ type: PostgresType) -> Bool { type == .bool }

    package func encode(into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError) {
        bytes.append(self ? 1 : 0)
    }

    package init(decoding bytes: RawSpan, as type: PostgresType) throws(PostgresError) {
        try bytes.expect(count: 1)
        self = try bytes.bigEndian(at: 0, as: UInt8.self) != 0
    }
}

extension String: PostgresCodable {
    package static var postgresType: PostgresType { .text }
    package static func canEncode(as type: PostgresType) -> Bool { type.isText || type == .jsonb }
    package static func canDecode(_ type: PostgresType) -> Bool { type.isText || type == .jsonb }

    /// Appends the UTF-8 bytes; PostgreSQL's text cannot hold a NUL.
    package func encode(into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError) {
        if type == .jsonb { bytes.append(1) }
        let start = bytes.count
        bytes.append(contentsOf: utf8)
        guard !bytes[start...].contains(0) else {
            bytes.removeSubrange(start...)
            throw PostgresError(.encoding, "a text holds a NUL character, which PostgreSQL cannot store")
        }
    }

    package init(decoding bytes: RawSpan, as type: PostgresType) throws(PostgresError) {
        let start = type == .jsonb ? 1 : 0
        guard bytes.byteCount >= start else {
            throw PostgresError(.decoding, "a column is shorter than its type", outcome: .failed)
        }
        // Safe because the string copies the bytes before the closure ends.
        self = unsafe bytes.withUnsafeBytes {
            unsafe String(decoding: UnsafeRawBufferPointer(rebasing: $0[start...]), as: UTF8.self)
        }
    }
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    package static var postgresType: PostgresType { Wrapped.postgresType }
    package static func canEncode(as type: PostgresType) -> Bool { Wrapped.canEncode(as: type) }
    package var isPostgresNull: Bool { self?.isPostgresNull ?? true }

    package func encode(into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError) {
        if let self { try self.encode(into: &bytes, as: type) }
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    package static func canDecode(_ type: PostgresType) -> Bool { Wrapped.canDecode(type) }

    package init(decoding bytes: RawSpan, as type: PostgresType) throws(PostgresError) {
        self = .some(try Wrapped(decoding: bytes, as: type))
    }

    package static func decodingNull() throws(PostgresError) -> Wrapped? { nil }
}
