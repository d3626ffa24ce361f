/// What a transaction sees: a `pg_snapshot`.
///
/// Every transaction below `xmin` is over, none from `xmax` on had begun, and `xip` lists those between that were
/// still running.
package struct PGSnapshot: Hashable, Sendable {
    /// The lowest transaction still running.
    package let xmin: UInt64
    /// One past the highest transaction that had ended.
    package let xmax: UInt64
    /// The transactions running in between, ascending.
    package let xip: [UInt64]

    /// Makes a snapshot.
    ///
    /// - Parameters:
    ///   - xmin: The lowest transaction still running.
    ///   - xmax: One past the highest that had ended.
    ///   - xip: The transactions running in between, ascending.
    package init(xmin: UInt64, xmax: UInt64, xip: [UInt64]) {
        self.xmin = xmin
        self.xmax = xmax
        self.xip = xip
    }
}

extension PGSnapshot: PostgresCodable {
    package static var postgresType: PostgresType { .pgSnapshot }
    package static func canDecode(_ type: PostgresType) -> Bool { type == .pgSnapshot }

    package func encode(into bytes: inout [UInt8], as type: PostgresType) throws(PostgresError) {
        guard let count = Int32(exactly: xip.count) else {
            throw PostgresError(.encoding, "a snapshot lists too many transactions")
        }
        bytes.appendBigEndian(count)
        bytes.appendBigEndian(xmin)
        bytes.appendBigEndian(xmax)
        for transaction in xip { bytes.appendBigEndian(transaction) }
    }

    package init(decoding bytes: RawSpan, as type: PostgresType) throws(PostgresError) {
        let count = Int(try bytes.bigEndian(at: 0, as: Int32.self))
        guard count >= 0, bytes.byteCount == 20 + 8 * count else {
            throw PostgresError(.decoding, "a snapshot has another length than it says", outcome: .failed)
        }
        var running: [UInt64] = []
        running.reserveCapacity(count)
        for index in 0..<count { running.append(try bytes.bigEndian(at: 20 + 8 * index)) }
        self.init(xmin: try bytes.bigEndian(at: 4), xmax: try bytes.bigEndian(at: 12), xip: running)
    }
}
