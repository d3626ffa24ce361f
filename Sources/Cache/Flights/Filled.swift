package import NIOCore

/// What is cached under a key.
package enum CacheContent: Sendable {
    /// The final bytes of a response body, with the entity tag to use instead of one made from the bytes.
    case body(ByteBuffer, etag: String?)
    /// A value for the process itself; kept in L1 only.
    case value(any Sendable)
    /// There is no such thing: kept in L1 only and for a short time, as random ids must not fill Redis.
    case absent
}

/// Computes an answer from one snapshot, outside any transaction that has written.
package typealias CacheFill = @Sendable () async throws -> Filled

/// A freshly computed answer, with the snapshot it was computed from.
package struct Filled: Sendable {
    /// The answer.
    package let content: CacheContent
    /// The snapshot the answer was read in, returned by the same statement.
    package let snapshot: Snapshot
    /// The last numbered event that the snapshot saw, where the answer names it.
    package let eventSequence: Int64?
    /// How long the answer may live if that is shorter than the module's time to live, for what ends at midnight.
    package let lifetime: Duration?

    /// Wraps an answer and its snapshot.
    package init(
        content: CacheContent,
        snapshot: Snapshot,
        eventSequence: Int64? = nil,
        lifetime: Duration? = nil
    ) {
        self.content = content
        self.snapshot = snapshot
        self.eventSequence = eventSequence
        self.lifetime = lifetime
    }
}
