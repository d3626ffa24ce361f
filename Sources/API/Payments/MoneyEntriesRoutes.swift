import Domain
import HTTPTypes
import Kernel
import Services

/// Money that moved for no document: expenses, and what is entered into the ledger by hand.
struct MoneyEntriesRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let manager = Route.Access.roles(.owner, .manager, scope: .paymentsWrite)
        return Self.routes(
            shop.expenses,
            shop.store,
            names: ("Expense", "Expenses", "an expense"),
            area: "expenses",
            reading: .scope(.salesRead),
            writing: manager,
            body: Body("ExpenseRequest") { MoneyEntryRequest.readExpense(&$0) },
            query: { MoneyEntryFilter.readExpenses(&$0) }
        )
            + Self.routes(
                shop.ledgerEntries,
                shop.store,
                names: ("LedgerEntry", "LedgerEntries", "an entry of one's own in the ledger"),
                area: "balance",
                reading: .scope(.reportsRead),
                writing: manager,
                body: Body("LedgerEntryRequest") { MoneyEntryRequest.readManual(&$0) },
                query: { MoneyEntryFilter.read(&$0) }
            )
    }

    private static func routes<Source>(
        _ entries: MoneyEntriesService<Source>,
        _ store: Store,
        names: (one: String, several: String, noun: String),
        area: String,
        reading: Route.Access,
        writing: Route.Access,
        body: Body<MoneyEntryRequest>,
        query: @escaping @Sendable (inout Query) -> MoneyEntryFilter
    ) -> [Route] {
        let (collection, answer) = (Source.collection, Schema.reference("MoneyEntry"))
        return [
            .command(
                collection,
                "record\(names.one)",
                "Record \(names.noun)",
                area: area,
                access: writing,
                key: .required,
                store: store,
                body: body,
                answer: answer,
                problems: [.sessionClosed, .periodClosed]
            ) { (request, context, key) throws(Problem) in try await entries.record(request, context, key: key) },
            .page(
                collection,
                "list\(names.several)",
                "What was recorded as \(names.noun), newest first",
                area: area,
                access: reading,
                answer: answer,
                query: query,
                reading: { (filter, page, caller) throws(Problem) in try entries.list(filter, page, caller) }
            ),
            .one(
                "\(collection)/{id}",
                "read\(names.one)",
                "Read \(names.noun)",
                area: area,
                access: reading,
                answer: answer
            ) { entries.entry($0, $1) },
            .action(
                "\(collection)/{id}/reverse",
                "reverse\(names.one)",
                "Reverse \(names.noun), on the day of the request",
                area: area,
                access: writing,
                store: store,
                body: .reason,
                answer: answer,
                problems: [.invalidState, .sessionClosed, .periodClosed]
            ) { (id, reason, context, key) throws(Problem) in
                try await entries.reverse(id, reason: reason, context, key: key)
            },
        ]
    }
}

extension MoneyEntryRequest {
    /// Reads the body of `POST /v1/expenses`.
    static func readExpense(_ reader: inout JSONObjectReader) -> MoneyEntryRequest {
        let supplierID: ID<Supplier>? = reader.optionalID("supplier_id")
        let registerID: RegisterID? = reader.optionalID("register_id")
        return read(&reader, direction: .expense, supplierID, registerID)
    }

    /// Reads the body of `POST /v1/ledger-entries`.
    static func readManual(_ reader: inout JSONObjectReader) -> MoneyEntryRequest {
        let direction: Direction = reader.choice("direction", else: .expense)
        return read(&reader, direction: direction, nil, nil)
    }

    private static func read(
        _ reader: inout JSONObjectReader,
        direction: Direction,
        _ supplierID: ID<Supplier>?,
        _ registerID: RegisterID?
    ) -> MoneyEntryRequest {
        MoneyEntryRequest(
            direction: direction,
            category: reader.text("category"),
            supplierID: supplierID,
            registerID: registerID,
            amount: reader.money("amount", .positive),
            method: reader.required("method", else: .cash, .paymentMethod),
            note: reader.optionalText("note", .note),
            occurredAt: reader.optionalTimestamp("occurred_at")
        )
    }
}

extension MoneyEntryFilter {
    /// Reads what `GET /v1/expenses` asks for.
    static func readExpenses(_ query: inout Query) -> MoneyEntryFilter {
        let supplierID: ID<Supplier>? = query.id("supplier_id", "To this supplier only.")
        var filter = read(&query)
        filter.supplierID = supplierID
        return filter
    }

    /// Reads what `GET /v1/ledger-entries` asks for.
    static func read(_ query: inout Query) -> MoneyEntryFilter {
        var filter = MoneyEntryFilter()
        filter.category = query.text("category", "Of this category only.").map { Text.nfc($0) }
        filter.method = query.paymentMethod("method", "By this method only.")
        filter.days = query.days()
        return filter
    }
}
