import Kernel
import Postgres

/// Makes a record.
struct InsertRecord<Made: Record>: Statement {
    static var name: String { "\(Made.name).insert" }
    static var sql: SQL {
        let values = Made.columns.enumerated().map { (index, column) -> SQL in
            let value = column.written(.parameter(index + 2))
            return column.standard.map { "coalesce(\(value), \($0))" } ?? value
        }
        return """
            INSERT INTO \(Made.table) (tenant_id, id, \(Made.columns.map(\.name).joined(separator: ", ")))
            VALUES (stock.current_tenant(), $1, \(values.joined(separator: ", ")))
            """
    }
    static var parameterTypes: [PostgresType] { [.uuid] + Made.columns.map(\.type) }

    let record: Made
    let fields: Made.Fields

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(record.id)
        for column in Made.columns { try column.bind(fields, &parameters) }
    }
}

/// Refuses a record that is not there or has another version, and locks its row.
struct GuardRecord<Asked: Record>: Statement {
    static var name: String { "\(Asked.name).guard" }
    static var sql: SQL {
        """
        SELECT CASE
                   WHEN r.id IS NULL THEN stock.refuse('not_found', 'There is no such \(Asked.noun).')
                   WHEN NOT (r.version = ANY (coalesce($2, ARRAY[r.version])))
                       THEN stock.refuse('version_mismatch', 'The \(Asked.noun) was changed meanwhile. Read it again.')
               END
        FROM (SELECT 1) one
        LEFT JOIN (SELECT o.id, o.version FROM \(Asked.table) o
                   WHERE o.tenant_id = stock.current_tenant() AND o.id = $1 FOR NO KEY UPDATE) r ON true
        """
    }
    static var parameterTypes: [PostgresType] { [.uuid, .int8Array] }

    let record: Asked
    let expected: ExpectedVersion

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(record.id)
        try parameters.append(expected.parameter)
    }
}

/// Changes the columns that are set.
struct UpdateRecord<Changed: Record>: Statement {
    static var name: String { "\(Changed.name).update" }
    static var sql: SQL {
        let changes = Changed.columns.enumerated().map { (index, column) -> SQL in
            let (isSet, value) = (SQL.parameter(2 * index + 2), column.written(.parameter(2 * index + 3)))
            return "\(column.name) = CASE WHEN \(isSet) THEN \(value) ELSE r.\(column.name) END"
        }
        return """
            UPDATE \(Changed.table) r
            SET \(changes.joined(separator: ", ")), version = r.version + 1, updated_at = now()
            WHERE r.tenant_id = stock.current_tenant() AND r.id = $1
            """
    }
    static var parameterTypes: [PostgresType] { [.uuid] + Changed.columns.flatMap { [.bool, $0.type] } }

    let record: Changed
    let fields: Changed.Fields

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(record.id)
        for column in Changed.columns {
            try parameters.append(column.isSet(fields))
            try column.bind(fields, &parameters)
        }
    }
}

/// Deletes a record; what names it refuses.
struct DeleteRecord<Deleted: Record>: Statement {
    static var name: String { "\(Deleted.name).delete" }
    static var sql: SQL {
        "DELETE FROM \(Deleted.table) r WHERE r.tenant_id = stock.current_tenant() AND r.id = $1"
    }
    static var parameterTypes: [PostgresType] { [.uuid] }

    let record: Deleted

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(record.id) }
}

/// Records by name, as `stock.record_page` finds them.
struct ListRecords<Listed: ListedByName>: Statement {
    static var name: String { "\(Listed.name).list" }
    static var sql: SQL {
        .page(
            "stock.record_page('\(Listed.table)'::regclass, $1 + 1, $2, $3)",
            along: .text("name_key"),
            limit: "$1",
            each: "\(Listed.body)(stock.current_tenant(), p.id)"
        )
    }
    static var parameterTypes: [PostgresType] { [.int4, .text, .uuid] }
    typealias Row = PageRow

    let limit: Int
    let after: NamePlace?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(Int32(clamping: limit))
        try parameters.append(after)
    }
}
