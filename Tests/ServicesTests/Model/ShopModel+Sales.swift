import Kernel

extension ShopModel {
    /// What a cart comes to.
    struct Priced: Sendable {
        var lines: [(gross: Minor, taxes: [Minor], total: Minor)] = []
        var subtotal: Minor = 0
        var discount: Minor = 0
        var tax: Minor = 0
        var total: Minor = 0
    }

    /// How a cart is paid: what cash rounds, which tender takes it, and what stays due.
    struct Settled: Sendable {
        var rounding: Minor = 0
        var rounded: Int?
        var due: Minor = 0
    }

    /// Prices a cart; whether its products can be sold is not asked if it was.
    func price(_ cart: ModelCart, wasSold: Bool = false) throws(ModelRefusal) -> Priced {
        if !wasSold, cart.lines.contains(where: { products[$0.product].isArchived }) {
            throw ModelRefusal(.productInactive)
        }
        var priced = Priced()
        var left: [Minor] = []
        for line in cart.lines {
            let price = line.price ?? products[line.product].price
            let gross = Exact.amount(line.quantity, at: price, decimals: rules.decimals)
            if line.discount > gross { throw ModelRefusal(.validationFailed) }
            priced.lines.append((gross, [], 0))
            left.append(gross - line.discount)
        }
        if cart.lines.contains(where: { !isWhole($0.quantity, of: $0.product) }) {
            throw ModelRefusal(.quantityPrecision)
        }
        if cart.discount > left.reduce(0, +) { throw ModelRefusal(.validationFailed) }
        let shares = Exact.spread(cart.discount, over: left)
        for (place, line) in cart.lines.enumerated() {
            let net = left[place] - shares[place]
            let taxes = taxes(of: line.product, on: net, line.quantity)
            let tax = taxes.reduce(0, +)
            priced.lines[place].taxes = taxes
            priced.lines[place].total = includesTax(line.product) ? net : net + tax
            priced.subtotal += priced.lines[place].gross
            priced.discount += line.discount + shares[place]
            priced.tax += tax
            priced.total += priced.lines[place].total
        }
        return priced
    }

    private func includesTax(_ product: Int) -> Bool { products[product].includesTax ?? rules.includesTax }

    /// What each tax of a line comes to: `a * X + b` of what the line is without taxes, all in 10^-12.
    private func taxes(of product: Int, on net: Minor, _ quantity: Micro) -> [Minor] {
        let one = Exact.ten(12)
        let smallest = Exact.ten(12 - rules.decimals)
        let amount = Int128(net) * smallest
        var factors: [(a: Int128, b: Int128)] = []
        var (a, b) = (Int128(0), Int128(0))
        for tax in products[product].taxes {
            let rate = Int128(tax.rate)
            // Millionths of a percent of what is in 10^-12.
            func share(of whole: Int128) -> Int128 { Int128(Exact.divide(rate * whole, by: Exact.ten(8))) }
            let factor =
                tax.isByUnit
                ? (a: 0, b: rate * Int128(quantity))
                : (a: share(of: one + (tax.isCompound ? a : 0)), b: tax.isCompound ? share(of: b) : 0)
            factors.append(factor)
            (a, b) = (a + factor.a, b + factor.b)
        }
        guard includesTax(product) else {
            let parts = factors.map { $0.a * amount + $0.b * one }
            let sum = Exact.divide(parts.reduce(0, +), by: one * smallest)
            return Exact.apportion(sum, of: parts, over: one * smallest)
        }
        // What is said by the unit may be more than the price, which it shares then.
        guard b <= amount else {
            return Exact.apportion(net, of: factors.map { $0.b * amount }, over: b * smallest)
        }
        let without = Exact.divide((amount - b) * one, by: (one + a) * smallest)
        return Exact.apportion(
            net - without,
            of: factors.map { $0.a * (amount - b) + $0.b * (one + a) },
            over: (one + a) * smallest
        )
    }

    /// Settles what is to be paid with what is.
    func settle(_ total: Minor, _ tenders: [ModelTender], hasCustomer: Bool) throws(ModelRefusal) -> Settled {
        let paid = tenders.reduce(0) { $0 + $1.amount }
        let other = tenders.reduce(0) { $0 + ($1.method.isCash ? 0 : $1.amount) }
        let isRounded = other < total && (tenders.contains { $0.method.isCash } || tenders.isEmpty && !hasCustomer)
        let target = isRounded ? other + Exact.round(total - other, to: rules.step) : total
        guard paid == target else {
            if hasCustomer, paid < min(total, target) { return Settled(due: total - paid) }
            throw ModelRefusal(paid < target && !hasCustomer ? .creditNeedsCustomer : .paymentMismatch)
        }
        let rounding = target - total
        guard rounding != 0, let place = rounded(tenders) else { return Settled(rounding: rounding) }
        if tenders[place].amount <= rounding { throw ModelRefusal(.paymentMismatch) }
        return Settled(rounding: rounding, rounded: place)
    }

    /// What a sale is refused with.
    func check(_ cart: ModelCart, by clerk: Clerk) throws(ModelRefusal) {
        let priced = try price(cart)
        if cart.tenders.contains(where: { tender in tender.tendered.map { $0 < tender.amount + tender.tip } ?? false })
        {
            throw ModelRefusal(.paymentMismatch)
        }
        if clerk.role == .cashier {
            // Cashiers sell at list prices, however it is called what is below them.
            var (isBelow, unpaid) = (cart.discount > 0, Int128(0))
            for (line, priced) in zip(cart.lines, priced.lines) {
                let price = products[line.product].price
                let listed = Exact.amount(line.quantity, at: price, decimals: rules.decimals)
                let paid = priced.gross - line.discount
                if listed > paid { isBelow = true }
                if listed == 0, paid == 0 { unpaid += Int128(line.quantity) * Int128(price) }
            }
            // What rounds to nothing line by line is worth together what it is.
            if isBelow || Exact.divide(unpaid, by: Exact.ten(12 - rules.decimals)) > 0 {
                throw ModelRefusal(.discountLimit)
            }
        }
        let settled = try settle(priced.total, cart.tenders, hasCustomer: cart.customer != nil)
        let register = registers[cart.register]
        if isElsewhere(register.location, for: clerk) { throw ModelRefusal(.forbidden) }
        if isShut(cart.register, for: cart.tenders.map(\.method)) { throw ModelRefusal(.sessionClosed) }
        if settled.due > 0, let place = cart.customer, let limit = customers[place].limit,
            customers[place].balance + settled.due > limit
        {
            throw ModelRefusal(.creditLimitExceeded)
        }
        let moved = taken(by: cart)
        if moved.contains(where: { !mayMove($0.key, at: register.location, by: -$0.value) }) {
            throw ModelRefusal(.insufficientStock)
        }
    }

    /// What a cart takes of each product whose stock is counted.
    func taken(by cart: ModelCart) -> [Int: Micro] {
        cart.lines.filter { products[$0.product].isTracked }.reduce(into: [:]) {
            $0[$1.product, default: 0] += $1.quantity
        }
    }

    /// Sells.
    mutating func sell(_ cart: ModelCart, owner: Int) throws(ModelRefusal) -> [String: Minor] {
        let priced = try price(cart, wasSold: true)
        let settled = try settle(priced.total, cart.tenders, hasCustomer: cart.customer != nil)
        let register = registers[cart.register]
        for (product, quantity) in taken(by: cart) { move(product, at: register.location, by: -quantity) }
        let paid = cart.tenders.reduce(0) { $0 + $1.amount }
        var sale = Sale(
            register: cart.register,
            customer: cart.customer,
            lines: zip(cart.lines, priced.lines).map { line, priced in
                SaleLine(
                    product: line.product,
                    quantity: line.quantity,
                    total: priced.total,
                    cost: products[line.product].cost
                )
            },
            total: priced.total,
            rounding: settled.rounding,
            paid: paid,
            due: settled.due,
            owner: owner
        )
        if let customer = cart.customer { customers[customer].balance += settled.due }
        for (place, tender) in cart.tenders.enumerated() {
            let payment = Payment(
                isIncoming: true,
                money: tender,
                rounding: place == settled.rounded ? settled.rounding : 0,
                category: "sale",
                target: .sales([(sales.count, tender.amount)]),
                sale: sales.count,
                customer: cart.customer,
                register: cart.register,
                owner: owner
            )
            sale.payments.append(payments.count)
            payments.append(payment)
            post(payment, at: cart.register)
        }
        sales.append(sale)
        var told = [
            "subtotal": priced.subtotal, "discount": priced.discount, "tax": priced.tax, "total": priced.total,
            "rounding": settled.rounding, "paid": paid, "due": settled.due,
        ]
        for (place, line) in priced.lines.enumerated() {
            told["lines/\(place)/total"] = line.total
            for (tax, amount) in line.taxes.enumerated() { told["lines/\(place)/taxes/\(tax)/amount"] = amount }
        }
        return told
    }

    // MARK: Undoing

    /// Whether a quantity has no more decimals than its product's unit.
    func isWhole(_ quantity: Micro, of product: Int) -> Bool {
        Int128(quantity) % Exact.ten(6 - products[product].decimals) == 0
    }

    /// Whether a payment was taken elsewhere: what no till took is of its sale, or as what is taken at the default one.
    func isElsewhere(payment place: Int, for clerk: Clerk) -> Bool {
        let payment = payments[place]
        let register = payment.register ?? payment.sale.map { sales[$0].register } ?? 0
        return isElsewhere(registers[register].location, for: clerk)
    }

    private func checkDrawer(of payment: Int) throws(ModelRefusal) {
        guard let register = payments[payment].register else { return }
        if isShut(register, for: [payments[payment].money.method]) { throw ModelRefusal(.sessionClosed) }
    }

    /// What a cancellation is refused with.
    func checkCancellation(of place: Int, by clerk: Clerk) throws(ModelRefusal) {
        let sale = sales[place]
        if isElsewhere(registers[sale.register].location, for: clerk) { throw ModelRefusal(.forbidden) }
        let standing = sale.payments.filter { !payments[$0].isReversed }
        if standing.contains(where: { isElsewhere(payment: $0, for: clerk) }) { throw ModelRefusal(.forbidden) }
        if sale.isCancelled || sale.isReturned { throw ModelRefusal(.invalidState) }
        for payment in standing {
            if case .sales(let shares) = payments[payment].target, shares.count > 1 {
                throw ModelRefusal(.invalidState)
            }
        }
        for payment in standing { try checkDrawer(of: payment) }
    }

    /// Cancels a sale: goods and money go back, nothing is due.
    mutating func cancel(_ place: Int) {
        let sale = sales[place]
        let location = registers[sale.register].location
        var goods: [Int: (quantity: Micro, cost: Micro)] = [:]
        for line in sale.lines where products[line.product].isTracked {
            goods[line.product] = ((goods[line.product]?.quantity ?? 0) + line.quantity, line.cost)
        }
        for (product, goods) in goods {
            move(product, at: location, by: goods.quantity, spent: Int128(goods.quantity) * Int128(goods.cost))
        }
        if let customer = sale.customer { customers[customer].balance -= sale.due }
        for payment in sale.payments where !payments[payment].isReversed {
            post(payments[payment], isReversal: true, at: payments[payment].register)
            payments[payment].isReversed = true
            sales[place].rounding -= payments[payment].rounding
        }
        sales[place].paid = 0
        sales[place].due = 0
        sales[place].isCancelled = true
    }

    /// What part of a line comes to, so that parts add up to the whole.
    func worth(of line: SaleLine, returning quantity: Micro) -> Minor {
        func worth(_ returned: Micro) -> Minor {
            Exact.divide(Int128(line.total) * Int128(returned), by: Int128(line.quantity))
        }
        return worth(line.returned + quantity) - worth(line.returned)
    }

    /// What is given back for goods that come back.
    func refund(of sale: Sale, _ lines: [ModelReturnLine]) -> (total: Minor, refund: Minor, owed: Minor) {
        let total = lines.reduce(0) { $0 + worth(of: sale.lines[$1.line], returning: $1.quantity) }
        let refund = max(0, total - sale.due)
        return (total, refund, refund > 0 ? max(0, refund + sale.rounding) : 0)
    }

    /// What refunds have to come to, as cash is counted in steps.
    func target(of owed: Minor, _ refunds: [ModelTender]) -> Minor {
        let other = refunds.reduce(0) { $0 + ($1.method.isCash ? 0 : $1.amount) }
        guard other < owed, refunds.isEmpty || refunds.contains(where: { $0.method.isCash }) else { return owed }
        return other + Exact.round(owed - other, to: rules.step)
    }

    private func checkRefunds(_ refunds: [ModelTender], owed: Minor, value: Minor) throws(ModelRefusal) {
        let paid = refunds.reduce(0) { $0 + $1.amount }
        if paid != target(of: owed, refunds) { throw ModelRefusal(.paymentMismatch) }
        if paid != value, let place = rounded(refunds), refunds[place].amount <= paid - value {
            throw ModelRefusal(.paymentMismatch)
        }
    }

    /// What a return is refused with.
    func checkReturn(
        of place: Int,
        at register: Int?,
        _ lines: [ModelReturnLine],
        _ refunds: [ModelTender],
        by clerk: Clerk
    ) throws(ModelRefusal) {
        let sale = sales[place]
        let till = register ?? sale.register
        if isElsewhere(registers[till].location, for: clerk) { throw ModelRefusal(.forbidden) }
        if sale.isCancelled { throw ModelRefusal(.invalidState) }
        if isShut(till, for: refunds.map(\.method)) { throw ModelRefusal(.sessionClosed) }
        if lines.contains(where: { sale.lines[$0.line].returned + $0.quantity > sale.lines[$0.line].quantity }) {
            throw ModelRefusal(.refundExceedsSold)
        }
        let worth = refund(of: sale, lines)
        try checkRefunds(refunds, owed: worth.owed, value: worth.refund)
    }

    /// Takes goods back: what is due falls first, the rest is given back.
    mutating func takeBack(
        of place: Int,
        at register: Int?,
        _ lines: [ModelReturnLine],
        _ refunds: [ModelTender],
        owner: Int
    ) -> [String: Minor] {
        let sale = sales[place]
        let till = register ?? sale.register
        let worth = refund(of: sale, lines)
        let paid = refunds.reduce(0) { $0 + $1.amount }
        var goods: [Int: (quantity: Micro, spent: Int128)] = [:]
        for line in lines {
            let sold = sale.lines[line.line]
            sales[place].lines[line.line].returned += line.quantity
            guard line.restocks, products[sold.product].isTracked else { continue }
            goods[sold.product, default: (0, 0)].quantity += line.quantity
            goods[sold.product, default: (0, 0)].spent += Int128(line.quantity) * Int128(sold.cost)
        }
        for (product, goods) in goods {
            // One movement of a product, which has one cost.
            let cost = Exact.divide(goods.spent, by: Int128(goods.quantity))
            move(
                product,
                at: registers[till].location,
                by: goods.quantity,
                spent: rules.forgetsCosts ? nil : Int128(goods.quantity) * Int128(cost)
            )
        }
        sales[place].isReturned = true
        sales[place].rounding -= paid - worth.refund
        sales[place].due = max(0, sale.due - worth.total)
        if let customer = sale.customer { customers[customer].balance -= min(sale.due, worth.total) }
        giveBack(refunds, rounding: paid - worth.refund, sale: place, customer: sale.customer, at: till, owner: owner)
        return ["total": worth.total, "refund": worth.refund, "rounding": paid - worth.refund]
    }

    private mutating func giveBack(
        _ refunds: [ModelTender],
        rounding: Minor,
        sale: Int?,
        customer: Int?,
        at register: Int,
        owner: Int
    ) {
        let place = rounding != 0 ? rounded(refunds) : nil
        for (index, tender) in refunds.enumerated() {
            let payment = Payment(
                isIncoming: false,
                money: tender,
                rounding: index == place ? rounding : 0,
                category: "refund",
                target: sale.map { .sales([($0, tender.amount)]) } ?? .nothing,
                sale: sale,
                customer: customer,
                register: register,
                owner: owner
            )
            if let sale { sales[sale].payments.append(payments.count) }
            payments.append(payment)
            post(payment, at: register)
        }
    }

    /// What a return of no known sale is refused with.
    func checkUnsold(
        at register: Int,
        _ lines: [ModelUnsoldLine],
        _ refunds: [ModelTender],
        by clerk: Clerk
    ) throws(ModelRefusal) {
        if isElsewhere(registers[register].location, for: clerk) { throw ModelRefusal(.forbidden) }
        if !rules.takesUnsold { throw ModelRefusal(.invalidState) }
        if isShut(register, for: refunds.map(\.method)) { throw ModelRefusal(.sessionClosed) }
        let total = worth(of: lines)
        try checkRefunds(refunds, owed: total, value: total)
        // Cashiers give nothing back, unless somebody approves of it.
        if clerk.role == .cashier { throw ModelRefusal(.returnLimit) }
    }

    /// What goods of no known sale come to.
    func worth(of lines: [ModelUnsoldLine]) -> Minor {
        lines.reduce(0) { $0 + Exact.amount($1.quantity, at: $1.price, decimals: rules.decimals) }
    }

    /// Takes back what no sale is known of; it is worth what the others are.
    mutating func takeBackUnsold(
        at register: Int,
        _ lines: [ModelUnsoldLine],
        _ refunds: [ModelTender],
        owner: Int
    )
        -> [String: Minor]
    {
        let total = worth(of: lines)
        for line in lines where line.restocks && products[line.product].isTracked {
            move(line.product, at: registers[register].location, by: line.quantity)
        }
        let paid = refunds.reduce(0) { $0 + $1.amount }
        giveBack(refunds, rounding: paid - total, sale: nil, customer: nil, at: register, owner: owner)
        return ["total": total, "refund": total, "rounding": paid - total]
    }
}

/// What the model says a command is refused with.
struct ModelRefusal: Error, Equatable {
    let code: Problem.Code

    init(_ code: Problem.Code) { self.code = code }
}
