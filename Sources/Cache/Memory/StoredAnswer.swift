import NIOCore
import Synchronization

/// An answer with everything needed to judge later whether it may still be served.
///
/// Immutable but for one mark, shared by reference.
final class StoredAnswer: Sendable {
    let content: CacheContent
    /// The body compressed by gzip; nil if it is too short to be worth it.
    let compressed: ByteBuffer?
    let etag: String
    let snapshot: Snapshot
    /// The last numbered event that the snapshot saw, where the answer names it.
    let eventSequence: Int64?
    /// The namespace the snapshot belongs to, see ``Namespace``.
    let namespace: UInt64
    /// The scope, whose version was captured before the answer was read.
    ///
    /// The entry holds its scope, so that a hit needs no table of scopes, and so that a scope cannot be replaced by a second
    /// object that would miss bumps.
    let scope: Scope
    /// The version captured.
    let version: UInt64
    /// When computing it began, on the cache's clock, in nanoseconds.
    let filledAt: Int64
    /// On the same clock.
    let expiresAt: Int64
    /// From when on it is worth computing anew; never if `Int64.max`.
    let refreshAt: Int64
    /// What the content occupies, in bytes, without the shard's own overhead.
    let bytes: Int
    /// When somebody last began to compute it anew.
    private let refreshedAt = Atomic<Int64>(.min)

    init(
        content: CacheContent,
        compressed: ByteBuffer? = nil,
        etag: String,
        snapshot: Snapshot,
        eventSequence: Int64? = nil,
        namespace: UInt64 = Namespace.none,
        scope: Scope,
        version: UInt64,
        filledAt: Int64 = 0,
        expiresAt: Int64,
        refreshAt: Int64 = .max
    ) {
        self.content = content
        self.compressed = compressed
        self.etag = etag
        self.snapshot = snapshot
        self.eventSequence = eventSequence
        self.namespace = namespace
        self.scope = scope
        self.version = version
        self.filledAt = filledAt
        self.expiresAt = expiresAt
        self.refreshAt = refreshAt
        let contentBytes =
            switch content {
            // The buffer's own objects, as measured by the resident size of a full cache of small bodies.
            case .body(let buffer, _): buffer.storageCapacity + 288
            case .value: 512
            case .absent: 0
            }
        let compressedBytes = compressed.map { $0.storageCapacity + 128 } ?? 0
        bytes = contentBytes + compressedBytes + etag.utf8.count + 8 * (snapshot.xip?.count ?? 0) + 304
    }

    /// The same answer under another version.
    func under(version: UInt64) -> StoredAnswer {
        StoredAnswer(
            content: self.content,
            compressed: self.compressed,
            etag: self.etag,
            snapshot: self.snapshot,
            eventSequence: self.eventSequence,
            namespace: self.namespace,
            scope: self.scope,
            version: version,
            filledAt: self.filledAt,
            expiresAt: self.expiresAt,
            refreshAt: self.refreshAt
        )
    }

    /// Whether the asker is the one to compute it anew: one in each `interval`.
    func claimRefresh(at now: Int64, interval: Int64) -> Bool {
        let last = refreshedAt.load(ordering: .relaxed)
        guard last == .min || now - last >= interval else { return false }
        return refreshedAt.compareExchange(expected: last, desired: now, ordering: .relaxed).exchanged
    }
}
