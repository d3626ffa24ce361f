import Cache
package import Postgres

/// The statements of the coherence protocol, to be prepared on each connection.
package enum CacheStatements {
    /// All of them.
    package static let all: [any Statement.Type] = [
        DrainOutbox.self, CountOutbox.self, FollowLog.self, RotateLane.self, ReadIdentity.self, StoreIdentity.self,
        PruneLog.self, PruneEvents.self, SweepReservations.self,
    ]
}

/// Moves committed outbox rows to the log, numbered densely, and reads the log from a row on if there were any.
///
/// No row at all if another relay holds the lane.
struct DrainOutbox: Statement {
    static let name = "cache.drain"
    static let sql: SQL = """
        SELECT d.moved, d.is_full, d.oldest, replace(d.ns::text, '-', ''), d.database_identity, d.head, d.drains,
               d.seq, d.tag, d.tenant_id, d.module, d.xids, pg_snapshot_xmin(d.snapshot)
          FROM stock.cache_drain_follow($1, $2, $3, $4, $5) AS d
        """
    static let parameterTypes: [PostgresType] = [.int2, .int4, .bool, .int8, .int4]

    var limit: Int
    var notifies: Bool
    var from: Int64?
    var followLimit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(Int16(0))
        try parameters.append(Int32(clamping: limit))
        try parameters.append(notifies)
        try parameters.append(from)
        try parameters.append(Int32(clamping: followLimit))
    }

    struct Row: DecodableRow {
        let moved: Int64
        let isFull: Bool
        /// The age of the oldest row moved, in microseconds.
        let oldest: Int64?
        let log: FollowLog.Row

        init(from row: inout RowReader) throws(PostgresError) {
            moved = try row.next()
            isFull = try row.next()
            oldest = try row.next()
            log = try FollowLog.Row(from: &row)
        }
    }
}

/// How many committed rows wait in the outbox, at most 10,001, and since when the oldest does, in microseconds.
package struct CountOutbox: Statement {
    package static let name = "cache.outbox"
    package static let sql: SQL = """
        SELECT count(*), (extract(epoch FROM clock_timestamp() - min(o.touched_at)) * 1000000)::bigint
          FROM (SELECT c.touched_at
                  FROM stock.cache_outbox c
                 WHERE c.lane = $1
                 ORDER BY c.id
                 LIMIT 10001) AS o
        """
    package static let parameterTypes: [PostgresType] = [.int2]

    package init() {}

    package func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(Int16(0))
    }

    package struct Row: DecodableRow {
        package let count: Int64
        let oldest: Int64?

        package init(from row: inout RowReader) throws(PostgresError) {
            count = try row.next()
            oldest = try row.next()
        }
    }
}

#if COHERENCE_CONTROLS
/// A drain that stays open for a while when it has the lane, as that of a relay which was stopped in the middle.
struct DrainOutboxSlowly: Statement {
    static let name = "cache.drain_slowly"
    static let sql: SQL = """
        SELECT d.moved, d.is_full, d.oldest, replace(d.ns::text, '-', ''), d.database_identity, d.head, d.drains,
               d.seq, d.tag, d.tenant_id, d.module, d.xids, pg_snapshot_xmin(d.snapshot),
               CASE WHEN row_number() OVER () = 1 THEN pg_sleep($6 / 1000.0)::text END
          FROM stock.cache_drain_follow($1, $2, $3, $4, $5) AS d
        """
    static let parameterTypes: [PostgresType] = DrainOutbox.parameterTypes + [.int4]

    var drain: DrainOutbox
    var delay: Duration

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try drain.bind(&parameters)
        try parameters.append(Int32(clamping: delay.milliseconds))
    }

    typealias Row = DrainOutbox.Row
}

/// Deletes outbox rows without logging them: the mistake of `no_outbox`.
struct DropOutbox: Statement {
    static let name = "cache.drop_outbox"
    static let sql: SQL = """
        WITH lane AS (
            SELECT l.lane
              FROM stock.cache_lane l
             WHERE l.lane = $1
               FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM stock.cache_outbox o
             USING lane
             WHERE o.lane = lane.lane
        )
        UPDATE stock.cache_lane l
           SET drains = l.drains + 1
          FROM lane
         WHERE l.lane = lane.lane
        RETURNING 0::bigint, false, NULL::bigint, replace(l.ns::text, '-', ''), l.database_identity, l.head_seq, l.drains,
                  NULL::bigint, NULL::integer, NULL::bigint, NULL::text, NULL::xid8[],
                  pg_snapshot_xmin(pg_current_snapshot())
        """
    static let parameterTypes: [PostgresType] = [.int2]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(Int16(0))
    }

    typealias Row = DrainOutbox.Row
}
#endif

/// The lane and its log from a row on, or the newest row, in one snapshot.
struct FollowLog: Statement {
    static let name = "cache.follow"
    static let sql: SQL = """
        SELECT replace(f.ns::text, '-', ''), f.database_identity, f.head, f.drains,
               f.seq, f.tag, f.tenant_id, f.module, f.xids, pg_snapshot_xmin(f.snapshot)
          FROM stock.cache_follow($1, $2, $3) AS f
        """
    static let parameterTypes: [PostgresType] = [.int2, .int8, .int4]

    var from: Int64?
    var limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(Int16(0))
        try parameters.append(from)
        try parameters.append(Int32(clamping: limit))
    }

    struct Row: DecodableRow {
        let ns: String
        let identity: String?
        let head: Int64
        let drains: Int64
        let entry: LogRow?
        let xmin: XID8

        init(from row: inout RowReader) throws(PostgresError) {
            ns = try row.next()
            identity = try row.next()
            head = try row.next()
            drains = try row.next()
            let sequence: Int64? = try row.next()
            let tag: Int32? = try row.next()
            let tenant: Int64? = try row.next()
            let module: String? = try row.next()
            let xids: [XID8]? = try row.next()
            xmin = try row.next()
            if let sequence, let tag, let module {
                entry = LogRow(
                    sequence: sequence,
                    tag: tag,
                    tenant: module.isEmpty ? nil : tenant,
                    module: module,
                    xids: (xids ?? []).map { $0.rawValue }
                )
            } else {
                entry = nil
            }
        }
    }

    /// Puts the rows together; nil if there is no lane.
    static func answer(_ rows: [Row]) -> FollowAnswer? {
        guard let first = rows.first else { return nil }
        return FollowAnswer(
            ns: first.ns,
            head: first.head,
            drains: first.drains,
            rows: rows.compactMap { $0.entry },
            xmin: first.xmin.rawValue
        )
    }
}

/// Gives the lane a new namespace: everything cached is cold.
struct RotateLane: Statement {
    static let name = "cache.rotate"
    static let sql: SQL = """
        SELECT replace(stock.cache_rotate()::text, '-', '')
        """
    typealias Row = SingleColumn<String>
}

/// The cluster and timeline this connection ended at.
struct ReadIdentity: Statement {
    static let name = "cache.identity"
    static let sql: SQL = """
        SELECT stock.cache_identity()
        """
    typealias Row = SingleColumn<String>
}

/// Stores the cluster and timeline.
struct StoreIdentity: Statement {
    static let name = "cache.store_identity"
    static let sql: SQL = """
        UPDATE stock.cache_lane
           SET database_identity = $2
         WHERE lane = $1
        """
    static let parameterTypes: [PostgresType] = [.int2, .text]

    var identity: String

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(Int16(0))
        try parameters.append(identity)
    }
}

/// Deletes log rows older than an hour, never the newest.
struct PruneLog: Statement {
    static let limit = 10_000
    static let name = "cache.prune"
    static let sql: SQL = """
        SELECT stock.cache_prune($1, interval '1 hour', $2)
        """
    static let parameterTypes: [PostgresType] = [.int2, .int4]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(Int16(0))
        try parameters.append(Int32(Self.limit))
    }

    typealias Row = SingleColumn<Int64>
}

/// Deletes numbered events older than they are kept, of some tenants after one; none means that the end was reached.
struct PruneEvents: Statement {
    static let limit = 1000
    static let name = "events.prune"
    static let sql: SQL = """
        SELECT p.next_after
          FROM stock.prune_events($1, $2 * interval '1 second', $3) AS p
        """
    static let parameterTypes: [PostgresType] = [.int8, .int8, .int4]

    var after: Int64
    var retention: Duration

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(after)
        try parameters.append(retention.components.seconds)
        try parameters.append(Int32(Self.limit))
    }

    typealias Row = SingleColumn<Int64?>
}

/// Makes what was reserved until now available, of some tenants after one; none means that the end was reached.
struct SweepReservations: Statement {
    static let limit = 100
    static let name = "reservations.sweep"
    static let sql: SQL = "SELECT s.next_after FROM stock.sweep_reservations($1, $2) AS s"
    static let parameterTypes: [PostgresType] = [.int8, .int4]

    var after: Int64

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(after)
        try parameters.append(Int32(Self.limit))
    }

    typealias Row = SingleColumn<Int64?>
}

/// The rows of the log after a number, or the newest, as whoever checks it wants to see them.
package struct ReadLog: Statement {
    package static let name = "cache.read_log"
    package static let sql: SQL = """
        SELECT l.seq, coalesce(l.tenant_id, 0), coalesce(l.module, ''), l.xids
          FROM stock.cache_log l
         WHERE l.lane = 0
           AND l.seq > coalesce($1, (SELECT max(m.seq) - 1 FROM stock.cache_log m WHERE m.lane = 0))
         ORDER BY l.seq
         LIMIT 5000
        """
    package static let parameterTypes: [PostgresType] = [.int8]

    private let after: Int64?

    /// - Parameter after: the number before the first row; nil for the newest row alone.
    package init(after: Int64?) {
        self.after = after
    }

    package func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(after)
    }

    /// One row: the scope that was retired, and the transactions that did it.
    package struct Row: DecodableRow {
        package let sequence: Int64
        /// 0 where all tenants are meant.
        package let tenant: Int64
        /// Empty where all modules are meant.
        package let module: String
        package let xids: [UInt64]

        package init(from row: inout RowReader) throws(PostgresError) {
            sequence = try row.next()
            tenant = try row.next()
            module = try row.next()
            let xids: [XID8]? = try row.next()
            self.xids = (xids ?? []).map(\.rawValue)
        }
    }
}
