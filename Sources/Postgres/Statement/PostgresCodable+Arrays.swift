/// A value that can be an element of a one-dimensional array.
///
/// `UInt8` is one too, with a meaning of its own: an array of bytes is a `bytea`, a text or a json as it is.
package protocol PostgresArrayElement: Sendable {
    /// The type of the array.
    static var arrayType: PostgresType { get }

    /// Whether a parameter declared with the type takes an array of these.
    ///
    /// - Parameter type: The declared type.
    /// - Returns: Whether the binary forms agree.
    static func canEncodeArray(as type: PostgresType) -> Bool

    /// Whether a column of the type holds an array of these.
    ///
    /// - Parameter type: The column's type.
    /// - Returns: Whether the bytes can be read.
    static func canDecodeArray(_ type: PostgresType) -> Bool

    /// Appends an array's binary form.
    ///
    /// - Parameters:
    ///   - values: The elements.
    ///   - bytes: Where to.
    ///   - type: The declared type.
    /// - Throws: ``PostgresError`` of code `encoding`.
    static func encodeArray(_ values: [Self], into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError)

    /// Reads an array's binary form.
    ///
    /// - Parameters:
    ///   - bytes: The column's bytes.
    ///   - type: The column's type.
    /// - Returns: The elements.
    /// - Throws: ``PostgresError`` of code `decoding`.
    static func decodeArray(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> [Self]
}

extension PostgresArrayElement where Self: PostgresEncodable & PostgresDecodable {
    package static func canEncodeArray(as type: PostgresType) -> Bool { type == arrayType }
    package static func canDecodeArray(_ type: PostgresType) -> Bool { type == arrayType }

    package static func encodeArray(
        _ values: [Self],
        into bytes: inout [UInt8],
        as type: PostgresType
    ) throws(PostgresError) {
        try ArrayFormat.encode(count: values.count, element: postgresType, into: &bytes) {
            (index, bytes) throws(PostgresError) -> Bool in
            if values[index].isPostgresNull { return false }
            try values[index].encode(into: &bytes, as: postgresType)
            return true
        }
    }

    package static func decodeArray(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> [Self] {
        var header = try ArrayFormat.Header(bytes)
        var values: [Self] = []
        values.reserveCapacity(header.count)
        for _ in 0..<header.count {
            if let range = try header.next(bytes) {
                values.append(try Self(decoding: bytes.extracting(range), as: header.element))
            } else {
                values.append(try Self.decodingNull())
            }
        }
        return values
    }
}

extension Int16: PostgresArrayElement {
    package static var arrayType: PostgresType { .int2Array }
}
extension Int32: PostgresArrayElement {
    package static var arrayType: PostgresType { .int4Array }
}
extension Int64: PostgresArrayElement {
    package static var arrayType: PostgresType { .int8Array }
}
extension Bool: PostgresArrayElement {
    package static var arrayType: PostgresType { .boolArray }
}
extension String: PostgresArrayElement {
    package static var arrayType: PostgresType { .textArray }
}
extension PostgresUUID: PostgresArrayElement {
    package static var arrayType: PostgresType { .uuidArray }
}
extension PostgresDate: PostgresArrayElement {
    package static var arrayType: PostgresType { .dateArray }
}
extension PostgresTimestamp: PostgresArrayElement {
    package static var arrayType: PostgresType { .timestamptzArray }
}
extension XID8: PostgresArrayElement {
    package static var arrayType: PostgresType { .xid8Array }
}
extension Optional: PostgresArrayElement where Wrapped: PostgresArrayElement & PostgresEncodable & PostgresDecodable {
    package static var arrayType: PostgresType { Wrapped.arrayType }
}

extension UInt8: PostgresArrayElement {
    package static var arrayType: PostgresType { .bytea }

    package static func canEncodeArray(as type: PostgresType) -> Bool {
        type == .bytea || type.isText || type == .jsonb
    }

    package static func canDecodeArray(_ type: PostgresType) -> Bool {
        type == .bytea || type.isText || type == .jsonb
    }

    package static func encodeArray(
        _ values: [UInt8],
        into bytes: inout [UInt8],
        as type: PostgresType
    ) throws(PostgresError) {
        if type != .bytea, type != .unspecified, values.contains(0) {
            throw PostgresError(.encoding, "a text holds a NUL character, which PostgreSQL cannot store")
        }
        if type == .jsonb { bytes.append(1) }
        bytes.append(contentsOf: values)
    }

    package static func decodeArray(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> [UInt8] {
        guard type == .jsonb else { return bytes.copied() }
        guard bytes.byteCount > 0 else {
            throw PostgresError(.decoding, "a column is shorter than its type", outcome: .failed)
        }
        return bytes.extracting(1..<bytes.byteCount).copied()
    }
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    package static var postgresType: PostgresType { Element.arrayType }
    package static func canEncode(as type: PostgresType) -> Bool { Element.canEncodeArray(as: type) }

    package func encode(into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError) {
        try Element.encodeArray(self, into: &bytes, as: type)
    }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
    package static func canDecode(_ type: PostgresType) -> Bool { Element.canDecodeArray(type) }

    package init(decoding bytes: RawSpan, as type: PostgresType) throws(PostgresError) {
        self = try Element.decodeArray(bytes, as: type)
    }
}

/// The binary form of arrays: dimensions, NULL flag, element OID, then size and lower bound of the one dimension,
/// then elements with an Int32 length before each, -1 for NULL.
enum ArrayFormat {
    /// Appends an array.
    ///
    /// - Parameters:
    ///   - count: The number of elements.
    ///   - element: Their type.
    ///   - bytes: Where to.
    ///   - append: Appends the element of an index and says true, or says false for NULL.
    /// - Throws: ``PostgresError`` of code `encoding`.
    static func encode(
        count: Int,
        element: PostgresType,
        into bytes: inout [UInt8],
        _ append: (Int, inout [UInt8]) throws(PostgresError) -> Bool
    ) throws(PostgresError) {
        guard let size = Int32(exactly: count) else {
            throw PostgresError(.encoding, "an array has too many elements")
        }
        bytes.appendBigEndian(Int32(count == 0 ? 0 : 1))
        let flags = bytes.count
        bytes.appendBigEndian(Int32(0))
        bytes.appendBigEndian(element.oid)
        guard count > 0 else { return }
        bytes.appendBigEndian(size)
        bytes.appendBigEndian(Int32(1))
        for index in 0..<count {
            let start = bytes.count
            bytes.appendBigEndian(Int32(-1))
            if try append(index, &bytes) {
                guard let length = Int32(exactly: bytes.count - start - 4) else {
                    throw PostgresError(.encoding, "an element of an array is too long")
                }
                bytes.setBigEndian(at: start, length)
            } else {
                bytes.setBigEndian(at: flags, 1)
            }
        }
    }

    /// The head of an array and the place in it.
    struct Header {
        /// The number of elements.
        let count: Int
        /// Their type.
        let element: PostgresType
        private var offset: Int

        /// Reads the head.
        ///
        /// - Parameter bytes: The array's bytes.
        /// - Throws: ``PostgresError`` of code `decoding`.
        init(_ bytes: RawSpan) throws(PostgresError) {
            let dimensions: Int32 = try bytes.bigEndian(at: 0)
            element = PostgresType(oid: try bytes.bigEndian(at: 8))
            switch dimensions {
            case 0:
                count = 0
                offset = 12
            case 1:
                let size = Int(try bytes.bigEndian(at: 12, as: Int32.self))
                // Each element has at least its length: a size that lies cannot reserve memory.
                guard size >= 0, bytes.byteCount >= 20, size <= (bytes.byteCount - 20) / 4 else {
                    throw PostgresError(.decoding, "an array is shorter than it says", outcome: .failed)
                }
                count = size
                offset = 20
            default:
                throw PostgresError(.decoding, "an array has more than one dimension", outcome: .failed)
            }
        }

        /// Steps to the next element.
        ///
        /// - Parameter bytes: The array's bytes.
        /// - Returns: Where the element is, nil for NULL.
        /// - Throws: ``PostgresError`` of code `decoding`.
        mutating func next(_ bytes: RawSpan) throws(PostgresError) -> Range<Int>? {
            let length = Int(try bytes.bigEndian(at: offset, as: Int32.self))
            offset += 4
            if length == -1 { return nil }
            guard length >= 0, length <= bytes.byteCount - offset else {
                throw PostgresError(.decoding, "an element ends after its array", outcome: .failed)
            }
            defer { offset += length }
            return offset..<offset + length
        }
    }
}
