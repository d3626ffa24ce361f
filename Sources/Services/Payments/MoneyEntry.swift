package import Cache
package import Domain
package import Kernel
package import Postgres

/// Where an entry of money is from, and so where it is found.
package protocol MoneyEntrySource: Sendable {
    /// The root of the names of its statements: `payments.expense`.
    static var name: String { get }

    /// The path of all of its entries.
    static var collection: String { get }

    /// As the ledger calls it.
    static var source: SQL { get }

    /// What retires its answers.
    static var module: Module { get }
}

/// Money spent on what is no purchase.
package enum ExpenseSource: MoneyEntrySource {
    package static let name = "payments.expense"
    package static let collection = "/v1/expenses"
    package static let source: SQL = "'expense'"
    package static let module = Module.purchases
}

/// What a manager enters into the ledger by hand.
package enum ManualSource: MoneyEntrySource {
    package static let name = "balance.entry"
    package static let collection = "/v1/ledger-entries"
    package static let source: SQL = "'manual'"
    package static let module = Module.balance
}

/// Money to record that moved for no document.
package struct MoneyEntryRequest: Sendable, Equatable {
    /// The ways that money goes in the ledger.
    package enum Direction: String, Sendable, CaseIterable {
        case income
        case expense
    }

    /// Whether it came in or went out; an expense went out.
    package var direction: Direction

    /// What it was for, in the shop's own words.
    package var category: String

    /// To whom, of an expense.
    package var supplierID: ID<Supplier>?

    /// From whose drawer, of an expense.
    package var registerID: RegisterID?

    /// How much, greater than 0.
    package var amount: Money

    /// How it was paid.
    package var method: PaymentMethodCode

    /// A remark.
    package var note: String?

    /// When, by the shop's clock; now if nil.
    package var occurredAt: Timestamp?

    /// Makes a request.
    ///
    /// - Parameters:
    ///   - direction: Whether it came in or went out.
    ///   - category: What it was for.
    ///   - supplierID: To whom.
    ///   - registerID: From whose drawer.
    ///   - amount: How much.
    ///   - method: How it was paid.
    ///   - note: A remark.
    ///   - occurredAt: When; now if nil.
    package init(
        direction: Direction = .expense,
        category: String,
        supplierID: ID<Supplier>? = nil,
        registerID: RegisterID? = nil,
        amount: Money,
        method: PaymentMethodCode,
        note: String? = nil,
        occurredAt: Timestamp? = nil
    ) {
        self.direction = direction
        self.category = category
        self.supplierID = supplierID
        self.registerID = registerID
        self.amount = amount
        self.method = method
        self.note = note
        self.occurredAt = occurredAt
    }
}

/// What a list of entries may be narrowed to, newest first.
package struct MoneyEntryFilter: Sendable, Equatable {
    /// Of this category only.
    package var category: String?

    /// To this supplier only.
    package var supplierID: ID<Supplier>?

    /// By this method only.
    package var method: PaymentMethodCode?

    /// Of these business days only.
    package var days = DayRange.all

    /// Makes a filter that lets everything pass.
    package init() {}
}

/// One entry.
struct MoneyEntry<Source: MoneyEntrySource>: Resource {
    typealias Kind = Source

    static var name: String { Source.name }
    static var collection: String { Source.collection }
    static var sql: SQL {
        """
        SELECT stock.entry_body(e.tenant_id, e.id), '"' || e.version || '"'
        FROM stock.money_entry e
        WHERE e.tenant_id = stock.current_tenant() AND e.id = $1 AND e.source = \(Source.source)
        """
    }

    let id: ID<Source>

    init(_ id: ID<Source>) { self.id = id }
}

/// Records an entry and its row of the ledger.
struct RecordEntry<Source: MoneyEntrySource>: Statement {
    static var name: String { "\(Source.name).record" }
    static var sql: SQL { "SELECT stock.entry_record($1, $2, \(Source.source), $3, $4, $5, $6, $7, $8, $9, $10, $11)" }
    static var parameterTypes: [PostgresType] {
        [.uuid, .uuid, .text, .text, .uuid, .uuid, .numeric, .text, .text, .uuid, .timestamptz]
    }

    let id: ID<Source>
    let ledgerID: LedgerEntryID
    let request: MoneyEntryRequest
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(ledgerID)
        try parameters.append(request.direction.rawValue)
        try parameters.append(request.category)
        try parameters.append(request.supplierID)
        try parameters.append(request.registerID)
        try parameters.append(request.amount)
        try parameters.append(request.method)
        try parameters.append(request.note)
        try parameters.append(userID)
        try parameters.append(request.occurredAt)
    }
}

/// Reverses an entry by a second row of the ledger.
struct ReverseEntry<Source: MoneyEntrySource>: Statement {
    static var name: String { "\(Source.name).reverse" }
    static var sql: SQL { "SELECT stock.entry_reverse($1, \(Source.source), $2, $3, $4)" }
    static var parameterTypes: [PostgresType] { [.uuid, .uuid, .text, .uuid] }

    let id: ID<Source>
    let ledgerID: LedgerEntryID
    let reason: String
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(ledgerID)
        try parameters.append(reason)
        try parameters.append(userID)
    }
}

/// A page of entries, newest first.
struct ListEntries<Source: MoneyEntrySource>: Statement {
    static var name: String { "\(Source.name).list" }
    static var sql: SQL {
        """
        WITH placed AS (
            SELECT p.id, p.occurred_at, p.place FROM stock.entry_page(\(Source.source), $1, $2, $3, $4, $5, $6, $7, $8 + 1)
                WITH ORDINALITY AS p (id, occurred_at, place)
        )
        SELECT string_agg(stock.entry_body(stock.current_tenant(), p.id), ',' ORDER BY p.place)
                   FILTER (WHERE p.place <= $8),
               CASE WHEN count(*) > $8 THEN (
                   SELECT ARRAY[stock.rfc3339(l.occurred_at), l.id::text] FROM placed l WHERE l.place = $8) END,
               \(.seen)
        FROM placed p
        """
    }
    static var parameterTypes: [PostgresType] { [.text, .uuid, .text, .date, .date, .timestamptz, .uuid, .int4] }

    typealias Row = PageRow

    let filter: MoneyEntryFilter
    let after: (occurredAt: Timestamp, id: ID<Source>)?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter.category)
        try parameters.append(filter.supplierID)
        try parameters.append(filter.method)
        try parameters.append(filter.days.from)
        try parameters.append(filter.days.to)
        try parameters.append(after?.occurredAt)
        try parameters.append(after?.id)
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}
