/// What went wrong between a caller and PostgreSQL.
///
/// The texts of the server often quote rows, so `description` shows none of them: it names the code, the SQLSTATE,
/// the constraint, the table and the statement. Who needs the texts (the mapping of refusals raised in SQL) reads
/// ``serverMessage``, ``serverDetail`` and ``serverHint``.
package struct PostgresError: Error, Sendable, Equatable {
    /// The kind of a failure; opaque, so that kinds can be added.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        private let name: String

        private init(_ name: String) {
            self.name = name
        }

        package var description: String { name }

        /// The server answered with an error; see ``PostgresError/sqlState``.
        package static let server = Code("server")
        /// A connection could not be made.
        package static let connectFailed = Code("connectFailed")
        /// The connection ended while the unit was under way.
        package static let connectionLost = Code("connectionLost")
        /// There is no connection and the last attempts failed: the database is down.
        package static let databaseUnavailable = Code("databaseUnavailable")
        /// All connections are taken and the queue is full, or the wait in it was too long.
        package static let overloaded = Code("overloaded")
        /// The deadline passed.
        package static let deadlineExceeded = Code("deadlineExceeded")
        /// The task was cancelled before the work had an effect that counts.
        package static let cancelled = Code("cancelled")
        /// A value or a statement cannot be sent as it is.
        package static let encoding = Code("encoding")
        /// An answer has another shape than its row type says.
        package static let decoding = Code("decoding")
        /// An answer has too few or too many rows.
        package static let unexpectedRowCount = Code("unexpectedRowCount")
        /// The configuration is not usable.
        package static let invalidConfiguration = Code("invalidConfiguration")
        /// The server or the client left the protocol.
        package static let protocolViolation = Code("protocolViolation")
        /// The client was shut down.
        package static let closed = Code("closed")
        /// The producer of a COPY failed or gave up.
        package static let copyAborted = Code("copyAborted")
    }

    /// What is known about the effect of the work.
    package enum Outcome: String, Sendable {
        /// Nothing was sent, or the server never began with it.
        case notRun
        /// It was begun and left no effect.
        case failed
        /// It may have been committed: the connection ended between the final Sync and its answer.
        case unknown
    }

    private final class Storage: Sendable {
        let code: Code
        let outcome: Outcome
        let message: String
        let sqlState: SQLState?
        let severity: String?
        let routine: String?
        let serverMessage: String?
        let serverDetail: String?
        let serverHint: String?
        let constraint: String?
        let table: String?
        let position: Int?
        let statement: String?

        init(
            code: Code,
            outcome: Outcome,
            message: String,
            sqlState: SQLState?,
            severity: String?,
            routine: String?,
            serverMessage: String?,
            serverDetail: String?,
            serverHint: String?,
            constraint: String?,
            table: String?,
            position: Int?,
            statement: String?
        ) {
            self.code = code
            self.outcome = outcome
            self.message = message
            self.sqlState = sqlState
            self.severity = severity
            self.routine = routine
            self.serverMessage = serverMessage
            self.serverDetail = serverDetail
            self.serverHint = serverHint
            self.constraint = constraint
            self.table = table
            self.position = position
            self.statement = statement
        }
    }

    /// One reference: an error travels through every typed throw and should cost a pointer there.
    private let storage: Storage

    /// Makes an error that arose on this side.
    ///
    /// - Parameters:
    ///   - code: Its kind.
    ///   - message: A sentence of ours, without values of rows or secrets.
    ///   - outcome: What is known about the effect.
    ///   - statement: The name of the statement concerned.
    package init(_ code: Code, _ message: String, outcome: Outcome = .notRun, statement: String? = nil) {
        storage = Storage(
            code: code,
            outcome: outcome,
            message: message,
            sqlState: nil,
            severity: nil,
            routine: nil,
            serverMessage: nil,
            serverDetail: nil,
            serverHint: nil,
            constraint: nil,
            table: nil,
            position: nil,
            statement: statement
        )
    }

    /// Makes an error from an answer of the server.
    ///
    /// - Parameters:
    ///   - sqlState: The five letters that say what happened.
    ///   - serverMessage: The primary text; may quote rows.
    ///   - serverDetail: The secondary text; may quote rows. Refusals raised in SQL carry JSON here.
    ///   - serverHint: What the server suggests.
    ///   - constraint: The constraint concerned.
    ///   - table: The table concerned.
    ///   - position: Where in the text of the statement, counted in characters from 1.
    ///   - severity: ERROR, FATAL or PANIC.
    ///   - routine: The function of the server that reported it.
    ///   - statement: The name of the statement concerned.
    ///   - outcome: What is known about the effect.
    package init(
        sqlState: SQLState,
        serverMessage: String,
        serverDetail: String? = nil,
        serverHint: String? = nil,
        constraint: String? = nil,
        table: String? = nil,
        position: Int? = nil,
        severity: String? = nil,
        routine: String? = nil,
        statement: String? = nil,
        outcome: Outcome = .failed
    ) {
        storage = Storage(
            code: .server,
            outcome: outcome,
            message: "the server refused the statement",
            sqlState: sqlState,
            severity: severity,
            routine: routine,
            serverMessage: serverMessage,
            serverDetail: serverDetail,
            serverHint: serverHint,
            constraint: constraint,
            table: table,
            position: position,
            statement: statement
        )
    }

    private init(copying other: Storage, code: Code, outcome: Outcome, statement: String?) {
        storage = Storage(
            code: code,
            outcome: outcome,
            message: other.message,
            sqlState: other.sqlState,
            severity: other.severity,
            routine: other.routine,
            serverMessage: other.serverMessage,
            serverDetail: other.serverDetail,
            serverHint: other.serverHint,
            constraint: other.constraint,
            table: other.table,
            position: other.position,
            statement: statement
        )
    }

    /// The kind of the failure.
    package var code: Code { storage.code }
    /// What is known about the effect of the work.
    package var outcome: Outcome { storage.outcome }
    /// A sentence of ours, free of values.
    package var message: String { storage.message }
    /// The server's code, if it answered.
    package var sqlState: SQLState? { storage.sqlState }
    /// The server's primary text; may quote rows, never to be logged.
    package var serverMessage: String? { storage.serverMessage }
    /// The server's DETAIL; may quote rows, never to be logged.
    package var serverDetail: String? { storage.serverDetail }
    /// The server's HINT.
    package var serverHint: String? { storage.serverHint }
    /// The constraint that refused.
    package var constraint: String? { storage.constraint }
    /// The table concerned.
    package var table: String? { storage.table }
    /// Where in the text that was sent, counted in characters from 1.
    package var position: Int? { storage.position }
    /// The name of the statement concerned.
    package var statement: String? { storage.statement }
    /// Whether the server ended the connection with this answer.
    package var isFatal: Bool { storage.severity == "FATAL" || storage.severity == "PANIC" }

    /// The same error with another outcome.
    ///
    /// - Parameter outcome: What is known about the effect.
    /// - Returns: A copy.
    package func with(outcome: Outcome) -> PostgresError {
        PostgresError(copying: storage, code: storage.code, outcome: outcome, statement: storage.statement)
    }

    /// The same error with the name of its statement.
    ///
    /// - Parameter statement: The name.
    /// - Returns: A copy; an error that has a name keeps it.
    package func with(statement: String) -> PostgresError {
        PostgresError(
            copying: storage,
            code: storage.code,
            outcome: storage.outcome,
            statement: storage.statement ?? statement
        )
    }

    /// The same answer of the server under another code.
    ///
    /// - Parameter code: The code.
    /// - Returns: A copy.
    func with(code: Code) -> PostgresError {
        PostgresError(copying: storage, code: code, outcome: storage.outcome, statement: storage.statement)
    }

    /// Whether the connection that gave this answer has to be replaced before anything can go well.
    ///
    /// Classes 08 and 57P0x, too many connections, a standby where a primary was expected, and a statement whose
    /// prepared form no longer fits (0A000 after a migration, 26000).
    var replacesConnection: Bool {
        guard let sqlState else { return code == .connectionLost }
        return sqlState.isConnectionFailure || isStalePlan || sqlState == .invalidSQLStatementName
    }

    /// Whether a migration changed the columns of a prepared statement, here and on every other connection.
    ///
    /// 0A000 also means features that are missing; the function that reported it tells the two apart.
    var isStalePlan: Bool { sqlState == .featureNotSupported && storage.routine == "RevalidateCachedQuery" }

    package static func == (lhs: PostgresError, rhs: PostgresError) -> Bool {
        lhs.storage === rhs.storage
            || (lhs.code == rhs.code && lhs.outcome == rhs.outcome && lhs.message == rhs.message
                && lhs.sqlState == rhs.sqlState && lhs.serverMessage == rhs.serverMessage
                && lhs.serverDetail == rhs.serverDetail && lhs.serverHint == rhs.serverHint
                && lhs.constraint == rhs.constraint && lhs.table == rhs.table && lhs.position == rhs.position
                && lhs.statement == rhs.statement && lhs.storage.severity == rhs.storage.severity)
    }
}

extension PostgresError: CustomStringConvertible, CustomDebugStringConvertible {
    /// Code, SQLSTATE, names and outcome; no text of the server and no value.
    package var description: String {
        var text = "PostgresError(\(code)"
        if let sqlState { text += ", sqlState: \(sqlState)" }
        if let statement { text += ", statement: \(statement)" }
        if let constraint { text += ", constraint: \(constraint)" }
        if let table { text += ", table: \(table)" }
        if let position { text += ", position: \(position)" }
        return text + ", outcome: \(outcome.rawValue)): \(message)"
    }

    /// The same as ``description``: a debugger's log is a log too.
    package var debugDescription: String { description }
}
