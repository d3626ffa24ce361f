import Domain
import Kernel
import Postgres
import Synchronization

/// What pricing a line needs to know of its product, with the version that says whether it is still so.
struct SellableProduct: Sendable, Equatable {
    let id: ProductID
    /// The row's version; compared in the unit that sells.
    let version: Int64
    let price: Price
    let taxRate: TaxRate
    /// The taxes of its group, where the rate alone does not say them.
    let taxes: LineTaxes?
    /// How many decimals a quantity may have; compared in the unit too.
    let unitDecimals: Int16
    let tracksStock: Bool
    let isActive: Bool
}

/// What of the tenant's settings a sale is computed from.
struct SellingRules: Sendable, Equatable {
    /// The tenant row's version; compared in the unit that sells.
    let version: Int64
    /// The code of the currency and the decimals of its amounts.
    let currency: String
    let exponent: Int16
    let pricesIncludeTax: Bool
    /// How far below the list price a manager may sell; nil is without limit.
    let managerDiscountLimit: Percent?
    /// The same for a cashier.
    let cashierDiscountLimit: Percent?
    /// In what steps cash is counted.
    let cashRounding: CashRounding
    /// Whether a draft is sold at the list prices that it was made with, where they have changed.
    let keepsPrices: Bool
    /// The payment methods; compared in the unit too.
    ///
    /// Those that are archived, too: what has happened may have been paid by one.
    let methods: [PaymentMethodCode: SellingMethod]
}

/// What a payment method is, and whether money is still taken by it.
struct SellingMethod: Sendable, Equatable {
    let kind: PaymentKind
    let isActive: Bool
}

/// The rules and products one cart was computed from, in the order of its lines; nil where there is no such product.
struct SellingSnapshot: Sendable, Equatable {
    let rules: SellingRules
    let products: [SellableProduct?]

    /// Whether what lines name by packagings and codes was found in the same versions of their products.
    func agrees(with references: [ProductReference]) -> Bool {
        zip(references, products).allSatisfy { reference, product in
            reference.goods.map { $0.version == product?.version } ?? true
        }
    }
}

/// Products as last read for selling, so that a sale needs no round trip before its unit.
///
/// It is not kept coherent and need not be: the unit compares the versions it was computed from and refuses to sell by
/// others, whereupon the products are read again. A cache by module would be emptied by every sale, as each moves stock.
final class SellableProducts: Sendable {
    private struct Key: Hashable {
        let tenant: TenantID
        let reference: ProductReference

        /// What was found by a packaging or a code is known by its id.
        init(tenant: TenantID, reference: ProductReference) {
            self.tenant = tenant
            self.reference = reference.goods.map { .id($0.id) } ?? reference
        }
    }

    private struct Contents {
        var rules: [TenantID: SellingRules] = [:]
        var products: [Key: SellableProduct] = [:]
    }

    private let contents = Mutex(Contents())
    private let capacity: Int

    /// Makes an empty memory.
    ///
    /// - Parameter capacity: How many products are kept; beyond it all are forgotten, which costs one read each.
    init(capacity: Int = 65_536) {
        self.capacity = capacity
    }

    /// What is known of a cart, nil unless all of it is.
    func snapshot(of references: [ProductReference], tenant: TenantID) -> SellingSnapshot? {
        contents.withLock { contents in
            guard let rules = contents.rules[tenant] else { return nil }
            var products: [SellableProduct?] = []
            products.reserveCapacity(references.count)
            for reference in references {
                guard let product = contents.products[Key(tenant: tenant, reference: reference)] else { return nil }
                products.append(product)
            }
            return SellingSnapshot(rules: rules, products: products)
        }
    }

    /// Keeps what was read for a cart.
    func keep(_ snapshot: SellingSnapshot, of references: [ProductReference], tenant: TenantID) {
        contents.withLock { contents in
            if contents.products.count + references.count > capacity {
                contents.products.removeAll(keepingCapacity: true)
                contents.rules.removeAll(keepingCapacity: true)
            }
            contents.rules[tenant] = snapshot.rules
            for (reference, product) in zip(references, snapshot.products) {
                contents.products[Key(tenant: tenant, reference: reference)] = product
            }
        }
    }
}

/// Reads what a cart is computed from: one row per line, in order, and the tenant's rules in each, its payment methods
/// in the first.
struct ReadSellableProducts: Statement {
    static let name = "sales.read_products"
    static let sql: SQL = """
        SELECT t.version, t.currency, t.currency_exponent, t.prices_include_tax, t.manager_discount_limit,
               t.cashier_discount_limit, t.cash_rounding, t.on_price_change = 'keep', CASE WHEN w.place = 1 THEN (
                   SELECT array_agg(m.code || ' ' || m.kind || ' ' || m.active) FROM stock.payment_method m
                   WHERE m.tenant_id = stock.current_tenant()) END,
               p.id, p.version, p.price, p.tax_rate, p.taxes, p.decimals, p.tracks_stock, p.status = 'active'
        FROM (SELECT n.id, stock.folded(n.sku) AS key, n.place
              FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS n (id, sku, place) OFFSET 0) w
        JOIN stock.tenant t ON t.id = stock.current_tenant()
        LEFT JOIN LATERAL (
            SELECT b.id, b.version, b.price, coalesce(b.tax_rate, 0) AS tax_rate,
                   stock.group_taxes(b.tenant_id, b.tax_group_id, NULL)::text AS taxes,
                   u.decimals, b.tracks_stock, b.status
            FROM (
                SELECT a.* FROM stock.product a
                WHERE a.tenant_id = stock.current_tenant() AND a.id = w.id
                UNION ALL
                SELECT a.* FROM stock.product a
                WHERE w.id IS NULL AND a.tenant_id = stock.current_tenant() AND a.sku_key = w.key
            ) b
            JOIN stock.unit u ON u.tenant_id = stock.current_tenant() AND u.id = b.unit_id
        ) p ON true
        ORDER BY w.place
        """
    static let parameterTypes: [PostgresType] = [.uuidArray, .textArray]

    let references: [ProductReference]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(references.map(\.productID))
        try parameters.append(references.map(\.skuText))
    }

    struct Row: DecodableRow {
        let rules: SellingRules
        let product: SellableProduct?

        init(from row: inout RowReader) throws(PostgresError) {
            rules = SellingRules(
                version: try row.next(),
                currency: try row.next(),
                exponent: try row.next(),
                pricesIncludeTax: try row.next(),
                managerDiscountLimit: try row.next(Percent?.self),
                cashierDiscountLimit: try row.next(Percent?.self),
                cashRounding: CashRounding(step: try row.next()),
                keepsPrices: try row.next(),
                methods: Self.methods(try row.next([String]?.self) ?? [])
            )
            guard let id = try row.next(ProductID?.self) else {
                product = nil
                return
            }
            product = SellableProduct(
                id: id,
                version: try row.next(),
                price: try row.next(Price.self),
                taxRate: try row.next(TaxRate.self),
                taxes: try row.next(String?.self).map { (text) throws(PostgresError) in try LineTaxes(json: text) },
                unitDecimals: try row.next(),
                tracksStock: try row.next(),
                isActive: try row.next()
            )
        }

        /// Reads each method of its code, its kind and whether it is active, none of which a space is in.
        private static func methods(_ texts: [String]) -> [PaymentMethodCode: SellingMethod] {
            var methods: [PaymentMethodCode: SellingMethod] = [:]
            for text in texts {
                let parts = text.split(separator: " ").map(String.init)
                guard parts.count == 3, let code = PaymentMethodCode(rawValue: parts[0]),
                    let kind = PaymentKind(rawValue: parts[1])
                else { continue }
                methods[code] = SellingMethod(kind: kind, isActive: parts[2] == "true")
            }
            return methods
        }
    }
}

extension Caller {
    /// How far below the list price the caller may sell; nil is without limit.
    ///
    /// A member by role; a key by ``Scope/salesDiscount``, as a key is no person whose trust has degrees.
    func discountLimit(_ rules: SellingRules) -> Percent? {
        switch role {
        case .owner: nil
        case .manager: rules.managerDiscountLimit
        case .cashier: rules.cashierDiscountLimit
        case .stockKeeper, .viewer: .zero
        case nil: may(.salesDiscount) ? nil : .zero
        }
    }
}

extension ProductReference {
    /// The id, if it is named by it, or was found.
    var productID: ProductID? {
        switch self {
        case .id(let id): id
        case .found(let goods): goods.id
        case .sku, .packaging, .code: nil
        }
    }

    /// The SKU, if it is named by it.
    var skuText: String? {
        if case .sku(let sku) = self { sku } else { nil }
    }

    /// The field of a request that names the product.
    var field: String {
        switch self {
        case .id: "product_id"
        case .sku: "sku"
        case .packaging: "packaging_id"
        case .code: "code"
        case .found(let goods): goods.field
        }
    }
}
