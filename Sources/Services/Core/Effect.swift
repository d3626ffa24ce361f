import Kernel
package import Postgres

/// What a command has done, and so what it answers.
package enum Effect<Made: Document>: Sendable {
    /// This is new: 201, with its path if it has one.
    case created(Made)

    /// This is as it is now: 200.
    case changed(Made)

    /// Something is gone: 204.
    case deleted
}

/// Of commands that leave nothing behind.
package enum Nothing: Document {
    package static let name = "core.nothing"
    package static let sql: SQL = "SELECT NULL::text, NULL::text"
}

extension UnitOfWork {
    /// Ends a command: answers what it did, and keeps the answer beside its key if there is one.
    ///
    /// The store calls it, so that no command can forget it.
    ///
    /// - Parameters:
    ///   - effect: What the command did.
    ///   - key: The request's key, if it has one.
    /// - Returns: Where the answer is found.
    /// - Throws: ``PostgresError`` of code `encoding`.
    mutating func conclude<Made>(
        _ effect: Effect<Made>,
        key: IdempotencyKey?
    ) throws(PostgresError) -> Slot<AnswerRow> {
        switch effect {
        case .created(let made): try add(Conclude(made: made, status: 201, location: made.path, key: key))
        case .changed(let made): try add(Conclude(made: made, status: 200, location: nil, key: key))
        case .deleted: try add(ConcludeDeletion(key: key))
        }
    }
}

/// Answers with what a command made.
struct Conclude<Made: Document>: Statement {
    static var name: String { "\(Made.name).conclude" }
    static var sql: SQL {
        let parameters = (1...6).map { SQL.parameter(Made.parameterTypes.count + $0) }
        let (status, location, entity) = (parameters[0], parameters[1], parameters[2])
        let (route, key, hash) = (parameters[3], parameters[4], parameters[5])
        return """
            SELECT \(status)::integer,
                   stock.idempotency_finish(
                       \(route), \(key), \(hash), \(status),
                       json_build_object('etag', d.etag, 'location', \(location)::text)::text, d.body, \(entity)),
                   d.etag, \(location)::text
            FROM (\(Made.sql)) d (body, etag)
            """
    }
    static var parameterTypes: [PostgresType] {
        Made.parameterTypes + [.int4, .text, .uuid, .text, .text, .bytea]
    }
    typealias Row = AnswerRow

    let made: Made
    let status: Int32
    let location: String?
    let key: IdempotencyKey?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try made.bind(&parameters)
        try parameters.append(status)
        try parameters.append(location)
        try parameters.append(made.entity.map { PostgresUUID(high: $0.high, low: $0.low) })
        try parameters.append(key)
    }
}

/// Answers that something is gone.
struct ConcludeDeletion: Statement {
    static let name = "core.conclude_deletion"
    static let sql: SQL = """
        SELECT 204, stock.idempotency_finish($1, $2, $3, 204, NULL, NULL, NULL), NULL::text, NULL::text
        """
    static let parameterTypes: [PostgresType] = [.text, .text, .bytea]
    typealias Row = AnswerRow

    let key: IdempotencyKey?

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(key) }
}
