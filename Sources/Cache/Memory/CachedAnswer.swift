package import NIOCore

/// Where an answer came from.
package enum CacheStatus: Sendable, Equatable {
    /// From this instance's memory.
    case l1Hit
    /// From Redis.
    case l2Hit
    /// Computed, and kept for the next reader.
    case missStored
    /// Computed, and not kept, as the scope was retired meanwhile or the value is too large.
    case miss
    /// The caller asked for the database, or caching is off.
    case bypass
    /// From this instance's memory though no longer valid, as the database could not be asked.
    ///
    /// `ttl` is negative: the seconds since it was computed, within which writes may be missing.
    case stale(ttl: Int)

    /// The value of the `Cache-Status` header (RFC 9211).
    package var headerValue: String {
        switch self {
        case .l1Hit: "stock-l1; hit"
        case .l2Hit: "stock-l2; hit"
        case .missStored: "stock-l1; fwd=miss; stored"
        case .miss: "stock-l1; fwd=miss"
        case .bypass: "stock-l1; fwd=bypass"
        case .stale(let ttl): "stock-l1; hit; ttl=\(ttl); detail=stale"
        }
    }
}

/// An answer as the caller gets it: one reference and a status, so that a hit copies next to nothing.
package struct CachedAnswer: Sendable {
    let stored: StoredAnswer
    /// Where the answer came from.
    package let status: CacheStatus
    /// Whether the answer ends soon: the caller is to start ``TenantCache/refresh(_:deadline:fill:)``, which sees to it that
    /// only one of many does anything.
    package let wantsRefresh: Bool

    init(_ stored: StoredAnswer, _ status: CacheStatus, wantsRefresh: Bool = false) {
        self.stored = stored
        self.status = status
        self.wantsRefresh = wantsRefresh
    }

    /// The module it belongs to.
    package var module: Module { stored.scope.module }

    /// The answer.
    package var content: CacheContent { stored.content }

    /// The entity tag of a body, quoted; empty for anything else.
    ///
    /// Equal tags mean equal bytes.
    package var etag: String { stored.etag }

    /// The body, if the answer is one.
    package var body: ByteBuffer? {
        if case .body(let buffer, _) = stored.content { return buffer }
        return nil
    }

    /// The body compressed by gzip, for those who accept it; nil if it is too short to be worth it.
    package var compressed: ByteBuffer? { stored.compressed }

    /// The snapshot the answer was computed from.
    package var snapshot: Snapshot { stored.snapshot }

    /// The last numbered event that the snapshot saw, where the answer names it: the events behind it are what has happened since.
    package var eventSequence: Int64? { stored.eventSequence }

    /// Whether the answer is that there is no such thing.
    package var isAbsent: Bool {
        if case .absent = stored.content { return true }
        return false
    }
}
