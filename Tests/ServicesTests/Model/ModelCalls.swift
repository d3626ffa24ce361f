import Domain
import Kernel
import TestSupport

@testable import Services

/// One command as the services take it.
typealias ModelCall = @Sendable (Shop, CallContext, IdempotencyKey?) async throws(Problem) -> Answer

/// The ids of what the model calls by its place.
struct ModelIDs: Sendable {
    enum Spending: Sendable {
        case expense(ID<ExpenseSource>)
        case manual(ID<ManualSource>)
    }

    let decimals: Int
    var sales: [SaleID] = []
    var saleLines: [[SaleLineID]] = []
    var payments: [PaymentID] = []
    var purchases: [PurchaseID] = []
    var purchaseLines: [[PurchaseLineID]] = []
    var counts: [StockCountID] = []
    var transfers: [TransferID] = []
    var transferLines: [[TransferLineID]] = []
    var drawers: [CashSessionID] = []
    var spendings: [Spending] = []

    init(decimals: Int) { self.decimals = decimals }

    // MARK: Names

    /// The id of the row of a kind at a place, the same for every tenant.
    static func id(_ kind: String, _ place: Int) -> String {
        let digits = String(place, radix: 16)
        return "00000000-0000-7000-8000-00000000\(kind)\(digits.count < 2 ? "0" : "")\(digits)"
    }

    /// The location at a place; the first is the one that every tenant has.
    static func location(_ place: Int) -> String { place == 0 ? id("00", 1) : id("0a", place) }

    private func made<Made>(_ text: String?, _ make: (String) -> Made?) throws -> Made {
        try required(text.flatMap(make))
    }

    private func location(_ place: Int) throws(Problem) -> LocationID { try known(LocationID(Self.location(place))) }
    private func register(_ place: Int) throws(Problem) -> RegisterID { try known(RegisterID(Self.id("0b", place))) }
    private func product(_ place: Int) throws(Problem) -> ProductID { try known(ProductID(Self.id("01", place))) }

    private func known<Value>(_ value: Value?) throws(Problem) -> Value {
        guard let value else { throw .notFound }
        return value
    }

    // MARK: Figures

    private func money(_ amount: Minor) -> Money { Money(rawValue: Int64(amount) * Int64(Exact.ten(4 - decimals))) }

    private func quantity(_ quantity: Micro) -> Quantity { Quantity(rawValue: Int64(quantity)) }

    private func price(_ price: Micro) -> Price { Price(rawValue: Int64(price)) }

    private func method(_ method: ModelMethod) throws(Problem) -> PaymentMethodCode {
        try known(PaymentMethodCode(rawValue: method.rawValue))
    }

    private func tender(_ tender: ModelTender) throws(Problem) -> Tender {
        Tender(
            method: try method(tender.method),
            amount: money(tender.amount),
            tip: money(tender.tip),
            tendered: tender.tendered.map(money)
        )
    }

    private func refunds(_ refunds: [ModelTender]) throws(Problem) -> [Refund] {
        try refunds.map { refund throws(Problem) in
            Refund(method: try method(refund.method), amount: money(refund.amount))
        }
    }

    // MARK: Calls

    /// The call that a command comes to.
    func call(_ command: ModelCommand) throws(Problem) -> ModelCall {
        switch command {
        case .sell, .cancelSale, .takeBack, .takeBackUnsold: try saleCall(command)
        case .collect, .pay, .reversePayment, .openDrawer, .drawerEntry, .closeDrawer, .spend, .reverseSpending:
            try moneyCall(command)
        case .draftPurchase, .orderPurchase, .receive, .cancelPurchase: try purchaseCall(command)
        default: try goodsCall(command)
        }
    }

    private func saleCall(_ command: ModelCommand) throws(Problem) -> ModelCall {
        switch command {
        case .sell(let cart):
            var request = SaleRequest(lines: [])
            request.registerID = try register(cart.register)
            request.customerID = try cart.customer.map { place throws(Problem) in
                try known(CustomerID(Self.id("0c", place)))
            }
            for line in cart.lines {
                request.lines.append(
                    SaleRequest.Line(
                        product: .id(try product(line.product)),
                        quantity: quantity(line.quantity),
                        unitPrice: line.price.map(price),
                        discount: money(line.discount)
                    )
                )
            }
            request.discount = money(cart.discount)
            request.payments = try cart.tenders.map { tender throws(Problem) in try self.tender(tender) }
            let sale = request
            return { shop, context, key throws(Problem) in try await shop.sales.confirm(sale, context, key: key) }
        case .takeBack(let place, let till, let lines, let refunds):
            var request = ReturnRequest(lines: [], payments: try self.refunds(refunds))
            request.registerID = try till.map { place throws(Problem) in try register(place) }
            for line in lines {
                request.lines.append(
                    ReturnRequest.Line(
                        saleLineID: saleLines[place][line.line],
                        quantity: quantity(line.quantity),
                        restocks: line.restocks
                    )
                )
            }
            let (sale, back) = (sales[place], request)
            return { shop, context, key throws(Problem) in try await shop.sales.takeBack(sale, back, context, key: key)
            }
        case .takeBackUnsold(let till, let lines, let refunds):
            var request = UnsoldReturnRequest(
                registerID: try register(till),
                lines: [],
                payments: try self.refunds(refunds)
            )
            for line in lines {
                request.lines.append(
                    UnsoldReturnRequest.Line(
                        product: .id(try product(line.product)),
                        quantity: quantity(line.quantity),
                        unitPrice: price(line.price),
                        restocks: line.restocks
                    )
                )
            }
            let back = request
            return { shop, context, key throws(Problem) in try await shop.sales.takeBack(back, context, key: key) }
        case .cancelSale(let place):
            let sale = sales[place]
            return { shop, context, key throws(Problem) in
                try await shop.sales.cancel(sale, reason: "помилка", context, key: key)
            }
        default: throw .notFound
        }
    }

    private func moneyCall(_ command: ModelCommand) throws(Problem) -> ModelCall {
        switch command {
        case .collect(let sale, let customer, let money, let till):
            let request = PaymentRequest(
                tender: try tender(money),
                saleID: sale.map { sales[$0] },
                customerID: try customer.map { place throws(Problem) in try known(CustomerID(Self.id("0c", place))) },
                registerID: try till.map { place throws(Problem) in try register(place) }
            )
            return { shop, context, key throws(Problem) in try await shop.payments.register(request, context, key: key)
            }
        case .pay(let purchase, let supplier, let money, let till):
            let request = PaymentRequest(
                direction: .outgoing,
                tender: try tender(money),
                purchaseID: purchase.map { purchases[$0] },
                supplierID: try supplier.map { place throws(Problem) in
                    try known(ID<Supplier>(Self.id("0d", place)))
                },
                registerID: try till.map { place throws(Problem) in try register(place) }
            )
            return { shop, context, key throws(Problem) in try await shop.payments.register(request, context, key: key)
            }
        case .reversePayment(let place):
            let payment = payments[place]
            return { shop, context, key throws(Problem) in
                try await shop.payments.reverse(payment, reason: "chargeback", context, key: key)
            }
        case .openDrawer(let place, let float):
            let (register, opening) = (try register(place), CashSessionOpening(float: money(float)))
            return { shop, context, key throws(Problem) in
                try await shop.cash.open(register, opening, context, key: key)
            }
        case .drawerEntry(let place, let kind, let amount):
            let (drawer, amount) = (drawers[place], money(amount))
            let entry = CashEntryRequest(kind: try known(CashEntryKind(rawValue: kind.rawValue)), amount: amount)
            return { shop, context, key throws(Problem) in
                try await shop.cash.record(drawer, entry, context, key: key)
            }
        case .closeDrawer(let place, let counted):
            let (drawer, count) = (drawers[place], CashCount(counted: money(counted)))
            return { shop, context, key throws(Problem) in try await shop.cash.close(drawer, count, context, key: key) }
        case .spend(let spending):
            let request = MoneyEntryRequest(
                direction: spending.isIncome ? .income : .expense,
                category: spending.category,
                registerID: try spending.register.map { place throws(Problem) in try register(place) },
                amount: money(spending.money.amount),
                method: try method(spending.money.method)
            )
            let isExpense = spending.isExpense
            return { shop, context, key throws(Problem) in
                isExpense
                    ? try await shop.expenses.record(request, context, key: key)
                    : try await shop.ledgerEntries.record(request, context, key: key)
            }
        case .reverseSpending(let place):
            let spending = spendings[place]
            return { shop, context, key throws(Problem) in
                switch spending {
                case .expense(let id): try await shop.expenses.reverse(id, reason: "twice", context, key: key)
                case .manual(let id): try await shop.ledgerEntries.reverse(id, reason: "twice", context, key: key)
                }
            }
        default: throw .notFound
        }
    }

    private func purchaseCall(_ command: ModelCommand) throws(Problem) -> ModelCall {
        switch command {
        case .draftPurchase(let order):
            var fields = PurchaseFields()
            fields.supplierID = .set(try known(ID<Supplier>(Self.id("0d", order.supplier))))
            fields.locationID = .set(try location(order.location))
            var lines: [PurchaseFields.Line] = []
            for line in order.lines {
                lines.append(
                    PurchaseFields.Line(
                        product: .id(try product(line.product)),
                        quantity: quantity(line.quantity),
                        unitCost: price(line.cost)
                    )
                )
            }
            fields.lines = .set(lines)
            fields.costs = .set(order.extras.map { PurchaseFields.Cost(name: "frete", amount: money($0)) })
            if let day = order.dueOn {
                fields.dueOn = .set(BusinessDay("2031-01-\(day < 10 ? "0" : "")\(day)"))
            }
            let request = PurchaseRequest(fields: fields)
            return { shop, context, key throws(Problem) in try await shop.purchases.create(request, context, key: key) }
        case .orderPurchase(let place):
            let purchase = purchases[place]
            return { shop, context, key throws(Problem) in
                try await shop.purchases.order(purchase, note: nil, context, key: key)
            }
        case .receive(let place, let lines):
            let purchase = purchases[place]
            let request = ReceiptRequest(
                lines: lines.map {
                    ReceiptRequest.Line(lineID: purchaseLines[place][$0.line], quantity: quantity($0.quantity))
                }
            )
            return { shop, context, key throws(Problem) in
                try await shop.purchases.receive(purchase, request, context, key: key)
            }
        case .cancelPurchase(let place):
            let purchase = purchases[place]
            return { shop, context, key throws(Problem) in
                try await shop.purchases.cancel(purchase, reason: nil, context, key: key)
            }
        default: throw .notFound
        }
    }

    private func goodsCall(_ command: ModelCommand) throws(Problem) -> ModelCall {
        switch command {
        case .move(let movements):
            var rows: [MovementsRequest.Movement] = []
            for movement in movements {
                rows.append(
                    MovementsRequest.Movement(
                        product: .id(try product(movement.product)),
                        type: try known(EnteredMovement(rawValue: movement.kind.rawValue)),
                        quantity: quantity(movement.quantity),
                        reason: "überprüft",
                        unitCost: movement.cost.map(price),
                        expectedOnHand: movement.expected.map(quantity),
                        locationID: try location(movement.location)
                    )
                )
            }
            let request = MovementsRequest(movements: rows)
            return { shop, context, key throws(Problem) in try await shop.stock.record(request, context, key: key) }
        case .openCount(let place):
            let request = CountRequest(locationID: try location(place))
            return { shop, context, key throws(Problem) in try await shop.counts.open(request, context, key: key) }
        case .enterCount(let place, let lines):
            let count = counts[place]
            var counted: [CountedProduct] = []
            for line in lines {
                counted.append(CountedProduct(product: .id(try product(line.product)), counted: quantity(line.counted)))
            }
            let entered = counted
            return { shop, context, _ throws(Problem) in try await shop.counts.enter(count, entered, context) }
        case .endCount(let place, let closes):
            let count = counts[place]
            return { shop, context, key throws(Problem) in
                closes
                    ? try await shop.counts.close(count, context, key: key)
                    : try await shop.counts.cancel(count, context, key: key)
            }
        case .draftTransfer(let from, let to, let lines):
            var request = TransferRequest(
                fromLocationID: try location(from),
                toLocationID: try location(to),
                lines: []
            )
            for line in lines {
                request.lines.append(.init(product: .id(try product(line.product)), quantity: quantity(line.quantity)))
            }
            let transfer = request
            return { shop, context, key throws(Problem) in try await shop.transfers.draft(transfer, context, key: key) }
        case .sendTransfer(let place):
            let transfer = transfers[place]
            return { shop, context, key throws(Problem) in try await shop.transfers.send(transfer, context, key: key) }
        case .receiveTransfer(let place, let lines):
            let transfer = transfers[place]
            let came = lines.map {
                ReceivedLine(
                    lineID: transferLines[place][$0.line],
                    quantity: quantity($0.came),
                    lost: quantity($0.lost),
                    reason: $0.lost > 0 ? "łamane" : nil
                )
            }
            return { shop, context, key throws(Problem) in
                try await shop.transfers.receive(transfer, came, context, key: key)
            }
        case .cancelTransfer(let place):
            let transfer = transfers[place]
            return { shop, context, key throws(Problem) in
                try await shop.transfers.cancel(transfer, context, key: key)
            }
        case .reprice(let place, let price):
            var fields = ProductFields()
            fields.price = .set(self.price(price))
            return try productCall(place, fields)
        case .archive(let place, let isArchived):
            var fields = ProductFields()
            fields.status = .set(isArchived ? .archived : .active)
            return try productCall(place, fields)
        case .oversell(let place, let isAllowed):
            var fields = ProductFields()
            fields.oversell = .set(isAllowed ? .allow : .deny)
            return try productCall(place, fields)
        default: throw .notFound
        }
    }

    private func productCall(_ place: Int, _ fields: ProductFields) throws(Problem) -> ModelCall {
        let product = try product(place)
        return { shop, context, _ throws(Problem) in
            try await shop.products.change(product, fields, expected: .any, context)
        }
    }

    // MARK: Answers

    /// Keeps the ids of what a command made.
    mutating func adopt(_ command: ModelCommand, _ body: JSONObjectBody) throws {
        switch command {
        case .sell(let cart):
            sales.append(try made(body["id"]) { SaleID($0) })
            saleLines.append(try body.list("lines").map { line in try made(line["id"]) { SaleLineID($0) } })
            try adopt(cart.tenders, of: body)
        case .takeBack(_, _, _, let refunds), .takeBackUnsold(_, _, let refunds): try adopt(refunds, of: body)
        case .collect, .pay: payments.append(try made(body["id"]) { PaymentID($0) })
        case .draftPurchase:
            purchases.append(try made(body["id"]) { PurchaseID($0) })
            purchaseLines.append(try body.list("lines").map { line in try made(line["id"]) { PurchaseLineID($0) } })
        case .openCount: counts.append(try made(body["id"]) { StockCountID($0) })
        case .draftTransfer(_, _, let lines):
            transfers.append(try made(body["id"]) { TransferID($0) })
            let told = body.list("lines")
            transferLines.append(
                try lines.map { line in
                    let product = Self.id("01", line.product)
                    return try made(told.first { $0["product_id"] == product }?["id"]) { TransferLineID($0) }
                }
            )
        case .openDrawer: drawers.append(try made(body["id"]) { CashSessionID($0) })
        case .spend(let spending):
            spendings.append(
                spending.isExpense
                    ? .expense(try made(body["id"]) { ID<ExpenseSource>($0) })
                    : .manual(try made(body["id"]) { ID<ManualSource>($0) })
            )
        default: break
        }
    }

    /// Payments are told by their methods, of which each is named once.
    private mutating func adopt(_ tenders: [ModelTender], of body: JSONObjectBody) throws {
        let told = body.list("payments")
        for tender in tenders {
            payments.append(
                try made(told.first { $0["method"] == tender.method.rawValue }?["id"]) { PaymentID($0) }
            )
        }
    }
}
