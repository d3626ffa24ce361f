/// Where a plan may do what plans must not, each with its reason.
struct PlanException {
    /// The statement's name, or what names begin with, followed by a star.
    let statement: String
    let rule: PlanRule
    let relation: String
    /// How many rows at most it may do that to, however large the table is.
    var most = Int.max
    /// A sentence.
    let reason: String

    func covers(_ fault: PlanFault) -> Bool {
        rule == fault.rule && relation == fault.relation && fault.rows <= most
            && (statement.hasSuffix("*")
                ? fault.statement.hasPrefix(statement.dropLast()) : fault.statement == statement)
    }

    /// Tables whose rows do not grow with what a shop does: a few per tenant, or one.
    ///
    /// Of invitations the open ones alone are rows.
    static let small: Set<String> = [
        "cache_lane", "schema_migration", "register", "document_counter", "unit", "category", "payment_method",
        "scale_code",
        "invitation", "webhook", "webhook_turn",
    ]

    /// Statements that are not examined.
    static let unexamined: [(name: String, reason: String)] = [
        ("verify.*", "Reads all there is, by plans of its own, which the tests of the verification time."),
        ("operations.*", "Asks the catalogs, before there is a schema."),
        ("doctor.*", "Asks the catalogs."),
        ("moving.*", "Reads or writes all that a tenant has, into temporary tables and out of them."),
        ("imports.discard_plans", "Throws plans away, and can not run in a transaction."),
    ]

    static let all: [PlanException] = [
        PlanException(
            statement: "cache.drop_outbox",
            rule: .sequentialScan,
            relation: "cache_outbox",
            reason: "It deletes every row there is."
        ),
        PlanException(
            statement: "coherence.outbox",
            rule: .wholeIndex,
            relation: "cache_outbox",
            reason: "The checker counts the rows that wait, which are few where a relay is at work."
        ),
        PlanException(
            statement: "identity.tenants",
            rule: .wholeIndex,
            relation: "tenant",
            reason: "An operator lists all tenants."
        ),
        PlanException(
            statement: "catalog.products",
            rule: .filter,
            relation: "product",
            most: 500,
            reason: "So many products are looked at along an index before what is asked for is taken for rare."
        ),
        PlanException(
            statement: "catalog.products",
            rule: .filter,
            relation: "product_barcode",
            most: 500,
            reason: "As above: a word that is not in a product's own text may be in one of its barcodes."
        ),
        PlanException(
            statement: "stock.list_levels",
            rule: .filter,
            relation: "product",
            most: 500,
            reason: "As above."
        ),
        PlanException(
            statement: "stock.list_levels",
            rule: .filter,
            relation: "product_barcode",
            most: 500,
            reason: "As above."
        ),
        PlanException(
            statement: "stock.list_levels_at",
            rule: .filter,
            relation: "product",
            most: 500,
            reason: "As above, in the names of one place."
        ),
        PlanException(
            statement: "stock.list_levels_at",
            rule: .filter,
            relation: "product_barcode",
            most: 500,
            reason: "As above."
        ),
        PlanException(
            statement: "customers.list",
            rule: .filter,
            relation: "customer",
            most: 500,
            reason: "As above, for customers."
        ),
        PlanException(
            statement: "sales.list_by_total*",
            rule: .filter,
            relation: "sale",
            most: 500,
            reason: "A register that has sold so few is read whole; those of one person are taken from the drafts."
        ),
        PlanException(
            statement: "sales.list_by_total*",
            rule: .sortedPage,
            relation: "sale",
            reason: "Of a customer, or in another state than confirmed: those few are read and sorted."
        ),
        PlanException(
            statement: "purchases.list_in_order",
            rule: .sortedPage,
            relation: "purchase",
            reason: "Of a supplier, of some days, overdue or not received yet: those few are read and sorted."
        ),
        PlanException(
            statement: "purchases.list_in_order",
            rule: .filter,
            relation: "purchase",
            reason: "As for purchases.list."
        ),
        PlanException(
            statement: "sales.list",
            rule: .filter,
            relation: "sale",
            reason: "The bounds of the moment are wider than the days asked for by two at the newest end."
        ),
        PlanException(
            statement: "sales.list.named",
            rule: .filter,
            relation: "sale",
            reason: "As above."
        ),
        PlanException(
            statement: "payments.list.named",
            rule: .filter,
            relation: "payment",
            reason: "As above."
        ),
        PlanException(
            statement: "payments.list",
            rule: .filter,
            relation: "payment",
            reason: "The bounds of the moment are wider than the days asked for by two at the newest end."
        ),
        PlanException(
            statement: "purchases.list",
            rule: .filter,
            relation: "purchase",
            reason: "All that is unpaid is read, newest first: what is not due yet is the little at that end."
        ),
        PlanException(
            statement: "purchases.reorder*",
            rule: .filter,
            relation: "stock_level",
            reason: "What is out or low is read by name; what is on order, or need not be in stock, is left out."
        ),
        PlanException(
            statement: "balance.dashboard",
            rule: .filter,
            relation: "sale",
            reason: "Seven days are read for three, as a business day may lie a day away from the date in UTC."
        ),
        PlanException(
            statement: "reports.*",
            rule: .filter,
            relation: "sale",
            reason: "Of the days that are not added up, as above: those around them are read and left out."
        ),
        PlanException(
            statement: "sales.confirm",
            rule: .filter,
            relation: "sale",
            reason: "The first sale of a day adds up those before it, as above."
        ),
        PlanException(
            statement: "reports.dead_stock",
            rule: .filter,
            relation: "stock_movement",
            reason: "A product's movements are read backwards to its last sale."
        ),
        PlanException(
            statement: "imports.apply_sales",
            rule: .filter,
            relation: "stock_level",
            reason: "Looks whether a level of the chunk's products has another cost than was read: as a rule none has."
        ),
        PlanException(
            statement: "imports.apply_sales",
            rule: .joinFilter,
            relation: "stock_level",
            reason: "As above."
        ),
    ]
}
