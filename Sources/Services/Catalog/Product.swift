package import Cache
package import Domain
package import Kernel
package import Postgres

/// The columns of a product that a client writes.
package struct ProductFields: Sendable, Equatable {
    /// The shop's own code; unique without regard to case, `nil` for none.
    package var sku: Change<String?> = .keep
    /// What it is called, 1 to 300 characters.
    package var name: Change<String> = .keep
    /// The category it is listed under.
    package var categoryID: Change<CategoryID?> = .keep
    /// The unit it is sold by; a new product takes the tenant's first one if none is named.
    package var unitID: Change<UnitID> = .keep
    /// The price of one unit, 0 or more.
    package var price: Change<Price> = .keep
    /// The tax in percent, of a product that bears one alone; nil leaves it to the group.
    package var taxRate: Change<TaxRate?> = .keep
    /// The group of taxes that it bears; nil leaves it to the rate.
    package var taxGroupID: Change<ID<TaxGroup>?> = .keep
    /// Whether its stock is counted.
    package var tracksStock: Change<Bool> = .keep
    /// Whether it may be sold without stock.
    package var oversell: Change<OversellRule> = .keep
    /// On hand up to this counts as low.
    package var minStock: Change<Quantity> = .keep
    /// Whether it can be sold.
    package var status: Change<ProductStatus> = .keep
    /// The id another system knows it by.
    package var externalID: Change<String?> = .keep
    /// Its barcodes; other products may carry the same.
    package var barcodes: Change<[String]> = .keep
    /// What it is handled in beside its unit; those that are called alike are one.
    package var packagings: Change<[Packaging]> = .keep

    /// Keeps every column.
    package init() {}

    /// Sets every column, but for a unit that is not named.
    package init(
        sku: String? = nil,
        name: String,
        categoryID: CategoryID? = nil,
        unitID: UnitID? = nil,
        price: Price,
        taxRate: TaxRate = .zero,
        tracksStock: Bool = true,
        oversell: OversellRule = .inherit,
        minStock: Quantity = .zero,
        status: ProductStatus = .active,
        externalID: String? = nil,
        barcodes: [String] = [],
        packagings: [Packaging] = []
    ) {
        self.sku = .set(sku)
        self.name = .set(name)
        self.categoryID = .set(categoryID)
        if let unitID { self.unitID = .set(unitID) }
        self.price = .set(price)
        self.taxRate = .set(taxRate)
        self.tracksStock = .set(tracksStock)
        self.oversell = .set(oversell)
        self.minStock = .set(minStock)
        self.status = .set(status)
        self.externalID = .set(externalID)
        self.barcodes = .set(barcodes)
        self.packagings = .set(packagings)
    }
}

/// A product.
///
/// Its entity tag is `"<version>.<stock version>"`: the body shows what is on hand.
package struct Product: Record {
    package static let name = "catalog.product"
    package static let collection = "/v1/products"
    package static let module = Module.products
    package static let table: SQL = "stock.product"
    package static let noun: SQL = "product"
    package static let body: SQL = "stock.product_body"
    package static let columns: [Column<ProductFields>] = [
        .text("sku", \.sku), .text("name", \.name), .id("category_id", \.categoryID),
        .id("unit_id", \.unitID).or(
            """
            (SELECT u.id FROM stock.unit u WHERE u.tenant_id = stock.current_tenant() ORDER BY u.created_at, u.id LIMIT 1)
            """
        ),
        .decimal("price", \.price), .decimal("tax_rate", \.taxRate), .id("tax_group_id", \.taxGroupID),
        .flag("tracks_stock", \.tracksStock),
        .choice("oversell", \.oversell), .decimal("min_stock", \.minStock), .choice("status", \.status),
        .plain("external_id", \.externalID),
    ]
    package static let sql: SQL = """
        SELECT stock.product_body(p.tenant_id, p.id),
               '"' || p.version || '.' || l.stock_version
               || CASE WHEN l.reserved <> 0 THEN '+' || trim_scale(l.reserved) ELSE '' END || '"'
        FROM stock.product p
        JOIN stock.stock_level l ON l.tenant_id = p.tenant_id AND l.product_id = p.id
        WHERE p.tenant_id = stock.current_tenant() AND p.id = $1
        """
    package static let others: [any Statement.Type] = [
        LookUpProducts.self, ListProducts.self, ListPriceHistory.self, GuardNewProduct.self,
        HoldProduct.self, GuardProductFields.self,
        ComposeProduct.self, Conclude<UpsertedProducts>.self,
    ]

    package let id: ProductID

    package init(_ id: ProductID) { self.id = id }

    package func check(_ fields: ProductFields, isNew: Bool, in unit: inout UnitOfWork) throws(PostgresError) {
        if isNew {
            try unit.add(GuardNewProduct(fields: fields))
        } else {
            if fields.unitID.isSet || fields.tracksStock.isSet { try unit.add(HoldProduct(id: id)) }
            try unit.add(GuardProductFields(id: id, fields: fields))
        }
    }

    package func complete(_ fields: ProductFields, in unit: inout UnitOfWork) throws(PostgresError) {
        guard fields.barcodes.isSet || fields.packagings.isSet else { return }
        try unit.add(
            ComposeProduct(id: id, barcodes: fields.barcodes.newValue, packagings: fields.packagings.newValue)
        )
    }
}

/// Refuses a new product whose figures do not fit its unit, or that has no unit to be sold by.
struct GuardNewProduct: Statement {
    static let name = "catalog.product_guard_new"
    static let sql: SQL = """
        SELECT CASE
                   WHEN u.id IS NULL
                       THEN stock.refuse_field('not_found', '/unit_id', 'There is no such unit.')
                   WHEN $3 IS NOT NULL AND NOT EXISTS (SELECT FROM stock.category c
                                                       WHERE c.tenant_id = stock.current_tenant() AND c.id = $3)
                       THEN stock.refuse_field('not_found', '/category_id', 'There is no such category.')
                   WHEN $5 IS NOT NULL AND NOT EXISTS (SELECT FROM stock.tax_group g
                                                       WHERE g.tenant_id = stock.current_tenant() AND g.id = $5)
                       THEN stock.refuse_field('not_found', '/tax_group_id', 'There is no such tax group.')
                   WHEN $4 IS DISTINCT FROM stock.tax_group_rate(stock.current_tenant(), $5)
                        AND $4 IS NOT NULL AND $5 IS NOT NULL
                       THEN stock.refuse_field('conflict', '/tax_rate',
                                               'The tax group has another rate; give one of the two.')
                   WHEN min_scale($2) > u.decimals
                       THEN stock.refuse_field('quantity_precision', '/min_stock',
                                               format('The unit allows %s decimals.', u.decimals))
               END
        FROM (SELECT 1) one
        LEFT JOIN (SELECT n.id, n.decimals FROM stock.unit n
                   WHERE n.tenant_id = stock.current_tenant() AND ($1 IS NULL OR n.id = $1)
                   ORDER BY n.created_at, n.id
                   LIMIT 1) u ON true
        """
    static let parameterTypes: [PostgresType] = [.uuid, .numeric, .uuid, .numeric, .uuid]

    let fields: ProductFields

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(fields.unitID.newValue)
        try parameters.append(fields.minStock.newValue)
        try parameters.append(fields.categoryID.newValue ?? nil)
        try parameters.append(fields.taxRate.newValue ?? nil)
        try parameters.append(fields.taxGroupID.newValue ?? nil)
    }
}

/// Holds a product of which something is about to be changed that its documents fix, so that none of them is written meanwhile.
struct HoldProduct: Statement {
    static let name = "catalog.product_hold"
    static let sql: SQL = "SELECT stock.products_held(ARRAY[$1])"
    static let parameterTypes: [PostgresType] = [.uuid]

    let id: ProductID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
}

/// Refuses changes of what a document has fixed, and figures that do not fit the unit.
struct GuardProductFields: Statement {
    static let name = "catalog.product_guard_fields"
    static let sql: SQL = """
        SELECT CASE
                   WHEN $2 <> p.unit_id AND stock.product_is_named(p.id)
                       THEN stock.refuse_field('invalid_state', '/unit_id', 'A document names the product: its unit is fixed.')
                   WHEN $3 <> p.tracks_stock AND stock.product_is_named(p.id)
                       THEN stock.refuse_field('invalid_state', '/tracks_stock',
                                               'A document names the product: whether it tracks stock is fixed.')
                   WHEN u.id IS NULL
                       THEN stock.refuse_field('not_found', '/unit_id', 'There is no such unit.')
                   WHEN $5 IS NOT NULL AND NOT EXISTS (SELECT FROM stock.category c
                                                       WHERE c.tenant_id = stock.current_tenant() AND c.id = $5)
                       THEN stock.refuse_field('not_found', '/category_id', 'There is no such category.')
                   WHEN $7 IS NOT NULL AND NOT EXISTS (SELECT FROM stock.tax_group g
                                                       WHERE g.tenant_id = stock.current_tenant() AND g.id = $7)
                       THEN stock.refuse_field('not_found', '/tax_group_id', 'There is no such tax group.')
                   WHEN $6 IS DISTINCT FROM stock.tax_group_rate(stock.current_tenant(), $7)
                        AND $6 IS NOT NULL AND $7 IS NOT NULL
                       THEN stock.refuse_field('conflict', '/tax_rate',
                                               'The tax group has another rate; give one of the two.')
                   WHEN min_scale(coalesce($4, p.min_stock)) > u.decimals
                       THEN stock.refuse_field('quantity_precision', '/min_stock',
                                               format('The unit allows %s decimals.', u.decimals))
               END
        FROM stock.product p
        LEFT JOIN stock.unit u ON u.tenant_id = p.tenant_id AND u.id = coalesce($2, p.unit_id)
        WHERE p.tenant_id = stock.current_tenant() AND p.id = $1
        """
    static let parameterTypes: [PostgresType] = [.uuid, .uuid, .bool, .numeric, .uuid, .numeric, .uuid]

    let id: ProductID
    let fields: ProductFields

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(fields.unitID.newValue)
        try parameters.append(fields.tracksStock.newValue)
        try parameters.append(fields.minStock.newValue)
        try parameters.append(fields.categoryID.newValue ?? nil)
        try parameters.append(fields.taxRate.newValue ?? nil)
        try parameters.append(fields.taxGroupID.newValue ?? nil)
    }
}
