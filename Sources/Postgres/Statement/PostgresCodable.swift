/// A value that can be a parameter, in PostgreSQL's binary form.
package protocol PostgresEncodable: Sendable {
    /// The type it is sent as, and the type of an element in an array.
    static var postgresType: PostgresType { get }

    /// Whether a parameter declared with the type takes this value's bytes.
    ///
    /// - Parameter type: The declared type.
    /// - Returns: Whether the binary forms agree.
    static func canEncode(as type: PostgresType) -> Bool

    /// Whether the value is SQL NULL.
    var isPostgresNull: Bool { get }

    /// Appends the binary form.
    ///
    /// - Parameters:
    ///   - bytes: Where to.
    ///   - type: The declared type.
    /// - Throws: ``PostgresError`` of code `encoding` if the value has no such form.
    func encode(into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError)
}

extension PostgresEncodable {
    package static func canEncode(as type: PostgresType) -> Bool { type == postgresType }
    package var isPostgresNull: Bool { false }
}

/// A value that can be read from a column, in PostgreSQL's binary form.
package protocol PostgresDecodable: Sendable {
    /// Whether a column of the type holds such values.
    ///
    /// - Parameter type: The column's type.
    /// - Returns: Whether the bytes can be read.
    static func canDecode(_ type: PostgresType) -> Bool

    /// Reads the binary form.
    ///
    /// - Parameters:
    ///   - bytes: The column's bytes; not aligned, gone after the call.
    ///   - type: The column's type.
    /// - Throws: ``PostgresError`` of code `decoding`.
    init(decoding bytes: RawSpan, as type: PostgresType) throws(PostgresError)

    /// The value of SQL NULL.
    ///
    /// - Returns: The value; only optionals have one.
    /// - Throws: ``PostgresError`` of code `decoding`.
    static func decodingNull() throws(PostgresError) -> Self
}

extension PostgresDecodable {
    package static func decodingNull() throws(PostgresError) -> Self {
        throw PostgresError(.decoding, "a column is NULL that must not be", outcome: .failed)
    }
}

/// A value with both directions.
package typealias PostgresCodable = PostgresEncodable & PostgresDecodable

extension [UInt8] {
    /// Appends an integer, most significant byte first.
    ///
    /// - Parameter value: The integer.
    mutating func appendBigEndian<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        // Safe because the closure only copies the bytes of a local integer.
        unsafe Swift.withUnsafeBytes(of: value.bigEndian) { unsafe append(contentsOf: $0) }
    }

    /// Overwrites an integer, most significant byte first.
    ///
    /// - Parameters:
    ///   - offset: Where it begins.
    ///   - value: The integer.
    mutating func setBigEndian(at offset: Int, _ value: Int32) {
        let bits = UInt32(bitPattern: value)
        self[offset] = UInt8(truncatingIfNeeded: bits >> 24)
        self[offset + 1] = UInt8(truncatingIfNeeded: bits >> 16)
        self[offset + 2] = UInt8(truncatingIfNeeded: bits >> 8)
        self[offset + 3] = UInt8(truncatingIfNeeded: bits)
    }
}

extension RawSpan {
    /// Reads an integer, most significant byte first.
    ///
    /// - Parameters:
    ///   - offset: Where it begins.
    ///   - type: Its type.
    /// - Returns: The integer.
    /// - Throws: ``PostgresError`` of code `decoding` if the bytes end before it does.
    package func bigEndian<T: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int,
        as type: T.Type = T.self
    ) throws(PostgresError) -> T {
        guard offset >= 0, byteCount >= MemoryLayout<T>.size, offset <= byteCount - MemoryLayout<T>.size else {
            throw PostgresError(.decoding, "a column is shorter than its type", outcome: .failed)
        }
        // Safe because the bounds were checked above and any bits are an integer.
        return unsafe T(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// Checks the length of a fixed-size value.
    ///
    /// - Parameter count: The length its type has.
    /// - Throws: ``PostgresError`` of code `decoding`.
    func expect(count: Int) throws(PostgresError) {
        guard byteCount == count else {
            throw PostgresError(.decoding, "a column has \(byteCount) bytes, its type \(count)", outcome: .failed)
        }
    }

    /// Copies the bytes.
    ///
    /// - Returns: An array of them.
    package func copied() -> [UInt8] {
        // Safe because the array is made before the closure ends.
        unsafe withUnsafeBytes { unsafe [UInt8]($0) }
    }
}
