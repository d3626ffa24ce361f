import Kernel

/// One tenant's books as the design says they are: what `ServicesTests` hold the database against.
///
/// Written from the design's pages (numbers, states, rules), not from the statements: plain integers in memory, one command after
/// the other. ``refusal(of:by:)`` says what a command is refused with, ``apply(_:seen:)`` what it does.
struct ShopModel: Sendable {
    /// What the tenant chose.
    struct Rules: Sendable {
        var decimals = 2
        var includesTax = true
        /// What cash is a multiple of; 0 is none.
        var step: Minor = 0
        var takesUnsold = true
        /// A fault, for the test of the test: what comes back is worth what the others are, not what it left with.
        var forgetsCosts = false
    }

    /// One tax of a product; a product of one percentage has it by its rate, any other by a group.
    struct Tax: Sendable {
        /// Millionths of a percent, or of the currency for each unit.
        let rate: Micro
        var isByUnit = false
        /// Whether its base contains the taxes before it.
        var isCompound = false
    }

    struct Product: Sendable {
        /// How many decimals a quantity has.
        let decimals: Int
        var price: Micro
        let taxes: [Tax]
        /// Whether its price contains them; nil as the tenant's prices do.
        var includesTax: Bool?
        let isTracked: Bool
        /// Whether it may be sold without stock.
        var oversells: Bool
        var isArchived = false
        var cost: Micro = 0
        /// By location, what is on its way last.
        var onHand: [Micro]
        var hasMoved: [Bool]
    }

    struct Register: Sendable {
        let location: Int
        let needsDrawer: Bool
        /// Its open drawer.
        var drawer: Int?
    }

    struct Drawer: Sendable {
        let register: Int
        let float: Minor
        /// What cash came less what went.
        var cash: Minor = 0
        var dropped: Minor = 0
        var difference: Minor?
        var isOpen: Bool { difference == nil }
        var expected: Minor { float + cash - dropped }
    }

    struct SaleLine: Sendable {
        let product: Int
        let quantity: Micro
        let total: Minor
        let cost: Micro
        var returned: Micro = 0
    }

    struct Sale: Sendable {
        let register: Int
        let customer: Int?
        var lines: [SaleLine]
        let total: Minor
        var rounding: Minor
        var paid: Minor
        var due: Minor
        var isCancelled = false
        var isReturned = false
        /// Its payments, both ways.
        var payments: [Int] = []
        var owner = 0
    }

    struct Payment: Sendable {
        enum Target: Sendable {
            case sales([(sale: Int, amount: Minor)])
            case purchases([(purchase: Int, amount: Minor)])
            case nothing
        }

        let isIncoming: Bool
        let money: ModelTender
        let rounding: Minor
        let category: String
        let target: Target
        /// The sale at which it changed hands, if it did at one.
        let sale: Int?
        let customer: Int?
        /// Where it changed hands; none of what named none and is no cash.
        let register: Int?
        var isReversed = false
        var owner = 0
    }

    struct PurchaseLine: Sendable {
        let product: Int
        let quantity: Micro
        /// With its share of what came on top.
        let landed: Micro
        var received: Micro = 0
        var open: Micro
    }

    struct Purchase: Sendable {
        enum State: Sendable { case draft, ordered, partiallyReceived, received, cancelled }

        let supplier: Int
        let location: Int
        let total: Minor
        let dueOn: Int?
        var lines: [PurchaseLine]
        var state = State.draft
        var paid: Minor = 0
        var due: Minor = 0
        var owner = 0
    }

    struct Count: Sendable {
        let location: Int
        /// Differences by product.
        var lines: [Int: Micro] = [:]
        var isOpen = true
        var owner = 0
    }

    struct TransferLine: Sendable {
        let product: Int
        let quantity: Micro
        var left: Micro
    }

    struct Transfer: Sendable {
        enum State: Sendable { case draft, sent, received, cancelled }

        let from: Int
        let to: Int
        var lines: [TransferLine]
        var state = State.draft
        var owner = 0
    }

    struct Spending: Sendable {
        let spending: ModelSpending
        var isReversed = false
        var owner = 0
    }

    struct Customer: Sendable {
        let limit: Minor?
        var balance: Minor = 0
    }

    /// The rows of the ledger that are added up together.
    struct LedgerKey: Hashable, Sendable {
        let isIncome: Bool
        let method: ModelMethod
        let category: String
    }

    var rules: Rules
    var products: [Product]
    var registers: [Register]
    var customers: [Customer]
    let supplierCount: Int
    var sales: [Sale] = []
    var payments: [Payment] = []
    var purchases: [Purchase] = []
    var counts: [Count] = []
    var transfers: [Transfer] = []
    var drawers: [Drawer] = []
    var spendings: [Spending] = []
    var ledger: [LedgerKey: Minor] = [:]

    /// How many places goods can be sold from; what is on its way comes behind them.
    let locationCount: Int
    var transit: Int { locationCount }

    init(
        rules: Rules,
        products: [Product],
        registers: [Register],
        customers: [Customer],
        suppliers: Int,
        locations: Int
    ) {
        self.rules = rules
        self.products = products
        self.registers = registers
        self.customers = customers
        supplierCount = suppliers
        locationCount = locations
    }

    // MARK: What all commands share

    /// Whether a clerk of one place has no business at another.
    func isElsewhere(_ location: Int?, for clerk: Clerk) -> Bool {
        guard let own = clerk.location, let location else { return false }
        return own != location
    }

    /// Whether somebody sells where they do not work: which of several faults such a sale is told first depends on what is in memory.
    func isElsewhere(_ command: ModelCommand, for clerk: Clerk) -> Bool {
        guard case .sell(let cart) = command else { return false }
        return isElsewhere(registers[cart.register].location, for: clerk)
    }

    /// Whether a level may fall by so much, or rise: below zero nothing falls where overselling is denied.
    func mayMove(_ product: Int, at location: Int, by quantity: Micro) -> Bool {
        let level = products[product]
        guard quantity < 0, !level.oversells || location == transit else { return true }
        let onHand = level.onHand[location]
        return onHand + quantity >= min(0, onHand)
    }

    /// Moves goods of a product at a place; what has a cost moves the average.
    ///
    /// `spent` is what it cost in all, in 10^-12; nil if it is worth what the others are.
    mutating func move(_ product: Int, at location: Int, by quantity: Micro, spent: Int128? = nil) {
        if let spent {
            let before = Int128(products[product].onHand.reduce(0, +))
            let after = before + Int128(quantity)
            let worth = before * Int128(products[product].cost) + spent
            if quantity < 0 {
                if after > 0, worth >= 0 { products[product].cost = Exact.divide(worth, by: after) }
            } else if before > 0 {
                products[product].cost = Exact.divide(worth, by: after)
            } else {
                products[product].cost = Exact.divide(spent, by: Int128(quantity))
            }
        }
        products[product].onHand[location] += quantity
        products[product].hasMoved[location] = true
    }

    /// Writes into the ledger, and into a drawer if it is cash that goes through one.
    mutating func post(_ isIncome: Bool, _ amount: Minor, _ method: ModelMethod, _ category: String, drawer: Int?) {
        guard amount != 0 else { return }
        ledger[LedgerKey(isIncome: isIncome, method: method, category: category), default: 0] += amount
        if let drawer, method.isCash { drawers[drawer].cash += isIncome ? amount : -amount }
    }

    /// Writes a payment's rows, or their reversals.
    mutating func post(_ payment: Payment, isReversal: Bool = false, at register: Int?) {
        let sign = isReversal ? -1 : 1
        let drawer = register.flatMap { registers[$0].drawer }
        let (money, isIncome) = (payment.money, payment.isIncoming)
        post(isIncome, sign * (money.amount - payment.rounding), money.method, payment.category, drawer: drawer)
        post(isIncome, sign * payment.rounding, money.method, "rounding", drawer: drawer)
        post(isIncome, sign * money.tip, money.method, "tip", drawer: drawer)
    }

    /// Whether cash is refused at a register, as its drawer is closed.
    func isShut(_ register: Int, for methods: [ModelMethod]) -> Bool {
        registers[register].needsDrawer && registers[register].drawer == nil
            && methods.contains { $0.isCash }
    }

    /// Which tender takes what is rounded: the largest in cash, else the largest; the first of equals.
    func rounded(_ tenders: [ModelTender]) -> Int? {
        let cash = tenders.indices.filter { tenders[$0].method.isCash }
        return (cash.isEmpty ? Array(tenders.indices) : cash).max {
            (tenders[$0].amount, $1) < (tenders[$1].amount, $0)
        }
    }
}
