import HTTPTypes
import Kernel
import Services

/// Customers.
struct CustomersRoutes {
    let shop: Shop

    var routes: [Route] {
        let shop = self.shop
        return [
            Route.read(
                "/v1/customers",
                "listCustomers",
                "Customers, by name",
                area: "customers",
                access: .scope(.customersRead),
                parameters: [
                    .search("the name, tax number, telephone number or e-mail address"),
                    .init("active", .boolean, "Active ones or the others."),
                    .init("has_balance", .boolean, "Those who owe something, or those who do not."),
                ] + Route.Parameter.page,
                answer: .page("Customer"),
                problems: [.cursorMismatch]
            ) { call, caller in
                let (filter, page) = try call.query { (query) throws(Problem) in
                    (CustomerFilter.read(&query), query.page())
                }
                return try shop.customers.customers(filter, page, caller)
            },
            Route(
                .post,
                "/v1/customers",
                "createCustomer",
                "Make a customer",
                area: "customers",
                access: .scope(.customersWrite),
                takesKey: true,
                body: .reference("CustomerRequest"),
                status: .created,
                answer: .reference("Customer"),
                problems: [.duplicate]
            ) { call in
                try call.noQuery()
                let (draft, key) = try await call.maybeKeyedBody { CustomerDraft.read(&$0) }
                return try await call.command(shop.store, key) { (context) throws(Problem) in
                    try await shop.customers.createCustomer(draft, key: key, context)
                }
            },
            Route.read(
                "/v1/customers/{id}",
                "readCustomer",
                "One customer",
                area: "customers",
                access: .scope(.customersRead),
                answer: .reference("Customer")
            ) { call, caller in
                try call.noQuery()
                return try shop.customers.customer(call.id(), caller)
            },
            Route(
                .patch,
                "/v1/customers/{id}",
                "changeCustomer",
                "Change a customer",
                area: "customers",
                access: .scope(.customersWrite),
                needsMatch: true,
                body: .reference("CustomerPatch"),
                answer: .reference("Customer"),
                problems: [.duplicate]
            ) { call in
                try call.noQuery()
                let expected = try call.expectedVersion()
                let patch = try await call.body { CustomerPatch.read(&$0) }
                return try call.reply(
                    await shop.customers.updateCustomer(call.id(), patch, expected: expected, call.context())
                )
            },
            Route(
                .delete,
                "/v1/customers/{id}",
                "deleteCustomer",
                "Delete a customer no document names",
                area: "customers",
                access: .scope(.customersWrite),
                needsMatch: true,
                status: .noContent,
                problems: [.inUse]
            ) { call in
                try call.noQuery()
                return try call.reply(
                    await shop.customers.deleteCustomer(call.id(), expected: call.expectedVersion(), call.context())
                )
            },
        ]
    }
}

extension CustomerFilter {
    /// Reads what `GET /v1/customers` asks for.
    static func read(_ query: inout Query) -> CustomerFilter {
        CustomerFilter(
            q: query.search("q"),
            active: query.flag("active"),
            hasBalance: query.flag("has_balance")
        )
    }
}
