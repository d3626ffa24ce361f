import Kernel

extension ShopModel {
    /// What a command is refused with; nil if it is done.
    func refusal(of command: ModelCommand, by clerk: Clerk) -> Problem.Code? {
        do throws(ModelRefusal) {
            try check(command, by: clerk)
            return nil
        } catch {
            return error.code
        }
    }

    private func check(_ command: ModelCommand, by clerk: Clerk) throws(ModelRefusal) {
        switch command {
        case .sell(let cart): try check(cart, by: clerk)
        case .cancelSale(let sale): try checkCancellation(of: sale, by: clerk)
        case .takeBack(let sale, let register, let lines, let refunds):
            try checkReturn(of: sale, at: register, lines, refunds, by: clerk)
        case .takeBackUnsold(let register, let lines, let refunds):
            try checkUnsold(at: register, lines, refunds, by: clerk)
        case .collect(let sale, let customer, let money, let register):
            try checkCollection(sale: sale, customer: customer, money, at: register, by: clerk)
        case .pay(let purchase, let supplier, let money, let register):
            try checkPayment(purchase: purchase, supplier: supplier, money, at: register, by: clerk)
        case .reversePayment(let payment): try checkReversal(of: payment, by: clerk)
        case .draftPurchase(let order): try check(order, by: clerk)
        case .orderPurchase(let purchase): try checkPurchase(purchase, in: [.draft], by: clerk)
        case .receive(let purchase, let lines): try checkReceipt(of: purchase, lines, by: clerk)
        case .cancelPurchase(let purchase): try checkPurchaseCancellation(of: purchase, by: clerk)
        case .move(let movements): try check(movements, by: clerk)
        case .openCount(let location), .draftTransfer(let location, _, _):
            if isElsewhere(location, for: clerk) { throw ModelRefusal(.forbidden) }
        case .enterCount(let count, let lines): try checkLines(of: count, lines, by: clerk)
        case .endCount(let count, let closes): try checkEnd(of: count, closes: closes, by: clerk)
        case .sendTransfer(let transfer): try checkSending(of: transfer, by: clerk)
        case .receiveTransfer(let transfer, let lines): try checkArrival(of: transfer, lines, by: clerk)
        case .cancelTransfer(let transfer):
            if isElsewhere(transfers[transfer].from, for: clerk) { throw ModelRefusal(.forbidden) }
            if transfers[transfer].state != .draft { throw ModelRefusal(.invalidState) }
        case .openDrawer(let register, _):
            if isElsewhere(registers[register].location, for: clerk) { throw ModelRefusal(.forbidden) }
            if registers[register].drawer != nil { throw ModelRefusal(.invalidState) }
        case .drawerEntry(let drawer, _, _), .closeDrawer(let drawer, _): try checkDrawer(drawer, by: clerk)
        case .spend(let spending): try check(spending, by: clerk)
        case .reverseSpending(let place):
            let spending = spendings[place]
            if isElsewhere(spending.spending.register.map { registers[$0].location }, for: clerk) {
                throw ModelRefusal(.forbidden)
            }
            if spending.isReversed { throw ModelRefusal(.invalidState) }
            try check(spending.spending, by: clerk)
        case .reprice, .archive, .oversell: break
        }
    }

    /// Does what a command does.
    ///
    /// - Parameters:
    ///   - command: One that is not refused.
    ///   - owner: Whose documents it makes.
    ///   - seen: What was there of each line of a count, where the order of commands is not known.
    /// - Returns: Amounts that the answer tells.
    /// - Throws: ``ModelRefusal`` if a cart can not be sold at all.
    mutating func apply(
        _ command: ModelCommand,
        owner: Int = 0,
        seen: [Micro]? = nil
    ) throws(ModelRefusal) -> [String: Minor] {
        switch command {
        case .sell(let cart): return try sell(cart, owner: owner)
        case .cancelSale(let sale): cancel(sale)
        case .takeBack(let sale, let register, let lines, let refunds):
            return takeBack(of: sale, at: register, lines, refunds, owner: owner)
        case .takeBackUnsold(let register, let lines, let refunds):
            return takeBackUnsold(at: register, lines, refunds, owner: owner)
        case .collect(let sale, let customer, let money, let register):
            collect(sale: sale, customer: customer, money, at: register, owner: owner)
        case .pay(let purchase, let supplier, let money, let register):
            pay(purchase: purchase, supplier: supplier, money, at: register, owner: owner)
        case .reversePayment(let payment): reverse(payment)
        case .draftPurchase(let order): return draft(order, owner: owner)
        case .orderPurchase(let purchase):
            purchases[purchase].state = .ordered
            purchases[purchase].due = purchases[purchase].total
            return ["total": purchases[purchase].total, "due": purchases[purchase].total]
        case .receive(let purchase, let lines): receive(purchase, lines)
        case .cancelPurchase(let purchase): cancelPurchase(purchase)
        case .move(let movements): record(movements)
        case .openCount(let location): counts.append(Count(location: location, owner: owner))
        case .enterCount(let count, let lines): enter(lines, seen: seen, into: count)
        case .endCount(let count, let closes): end(count, closes: closes)
        case .draftTransfer(let from, let to, let lines):
            let lines = lines.map { TransferLine(product: $0.product, quantity: $0.quantity, left: $0.quantity) }
            transfers.append(Transfer(from: from, to: to, lines: lines, owner: owner))
        case .sendTransfer(let transfer): send(transfer)
        case .receiveTransfer(let transfer, let lines): arrive(transfer, lines)
        case .cancelTransfer(let transfer): transfers[transfer].state = .cancelled
        case .openDrawer(let register, let float):
            registers[register].drawer = drawers.count
            drawers.append(Drawer(register: register, float: float))
            return ["float": float]
        case .drawerEntry(let drawer, let kind, let amount): enter(kind, amount, into: drawer)
        case .closeDrawer(let drawer, let counted): return close(drawer, counted: counted)
        case .spend(let spending):
            spendings.append(Spending(spending: spending, owner: owner))
            record(spending)
        case .reverseSpending(let place):
            spendings[place].isReversed = true
            record(spendings[place].spending, isReversal: true)
        case .reprice(let product, let price): products[product].price = price
        case .archive(let product, let isArchived): products[product].isArchived = isArchived
        case .oversell(let product, let isAllowed): products[product].oversells = isAllowed
        }
        return [:]
    }

    /// All figures, as lines of text; drawers are called by the names that they have.
    func figures(drawerNames: [String]) -> [String] {
        var lines: [String] = []
        for (place, product) in products.enumerated() {
            lines.append("product \(place): cost \(product.cost), on its way \(product.onHand[transit])")
            for location in 0..<locationCount {
                lines.append("product \(place) at \(location): \(product.onHand[location])")
            }
        }
        for (key, amount) in ledger where amount != 0 {
            lines.append("\(key.isIncome ? "income" : "expense") \(key.method.rawValue) \(key.category): \(amount)")
        }
        for (place, customer) in customers.enumerated() {
            lines.append("customer \(place) owes \(customer.balance)")
        }
        for supplier in 0..<supplierCount {
            let owed = purchases.reduce(0) { $0 + ($1.supplier == supplier ? $1.due : 0) }
            lines.append("owed to supplier \(supplier): \(owed)")
        }
        for (drawer, name) in zip(drawers, drawerNames) {
            let difference = drawer.difference.map { ", difference \($0)" } ?? ""
            lines.append("drawer \(name): \(drawer.expected)\(difference)")
        }
        return lines.sorted()
    }
}
