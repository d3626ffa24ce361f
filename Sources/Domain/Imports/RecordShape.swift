import Kernel

/// What a row of a file of records is: its fields, and what it is found by.
package struct RecordShape: Sendable {
    /// What one is called, in sentences and by the database.
    package let noun: String
    /// The fields there are.
    package let fields: [RecordField]
    /// The field that a row is found by, and another one that may stand for it.
    package let identity: (first: String, second: String?)
    /// The fields that every row must fill, beside what it is found by.
    package let required: [String]
    /// What tells rows apart that name the same: a product may be at several locations.
    package let within: String?
    /// The fields whose values rows of one document share, which goes in whole or not at all; empty where each row is by itself.
    package let document: [String]

    private init(
        _ noun: String,
        _ fields: [RecordField],
        foundBy identity: (first: String, second: String?) = ("name", "external_id"),
        required: [String] = [],
        within: String? = nil,
        document: [String] = []
    ) {
        self.noun = noun
        self.fields = fields
        self.identity = identity
        self.required = required
        self.within = within
        self.document = document
    }

    private static let name = RecordField("name", .text(.name))
    private static let externalID = RecordField("external_id", .text(.externalID))
    private static let sku = RecordField("sku", .text(.sku))
    private static let taxID = RecordField("tax_id", .text(.taxID))
    private static let phone = RecordField("phone", .text(.phone))
    private static let email = RecordField("email", .email)
    private static let active = RecordField("active", .flag)
    /// Whether it stands: what was reversed is told by exports, and brought by no file.
    private static let standing = RecordField("status", .choice(["confirmed", "reversed"]))
    // Who is named may be named by an `external_id`, but a name is none, and stands as it is kept.
    private static let customer = RecordField("customer", .text(.name))
    private static let supplier = RecordField("supplier", .text(.name))

    /// Categories; `parent` is the name of the one that one lies in.
    package static let categories = RecordShape(
        "category",
        [name, externalID, RecordField("parent", .text(.name)), active]
    )
    /// Units of measure.
    package static let units = RecordShape(
        "unit",
        [name, externalID, RecordField("symbol", .text(.symbol)), RecordField("decimals", .whole(0...6))]
    )
    /// Customers.
    package static let customers = RecordShape(
        "customer",
        [name, externalID, taxID, phone, email, RecordField("credit_limit", .amount), active]
    )
    /// Suppliers.
    package static let suppliers = RecordShape(
        "supplier",
        [name, externalID, taxID, RecordField("contact", .text(.name)), phone, email, active]
    )
    /// What is on hand of products at locations.
    package static let stock = RecordShape(
        "product there",
        [
            sku, externalID, RecordField("location", .text(.name)), RecordField("on_hand", .quantity),
            RecordField("cost", .price),
        ],
        foundBy: ("sku", "external_id"),
        required: ["on_hand"],
        within: "location"
    )
    /// What products and their packagings are sold for.
    package static let prices = RecordShape(
        "price",
        [sku, externalID, RecordField("packaging", .text(.name)), RecordField("price", .price)],
        foundBy: ("sku", "external_id"),
        required: ["price"],
        within: "packaging"
    )
    /// Money that was spent on what is no purchase.
    package static let expenses = RecordShape(
        "expense",
        [
            externalID, RecordField("occurred_at", .time), RecordField("category", .text(.name)),
            RecordField("amount", .money), RecordField("method", .method), supplier,
            RecordField("note", .text(.note)), standing,
        ],
        foundBy: ("external_id", nil),
        required: ["occurred_at", "category", "amount", "method"]
    )
    /// Money that came in for one sale, or for what a customer owes.
    package static let payments = RecordShape(
        "payment",
        [
            externalID, RecordField("occurred_at", .time), RecordField("sale", .text(.externalID)),
            customer, RecordField("amount", .money), RecordField("method", .method),
            RecordField("direction", .choice(["in", "out"])), standing,
        ],
        foundBy: ("external_id", nil),
        required: ["occurred_at", "amount", "method"]
    )
    /// What was bought, and came whole at its time: rows that share supplier and reference are one purchase.
    package static let purchases = RecordShape(
        "purchase",
        [
            RecordField("reference", .text(.externalID)), supplier,
            RecordField("occurred_at", .time), RecordField("location", .text(.name)), sku, externalID,
            RecordField("quantity", .amountOfGoods), RecordField("unit_cost", .price),
            RecordField("note", .text(.note)),
        ],
        foundBy: ("sku", "external_id"),
        required: ["reference", "supplier", "occurred_at", "quantity", "unit_cost"],
        document: ["supplier", "reference"]
    )
}
