import Kernel

/// Makes random commands that make sense to a shop, most of which it can do.
struct CommandMaker {
    var model: ShopModel
    var random: ModelRandom
    /// Whose documents, registers and debts are named; nil is anybody's, one command after the other.
    var owner: Int?

    init(_ model: ShopModel, _ random: ModelRandom, owner: Int? = nil) {
        self.model = model
        self.random = random
        self.owner = owner
    }

    /// Who asks, and for what.
    mutating func next() -> (clerk: Clerk, command: ModelCommand) {
        let clerk = clerk()
        let command: ModelCommand? =
            switch random.number(0...99) {
            case 0..<42: sale(by: clerk)
            case 42..<45: recent(model.sales.count, owned(model.sales, \.owner)).map { .cancelSale($0) }
            case 45..<53: takeBack()
            case 53: takeBackUnsold(by: clerk)
            case 54..<60: collect()
            case 60..<62: pay()
            case 62..<64: recent(model.payments.count, owned(model.payments, \.owner)).map { .reversePayment($0) }
            case 64..<67: draftPurchase(by: clerk)
            case 67..<74: purchaseStep()
            case 74..<79: movements(by: clerk)
            case 79..<84: count(by: clerk)
            case 84..<90: transfer(by: clerk)
            case 90..<94: drawer(by: clerk)
            case 94..<96: spending(by: clerk)
            default: catalog()
            }
        return (clerk, command ?? sale(by: clerk))
    }

    private mutating func clerk() -> Clerk {
        guard owner == nil else { return Clerk(role: .owner) }
        let location = random.number(0...model.locationCount - 1)
        return switch random.number(0...9) {
        case 0..<6: Clerk(role: .owner)
        case 6: Clerk(role: .manager)
        case 7: Clerk(role: .manager, location: location)
        default: Clerk(role: .cashier, location: random.chance(70) ? location : nil)
        }
    }

    // MARK: Choosing

    private func owned<Value>(_ values: [Value], _ owner: KeyPath<Value, Int>) -> (Int) -> Bool {
        { self.owner == nil || values[$0][keyPath: owner] == self.owner }
    }

    /// One of the last documents, now and then an old one; nil if none is found at once.
    private mutating func recent(_ count: Int, _ fits: (Int) -> Bool) -> Int? {
        guard count > 0 else { return nil }
        for _ in 0..<12 {
            let back = random.chance(85) ? min(count - 1, 60) : count - 1
            let place = count - 1 - random.number(0...back)
            if fits(place) { return place }
        }
        return nil
    }

    private mutating func register(for clerk: Clerk) -> Int {
        if let owner { return owner }
        let own = model.registers.indices.filter { model.registers[$0].location == clerk.location }
        if !own.isEmpty, random.chance(92) { return own[random.number(0...own.count - 1)] }
        return random.number(0...model.registers.count - 1)
    }

    private mutating func location(for clerk: Clerk) -> Int {
        if let own = clerk.location, random.chance(92) { return own }
        return random.number(0...model.locationCount - 1)
    }

    private mutating func product(tracked: Bool = false) -> Int {
        while true {
            let place = random.number(0...model.products.count - 1)
            if !tracked || model.products[place].isTracked { return place }
        }
    }

    /// Some products, each once.
    private mutating func products(_ most: Int) -> [Int] {
        var places: [Int] = []
        for _ in 0..<random.number(1...most) {
            let place = product(tracked: true)
            if !places.contains(place) { places.append(place) }
        }
        return places
    }

    /// Up to so many pieces; of what is weighed, a part of one as well.
    private mutating func quantity(of product: Int, upTo most: Int) -> Micro {
        let whole = random.number(1...most) * Exact.one
        guard model.products[product].decimals > 0 else { return whole }
        return max(100_000, whole - random.number(0...999) * 1_000)
    }

    private mutating func method() -> ModelMethod {
        switch random.number(0...19) {
        case 0..<10: cash()
        case 10..<16: .card
        case 16..<18: .voucher
        default: .transfer
        }
    }

    private mutating func cash() -> ModelMethod { random.chance(80) ? .cash : .coins }

    // MARK: Selling

    private mutating func sale(by clerk: Clerk) -> ModelCommand {
        var cart = ModelCart(register: register(for: clerk), lines: [])
        for _ in 0..<random.number(1...3) {
            let product = product()
            var line = ModelCart.Line(product: product, quantity: quantity(of: product, upTo: 4))
            // What is sold at once by several is sold at prices that are said.
            if owner != nil || random.chance(8) {
                line.price = max(Exact.one, model.products[product].price + random.number(-9...9) * 100_000)
            }
            if random.chance(8) { line.discount = random.number(1...20) }
            if random.chance(1) { line.quantity += 500 }
            cart.lines.append(line)
        }
        if random.chance(8) { cart.discount = random.number(1...30) }
        if random.chance(30) { cart.customer = random.number(0...model.customers.count - 1) }
        if let priced = try? model.price(cart) { cart.tenders = tenders(for: priced.total, of: cart.customer) }
        return .sell(cart)
    }

    private mutating func tenders(for total: Minor, of customer: Int?) -> [ModelTender] {
        let inCash = Exact.round(total, to: model.rules.step)
        var tenders: [ModelTender] = []
        switch random.number(0...20) {
        case 0..<8: tenders = [ModelTender(method: cash(), amount: inCash)]
        case 8..<13: tenders = [ModelTender(method: random.chance(80) ? .card : .transfer, amount: total)]
        case 13..<16:
            let part = random.number(0...total)
            tenders = [ModelTender(method: random.chance(70) ? .card : .voucher, amount: part)]
            tenders.append(ModelTender(method: cash(), amount: Exact.round(total - part, to: model.rules.step)))
        case 16:
            let part = random.number(0...inCash)
            tenders = [ModelTender(method: .coins, amount: part), ModelTender(method: .cash, amount: inCash - part)]
        case 17..<20:
            guard customer != nil else { return [ModelTender(method: cash(), amount: inCash)].filter { $0.amount > 0 } }
            if random.chance(40) { tenders = [ModelTender(method: method(), amount: random.number(0...total))] }
        default:
            tenders = [ModelTender(method: method(), amount: total + (random.chance(50) ? 1 : -1))]
        }
        tenders = tenders.filter { $0.amount > 0 }
        if let last = tenders.indices.last, random.chance(6) { tenders[last].tip = random.number(1...100) }
        if let last = tenders.indices.last, tenders[last].method.isCash, random.chance(30) {
            let covered = tenders[last].amount + tenders[last].tip
            tenders[last].tendered = covered + (random.chance(4) ? -1 : random.number(0...500))
        }
        return tenders
    }

    /// Refunds that come to what is given back, most of the time.
    private mutating func refunds(of owed: Minor) -> [ModelTender] {
        guard owed > 0 else { return random.chance(97) ? [] : [ModelTender(method: .card, amount: 1)] }
        var refunds: [ModelTender]
        switch random.number(0...9) {
        case 0..<6: refunds = [ModelTender(method: cash(), amount: Exact.round(owed, to: model.rules.step))]
        case 6..<8: refunds = [ModelTender(method: random.chance(70) ? .card : .voucher, amount: owed)]
        case 8:
            let part = random.number(0...owed)
            refunds = [ModelTender(method: .transfer, amount: part)]
            refunds.append(ModelTender(method: cash(), amount: Exact.round(owed - part, to: model.rules.step)))
        default: refunds = [ModelTender(method: .card, amount: owed + (random.chance(50) ? 1 : -1))]
        }
        return refunds.filter { $0.amount > 0 }
    }

    private mutating func takeBack() -> ModelCommand? {
        guard let place = recent(model.sales.count, owned(model.sales, \.owner)) else { return nil }
        let sale = model.sales[place]
        var lines: [ModelReturnLine] = []
        for (index, line) in sale.lines.enumerated() where lines.isEmpty || random.chance(50) {
            let left = line.quantity - line.returned
            var quantity = random.chance(50) ? left : left / 2
            quantity -= quantity % Int(Exact.ten(6 - model.products[line.product].decimals))
            if quantity == 0 || random.chance(3) { quantity = left + Exact.one }
            lines.append(ModelReturnLine(line: index, quantity: quantity, restocks: random.chance(80)))
        }
        let isTooMuch = lines.contains {
            sale.lines[$0.line].returned + $0.quantity > sale.lines[$0.line].quantity
        }
        let owed = isTooMuch ? 0 : model.refund(of: sale, lines).owed
        let register: Int? = owner ?? (random.chance(25) ? random.number(0...model.registers.count - 1) : nil)
        return .takeBack(sale: place, at: register, lines: lines, refunds: refunds(of: owed))
    }

    private mutating func takeBackUnsold(by clerk: Clerk) -> ModelCommand {
        let lines = products(2).map { product in
            ModelUnsoldLine(
                product: product,
                quantity: quantity(of: product, upTo: 2),
                price: model.products[product].price,
                restocks: random.chance(80)
            )
        }
        let refunds = refunds(of: model.worth(of: lines))
        return .takeBackUnsold(at: register(for: clerk), lines: lines, refunds: refunds)
    }

    // MARK: Money

    private mutating func amount(of due: Minor) -> Minor {
        switch random.number(0...9) {
        case 0..<5: max(due, 1)
        case 5..<9: random.number(1...max(due, 1))
        default: due + 1
        }
    }

    private mutating func collect() -> ModelCommand? {
        let register: Int? = owner ?? (random.chance(60) ? random.number(0...model.registers.count - 1) : nil)
        var money = ModelTender(method: method(), amount: 1)
        if random.chance(5) { money.tip = random.number(1...50) }
        // Of all that a customer owes, the oldest first, or of one sale.
        if owner == nil, random.chance(50) {
            let customer = random.number(0...model.customers.count - 1)
            money.amount = amount(of: model.customers[customer].balance)
            return .collect(sale: nil, customer: customer, money: money, at: register)
        }
        let isDue = owned(model.sales, \.owner)
        let sales = model.sales
        guard
            let sale = recent(sales.count, { isDue($0) && sales[$0].due > 0 })
                ?? recent(sales.count, isDue)
        else { return nil }
        money.amount = amount(of: sales[sale].due)
        return .collect(sale: sale, customer: nil, money: money, at: register)
    }

    private mutating func pay() -> ModelCommand? {
        let register: Int? = owner ?? (random.chance(40) ? random.number(0...model.registers.count - 1) : nil)
        var money = ModelTender(method: method(), amount: 1)
        if owner == nil, random.chance(40) {
            let supplier = random.number(0...model.supplierCount - 1)
            let due = model.owed(purchase: nil, supplier: supplier).reduce(0) { $0 + model.purchases[$1].due }
            money.amount = amount(of: due)
            return .pay(purchase: nil, supplier: supplier, money: money, at: register)
        }
        guard let purchase = recent(model.purchases.count, owned(model.purchases, \.owner)) else { return nil }
        money.amount = amount(of: model.purchases[purchase].due)
        return .pay(purchase: purchase, supplier: nil, money: money, at: register)
    }

    private mutating func drawer(by clerk: Clerk) -> ModelCommand? {
        let register = register(for: clerk)
        guard let drawer = model.registers[register].drawer else {
            if owner == nil, random.chance(10), let ended = recent(model.drawers.count, { _ in true }) {
                return .drawerEntry(drawer: ended, kind: .paidIn, amount: 1)
            }
            return .openDrawer(register: register, float: random.number(0...200) * 100)
        }
        switch random.number(0...9) {
        case 0: return .openDrawer(register: register, float: 0)
        case 1..<6:
            let kind = CashEntryKindOfModel.allCases[random.number(0...2)]
            return .drawerEntry(drawer: drawer, kind: kind, amount: random.number(1...5_000))
        default:
            let difference = random.chance(60) ? 0 : random.number(-50...50)
            return .closeDrawer(drawer, counted: max(0, model.drawers[drawer].expected + difference))
        }
    }

    private mutating func spending(by clerk: Clerk) -> ModelCommand? {
        if random.chance(35) {
            return recent(model.spendings.count, owned(model.spendings, \.owner)).map { .reverseSpending($0) }
        }
        let isExpense = random.chance(70)
        return .spend(
            ModelSpending(
                isExpense: isExpense,
                isIncome: !isExpense && random.chance(50),
                category: isExpense ? "Miete" : "łapówka",
                money: ModelTender(method: method(), amount: random.number(1...9_000)),
                register: isExpense && random.chance(60) ? register(for: clerk) : nil
            )
        )
    }

    // MARK: Goods

    private mutating func cost(of product: Int) -> Micro {
        // At once by several, goods cost what they cost before: an average depends on the order.
        owner != nil
            ? ModelTenant.cost(of: product) : max(1, ModelTenant.cost(of: product) + random.number(-700_000...700_000))
    }

    private mutating func draftPurchase(by clerk: Clerk) -> ModelCommand {
        var order = ModelOrder(
            supplier: owner ?? random.number(0...model.supplierCount - 1),
            location: location(for: clerk),
            lines: []
        )
        for _ in 0..<random.number(1...4) {
            let product = product()
            order.lines.append((product, quantity(of: product, upTo: 40), cost(of: product)))
        }
        if owner == nil {
            if random.chance(40) { order.extras = (0..<random.number(1...2)).map { _ in random.number(1...2_000) } }
            if random.chance(50) { order.dueOn = random.number(1...28) }
        }
        return .draftPurchase(order)
    }

    private mutating func purchaseStep() -> ModelCommand? {
        guard let place = recent(model.purchases.count, owned(model.purchases, \.owner)) else { return nil }
        if random.chance(8) { return .cancelPurchase(place) }
        let purchase = model.purchases[place]
        if purchase.state == .draft, random.chance(85) { return .orderPurchase(place) }
        var lines: [(line: Int, quantity: Micro)] = []
        if random.chance(60) {
            for (index, line) in purchase.lines.enumerated() where line.open > 0 && (lines.isEmpty || random.chance(50))
            {
                var quantity = random.chance(30) ? line.open : line.open / 2
                quantity -= quantity % Int(Exact.ten(6 - model.products[line.product].decimals))
                if quantity == 0 || random.chance(3) { quantity = line.open + Exact.one }
                lines.append((index, quantity))
            }
        }
        return .receive(purchase: place, lines: lines)
    }

    private mutating func movements(by clerk: Clerk) -> ModelCommand {
        let location = location(for: clerk)
        return .move(
            products(2).map { product in
                let kind: ModelMovement.Kind =
                    switch random.number(0...9) {
                    case 0: .opening
                    case 1..<4: .loss
                    default: .adjustment
                    }
                let quantity = quantity(of: product, upTo: kind == .loss ? 3 : 12)
                let onHand = model.products[product].onHand[location]
                return ModelMovement(
                    product: product,
                    location: location,
                    kind: kind,
                    quantity: kind == .adjustment && random.chance(35) ? -quantity : quantity,
                    cost: random.chance(60) ? cost(of: product) : nil,
                    expected: owner == nil && random.chance(20) ? onHand + (random.chance(20) ? Exact.one : 0) : nil
                )
            }
        )
    }

    private mutating func count(by clerk: Clerk) -> ModelCommand? {
        let isOwned = owned(model.counts, \.owner)
        let counts = model.counts
        let open = recent(counts.count) { isOwned($0) && counts[$0].isOpen }
        guard let open, random.chance(85) else {
            if random.chance(15) { return recent(counts.count, isOwned).map { .endCount($0, closes: true) } }
            return .openCount(at: location(for: clerk))
        }
        if counts[open].lines.count > 2, random.chance(50) { return .endCount(open, closes: random.chance(80)) }
        let location = counts[open].location
        return .enterCount(
            open,
            products(3).map { product in
                let there = model.products[product].onHand[location]
                let counted = there + (random.chance(50) ? 0 : random.number(-3...3) * Exact.one)
                return (product, max(0, counted))
            }
        )
    }

    private mutating func transfer(by clerk: Clerk) -> ModelCommand? {
        let isOwned = owned(model.transfers, \.owner)
        guard let place = recent(model.transfers.count, isOwned), random.chance(75) else {
            let from = location(for: clerk)
            let to = (from + random.number(1...model.locationCount - 1)) % model.locationCount
            let lines = products(3).map { (product: $0, quantity: quantity(of: $0, upTo: 8)) }
            return .draftTransfer(from: from, to: to, lines: lines)
        }
        let transfer = model.transfers[place]
        if transfer.state == .draft, random.chance(90) {
            return random.chance(90) ? .sendTransfer(place) : .cancelTransfer(place)
        }
        guard random.chance(95) else { return .cancelTransfer(place) }
        var lines: [(line: Int, came: Micro, lost: Micro)] = []
        if random.chance(70) {
            for (index, line) in transfer.lines.enumerated() where line.left > 0 && (lines.isEmpty || random.chance(60))
            {
                var came = random.chance(50) ? line.left : line.left / 2
                came -= came % Int(Exact.ten(6 - model.products[line.product].decimals))
                let lost = random.chance(30) ? line.left - came : 0
                if came + lost == 0 || random.chance(3) { came = line.left + Exact.one }
                lines.append((index, came, lost))
            }
        }
        return .receiveTransfer(place, lines: lines)
    }

    private mutating func catalog() -> ModelCommand {
        let product = product()
        return switch random.number(0...9) {
        case 0..<5: .reprice(product: product, price: random.number(10...200) * 100_000)
        case 5..<8: .archive(product: product, isArchived: !model.products[product].isArchived && random.chance(8))
        default: .oversell(product: product, isAllowed: random.chance(40))
        }
    }
}
