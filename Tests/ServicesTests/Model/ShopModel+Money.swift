import Domain
import Kernel

extension ShopModel {
    // MARK: Payments

    /// Where a payment changes hands: what is named; cash is the default register's.
    func till(_ register: Int?, _ method: ModelMethod) -> Int? { register ?? (method.isCash ? 0 : nil) }

    private func checkTill(_ register: Int?, _ method: ModelMethod, by clerk: Clerk) throws(ModelRefusal) {
        if isElsewhere(registers[register ?? 0].location, for: clerk) { throw ModelRefusal(.forbidden) }
        if let till = till(register, method), isShut(till, for: [method]) { throw ModelRefusal(.sessionClosed) }
    }

    /// What money for a debt is refused with: it is never capped.
    func checkCollection(
        sale: Int?,
        customer: Int?,
        _ money: ModelTender,
        at register: Int?,
        by clerk: Clerk
    ) throws(ModelRefusal) {
        if let tendered = money.tendered, tendered < money.amount + money.tip { throw ModelRefusal(.paymentMismatch) }
        try checkTill(register, money.method, by: clerk)
        if let sale, sales[sale].isCancelled { throw ModelRefusal(.invalidState) }
        let due = owing(sale: sale, customer: customer).reduce(0) { $0 + sales[$1].due }
        if money.amount - rounding(of: money, for: sale) > due { throw ModelRefusal(.paymentExceedsDue) }
    }

    /// What cash for one sale is more than is due of it, or less, if it comes to the nearest coins: then it pays all.
    private func rounding(of money: ModelTender, for sale: Int?) -> Minor {
        guard let sale, money.method.isCash, rules.step > 0, sales[sale].due > 0,
            money.amount == Exact.round(sales[sale].due, to: rules.step)
        else { return 0 }
        return money.amount - sales[sale].due
    }

    /// The sales that money is for, the oldest first.
    func owing(sale: Int?, customer: Int?) -> [Int] {
        sale.map { [$0] } ?? sales.indices.filter { sales[$0].customer == customer && sales[$0].due > 0 }
    }

    /// Takes money for a sale, or for what a customer owes.
    mutating func collect(sale: Int?, customer: Int?, _ money: ModelTender, at register: Int?, owner: Int) {
        let rounding = rounding(of: money, for: sale)
        var left = money.amount - rounding
        var shares: [(sale: Int, amount: Minor)] = []
        for place in owing(sale: sale, customer: customer) where left > 0 {
            let share = sale == nil ? min(left, sales[place].due) : left
            shares.append((place, share + rounding))
            sales[place].due -= share
            sales[place].paid += share + rounding
            sales[place].rounding += rounding
            sales[place].payments.append(payments.count)
            left -= share
        }
        let debtor = sale.map { sales[$0].customer } ?? customer
        if let debtor { customers[debtor].balance -= money.amount - rounding }
        let till = till(register, money.method)
        let payment = Payment(
            isIncoming: true,
            money: money,
            rounding: rounding,
            category: "payment",
            target: .sales(shares),
            sale: sale,
            customer: debtor,
            register: till,
            owner: owner
        )
        payments.append(payment)
        post(payment, at: till)
    }

    /// What money for purchases is refused with.
    func checkPayment(
        purchase: Int?,
        supplier: Int?,
        _ money: ModelTender,
        at register: Int?,
        by clerk: Clerk
    ) throws(ModelRefusal) {
        if !clerk.role.scopes.contains(.stockWrite) { throw ModelRefusal(.forbidden) }
        try checkTill(register, money.method, by: clerk)
        if let purchase, [.draft, .cancelled].contains(purchases[purchase].state) { throw ModelRefusal(.invalidState) }
        let due = owed(purchase: purchase, supplier: supplier).reduce(0) { $0 + purchases[$1].due }
        if money.amount > due { throw ModelRefusal(.paymentExceedsDue) }
    }

    /// The purchases that money is for: what is due first at first, what is due some time behind.
    func owed(purchase: Int?, supplier: Int?) -> [Int] {
        if let purchase { return [purchase] }
        return purchases.indices.filter { purchases[$0].supplier == supplier && purchases[$0].due > 0 }
            .sorted { (purchases[$0].dueOn ?? 99, $0) < (purchases[$1].dueOn ?? 99, $1) }
    }

    /// Pays a purchase, or what is owed to a supplier.
    mutating func pay(purchase: Int?, supplier: Int?, _ money: ModelTender, at register: Int?, owner: Int) {
        var left = money.amount
        var shares: [(purchase: Int, amount: Minor)] = []
        for place in owed(purchase: purchase, supplier: supplier) where left > 0 {
            let share = min(left, purchases[place].due)
            shares.append((place, share))
            purchases[place].due -= share
            purchases[place].paid += share
            left -= share
        }
        let till = till(register, money.method)
        let payment = Payment(
            isIncoming: false,
            money: money,
            rounding: 0,
            category: "purchase",
            target: .purchases(shares),
            sale: nil,
            customer: nil,
            register: till,
            owner: owner
        )
        payments.append(payment)
        post(payment, at: till)
    }

    /// What a reversal is refused with.
    func checkReversal(of place: Int, by clerk: Clerk) throws(ModelRefusal) {
        let payment = payments[place]
        if isElsewhere(payment: place, for: clerk) { throw ModelRefusal(.forbidden) }
        if payment.isReversed { throw ModelRefusal(.invalidState) }
        if case .nothing = payment.target { throw ModelRefusal(.invalidState) }
        if let register = payment.register, isShut(register, for: [payment.money.method]) {
            throw ModelRefusal(.sessionClosed)
        }
        // No credit: of a sale less than nothing is never due.
        if !payment.isIncoming, let sale = payment.sale, sales[sale].due < payment.money.amount - payment.rounding {
            throw ModelRefusal(.invalidState)
        }
    }

    /// Reverses a payment: what it paid is due again.
    mutating func reverse(_ place: Int) {
        let payment = payments[place]
        switch payment.target {
        case .sales(let shares):
            let sign = payment.isIncoming ? 1 : -1
            for (sale, amount) in shares {
                let owed = sign * (amount - payment.rounding)
                sales[sale].due += owed
                sales[sale].rounding -= sign * payment.rounding
                if payment.isIncoming { sales[sale].paid -= amount }
                if let customer = payment.customer { customers[customer].balance += owed }
            }
        case .purchases(let shares):
            for (purchase, amount) in shares {
                purchases[purchase].due += amount
                purchases[purchase].paid -= amount
            }
        case .nothing: break
        }
        post(payment, isReversal: true, at: payment.register)
        payments[place].isReversed = true
    }

    // MARK: Drawers

    /// What is refused of a drawer's entry or its end.
    func checkDrawer(_ place: Int, by clerk: Clerk) throws(ModelRefusal) {
        if isElsewhere(registers[drawers[place].register].location, for: clerk) { throw ModelRefusal(.forbidden) }
        if !drawers[place].isOpen { throw ModelRefusal(.sessionClosed) }
    }

    /// Puts cash into a drawer, takes it out, or drops it into the safe.
    mutating func enter(_ kind: CashEntryKindOfModel, _ amount: Minor, into place: Int) {
        if kind == .drop {
            drawers[place].dropped += amount
        } else {
            post(kind == .paidIn, amount, .cash, kind.rawValue, drawer: place)
        }
    }

    /// Ends a drawer's session; what is counted more or less is no part of it.
    mutating func close(_ place: Int, counted: Minor) -> [String: Minor] {
        let difference = counted - drawers[place].expected
        post(difference > 0, abs(difference), .cash, "cash_difference", drawer: nil)
        drawers[place].difference = difference
        registers[drawers[place].register].drawer = nil
        return ["expected": counted - difference, "counted": counted, "difference": difference]
    }

    // MARK: Expenses and entries

    /// What spending is refused with.
    func check(_ spending: ModelSpending, by clerk: Clerk) throws(ModelRefusal) {
        guard let register = spending.register else { return }
        if isElsewhere(registers[register].location, for: clerk) { throw ModelRefusal(.forbidden) }
        if isShut(register, for: [spending.money.method]) { throw ModelRefusal(.sessionClosed) }
    }

    /// Writes what moved for no document, or its reversal.
    mutating func record(_ spending: ModelSpending, isReversal: Bool = false) {
        let sign = isReversal ? -1 : 1
        post(
            spending.isIncome,
            sign * spending.money.amount,
            spending.money.method,
            spending.category,
            drawer: spending.register.flatMap { registers[$0].drawer }
        )
    }
}
