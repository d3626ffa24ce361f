package import Cache
package import Kernel
package import Logging
package import Postgres

/// What can be chosen about the services.
package struct ShopSettings: Sendable {
    /// At least 32 bytes, the same on every instance: cursors and refresh tokens are derived from it.
    package var secret: [UInt8]

    /// What hashing a password costs.
    ///
    /// Tests lower it; nothing from outside does.
    package var passwordCost: PasswordCost

    /// Whether anybody may sign up.
    package var isSignupEnabled: Bool

    /// The wall clock.
    package var clock: WallClock

    /// Secrets that were first before, and still open what they have sealed.
    package var formerSecrets: [[UInt8]] = []

    /// Which servers webhooks may be sent to.
    package var webhookRule = AddressRule()

    /// What waiting for events may cost.
    package var waiting = EventHub.Limits()

    /// What seals the secrets of webhooks.
    package var webhookSecrets: WebhookSecrets { WebhookSecrets(of: [secret] + formerSecrets) }

    /// Makes settings.
    package init(
        secret: [UInt8],
        passwordCost: PasswordCost = .standard,
        isSignupEnabled: Bool = true,
        clock: WallClock = .system
    ) {
        self.secret = secret
        self.passwordCost = passwordCost
        self.isSignupEnabled = isSignupEnabled
        self.clock = clock
    }
}

/// The services of the shop, over one store.
package final class Shop: Sendable {
    /// Runs the units of work.
    package let store: Store

    private let cursors: PageCursors

    /// What a tenant chose, and its current day.
    package let tenants: TenantService

    /// Categories.
    package let categories: Records<Category>

    /// Units of measure.
    package let units: Records<Unit>

    /// Products.
    package let products: Records<Product>

    /// Levels and movements.
    package let stock: StockService

    /// Counts of what is at a location.
    package let counts: CountsService

    /// Transfers of goods between locations.
    package let transfers: TransfersService

    /// Sales.
    package let sales: SalesService

    /// Receipts.
    package let receipts: ReceiptsService
    /// Quotes.
    package let quotes: QuotesService

    /// Payments.
    package let payments: PaymentsService

    /// Purchases.
    package let purchases: PurchasesService

    /// Expenses.
    package let expenses: MoneyEntriesService<ExpenseSource>

    /// What is entered into the ledger by hand.
    package let ledgerEntries: MoneyEntriesService<ManualSource>

    /// Customers.
    package let customers: Records<Customer>

    /// Series, summary and dashboard.
    package let balance: BalanceService

    /// Statements, debts by age, and what sells.
    package let reports: ReportsService

    /// People, sessions and API keys.
    package let identity: IdentityService

    /// Cash sessions.
    package let cash: CashService

    /// What happened, by its numbers.
    package let events: EventsService

    /// Exports.
    package let exports: ExportService

    /// Imports over HTTP; an ``ImportWorker`` does the work.
    package let imports: ImportsService

    /// Endpoints to which events are sent; a ``WebhookWorker`` sends them.
    package let webhooks: WebhooksService

    /// What an owner may see of the tenant's cache, and do to it.
    package let cache: CacheService

    /// Makes the services.
    ///
    /// - Parameters:
    ///   - postgres: The way to PostgreSQL, made with ``statements``.
    ///   - cache: The cache.
    ///   - settings: What was chosen.
    ///   - importBell: Rings when an import was queued, for a worker beside them.
    ///   - logger: Told what no client is told.
    package init(
        postgres: PostgresClient,
        cache: TenantCache,
        settings: ShopSettings,
        importBell: Doorbell = Doorbell(),
        logger: Logger = Logger(label: "stock.services")
    ) {
        let store = Store(postgres: postgres, cache: cache, logger: logger)
        let cursors = PageCursors(secret: settings.secret)
        self.store = store
        self.cursors = cursors
        tenants = TenantService(store: store)
        categories = Records(store: store, cursors: cursors)
        units = Records(store: store, cursors: cursors)
        products = Records(store: store, cursors: cursors)
        stock = StockService(store: store, cursors: cursors)
        counts = CountsService(store: store, cursors: cursors)
        transfers = TransfersService(store: store, cursors: cursors)
        sales = SalesService(store: store, cursors: cursors)
        receipts = ReceiptsService()
        quotes = QuotesService(store: store, cursors: cursors, tenants: tenants, sales: sales)
        payments = PaymentsService(store: store, cursors: cursors)
        purchases = PurchasesService(store: store, cursors: cursors, tenants: tenants)
        expenses = MoneyEntriesService(store: store, cursors: cursors)
        ledgerEntries = MoneyEntriesService(store: store, cursors: cursors)
        customers = Records(store: store, cursors: cursors)
        balance = BalanceService(tenants: tenants)
        reports = ReportsService(cursors: cursors, tenants: tenants)
        identity = IdentityService(store: store, cursors: cursors, settings: settings, logger: logger)
        cash = CashService(store: store, cursors: cursors)
        events = EventsService(store: store, waiting: settings.waiting)
        exports = ExportService(postgres: postgres, logger: logger)
        imports = ImportsService(store: store, cursors: cursors, bell: importBell)
        webhooks = WebhooksService(
            store: store,
            cursors: cursors,
            secrets: settings.webhookSecrets,
            rule: settings.webhookRule
        )
        self.cache = CacheService(store: store)
    }

    /// The records of one kind.
    package func records<R: Record>(_ kind: R.Type = R.self) -> Records<R> { Records(store: store, cursors: cursors) }

    /// Every statement of the services, for connections to prepare as they come up; those of records are theirs to tell.
    package static let statements: [any Statement.Type] =
        [
            TakeKey.self, CacheToken.self, SeenNow.self, FindRecord.self, RecordRefusal.self, ConcludeDeletion.self,
            EnterPlaces.self, RefuseElsewhere.self, ReadByID.self, NamedPage<ReadByID>.self, ListChanged.self,
        ]
        + TenantService.statements + StockService.statements + CountsService.statements + TransfersService.statements
        + SalesService.statements + QuotesService.statements + ReceiptsService.statements + PaymentsService.statements
        + PurchasesService.statements
        + MoneyEntriesService<ExpenseSource>.statements + MoneyEntriesService<ManualSource>.statements
        + BalanceService.statements + ReportsService.statements + IdentityService.statements + CashService.statements
        + CacheService.statements + EventsService.statements + ImportsService.statements
        + WebhooksService.statements
}

/// A statement, for those who hand lists of them on.
package typealias AnyStatement = any Statement.Type
