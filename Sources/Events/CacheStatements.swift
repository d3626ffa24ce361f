import Cache
package import Postgres

/// The statements of the coherence protocol, to be prepared on each connection.
package enum CacheStatements {
    /// All of them.
    package static let all: [any Statement.Type] = [
        DrainOutbox.self, FollowLog.self, RotateLane.self, ReadIdentity.self, StoreIdentity.self, PruneLog.self,
    ]
}

/// Moves committed outbox rows to the log, numbered densely.
struct DrainOutbox: Statement {
    static let name = "cache.drain"
    static let sql: StaticString = """
        SELECT d.head, d.moved, d.is_full
          FROM stock.cache_drain($1, $2, $3) AS d
        """
    static let parameterTypes: [PostgresType] = [.int2, .int4, .bool]

    var limit: Int
    var notifies: Bool

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(Int16(0))
        try parameters.append(Int32(clamping: self.limit))
        try parameters.append(self.notifies)
    }

    /// All columns are NULL if another relay holds the lane.
    struct Row: DecodableRow {
        let head: Int64?
        let moved: Int64?
        let isFull: Bool?

        init(from row: inout RowReader) throws(PostgresError) {
            self.head = try row.next()
            self.moved = try row.next()
            self.isFull = try row.next()
        }
    }
}

#if COHERENCE_CONTROLS
/// A drain that stays open for a while when it has the lane, as that of a relay which was stopped in the middle.
struct DrainOutboxSlowly: Statement {
    static let name = "cache.drain_slowly"
    static let sql: StaticString = """
        SELECT d.head, d.moved, d.is_full, CASE WHEN d.head IS NOT NULL THEN pg_sleep($4 / 1000.0)::text END
          FROM (SELECT * FROM stock.cache_drain($1, $2, $3) OFFSET 0) AS d
        """
    static let parameterTypes: [PostgresType] = [.int2, .int4, .bool, .int4]

    var drain: DrainOutbox
    var delay: Duration

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try self.drain.bind(&parameters)
        try parameters.append(Int32(clamping: self.delay.milliseconds))
    }

    typealias Row = DrainOutbox.Row
}

/// Deletes outbox rows without logging them: the mistake of `no_outbox`.
struct DropOutbox: Statement {
    static let name = "cache.drop_outbox"
    static let sql: StaticString = """
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
        RETURNING l.head_seq, 0::bigint, false
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
    static let sql: StaticString = """
        SELECT replace(f.ns::text, '-', ''), f.database_identity, f.head, f.drains,
               f.seq, f.tag, f.tenant_id, f.module, f.xids, pg_snapshot_xmin(f.snapshot)
          FROM stock.cache_follow($1, $2, $3) AS f
        """
    static let parameterTypes: [PostgresType] = [.int2, .int8, .int4]

    var from: Int64?
    var limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(Int16(0))
        try parameters.append(self.from)
        try parameters.append(Int32(clamping: self.limit))
    }

    struct Row: DecodableRow {
        let ns: String
        let identity: String?
        let head: Int64
        let drains: Int64
        let entry: LogRow?
        let xmin: XID8

        init(from row: inout RowReader) throws(PostgresError) {
            self.ns = try row.next()
            self.identity = try row.next()
            self.head = try row.next()
            self.drains = try row.next()
            let sequence: Int64? = try row.next()
            let tag: Int32? = try row.next()
            let tenant: Int64? = try row.next()
            let module: String? = try row.next()
            let xids: [XID8]? = try row.next()
            self.xmin = try row.next()
            if let sequence, let tag, let module {
                self.entry = LogRow(
                    sequence: sequence,
                    tag: tag,
                    tenant: module.isEmpty ? nil : tenant,
                    module: module,
                    xids: (xids ?? []).map { $0.rawValue }
                )
            } else {
                self.entry = nil
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
    static let sql: StaticString = """
        SELECT replace(stock.cache_rotate()::text, '-', '')
        """
    typealias Row = SingleColumn<String>
}

/// The cluster and timeline this connection ended at.
struct ReadIdentity: Statement {
    static let name = "cache.identity"
    static let sql: StaticString = """
        SELECT stock.cache_identity()
        """
    typealias Row = SingleColumn<String>
}

/// Stores the cluster and timeline.
struct StoreIdentity: Statement {
    static let name = "cache.store_identity"
    static let sql: StaticString = """
        UPDATE stock.cache_lane
           SET database_identity = $2
         WHERE lane = $1
        """
    static let parameterTypes: [PostgresType] = [.int2, .text]

    var identity: String

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(Int16(0))
        try parameters.append(self.identity)
    }
}

/// Deletes log rows older than an hour, never the newest.
struct PruneLog: Statement {
    static let limit = 10_000
    static let name = "cache.prune"
    static let sql: StaticString = """
        SELECT stock.cache_prune($1, interval '1 hour', $2)
        """
    static let parameterTypes: [PostgresType] = [.int2, .int4]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(Int16(0))
        try parameters.append(Int32(Self.limit))
    }

    typealias Row = SingleColumn<Int64>
}
