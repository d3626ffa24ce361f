package import IOLoop

/// Where the database is and how its connections behave.
///
/// The URL is libpq's own (`postgres://user:password@host:port/database?parameter=value`, a unix socket by
/// `?host=/directory`); what it sets wins over the defaults here. `description` never shows it, as it holds a password.
package struct PostgresConfiguration: Sendable, CustomStringConvertible {
    /// libpq's parameters in the order they were given: keyword and value.
    let parameters: [(keyword: String, value: String)]

    /// Connections that many short reads share.
    package var sharedConnections = 2
    /// Connections leased for one unit or one transaction at a time.
    package var exclusiveConnections = 3
    /// Units in flight on one shared connection; the rest waits in the pool, not in libpq.
    package var unitsPerSharedConnection = 16
    /// Units and leases that may wait for a connection, per lane; one more is `overloaded`.
    package var maximalWaiters = 512
    /// How long one of them waits.
    package var acquireTimeout: Duration = .milliseconds(250)
    /// How long a connection may take to come up, the statements prepared.
    package var connectTimeout: Duration = .seconds(3)
    /// How long a connection lives, give or take a tenth.
    package var maximalAge: Duration = .seconds(1_800)
    /// How long plans are kept before a unit makes them anew.
    ///
    /// A plan made while a table was all but empty takes whichever index comes first, as all cost the same then. Nothing
    /// but ANALYZE makes the server think again, and that may be minutes after the table has grown.
    package var maximalPlanAge: Duration = .seconds(10)
    /// How long after its deadline an unanswered unit keeps its connection: a write is cancelled early in it, and the server's answer to
    /// that says what became of it.
    package var grace: Duration = .seconds(1)
    /// How long `run()` waits for units under way once it is told to stop.
    package var drainTimeout: Duration = .seconds(20)
    /// The server's limit for a statement outside a unit; a unit sets what is left of its deadline.
    package var statementTimeout: Duration = .seconds(4)
    /// The server's limit for waiting on a lock.
    package var lockTimeout: Duration = .seconds(2)
    /// The server's limit for an open transaction in which nothing happens.
    package var idleInTransactionTimeout: Duration = .seconds(5)
    /// When repeated failures to connect stop further attempts for a while.
    package var breaker = BreakerSettings()
    /// How long a slot waits before it connects again.
    package var backoff = Backoff(first: .milliseconds(20), longest: .seconds(1))

    /// When repeated failures to connect stop further attempts for a while.
    package struct BreakerSettings: Sendable {
        /// Failures that open it.
        package var failures = 5
        /// The time in which they count.
        package var window: Duration = .seconds(5)
        /// How long it stays open before one attempt is made.
        package var openFor: Duration = .seconds(1)
    }

    /// Reads a URL.
    ///
    /// - Parameter url: `postgres://` or `postgresql://`; percent-encoded where needed.
    /// - Throws: ``PostgresError`` of code `invalidConfiguration`, which says what is accepted and quotes nothing
    ///   that could hold the password.
    package init(url: String) throws(PostgresError) {
        guard url.hasPrefix("postgres://") || url.hasPrefix("postgresql://") else {
            throw PostgresError(
                .invalidConfiguration,
                "the database URL must begin with postgres:// or postgresql://"
            )
        }
        parameters = try ConnectionInfo.parse(url)
    }

    /// The value of a libpq parameter given in the URL.
    ///
    /// - Parameter keyword: Its name: `host`, `dbname`, `user`.
    /// - Returns: The value, nil if the URL does not set it.
    package func parameter(_ keyword: String) -> String? {
        parameters.last { $0.keyword == keyword }?.value
    }

    /// Host, port and database, without user and password.
    package var description: String {
        let host = parameter("host") ?? parameter("hostaddr") ?? "local socket"
        return "\(host):\(parameter("port") ?? "5432")/\(parameter("dbname") ?? "")"
    }

    /// All parameters of a connection: defaults first, then what the URL says, then what must not differ.
    var connectionParameters: [(keyword: String, value: String)] {
        var result: [(keyword: String, value: String)] = []
        func setDefault(_ keyword: String, _ value: String) {
            if parameter(keyword) == nil { result.append((keyword, value)) }
        }
        setDefault("application_name", "stock")
        setDefault("tcp_user_timeout", "5000")
        setDefault("keepalives_idle", "10")
        setDefault("keepalives_interval", "5")
        setDefault("keepalives_count", "3")
        setDefault("target_session_attrs", "read-write")
        result += parameters.filter { $0.keyword != "options" && $0.keyword != "client_encoding" }
        var options = [
            "-c TimeZone=UTC",
            "-c DateStyle=ISO",
            "-c client_min_messages=warning",
            "-c statement_timeout=\(statementTimeout.milliseconds)",
            "-c lock_timeout=\(lockTimeout.milliseconds)",
            "-c idle_in_transaction_session_timeout=\(idleInTransactionTimeout.milliseconds)",
            // A server looks whether its client is still there only when it has something to say. A query of a process
            // that was killed would run on for as long as its own limit lets it.
            "-c client_connection_check_interval=500",
        ].joined(separator: " ")
        if let own = parameter("options") { options += " " + own }
        result.append(("options", options))
        result.append(("client_encoding", "UTF8"))
        return result
    }
}

extension Duration {
    /// Whole milliseconds, rounded towards zero.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        return product.addingReportingOverflow(attoseconds / 1_000_000_000_000_000).partialValue
    }
}
