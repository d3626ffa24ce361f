private import CHiredis

/// A reply that hiredis owns until the callback returns: to be copied there or dropped.
///
/// Safe because it does not leave the callback: its owner copies it or lets it go.
@safe
struct HiredisReply: ~Copyable {
    private let pointer: UnsafePointer<redisReply>?

    init(_ raw: UnsafeMutableRawPointer?) {
        unsafe pointer = raw.map { unsafe UnsafePointer($0.assumingMemoryBound(to: redisReply.self)) }
    }

    /// Whether the connection ended instead of a reply.
    var isLost: Bool { unsafe pointer == nil }

    /// The reply in memory of ours; nil if it was lost.
    func copy() -> RedisReply? {
        guard let pointer = unsafe pointer else { return nil }
        return unsafe Self.copy(pointer.pointee)
    }

    /// Depth is no concern: hiredis refuses more than seven levels.
    private static func copy(_ reply: redisReply) -> RedisReply {
        switch unsafe reply.type {
        case REDIS_REPLY_STRING: unsafe .bulk([UInt8](bytes(of: reply)))
        case REDIS_REPLY_INTEGER: unsafe .integer(Int64(reply.integer))
        case REDIS_REPLY_STATUS: unsafe .status(String(decoding: bytes(of: reply), as: UTF8.self))
        case REDIS_REPLY_ERROR: unsafe .error(String(decoding: bytes(of: reply), as: UTF8.self))
        case REDIS_REPLY_ARRAY:
            unsafe .array(
                UnsafeBufferPointer(start: reply.element, count: reply.elements).map { element in
                    guard let element = unsafe element else { return .null }
                    return unsafe copy(element.pointee)
                }
            )
        default: .null
        }
    }

    private static func bytes(of reply: redisReply) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: reply.str, count: reply.len)
    }
}
