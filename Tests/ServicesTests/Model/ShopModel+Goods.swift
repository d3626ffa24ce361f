import Kernel

extension ShopModel {
    // MARK: Purchases

    /// Makes a draft of what is to be bought; what comes on top is spread over its lines by what they come to.
    mutating func draft(_ order: ModelOrder, owner: Int) -> [String: Minor] {
        let totals = order.lines.map { Exact.amount($0.quantity, at: $0.cost, decimals: rules.decimals) }
        let extras = order.extras.reduce(0, +)
        let weights = totals.reduce(0, +) > 0 ? totals : order.lines.map(\.quantity)
        let shares = Exact.spread(extras, over: weights)
        let lines = zip(order.lines, shares).map { line, share in
            // unit cost + share / quantity, in millionths.
            let shared = Int128(share) * Exact.ten(12 - rules.decimals)
            let landed = Exact.divide(Int128(line.cost) * Int128(line.quantity) + shared, by: Int128(line.quantity))
            return PurchaseLine(product: line.product, quantity: line.quantity, landed: landed, open: line.quantity)
        }
        let total = totals.reduce(extras, +)
        purchases.append(
            Purchase(
                supplier: order.supplier,
                location: order.location,
                total: total,
                dueOn: order.dueOn,
                lines: lines,
                owner: owner
            )
        )
        return ["goods": total - extras, "total": total, "paid": 0, "due": 0]
    }

    /// What a draft is refused with.
    func check(_ order: ModelOrder, by clerk: Clerk) throws(ModelRefusal) {
        if isElsewhere(order.location, for: clerk) { throw ModelRefusal(.forbidden) }
        if order.lines.contains(where: { products[$0.product].isArchived }) { throw ModelRefusal(.validationFailed) }
    }

    /// What a step of a purchase is refused with.
    func checkPurchase(_ place: Int, in states: [Purchase.State], by clerk: Clerk) throws(ModelRefusal) {
        if isElsewhere(purchases[place].location, for: clerk) { throw ModelRefusal(.forbidden) }
        if !states.contains(purchases[place].state) { throw ModelRefusal(.invalidState) }
    }

    /// What goods that come are refused with: no more than is open.
    func checkReceipt(
        of place: Int,
        _ lines: [(line: Int, quantity: Micro)],
        by clerk: Clerk
    ) throws(ModelRefusal) {
        try checkPurchase(place, in: [.ordered, .partiallyReceived], by: clerk)
        if lines.contains(where: { $0.quantity > purchases[place].lines[$0.line].open }) {
            throw ModelRefusal(.validationFailed)
        }
    }

    /// Takes goods in at what they cost; all that is open without lines.
    mutating func receive(_ place: Int, _ lines: [(line: Int, quantity: Micro)]) {
        let all = purchases[place].lines.indices.map { (line: $0, quantity: purchases[place].lines[$0].open) }
        var goods: [Int: (quantity: Micro, spent: Int128)] = [:]
        for (line, quantity) in lines.isEmpty ? all : lines where quantity > 0 {
            purchases[place].lines[line].received += quantity
            purchases[place].lines[line].open -= quantity
            let bought = purchases[place].lines[line]
            guard products[bought.product].isTracked else { continue }
            goods[bought.product, default: (0, 0)].quantity += quantity
            goods[bought.product, default: (0, 0)].spent += Int128(quantity) * Int128(bought.landed)
        }
        for (product, goods) in goods {
            move(product, at: purchases[place].location, by: goods.quantity, spent: goods.spent)
        }
        let isDone = purchases[place].lines.allSatisfy { $0.open == 0 }
        purchases[place].state = isDone ? .received : .partiallyReceived
    }

    /// What came of a purchase, by product.
    func received(of place: Int) -> [Int: (quantity: Micro, spent: Int128)] {
        purchases[place].lines.reduce(into: [:]) { goods, line in
            guard products[line.product].isTracked, line.received > 0 else { return }
            goods[line.product, default: (0, 0)].quantity += line.received
            goods[line.product, default: (0, 0)].spent += Int128(line.received) * Int128(line.landed)
        }
    }

    /// What the cancellation of a purchase is refused with.
    func checkPurchaseCancellation(of place: Int, by clerk: Clerk) throws(ModelRefusal) {
        try checkPurchase(place, in: [.draft, .ordered, .partiallyReceived, .received], by: clerk)
        if purchases[place].paid > 0 { throw ModelRefusal(.inUse) }
        let location = purchases[place].location
        if received(of: place).contains(where: { !mayMove($0.key, at: location, by: -$0.value.quantity) }) {
            throw ModelRefusal(.insufficientStock)
        }
    }

    /// Cancels a purchase: what came goes back, and its cost out of the average.
    mutating func cancelPurchase(_ place: Int) {
        for (product, goods) in received(of: place) {
            move(product, at: purchases[place].location, by: -goods.quantity, spent: -goods.spent)
        }
        for line in purchases[place].lines.indices { purchases[place].lines[line].open = 0 }
        purchases[place].due = 0
        purchases[place].state = .cancelled
    }

    // MARK: Movements

    /// What movements are refused with.
    func check(_ movements: [ModelMovement], by clerk: Clerk) throws(ModelRefusal) {
        if movements.contains(where: { isElsewhere($0.location, for: clerk) }) { throw ModelRefusal(.forbidden) }
        for movement in movements {
            if let expected = movement.expected, expected != products[movement.product].onHand[movement.location] {
                throw ModelRefusal(.stockChanged)
            }
        }
        if movements.contains(where: { $0.kind == .opening && products[$0.product].hasMoved[$0.location] }) {
            throw ModelRefusal(.invalidState)
        }
        if movements.contains(where: { !mayMove($0.product, at: $0.location, by: $0.signed) }) {
            throw ModelRefusal(.insufficientStock)
        }
    }

    /// Records movements.
    mutating func record(_ movements: [ModelMovement]) {
        for movement in movements {
            let cost = movement.signed > 0 ? movement.cost : nil
            move(
                movement.product,
                at: movement.location,
                by: movement.signed,
                spent: cost.map { Int128($0) * Int128(movement.signed) }
            )
        }
    }

    // MARK: Counts

    /// What the lines of a count are refused with.
    func checkLines(
        of place: Int,
        _ lines: [(product: Int, counted: Micro)],
        by clerk: Clerk
    ) throws(ModelRefusal) {
        try checkCount(place, by: clerk)
        let others = counts.indices.filter {
            $0 != place && counts[$0].isOpen && counts[$0].location == counts[place].location
        }
        if lines.contains(where: { line in others.contains { counts[$0].lines[line.product] != nil } }) {
            throw ModelRefusal(.duplicate)
        }
    }

    /// What is refused of a count that ended.
    func checkCount(_ place: Int, by clerk: Clerk) throws(ModelRefusal) {
        if isElsewhere(counts[place].location, for: clerk) { throw ModelRefusal(.forbidden) }
        if !counts[place].isOpen { throw ModelRefusal(.invalidState) }
    }

    /// What the end of a count is refused with.
    func checkEnd(of place: Int, closes: Bool, by clerk: Clerk) throws(ModelRefusal) {
        try checkCount(place, by: clerk)
        let count = counts[place]
        if closes, count.lines.contains(where: { !mayMove($0.key, at: count.location, by: $0.value) }) {
            throw ModelRefusal(.insufficientStock)
        }
    }

    /// Enters what was counted beside what should have been there.
    mutating func enter(_ lines: [(product: Int, counted: Micro)], seen: [Micro]?, into place: Int) {
        for (index, line) in lines.enumerated() {
            let there = seen.map { $0[index] } ?? products[line.product].onHand[counts[place].location]
            counts[place].lines[line.product] = line.counted - there
        }
    }

    /// Ends a count; closed, its differences move.
    mutating func end(_ place: Int, closes: Bool) {
        counts[place].isOpen = false
        guard closes else { return }
        for (product, difference) in counts[place].lines where difference != 0 {
            move(product, at: counts[place].location, by: difference)
        }
    }

    // MARK: Transfers

    /// What the sending of a transfer is refused with.
    func checkSending(of place: Int, by clerk: Clerk) throws(ModelRefusal) {
        let transfer = transfers[place]
        if isElsewhere(transfer.from, for: clerk) { throw ModelRefusal(.forbidden) }
        if transfer.state != .draft { throw ModelRefusal(.invalidState) }
        if transfer.lines.contains(where: { !mayMove($0.product, at: transfer.from, by: -$0.quantity) }) {
            throw ModelRefusal(.insufficientStock)
        }
    }

    /// Sends a draft: its goods are on their way.
    mutating func send(_ place: Int) {
        for line in transfers[place].lines {
            move(line.product, at: transfers[place].from, by: -line.quantity)
            move(line.product, at: transit, by: line.quantity)
        }
        transfers[place].state = .sent
    }

    /// What goods that arrive are refused with: no more than is on its way.
    func checkArrival(
        of place: Int,
        _ lines: [(line: Int, came: Micro, lost: Micro)],
        by clerk: Clerk
    ) throws(ModelRefusal) {
        if isElsewhere(transfers[place].to, for: clerk) { throw ModelRefusal(.forbidden) }
        if transfers[place].state != .sent { throw ModelRefusal(.invalidState) }
        if lines.contains(where: { $0.came + $0.lost > transfers[place].lines[$0.line].left }) {
            throw ModelRefusal(.validationFailed)
        }
    }

    /// Receives what is on its way, or loses it; all that is left comes without lines.
    mutating func arrive(_ place: Int, _ lines: [(line: Int, came: Micro, lost: Micro)]) {
        let all = transfers[place].lines.indices.map { (line: $0, came: transfers[place].lines[$0].left, lost: 0) }
        for (line, came, lost) in lines.isEmpty ? all : lines {
            let product = transfers[place].lines[line].product
            transfers[place].lines[line].left -= came + lost
            move(product, at: transit, by: -came - lost)
            if came > 0 { move(product, at: transfers[place].to, by: came) }
        }
        if transfers[place].lines.allSatisfy({ $0.left == 0 }) { transfers[place].state = .received }
    }
}
