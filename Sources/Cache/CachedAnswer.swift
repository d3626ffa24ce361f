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
    /// From this instance's memory though no longer valid, as the database could not be asked; `ttl` is negative, in seconds.
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

    init(_ stored: StoredAnswer, _ status: CacheStatus) {
        self.stored = stored
        self.status = status
    }

    /// The answer.
    package var content: CacheContent { self.stored.content }

    /// The entity tag of a body, quoted; empty for anything else.
    ///
    /// Equal tags mean equal bytes.
    package var etag: String { self.stored.etag }

    /// The body, if the answer is one.
    package var body: ByteBuffer? {
        if case .body(let buffer, _) = self.stored.content { return buffer }
        return nil
    }

    /// The body compressed by gzip, for those who accept it; nil if it is too short to be worth it.
    package var compressed: ByteBuffer? { nil }

    /// The snapshot the answer was computed from.
    package var snapshot: Snapshot { self.stored.snapshot }

    /// Whether the caller is to start ``TenantCache/refresh(_:deadline:fill:)``: the answer ends soon, and it was asked first.
    package var wantsRefresh: Bool { false }

    /// Whether the answer is that there is no such thing.
    package var isAbsent: Bool {
        if case .absent = self.stored.content { return true }
        return false
    }
}

/// An answer with everything needed to judge later whether it may still be served.
///
/// Immutable, shared by reference.
final class StoredAnswer: Sendable {
    let content: CacheContent
    let etag: String
    let snapshot: Snapshot
    /// The scope, whose version was captured before the answer was read.
    ///
    /// The entry holds its scope, so that a hit needs no
    /// table of scopes, and so that a scope cannot be replaced by a second object that would miss bumps.
    let scope: Scope
    /// The version captured.
    let version: UInt64
    /// On the cache's clock, in nanoseconds.
    let expiresAt: Int64
    /// What the content occupies, in bytes, without the shard's own overhead.
    let bytes: Int

    init(
        content: CacheContent,
        etag: String,
        snapshot: Snapshot,
        scope: Scope,
        version: UInt64,
        expiresAt: Int64
    ) {
        self.content = content
        self.etag = etag
        self.snapshot = snapshot
        self.scope = scope
        self.version = version
        self.expiresAt = expiresAt
        let contentBytes =
            switch content {
            // The buffer's own objects, as measured by the resident size of a full cache of small bodies.
            case .body(let buffer, _): buffer.storageCapacity + 288
            case .value: 512
            case .absent: 0
            }
        self.bytes = contentBytes + etag.utf8.count + 8 * (snapshot.xip?.count ?? 0) + 256
    }
}
