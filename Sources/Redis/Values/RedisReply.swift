/// What a Redis server answered, copied out of the client library.
package enum RedisReply: Sendable, Equatable {
    /// A missing value or an empty transaction.
    case null
    case integer(Int64)
    /// A short word such as `OK`.
    case status(String)
    /// Binary data.
    case bulk([UInt8])
    case array([RedisReply])
    /// An error within an array; one that answers a whole command is thrown as a ``RedisError``.
    case error(String)
}

extension RedisReply {
    /// The bytes of a bulk or status reply.
    package var bytes: [UInt8]? {
        switch self {
        case .bulk(let bytes): bytes
        case .status(let text): Array(text.utf8)
        case .null, .integer, .array, .error: nil
        }
    }

    /// The text of a bulk or status reply; nil if it is not UTF-8.
    package var text: String? {
        switch self {
        case .bulk(let bytes): String(validating: bytes, as: UTF8.self)
        case .status(let text): text
        case .null, .integer, .array, .error: nil
        }
    }

    /// The number of an integer reply.
    package var integer: Int64? {
        if case .integer(let value) = self { value } else { nil }
    }

    /// The elements of an array reply.
    package var elements: [RedisReply]? {
        if case .array(let elements) = self { elements } else { nil }
    }
}
