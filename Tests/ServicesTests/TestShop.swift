import Cache
import Domain
import Foundation
import IOLoop
import Kernel
import Logging
import NIOCore
import Postgres
import TestSupport

@testable import Services

/// A tenant on a database of its own, and the services over it.
final class TestShop: Sendable {
    let database: TestDatabase
    let postgres: PostgresClient
    let store: Store
    let sales: SalesService
    let quotes: QuotesService
    let payments: PaymentsService
    let stock: StockService
    let cash: CashService
    let counts: CountsService
    let transfers: TransfersService
    let purchases: PurchasesService
    let expenses: MoneyEntriesService<ExpenseSource>
    let ledgerEntries: MoneyEntriesService<ManualSource>
    let reports: ReportsService
    let balance: BalanceService
    let tenant: TenantID
    let context: CallContext

    private let loop: IOLoop
    private let running: Task<Void, Never>

    private init(database: TestDatabase, tenant: TenantID) throws {
        var configuration = try PostgresConfiguration(url: database.appURL)
        configuration.sharedConnections = 1
        configuration.exclusiveConnections = 6
        configuration.acquireTimeout = .seconds(30)
        configuration.lockTimeout = .seconds(30)
        configuration.maximalWaiters = 5000
        var logger = Logger(label: "shop")
        logger.logLevel = .critical
        let loop = IOLoop()
        loop.start()
        let postgres = PostgresClient(
            configuration: configuration,
            loop: loop,
            statements: SalesService.statements + QuotesService.statements + TenantService.statements
                + PaymentsService.statements + StockService.statements
                + CountsService.statements + TransfersService.statements + CashService.statements
                + PurchasesService.statements + MoneyEntriesService<ExpenseSource>.statements
                + MoneyEntriesService<ManualSource>.statements + ReportsService.statements
                + BalanceService.statements + TenantService.statements,
            logger: logger
        )
        self.database = database
        self.loop = loop
        self.postgres = postgres
        self.tenant = tenant
        store = Store(postgres: postgres, cache: TenantCache(), logger: logger)
        let cursors = PageCursors(secret: Array(repeating: 7, count: 32))
        sales = SalesService(store: store, cursors: cursors)
        quotes = QuotesService(store: store, cursors: cursors, tenants: TenantService(store: store), sales: sales)
        payments = PaymentsService(store: store, cursors: cursors)
        stock = StockService(store: store, cursors: cursors)
        cash = CashService(store: store, cursors: cursors)
        counts = CountsService(store: store, cursors: cursors)
        transfers = TransfersService(store: store, cursors: cursors)
        expenses = MoneyEntriesService(store: store, cursors: cursors)
        ledgerEntries = MoneyEntriesService(store: store, cursors: cursors)
        reports = ReportsService(cursors: cursors, tenants: TenantService(store: store))
        balance = BalanceService(tenants: TenantService(store: store))
        purchases = PurchasesService(store: store, cursors: cursors, tenants: TenantService(store: store))
        context = CallContext(
            caller: Caller(tenant: tenant, scopes: Set(Scope.allCases), name: "test"),
            deadline: ContinuousClock.now.advanced(by: .seconds(1_800)),
            requestID: "test"
        )
        running = Task { await postgres.run() }
    }

    /// Opens a shop, lends it, closes it.
    ///
    /// A shop sells `A` at 2.50 and `B` at 4.00 in whole pieces, `W` by weight with three decimals at 12.25 and `S`, a
    /// service whose stock nobody counts; 1,000 of each are on hand. The customer is `customer`.
    static func open<Value>(
        _ name: String = #function,
        timezone: String = "Europe/London",
        currency: String = "GBP",
        exponent: Int = 2,
        onHand: Int = 1000,
        _ body: (TestShop) async throws -> Value
    ) async throws -> Value {
        await door.enter()
        do {
            let value = try await openNow(name, timezone, currency, exponent, onHand, body)
            await door.leave()
            return value
        } catch {
            await door.leave()
            throw error
        }
    }

    /// Test cases run side by side; the server has connections for a few shops at once.
    private static let door = Door(places: 6)

    private static func openNow<Value>(
        _ name: String,
        _ timezone: String,
        _ currency: String,
        _ exponent: Int,
        _ onHand: Int,
        _ body: (TestShop) async throws -> Value
    ) async throws -> Value {
        let database = try await PostgresServer.shared().database(named: name)
        let id = try await database.psql(
            """
            BEGIN;
            SELECT stock.tenant_create('shop', 'Shop', '\(currency)', \(exponent)::smallint, '\(timezone)', '\(register)');
            INSERT INTO stock.app_user (id, email, password_hash) VALUES ('\(owner)', 'o@example.org', 'x');
            INSERT INTO stock.membership (tenant_id, user_id, role) VALUES (stock.current_tenant(), '\(owner)', 'owner');
            INSERT INTO stock.unit (tenant_id, id, name, symbol, decimals) VALUES
                (stock.current_tenant(), '\(unit(0))', 'Piece', 'pc', 0),
                (stock.current_tenant(), '\(unit(3))', 'Kilogram', 'kg', 3);
            INSERT INTO stock.product (tenant_id, id, sku, name, unit_id, price, tax_rate, tracks_stock) VALUES
                (stock.current_tenant(), '\(product("A"))', 'A', 'Apple', '\(unit(0))', 2.5, 21, true),
                (stock.current_tenant(), '\(product("B"))', 'B', 'Bread', '\(unit(0))', 4, 10, true),
                (stock.current_tenant(), '\(product("W"))', 'W', 'Walnuts', '\(unit(3))', 12.25, 0, true),
                (stock.current_tenant(), '\(product("S"))', 'S', 'Service', '\(unit(0))', 10, 0, false);
            INSERT INTO stock.customer (tenant_id, id, name) VALUES (stock.current_tenant(), '\(customer)', 'Ada');
            COMMIT;
            """
        )
        guard let number = id.split(separator: "\n").compactMap({ Int64($0) }).first else {
            throw ShopFault(text: "no tenant: \(id)")
        }
        let shop = try TestShop(database: database, tenant: TenantID(rawValue: number))
        if onHand > 0 {
            _ = try await shop.stock.record(
                MovementsRequest(
                    movements: try ["A", "B", "W"].map {
                        MovementsRequest.Movement(
                            product: .sku($0),
                            type: .opening,
                            quantity: try Quantity("\(onHand)"),
                            reason: "start",
                            unitCost: try Price("1.25")
                        )
                    }
                ),
                shop.context,
                key: nil
            )
        }
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(shop))
        } catch {
            result = .failure(error)
        }
        shop.running.cancel()
        await shop.running.value
        shop.loop.stop()
        return try result.get()
    }

    /// Who asks.
    var caller: Caller { context.caller }

    /// The answer to a read.
    func answer(_ read: CachedRead) async throws(Problem) -> CachedAnswer {
        try await store.answer(read, context)
    }

    // MARK: What is in it

    static let register = "00000000-0000-7000-8000-000000000001"
    static let owner = "00000000-0000-7000-8000-0000000000aa"
    static let customer = "00000000-0000-7000-8000-0000000000cc"

    static func unit(_ decimals: Int) -> String { "00000000-0000-7000-8000-00000000001\(decimals)" }

    /// The id of a product, made of its SKU.
    static func product(_ sku: Character) -> String {
        "00000000-0000-7000-8000-0000000001" + String(sku.asciiValue ?? 0, radix: 16)
    }

    var customerID: CustomerID? { CustomerID(Self.customer) }

    /// A request: `[("A", "2")]`, paid in cash to the last penny unless said otherwise.
    func request(
        _ lines: [(sku: String, quantity: String)],
        paid: [Tender],
        customer: Bool = false
    ) throws -> SaleRequest {
        SaleRequest(
            customerID: customer ? customerID : nil,
            lines: try lines.map { SaleRequest.Line(product: .sku($0.sku), quantity: try Quantity($0.quantity)) },
            payments: paid
        )
    }

    /// A key of the sales route.
    func key(_ text: String, hash: UInt8 = 1) -> IdempotencyKey {
        IdempotencyKey(route: "POST /v1/sales", key: text, requestHash: Array(repeating: hash, count: 32))
    }

    /// What was sold, as JSON.
    @discardableResult
    func sell(_ request: SaleRequest, key: IdempotencyKey? = nil) async throws -> JSONObjectBody {
        try JSONObjectBody(try await sales.confirm(request, context, key: key).body)
    }

    /// Rows of SQL run by the superuser, who is not held by policies.
    @discardableResult
    func psql(_ sql: String) async throws -> String { try await database.psql(sql) }

    /// What the invariants say.
    func violations() async throws -> [Violation] {
        // Nothing relays in these tests, so rows of the outbox only grow old.
        try await Verification(postgres: postgres).run(deadline: context.deadline).filter {
            !$0.detail.hasPrefix("outbox row")
        }
    }
}

/// Lets so many in at once; the others wait in line.
actor Door {
    private var places: Int
    private var line: [CheckedContinuation<Void, Never>] = []

    init(places: Int) {
        self.places = places
    }

    func enter() async {
        if places > 0 {
            places -= 1
        } else {
            await withCheckedContinuation { line.append($0) }
        }
    }

    func leave() {
        if line.isEmpty {
            places += 1
        } else {
            line.removeFirst().resume()
        }
    }
}

struct ShopFault: Error { let text: String }

/// A JSON object, its members read by name.
struct JSONObjectBody: Equatable {
    let text: String
    private let object: [String: JSONValue]

    init(_ body: ByteBuffer) throws {
        text = String(buffer: body)
        guard case .object(let object) = try JSONValue.parse(Array(body.readableBytesView)) else {
            throw ShopFault(text: "no object: \(text)")
        }
        self.object = Dictionary(object.members.map { ($0.name, $0.value) }) { first, _ in first }
    }

    init(_ object: JSONObject) {
        text = ""
        self.object = Dictionary(object.members.map { ($0.name, $0.value) }) { first, _ in first }
    }

    /// A member: a string as it is, a number by its text, null as nil.
    subscript(_ name: String) -> String? {
        switch object[name] {
        case .string(let text): text
        case .number(let text): text
        case .bool(let flag): "\(flag)"
        default: nil
        }
    }

    /// The members of an array of objects.
    func list(_ name: String) -> [JSONObjectBody] {
        guard case .array(let members)? = object[name] else { return [] }
        return members.compactMap { if case .object(let object) = $0 { JSONObjectBody(object) } else { nil } }
    }
}

/// The code of the problem that `body` throws, nil if it throws none.
func refusal(_ body: () async throws -> some Any) async -> Problem? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? Problem
    }
}

/// Cash of an exact amount.
func cash(_ amount: String, tendered: String? = nil) throws -> Tender {
    Tender(method: .cash, amount: try Money(amount), tendered: try tendered.map { try Money($0) })
}

/// An amount by card.
func card(_ amount: String) throws -> Tender { Tender(method: .card, amount: try Money(amount)) }
