/// Statements that succeed or fail together, in one implicit transaction and one round trip.
///
/// None needs another's answer. The tenant and the time left are set first, so row-level security sees the tenant
/// and the server gives up when the caller would.
package struct UnitOfWork: Sendable {
    /// Whether the unit changes rows.
    package enum Access: Sendable {
        /// It may be run twice: a read lost with its connection is repeated once.
        case read
        /// A lost connection leaves its outcome unknown.
        case write
    }

    /// What one statement of the unit runs.
    enum Command: Sendable {
        case prepared(any Statement.Type)
        /// A text without parameters, not worth preparing (LISTEN).
        case text(String)
    }

    struct Entry: Sendable {
        let command: Command
        /// The index of its first parameter.
        let firstParameter: Int32
        let parameterCount: Int32
    }

    /// The tenant whose rows it sees; nil sees none of any tenant.
    package let tenant: Int64?
    /// Whether it changes rows.
    package let access: Access
    /// An upper bound for each statement on the server, beside the deadline.
    package let statementTimeout: Duration?

    private(set) var entries: [Entry] = []
    private(set) var parameters = Parameters()

    /// Makes an empty unit.
    ///
    /// - Parameters:
    ///   - tenant: The tenant whose rows it sees; nil sees none of any tenant.
    ///   - access: Whether it changes rows.
    ///   - statementTimeout: An upper bound for each statement on the server; the time left of the deadline if
    ///     that is less or if nil.
    package init(tenant: Int64?, access: Access, statementTimeout: Duration? = nil) {
        self.tenant = tenant
        self.access = access
        self.statementTimeout = statementTimeout
    }

    /// Whether nothing was added.
    package var isEmpty: Bool { entries.isEmpty }

    /// About how many bytes the server has to read: what the work costs, where tenants take turns by cost.
    ///
    /// Rows come as arrays, so it grows with their number, and nobody has to remember to say how many there are.
    var weight: Int { 64 * entries.count + parameters.arena.count }

    /// From this weight on a unit is a bulk: a hundred rows or so, where a sale has one to ten.
    static let heavy = 16 * 1024

    /// Adds a statement.
    ///
    /// - Parameter statement: The statement with its values.
    /// - Returns: Where its rows are found in the ``UnitResult``.
    /// - Throws: ``PostgresError`` of code `encoding`; the unit is then as it was before.
    @discardableResult
    package mutating func add<S: Statement>(_ statement: S) throws(PostgresError) -> Slot<S.Row> {
        let placeCount = parameters.places.count
        let byteCount = parameters.arena.count
        do {
            parameters.begin(S.parameterTypes)
            try statement.bind(&parameters)
            try parameters.end(S.name)
        } catch {
            parameters.rollBack(placeCount: placeCount, byteCount: byteCount)
            throw error.with(statement: S.name)
        }
        entries.append(
            Entry(
                command: .prepared(S.self),
                firstParameter: Int32(truncatingIfNeeded: placeCount),
                parameterCount: Int32(truncatingIfNeeded: parameters.places.count - placeCount)
            )
        )
        return Slot(index: entries.count - 1)
    }

    /// Adds a text without parameters and without an answer that matters.
    ///
    /// - Parameter text: One SQL command, made of constants.
    mutating func add(text: String) {
        let first = Int32(truncatingIfNeeded: parameters.places.count)
        entries.append(Entry(command: .text(text), firstParameter: first, parameterCount: 0))
    }

    /// The name of a statement, for errors.
    ///
    /// - Parameter index: Its place in the unit.
    /// - Returns: The name, nil for a text or a place beyond the end.
    func name(at index: Int) -> String? {
        guard entries.indices.contains(index), case .prepared(let type) = entries[index].command else { return nil }
        return type.name
    }
}

/// Where the rows of a statement are found in the result of its unit.
package struct Slot<Row: DecodableRow>: Sendable {
    let index: Int
}
