import Cache
import Postgres

/// What is told about many documents at once: statements of customers, who owes what for how long, what sells.
package struct ReportsService: Sendable {
    let cursors: PageCursors
    let tenants: TenantService

    /// Makes the service.
    ///
    /// - Parameters:
    ///   - cursors: Signs the places where pages end.
    ///   - tenants: Knows what day it is.
    init(cursors: PageCursors, tenants: TenantService) {
        self.cursors = cursors
        self.tenants = tenants
    }

    /// Every statement of this service, prepared on each connection.
    static let statements: [any Statement.Type] = [
        ReadCustomerStatement.self, ReadCustomerAgeing.self, ReadReceivables.self, ReadPayables.self,
        ReadTopProducts.self, ReadCategoryMargins.self, ReadTaxes.self, ReadStockValue.self, ReadDeadStock.self,
    ]
}
