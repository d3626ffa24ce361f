package import Cache
package import Domain
package import Kernel
package import Postgres

/// The columns of a payment method that a client writes.
package struct PaymentMethodFields: Sendable, Equatable {
    /// What documents call it; fixed once it is made.
    package var code: Change<PaymentMethodCode> = .keep
    /// What people call it.
    package var name: Change<String> = .keep
    /// What it is; fixed once a document names it.
    package var kind: Change<PaymentKind> = .keep
    /// Whether a till opens its drawer for it.
    package var opensDrawer: Change<Bool> = .keep
    /// Whether money is taken by it.
    package var active: Change<Bool> = .keep
    /// Where it stands among the others, from 0 on.
    package var position: Change<Int> = .keep

    /// Keeps every column.
    package init() {}
}

/// A way in which money changes hands, of a tenant's own choice.
package struct PaymentMethod: ListedByName {
    package static let name = "payments.method"
    package static let collection = "/v1/payment-methods"
    package static let module = Module.settings
    package static let table: SQL = "stock.payment_method"
    package static let noun: SQL = "payment method"
    package static let body: SQL = "stock.payment_method_body"
    package static let columns: [Column<PaymentMethodFields>] = [
        .choice("code", \.code), .text("name", \.name), .choice("kind", \.kind), .flag("opens_drawer", \.opensDrawer),
        .flag("active", \.active), .small("position", \.position),
    ]
    package static let others: [any Statement.Type] = [GuardPaymentKind.self]

    package let id: ID<PaymentMethod>

    package init(_ id: ID<PaymentMethod>) { self.id = id }

    package func check(
        _ fields: PaymentMethodFields,
        isNew: Bool,
        in unit: inout UnitOfWork
    ) throws(PostgresError) {
        if !isNew, let kind = fields.kind.newValue { try unit.add(GuardPaymentKind(id: id, kind: kind)) }
    }
}

/// Refuses another kind of a method that a document names.
struct GuardPaymentKind: Statement {
    static let name = "payments.method_kind"
    static let sql: SQL = "SELECT stock.refuse_payment_kind($1, $2)"
    static let parameterTypes: [PostgresType] = [.uuid, .text]

    let id: ID<PaymentMethod>
    let kind: PaymentKind

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(kind)
    }
}
