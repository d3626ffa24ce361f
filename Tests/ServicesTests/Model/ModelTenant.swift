import Domain
import Kernel
import Synchronization
import TestSupport

@testable import Services

/// A tenant whose every command is done twice: by the services and by the model.
final class ModelTenant: Sendable {
    /// What is known while commands are under way.
    struct State: Sendable {
        var model: ShopModel
        var ids: ModelIDs
        /// By number: what a command touches, and what others touched meanwhile.
        var underWay: [Int: UnderWay] = [:]
        var number = 0
        var tally = ModelTally()
    }

    /// A command that is not answered yet.
    struct UnderWay: Sendable {
        let touches: Set<ModelTouch>
        var met: Set<ModelTouch> = []
    }

    let shop: Shop
    let database: TestDatabase
    let id: TenantID
    let state: Mutex<State>

    private init(_ shop: Shop, _ database: TestDatabase, _ id: TenantID, _ model: ShopModel) {
        self.shop = shop
        self.database = database
        self.id = id
        state = Mutex(State(model: model, ids: ModelIDs(decimals: model.rules.decimals)))
    }

    // MARK: What every tenant has

    static let locationCount = 3

    /// What goods cost as long as nothing else is said.
    static func cost(of product: Int) -> Micro { 800_000 + product * 137_501 }

    /// The books that a seed begins with.
    static func model(seed: UInt64) -> ShopModel {
        let variants: [ShopModel.Rules] = [
            .init(decimals: 2, includesTax: true, step: 5, takesUnsold: true),
            .init(decimals: 3, includesTax: false, step: 50, takesUnsold: false),
            .init(decimals: 0, includesTax: true, step: 10, takesUnsold: true),
            .init(decimals: 2, includesTax: false, step: 0, takesUnsold: true),
        ]
        let rates = [21_000_000, 10_000_000, 0, 7_750_000]
        // By product: several taxes, one on the other, by the unit, more than the goods cost, and against what the tenant's prices do.
        let groups: [Int: (taxes: [ShopModel.Tax], includesTax: Bool?)] = [
            4: ([.init(rate: 9_975_000), .init(rate: 5_000_000)], nil),
            6: ([.init(rate: 250_000, isByUnit: true), .init(rate: 21_000_000, isCompound: true)], nil),
            7: (
                [
                    .init(rate: 3_333_300), .init(rate: 125_000, isByUnit: true),
                    .init(rate: 10_000_000, isCompound: true),
                ], false
            ),
            9: ([.init(rate: 8_000_000), .init(rate: 2_500_000, isCompound: true)], true),
            10: ([.init(rate: 90_000_000, isByUnit: true), .init(rate: 7_000_000)], true),
        ]
        return ShopModel(
            rules: variants[Int(seed % UInt64(variants.count))],
            products: (0..<16).map { place in
                ShopModel.Product(
                    decimals: place % 4 == 3 ? 3 : 0,
                    price: 1_500_000 + place * 750_000,
                    taxes: groups[place]?.taxes ?? [.init(rate: rates[place % rates.count])],
                    includesTax: groups[place]?.includesTax,
                    isTracked: place != 15,
                    oversells: place == 14,
                    onHand: Array(repeating: 0, count: locationCount + 1),
                    hasMoved: Array(repeating: false, count: locationCount + 1)
                )
            },
            registers: (0..<6).map { .init(location: $0 % locationCount, needsDrawer: $0 == 1 || $0 == 4) },
            customers: [nil, 20_000, 0, 6_000, nil].map { .init(limit: $0) },
            suppliers: 4,
            locations: locationCount
        )
    }

    /// Makes a tenant as the model begins.
    static func make(
        _ shop: Shop,
        _ database: TestDatabase,
        seed: UInt64,
        forgetsCosts: Bool = false
    ) async throws -> ModelTenant {
        var model = model(seed: seed)
        model.rules.forgetsCosts = forgetsCosts
        let decimals = model.rules.decimals
        let currency = decimals == 0 ? "JPY" : decimals == 3 ? "KWD" : "EUR"
        func rows<Value>(_ values: [Value], _ row: (Int, Value) -> String) -> String {
            values.enumerated().map { "(stock.current_tenant(), \(row($0.offset, $0.element)))" }.joined(
                separator: ", "
            )
        }
        // Products whose taxes are more than one percentage name a group of their own.
        let grouped = model.products.indices.filter { model.products[$0].taxes.count > 1 }
        let taxes = grouped.flatMap { product in
            model.products[product].taxes.enumerated().map { place, tax in
                (
                    product: product, position: place + 1, id: ModelIDs.id("09", product * 16 + place), tax: tax,
                    includesTax: model.products[product].includesTax
                )
            }
        }
        let told = try await database.psql(
            """
            BEGIN;
            SELECT stock.tenant_create('s' || replace(gen_random_uuid()::text, '-', ''), 'Čaj', '\(currency)',
                                       \(decimals)::smallint, 'Europe/Lisbon', '\(ModelIDs.id("0b", 0))');
            UPDATE stock.tenant SET prices_include_tax = \(model.rules.includesTax),
                returns_without_sale = '\(model.rules.takesUnsold ? "allow" : "deny")',
                cash_rounding = \(Exact.text(model.rules.step, scale: decimals))
            WHERE id = stock.current_tenant();
            INSERT INTO stock.app_user (id, email, password_hash)
            VALUES ('\(ModelIDs.id("0e", 0))', 'o@example.org', 'x') ON CONFLICT DO NOTHING;
            INSERT INTO stock.membership (tenant_id, user_id, role)
            VALUES (stock.current_tenant(), '\(ModelIDs.id("0e", 0))', 'owner');
            INSERT INTO stock.location (tenant_id, id, name) VALUES
                \(rows(Array(1..<locationCount)) { "'\(ModelIDs.location($1))', 'Ort \($0)'" });
            INSERT INTO stock.register (tenant_id, id, name, location_id, requires_session) VALUES
                \(rows(Array(model.registers.enumerated().dropFirst())) {
                    "'\(ModelIDs.id("0b", $1.offset))', 'Kasa \($0)', '\(ModelIDs.location($1.element.location))', \($1.element.needsDrawer)"
                });
            INSERT INTO stock.unit (tenant_id, id, name, symbol, decimals) VALUES
                \(rows([0, 3]) { "'\(ModelIDs.id("0f", $1))', 'Einheit \($0)', 'u\($0)', \($1)" });
            INSERT INTO stock.payment_method (tenant_id, id, code, name, kind, position) VALUES
                (stock.current_tenant(), gen_random_uuid(), '\(ModelMethod.coins.rawValue)', 'Münzen', 'cash', 4),
                (stock.current_tenant(), gen_random_uuid(), '\(ModelMethod.voucher.rawValue)', 'Vale de comida ñ', 'voucher', 5);
            INSERT INTO stock.tax (tenant_id, id, name, kind, rate, included, compound) VALUES
                \(rows(taxes) { _, tax in
                    """
                    '\(tax.id)', 'Steuer \(tax.id)', '\(tax.tax.isByUnit ? "amount_per_unit" : "percent")',
                    \(Exact.text(tax.tax.rate, scale: 6)), \(tax.includesTax.map { "\($0)" } ?? "NULL"), \(tax.tax.isCompound)
                    """
                });
            INSERT INTO stock.tax_group (tenant_id, id, name) VALUES
                \(rows(grouped) { "'\(ModelIDs.id("08", $1))', 'Grupo \($0)'" });
            INSERT INTO stock.tax_group_tax (tenant_id, tax_group_id, tax_id, position) VALUES
                \(rows(taxes) { "'\(ModelIDs.id("08", $1.product))', '\($1.id)', \($1.position)" });
            INSERT INTO stock.product (tenant_id, id, sku, name, unit_id, price, tax_rate, tax_group_id, tracks_stock, oversell)
            VALUES
                \(rows(model.products) { place, product in
                    """
                    '\(ModelIDs.id("01", place))', 'S\(place)', 'Ñandú \(place)', '\(ModelIDs.id("0f", product.decimals))',
                    \(Exact.text(product.price, scale: 6)),
                    \(grouped.contains(place) ? "NULL" : Exact.text(product.taxes[0].rate, scale: 6)),
                    \(grouped.contains(place) ? "'\(ModelIDs.id("08", place))'" : "NULL"), \(product.isTracked),
                    '\(product.oversells ? "allow" : "deny")'
                    """
                });
            INSERT INTO stock.customer (tenant_id, id, name, credit_limit) VALUES
                \(rows(model.customers) { place, customer in
                    "'\(ModelIDs.id("0c", place))', 'Œuvre \(place)', \(customer.limit.map { Exact.text($0, scale: decimals) } ?? "NULL")"
                });
            INSERT INTO stock.supplier (tenant_id, id, name) VALUES
                \(rows(Array(0..<model.supplierCount)) { "'\(ModelIDs.id("0d", $0))', 'Łódź \($1)'" });
            COMMIT;
            """
        )
        guard let number = told.split(separator: "\n").compactMap({ Int64($0) }).first else {
            throw ShopFault(text: "no tenant: \(told)")
        }
        return ModelTenant(shop, database, TenantID(rawValue: number), model)
    }

    /// The goods that every run begins with, at each place.
    static let openings: [ModelCommand] = (0..<locationCount).map { location in
        .move(
            (0..<15).map {
                ModelMovement(
                    product: $0,
                    location: location,
                    kind: .opening,
                    quantity: (location == 0 ? 20 : 8) * Exact.one,
                    cost: cost(of: $0)
                )
            }
        )
    }

    func context(_ clerk: Clerk) throws -> CallContext {
        CallContext(
            caller: Caller(
                tenant: id,
                role: clerk.role,
                scopes: clerk.role.scopes,
                workplaces: try clerk.location.map { .only([try required(LocationID(ModelIDs.location($0)))]) }
                    ?? .everywhere,
                name: "model"
            ),
            deadline: .now + .seconds(120),
            requestID: "model"
        )
    }

    // MARK: Comparing

    /// What the database says, in the words of the model.
    func figures() async throws -> [String] {
        let told = try await database.psql(
            """
            SELECT set_config('stock.tenant_id', '\(id.rawValue)', false);
            WITH place AS (
                SELECT l.id, row_number() OVER (ORDER BY l.id) - 1 AS n FROM stock.location l
                WHERE l.tenant_id = \(id.rawValue) AND l.kind <> 'transit'
            ), good AS (
                SELECT p.id, ('x' || right(p.id::text, 2))::bit(8)::integer AS n FROM stock.product p
                WHERE p.tenant_id = \(id.rawValue)
            ), scale AS (SELECT 10 ^ t.currency_exponent AS of FROM stock.tenant t WHERE t.id = \(id.rawValue))
            SELECT format('product %s: cost %s, on its way %s', g.n, round(l.cost * 1000000), round(l.in_transit * 1000000))
            FROM good g JOIN stock.stock_level l ON l.tenant_id = \(id.rawValue) AND l.product_id = g.id
            UNION ALL
            SELECT format('product %s at %s: %s', g.n, p.n, round(coalesce(l.on_hand, 0) * 1000000))
            FROM good g CROSS JOIN place p LEFT JOIN stock.location_level l
                ON l.tenant_id = \(id.rawValue) AND l.product_id = g.id AND l.location_id = p.id
            UNION ALL
            SELECT format('%s %s %s: %s', e.direction, e.method, e.category, round(sum(e.amount) * min(s.of)))
            FROM stock.ledger_entry e CROSS JOIN scale s WHERE e.tenant_id = \(id.rawValue)
            GROUP BY e.direction, e.method, e.category HAVING sum(e.amount) <> 0
            UNION ALL
            SELECT format('customer %s owes %s', right(a.customer_id::text, 2)::integer, round(a.balance * s.of))
            FROM stock.customer_account a CROSS JOIN scale s WHERE a.tenant_id = \(id.rawValue)
            UNION ALL
            SELECT format('owed to supplier %s: %s', right(u.id::text, 2)::integer, round(coalesce(sum(p.due), 0) * min(s.of)))
            FROM stock.supplier u CROSS JOIN scale s
            LEFT JOIN stock.purchase p ON p.tenant_id = u.tenant_id AND p.supplier_id = u.id
            WHERE u.tenant_id = \(id.rawValue) GROUP BY u.id
            UNION ALL
            SELECT format('drawer %s: %s', c.id, round(coalesce(c.expected, stock.session_expected(c.id)) * s.of))
                || coalesce(', difference ' || round(c.difference * s.of), '')
            FROM stock.cash_session c CROSS JOIN scale s WHERE c.tenant_id = \(id.rawValue)
            """
        )
        return told.split(separator: "\n").dropFirst().map(String.init).sorted()
    }

    /// Figures in which database and model differ, each as both say it; none if they agree.
    func differences(_ model: ShopModel, _ ids: ModelIDs) async throws -> [String] {
        let inBooks = Set(try await figures())
        let inModel = Set(model.figures(drawerNames: ids.drawers.map(\.description)))
        return inBooks.subtracting(inModel).sorted().map { "the database: \($0)" }
            + inModel.subtracting(inBooks).sorted().map { "the model: \($0)" }
    }
}

/// What came of a run.
struct ModelTally: Sendable {
    var done = 0
    var refused: [Problem.Code: Int] = [:]
    /// Refused as the database was too busy: no effect.
    var overloaded = 0

    var refusedCount: Int { refused.values.reduce(0, +) }

    static func + (left: ModelTally, right: ModelTally) -> ModelTally {
        ModelTally(
            done: left.done + right.done,
            refused: left.refused.merging(right.refused, uniquingKeysWith: +),
            overloaded: left.overloaded + right.overloaded
        )
    }
}
