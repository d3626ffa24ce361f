import Postgres

/// What a list is ordered along, which its next page begins behind.
enum PageOrder {
    /// A column of times, and ids where they are the same.
    case moment(SQL)
    /// A column of texts, and ids where they are the same.
    case text(SQL)

    /// The column.
    fileprivate var column: SQL {
        switch self {
        case .moment(let column), .text(let column): column
        }
    }

    /// Its value in a row, as cursors hold it.
    fileprivate func value(in row: SQL) -> SQL {
        switch self {
        case .moment(let column): "stock.rfc3339(\(row).\(column))"
        case .text(let column): "\(row).\(column)"
        }
    }
}

extension SQL {
    /// The last two columns of every ``PageRow`` and ``ListRow``: what the statement sees, and the last numbered event that it sees.
    ///
    /// Numbers are given in the order of commits: a snapshot that sees one sees what every event up to it tells of, and what it does
    /// not see has a higher number.
    static let seen: SQL = "pg_current_snapshot(), \(lastEvent)"

    /// The last numbered event of the tenant; 0 before the first.
    static let lastEvent: SQL = """
        coalesce((
            SELECT e.seq FROM stock.domain_event e
            WHERE e.tenant_id = stock.current_tenant() AND e.seq IS NOT NULL
            ORDER BY e.seq DESC LIMIT 1), 0)
        """

    /// The one form of a page, whose row is ``PageRow``.
    ///
    /// A function of SQL finds the rows along an index, one more than are shown, and tells of each its id and what the list is
    /// ordered along.
    ///
    /// - Parameters:
    ///   - rows: The call of the function that finds them.
    ///   - order: What the list is ordered along: the second column of what is found.
    ///   - limit: The parameter that says how many are shown.
    ///   - body: One of them as JSON, of its row `p`.
    ///   - owner: What finds a row if there is what they belong to; without it the statement answers no row.
    /// - Returns: The statement.
    static func page(_ rows: SQL, along order: PageOrder, limit: SQL, each body: SQL, of owner: SQL? = nil) -> SQL {
        let condition: SQL = owner.map { "HAVING EXISTS (\($0))" } ?? ""
        return """
            WITH placed AS (
                SELECT p.id, p.\(order.column), p.place FROM \(rows) WITH ORDINALITY AS p (id, \(order.column), place)
            )
            SELECT string_agg(\(body), ',' ORDER BY p.place) FILTER (WHERE p.place <= \(limit)),
                   CASE WHEN count(*) > \(limit) THEN (
                       SELECT ARRAY[\(order.value(in: "l")), l.id::text] FROM placed l WHERE l.place = \(limit)) END,
                   \(seen)
            FROM placed p
            \(condition)
            """
    }
}
