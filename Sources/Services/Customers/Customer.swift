package import Cache
package import Kernel
package import Postgres

/// The columns of a customer that a client writes.
package struct CustomerFields: Sendable, Equatable {
    /// Who they are.
    package var name: Change<String> = .keep
    /// By which the tax office knows them.
    package var taxID: Change<String?> = .keep
    /// A telephone number, as it was written.
    package var phone: Change<String?> = .keep
    /// An e-mail address, folded.
    package var email: Change<String?> = .keep
    /// How much they may owe; nil is without limit.
    package var creditLimit: Change<Money?> = .keep
    /// Whether they can buy.
    package var active: Change<Bool> = .keep
    /// The id another system knows them by.
    package var externalID: Change<String?> = .keep

    /// Keeps every column.
    package init() {}

    /// Sets every column.
    package init(
        name: String,
        taxID: String? = nil,
        phone: String? = nil,
        email: String? = nil,
        creditLimit: Money? = nil,
        active: Bool = true,
        externalID: String? = nil
    ) {
        self.name = .set(name)
        self.taxID = .set(taxID)
        self.phone = .set(phone)
        self.email = .set(email)
        self.creditLimit = .set(creditLimit)
        self.active = .set(active)
        self.externalID = .set(externalID)
    }
}

/// A customer, and what they owe.
///
/// The entity tag is `"<version>.<account version>"`: the body shows what they owe.
package struct Customer: Record {
    package static let name = "customers.customer"
    package static let collection = "/v1/customers"
    package static let module = Module.customers
    package static let table: SQL = "stock.customer"
    package static let noun: SQL = "customer"
    package static let body: SQL = "stock.customer_body"
    package static let columns: [Column<CustomerFields>] = [
        .text("name", \.name), .text("tax_id", \.taxID), .text("phone", \.phone), .plain("email", \.email),
        .decimal("credit_limit", \.creditLimit), .flag("active", \.active), .plain("external_id", \.externalID),
    ]
    package static let sql: SQL = """
        SELECT stock.customer_body(c.tenant_id, c.id), '"' || c.version || '.' || a.version || '"'
        FROM stock.customer c
        JOIN stock.customer_account a ON a.tenant_id = c.tenant_id AND a.customer_id = c.id
        WHERE c.tenant_id = stock.current_tenant() AND c.id = $1
        """
    package static let others: [any Statement.Type] = [GuardCreditLimit.self, ListCustomers.self]

    package let id: CustomerID

    package init(_ id: CustomerID) { self.id = id }

    package func check(_ fields: CustomerFields, isNew: Bool, in unit: inout UnitOfWork) throws(PostgresError) {
        if let limit = fields.creditLimit.newValue ?? nil { try unit.add(GuardCreditLimit(limit: limit)) }
    }
}

/// Refuses a limit with more decimals than the currency has.
struct GuardCreditLimit: Statement {
    static let name = "customers.guard_limit"
    static let sql: SQL = "SELECT stock.check_credit_limit($1)"
    static let parameterTypes: [PostgresType] = [.numeric]

    var limit: Money

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(limit) }
}
