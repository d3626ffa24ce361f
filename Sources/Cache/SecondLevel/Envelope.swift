import Crypto
import NIOCore

/// A value in Redis with all that is needed to know that it is the right one.
///
/// `S1`, namespace and generation as 32 hex digits each, so that a script can compare them, then binary, big-endian: 16 bytes
/// of hash over (tenant, module, key), the snapshot, the last event it saw, the times of filling and expiry, the body schema
/// number, the length of the body and whether it is compressed, tag and body.
package struct Envelope: Sendable {
    /// The shape of the bodies this program writes; another number is a miss, so two versions can serve at once.
    static let schema: UInt16 = 3
    /// No body is longer than this, whatever a value claims.
    static let bodyLimit = 64 * 1024 * 1024
    /// Snapshots with more running transactions are stored as unknown.
    private static let maximalRunning = 16
    private static let unknownRunning = UInt16.max
    private static let noEvent: Int64 = -1
    private static let hexLength = 32

    var ns: [UInt8]
    var generation: [UInt8]
    var keyHash: [UInt8]
    var snapshot: Snapshot
    /// The last numbered event that the snapshot saw, where the answer names it.
    var eventSequence: Int64?
    /// Microseconds since 1970; for expiry only.
    var filledAt: Int64
    /// Microseconds since 1970.
    var expiresAt: Int64
    var etag: String
    /// The body as it is stored.
    var body: ByteBuffer
    /// The length of the body where it is stored compressed by gzip; nil where it is not.
    var inflatedLength: Int?

    /// What is left of its life, in microseconds.
    func left(at wallTime: Int64) -> Int64 { expiresAt.subtractingReportingOverflow(wallTime).partialValue }

    /// How long it lives in all, in microseconds.
    var lifetime: Int64 { max(0, expiresAt.subtractingReportingOverflow(filledAt).partialValue) }

    /// The hash that ties a value to its key: a value under the wrong key is not served.
    static func keyHash(_ key: CacheKey) -> [UInt8] {
        var hash = SHA256()
        hash.update(data: Array("\(key.tenant):\(key.module.rawValue):\(key.key)".utf8))
        return Array(hash.finalize().prefix(16))
    }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(160 + etag.utf8.count + body.readableBytes)
        bytes.append(contentsOf: "S1".utf8)
        bytes.append(contentsOf: ns)
        bytes.append(contentsOf: generation)
        bytes.append(contentsOf: keyHash)
        Self.append(snapshot.xmin, to: &bytes)
        Self.append(snapshot.xmax, to: &bytes)
        if let xip = snapshot.xip, xip.count <= Self.maximalRunning {
            Self.append(UInt16(xip.count), to: &bytes)
            for xid in xip { Self.append(xid, to: &bytes) }
        } else {
            Self.append(Self.unknownRunning, to: &bytes)
        }
        Self.append(eventSequence ?? Self.noEvent, to: &bytes)
        Self.append(filledAt, to: &bytes)
        Self.append(expiresAt, to: &bytes)
        Self.append(Self.schema, to: &bytes)
        Self.append(UInt32(truncatingIfNeeded: inflatedLength ?? 0), to: &bytes)
        Self.append(UInt16(truncatingIfNeeded: etag.utf8.count), to: &bytes)
        bytes.append(contentsOf: etag.utf8)
        Self.append(UInt32(truncatingIfNeeded: body.readableBytes), to: &bytes)
        bytes.append(contentsOf: body.readableBytesView)
        return bytes
    }

    init(
        ns: [UInt8],
        generation: [UInt8],
        keyHash: [UInt8],
        snapshot: Snapshot,
        eventSequence: Int64? = nil,
        filledAt: Int64,
        expiresAt: Int64,
        etag: String,
        body: ByteBuffer,
        inflatedLength: Int? = nil
    ) {
        self.ns = ns
        self.generation = generation
        self.keyHash = keyHash
        self.snapshot = snapshot
        self.eventSequence = eventSequence
        self.filledAt = filledAt
        self.expiresAt = expiresAt
        self.etag = etag
        self.body = body
        self.inflatedLength = inflatedLength
    }

    /// Reads a value; nil if it is truncated, too long, of another format or schema.
    init?(decoding bytes: [UInt8]) {
        var buffer = ByteBuffer(bytes: bytes)
        guard buffer.readString(length: 2) == "S1",
            let ns = buffer.readBytes(length: Self.hexLength),
            let generation = buffer.readBytes(length: Self.hexLength),
            let keyHash = buffer.readBytes(length: 16),
            let xmin = buffer.readInteger(as: UInt64.self),
            let xmax = buffer.readInteger(as: UInt64.self),
            let running = buffer.readInteger(as: UInt16.self)
        else { return nil }
        var xip: [UInt64]?
        if running != Self.unknownRunning {
            guard Int(running) <= Self.maximalRunning else { return nil }
            var xids: [UInt64] = []
            for _ in 0..<Int(running) {
                guard let xid = buffer.readInteger(as: UInt64.self) else { return nil }
                xids.append(xid)
            }
            xip = xids
        }
        guard let eventSequence = buffer.readInteger(as: Int64.self), eventSequence >= Self.noEvent,
            let filledAt = buffer.readInteger(as: Int64.self),
            let expiresAt = buffer.readInteger(as: Int64.self),
            buffer.readInteger(as: UInt16.self) == Self.schema,
            let inflatedLength = buffer.readInteger(as: UInt32.self), Int(inflatedLength) <= Self.bodyLimit,
            let etagLength = buffer.readInteger(as: UInt16.self),
            let etag = buffer.readString(length: Int(etagLength)),
            let bodyLength = buffer.readInteger(as: UInt32.self),
            Int(bodyLength) == buffer.readableBytes
        else { return nil }
        self.init(
            ns: ns,
            generation: generation,
            keyHash: keyHash,
            snapshot: Snapshot(xmin: xmin, xmax: xmax, xip: xip),
            eventSequence: eventSequence == Self.noEvent ? nil : eventSequence,
            filledAt: filledAt,
            expiresAt: expiresAt,
            etag: etag,
            body: buffer.slice(),
            inflatedLength: inflatedLength == 0 ? nil : Int(inflatedLength)
        )
    }

    private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
