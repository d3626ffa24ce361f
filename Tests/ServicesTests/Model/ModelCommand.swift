import Domain
import Kernel

/// One command of the model, by the places of what it names: a run of a seed is the same on every database.
enum ModelCommand: Sendable {
    case sell(ModelCart)
    case cancelSale(Int)
    case takeBack(sale: Int, at: Int?, lines: [ModelReturnLine], refunds: [ModelTender])
    case takeBackUnsold(at: Int, lines: [ModelUnsoldLine], refunds: [ModelTender])
    case collect(sale: Int?, customer: Int?, money: ModelTender, at: Int?)
    case pay(purchase: Int?, supplier: Int?, money: ModelTender, at: Int?)
    case reversePayment(Int)
    case draftPurchase(ModelOrder)
    case orderPurchase(Int)
    case receive(purchase: Int, lines: [(line: Int, quantity: Micro)])
    case cancelPurchase(Int)
    case move([ModelMovement])
    case openCount(at: Int)
    case enterCount(Int, [(product: Int, counted: Micro)])
    case endCount(Int, closes: Bool)
    case draftTransfer(from: Int, to: Int, lines: [(product: Int, quantity: Micro)])
    case sendTransfer(Int)
    case receiveTransfer(Int, lines: [(line: Int, came: Micro, lost: Micro)])
    case cancelTransfer(Int)
    case openDrawer(register: Int, float: Minor)
    case drawerEntry(drawer: Int, kind: CashEntryKindOfModel, amount: Minor)
    case closeDrawer(Int, counted: Minor)
    case spend(ModelSpending)
    case reverseSpending(Int)
    case reprice(product: Int, price: Micro)
    case archive(product: Int, isArchived: Bool)
    case oversell(product: Int, isAllowed: Bool)
}

/// What is sold, and how it is paid.
struct ModelCart: Sendable {
    struct Line: Sendable {
        var product: Int
        var quantity: Micro
        var price: Micro?
        var discount: Minor = 0
    }

    var register: Int
    var customer: Int?
    var lines: [Line]
    var discount: Minor = 0
    var tenders: [ModelTender] = []
}

/// Money by one method.
struct ModelTender: Sendable {
    var method: ModelMethod
    var amount: Minor
    var tip: Minor = 0
    var tendered: Minor?
}

/// How money changes hands: what every shop has, and what this one has added.
enum ModelMethod: String, Sendable, CaseIterable {
    case cash
    case card
    case transfer
    /// Of kind cash as well: it lies in drawers, and is rounded.
    case coins = "kasse_2"
    case voucher = "vale_comida"

    var isCash: Bool { self == .cash || self == .coins }
}

enum CashEntryKindOfModel: String, Sendable, CaseIterable {
    case paidIn = "paid_in"
    case paidOut = "paid_out"
    case drop
}

struct ModelReturnLine: Sendable {
    var line: Int
    var quantity: Micro
    var restocks: Bool
}

struct ModelUnsoldLine: Sendable {
    var product: Int
    var quantity: Micro
    var price: Micro
    var restocks: Bool
}

struct ModelOrder: Sendable {
    var supplier: Int
    var location: Int
    var lines: [(product: Int, quantity: Micro, cost: Micro)]
    var extras: [Minor] = []
    /// The day of January 2031 on which it is to be paid.
    var dueOn: Int?
}

struct ModelMovement: Sendable {
    enum Kind: String, Sendable { case opening, adjustment, loss }

    var product: Int
    var location: Int
    var kind: Kind
    var quantity: Micro
    var cost: Micro?
    var expected: Micro?

    /// What it adds.
    var signed: Micro { kind == .loss ? -abs(quantity) : quantity }
}

struct ModelSpending: Sendable {
    var isExpense: Bool
    var isIncome: Bool
    var category: String
    var money: ModelTender
    var register: Int?
}

/// Somebody who gives commands.
struct Clerk: Sendable {
    var role: Role
    /// The only location where they work; nil is everywhere.
    var location: Int?
}
