/// What the trader of a check acts on: records of its own, of every kind that a shop has beside products and categories.
///
/// Nobody else writes them or the documents that name them, so that a cached answer about them must be the database's.
struct CheckedTrade: Sendable {
    let supplier: String
    let customer: String
    let product: String
    let tax: String
    let taxGroup: String
    let method: String
    let register: String
    /// Where goods come to, and where they are carried.
    let locations: (from: String, to: String)

    /// Makes them, with goods to trade with.
    ///
    /// - Parameters:
    ///   - setup: Makes requests.
    ///   - run: What tells their names from those of other runs.
    ///   - unit: The unit of the product.
    /// - Returns: What was made.
    /// - Throws: ``CheckerFailure`` with the answer that was not expected.
    static func make(_ setup: CheckedShop.Setup, run: String, unit: String) async throws -> CheckedTrade {
        let from = try await setup.make("/v1/locations", #"{"name":"Łódź \#(run)"}"#)
        let to = try await setup.make("/v1/locations", #"{"name":"Ñandú \#(run)"}"#)
        let tax = try await setup.make("/v1/taxes", #"{"name":"Tax \#(run)","kind":"percent","rate":"10"}"#)
        let group = try await setup.make("/v1/tax-groups", #"{"name":"Group \#(run)","taxes":["\#(tax)"]}"#)
        let product = try await setup.make(
            "/v1/products",
            """
            {"sku":"T-\(run)","name":"Traded","unit_id":"\(unit)","price":"1.00","tracks_stock":true,\
            "tax_group_id":"\(group)"}
            """
        )
        _ = try await setup.send(
            "POST",
            "/v1/stock/movements",
            """
            {"movements":[{"product_id":"\(product)","location_id":"\(from)","type":"opening","quantity":"100000",\
            "unit_cost":"0.50","reason":"checked"}]}
            """,
            key: "opening-\(run)"
        )
        return CheckedTrade(
            supplier: try await setup.make("/v1/suppliers", #"{"name":"Supplier \#(run)"}"#),
            customer: try await setup.make("/v1/customers", #"{"name":"Debtor \#(run)"}"#),
            product: product,
            tax: tax,
            taxGroup: group,
            method: try await setup.make(
                "/v1/payment-methods",
                #"{"code":"m\#(run)","name":"Method \#(run)","kind":"other"}"#
            ),
            register: try await setup.make(
                "/v1/registers",
                #"{"name":"Till \#(run)","location_id":"\#(from)"}"#
            ),
            locations: (from, to)
        )
    }

    /// Paths of what is shown of it, whatever documents there are.
    var paths: [String] {
        [
            "/v1/suppliers", "/v1/suppliers/\(supplier)", "/v1/taxes", "/v1/taxes/\(tax)", "/v1/tax-groups",
            "/v1/tax-groups/\(taxGroup)", "/v1/payment-methods", "/v1/payment-methods/\(method)", "/v1/locations",
            "/v1/locations/\(locations.to)", "/v1/registers", "/v1/registers/\(register)", "/v1/purchases",
            "/v1/purchases?supplier_id=\(supplier)", "/v1/transfers", "/v1/transfers?location_id=\(locations.to)",
            "/v1/stock/counts", "/v1/stock/counts?location_id=\(locations.from)", "/v1/products/\(product)",
            "/v1/products/\(product)/stock", "/v1/stock?location_id=\(locations.from)",
            "/v1/stock?location_id=\(locations.to)", "/v1/stock/movements?product_id=\(product)",
            "/v1/sales?customer_id=\(customer)", "/v1/returns", "/v1/customers/\(customer)",
            "/v1/payments?direction=out", "/v1/expenses", "/v1/reports/reorder",
        ]
    }
}
