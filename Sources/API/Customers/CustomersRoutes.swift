import HTTPTypes
import Kernel
import Services

/// Customers.
struct CustomersRoutes: Area {
    static let records: [any Record.Type] = [Customer.self]

    let shop: Shop

    var routes: [Route] {
        let shop = self.shop
        return RecordRoutes<Customer>(
            reading: .customersRead,
            writing: .customersWrite,
            deletable: "no document names",
            figures: [.required("balance", .money)]
        ).routes(shop.customers, shop.store) { customer in
            .page(
                Customer.collection,
                "listCustomers",
                "Customers",
                area: "customers",
                access: .scope(.customersRead),
                answer: customer,
                query: { CustomerFilter.read(&$0) },
                hasChanges: true,
                selecting: { (selected, _, page, caller) throws(Problem) in
                    try shop.customers.list(selected, page, caller)
                },
                reading: { (filter, page, caller) throws(Problem) in try shop.customers.list(filter, page, caller) }
            )
        } + [
            .headedParts(
                "\(Customer.collection)/{id}/statement",
                "readCustomerStatement",
                "What changed a customer's balance, the oldest first",
                area: "customers",
                access: .scope(.customersRead),
                answer: ReportSchemas.statement,
                query: { $0.days() },
                reading: { (id, days, page, caller) throws(Problem) in
                    try shop.reports.statement(of: id, days, page, caller)
                }
            ).tabular,
            .one(
                "\(Customer.collection)/{id}/ageing",
                "readCustomerAgeing",
                "How old what a customer owes is",
                area: "customers",
                access: .scope(.customersRead),
                answer: ReportSchemas.ageing
            ) { shop.reports.ageing(of: $0, $1) }.tabular,
        ]
    }
}

extension CustomerFields: RecordFields {
    static func read(_ reader: inout RecordReader) -> CustomerFields {
        var fields = CustomerFields()
        fields.name = reader.text("name")
        fields.taxID = reader.optionalText("tax_id", .taxID)
        fields.phone = reader.optionalText("phone", .phone)
        fields.email = reader.optional("email", .email)
        fields.creditLimit = reader.optional("credit_limit", .decimal(.notNegative))
        fields.active = reader.value("active", or: true, .bool)
        fields.externalID = reader.optionalText("external_id", .externalID)
        return fields
    }
}

extension CustomerFilter {
    /// Reads what `GET /v1/customers` asks for.
    static func read(_ query: inout Query) -> CustomerFilter {
        CustomerFilter(
            q: query.search("q", in: "the name, tax number, telephone number or e-mail address"),
            active: query.flag("active", "Active ones or the others."),
            hasBalance: query.flag("has_balance", "Those who owe something, or those who do not."),
            sort: query.order("name")
        )
    }
}
