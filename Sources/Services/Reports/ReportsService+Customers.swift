import Cache
package import Kernel

extension ReportsService {
    /// `GET /v1/customers/{id}/statement`: what changed a customer's balance, the oldest first, each with the balance behind it.
    ///
    /// - Parameters:
    ///   - customer: The customer.
    ///   - days: The business days; all if open.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page; it finds nothing if there is no such customer.
    /// - Throws: 400 `cursor_mismatch`.
    package func statement(
        of customer: CustomerID,
        _ days: DayRange,
        _ page: Page,
        _ caller: Caller
    ) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("statement")
        builder.add(customer.description)
        builder.add(days.from?.description)
        builder.add(days.to?.description)
        let page = try PagePosition(
            builder,
            page,
            cursors: cursors,
            tenant: caller.tenant,
            module: .customers,
            count: StatementPlace.count
        )
        return page.read(
            ReadCustomerStatement(
                customer: customer,
                days: days,
                limit: page.limit,
                after: page.values.flatMap { StatementPlace($0) }
            )
        )
    }

    /// `GET /v1/customers/{id}/ageing`: how old what a customer owes is today.
    ///
    /// - Parameters:
    ///   - customer: The customer.
    ///   - caller: Who asks.
    /// - Returns: The read of its body.
    package func ageing(of customer: CustomerID, _ caller: Caller) -> CachedRead {
        .dated(tenants.settings(of: caller.tenant)) { today in
            CachedRead(
                key: caller.key(.customers, "ageing") { builder in
                    builder.add(customer.description)
                    builder.add(today.description)
                },
                fill: .body(ReadCustomerAgeing(customer: customer, day: today))
            )
        }
    }
}
