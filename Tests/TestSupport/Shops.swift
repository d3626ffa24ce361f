import Foundation
import Laboratory

/// Shops that hold the invariants, written straight into the tables: many of them in seconds.
package struct Shops: Sendable {
    /// How many tenants; their slugs are `shop-1` and so on.
    package var tenants: Int
    /// Which one is larger than the others, by its number.
    package var large: Int
    /// What the large one has.
    package var products: Int
    package var sales: Int
    /// Lines of each of its sales; sales of the others have one.
    package var lines = 2
    /// What each other one has.
    package var smallProducts = 50
    package var smallSales = 100
    /// How long ago the first sale was.
    package var days = 400

    /// Describes them.
    package init(tenants: Int, large: Int, products: Int, sales: Int) {
        self.tenants = tenants
        self.large = large
        self.products = products
        self.sales = sales
    }
}

extension TestDatabase {
    /// Fills a migrated database, with whatever statistics there are.
    package func fill(_ shops: Shops) async throws {
        let text = try String(contentsOfFile: SourceTree.root + "/Tests/shops.sql", encoding: .utf8)
        try await psql(
            """
            SET auto_explain.log_min_duration = -1;
            SET fill.tenants = \(shops.tenants); SET fill.large = \(shops.large);
            SET fill.products = \(shops.products); SET fill.sales = \(shops.sales); SET fill.lines = \(shops.lines);
            SET fill.small_products = \(shops.smallProducts); SET fill.small_sales = \(shops.smallSales);
            SET fill.days = \(shops.days);
            \(text)
            """
        )
    }
}
