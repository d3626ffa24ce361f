import Postgres

/// Whether an instance follows the log, besides whoever asks.
///
/// An instance is known by the last statement of its session that listens: it follows the log, drains the outbox, or counts it.
/// The session of one that was killed is gone within milliseconds, as the system closes its socket.
struct InstanceFollows: Statement {
    static let name = "operations.instance_follows"
    static let sql: SQL = """
        SELECT EXISTS (SELECT FROM pg_stat_activity a
                       WHERE a.datname = current_database() AND a.usename = current_user
                         AND a.pid <> pg_backend_pid() AND a.query ~ 'FROM stock[.]cache_(follow|drain_follow|outbox c)')
        """

    typealias Row = SingleColumn<Bool>
}
