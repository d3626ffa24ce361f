import Domain
import HTTPTypes
import Kernel
import Services

/// Sales: confirm, put away and take up again, price, list, look at one, change, cancel.
struct SalesRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let shop = self.shop
        return [
            .command(
                "/v1/sales",
                "confirmSale",
                "Confirm a sale, or put it away as a draft",
                area: "sales",
                access: .scope(.salesWrite),
                key: .required,
                store: shop.store,
                body: SaleRequest.body,
                answer: .reference("Sale"),
                problems: [
                    .insufficientStock, .productInactive, .discountLimit, .creditLimitExceeded, .sessionClosed,
                    .periodClosed, .paymentMismatch, .creditNeedsCustomer, .quantityPrecision, .duplicate, .forbidden,
                ]
            ) { (request, context, key) throws(Problem) in
                try await shop.sales.take(request, context, key: key)
            },
            .post(
                "/v1/sales/batch",
                "confirmSales",
                "Up to 100 sales, each by itself and under its own key; what became of each, in their order",
                area: "sales",
                access: .scope(.salesWrite),
                body: Body("SaleBatchRequest") { reader in
                    reader.objects("sales", of: "KeyedSale", count: 1...100) { KeyedSale.read(&$0) }
                },
                answer: .reference("SaleBatch")
            ) { call, sales in try await call.sell(sales, shop) },
            .freshPage(
                "/v1/exceptions",
                "listExceptions",
                "What sales would have been refused for that had happened already, the last first",
                area: "sales",
                access: .roles(.owner, .manager, scope: .salesOffline),
                store: shop.store,
                answer: .reference("SaleException"),
                query: { (query) -> SaleException.Status in
                    query.choice("status", "Open, or settled; open if left out.") ?? .open
                },
                reading: { (status, page, caller) throws(Problem) in
                    try shop.sales.exceptions(status, page, caller)
                }
            ),
            .action(
                "/v1/exceptions/{id}/settle",
                "settleException",
                "Settle what a sale would have been refused for",
                area: "sales",
                access: .roles(.owner, .manager),
                store: shop.store,
                body: Body("ExceptionNote") { $0.text("note", .note) },
                answer: .reference("SaleException"),
                givesTag: false,
                problems: [.invalidState]
            ) { (id, note, context, key) throws(Problem) in
                try await shop.sales.settle(id, note: note, context, key: key)
            },
            .post(
                "/v1/sales/price",
                "priceSale",
                "What a sale would come to; writes nothing",
                area: "sales",
                access: .scope(.salesWrite),
                body: SaleRequest.body,
                answer: .reference("PricedCart"),
                problems: [.productInactive, .discountLimit, .paymentMismatch, .quantityPrecision]
            ) { call, request in Reply(.ok, body: try await shop.sales.price(request, call.context())) },
            .post(
                "/v1/approvals",
                "approve",
                "Approve of one sale that whoever is at the till may not make",
                area: "sales",
                access: .roles(.owner, .manager),
                body: Body("ApprovalRequest") { ApprovalRequest.read(&$0) },
                status: .created,
                answer: .reference("Approval"),
                namesResource: false
            ) { call, request in try call.reply(await shop.sales.approve(request, call.context())) },
            .page(
                "/v1/sales",
                "listSales",
                "Sales",
                area: "sales",
                access: .scope(.salesRead),
                answer: .reference("SaleSummary"),
                query: { (SaleFilter.read(&$0), $0.names()) },
                selecting: { (selected, asked, page, caller) throws(Problem) in
                    guard case .ids(let ids) = selected else { return try shop.sales.list(asked.0, page, caller) }
                    return shop.sales.list(ids, caller, showing: asked.1)
                },
                reading: { (asked, page, caller) throws(Problem) in
                    try shop.sales.list(asked.0, page, caller, showing: asked.1)
                }
            ),
            .one(
                "/v1/sales/{id}",
                "readSale",
                "One sale with its lines and payments",
                area: "sales",
                access: .scope(.salesRead),
                answer: .reference("Sale"),
                query: { $0.names() },
                reading: { (id, names, caller) in shop.sales.sale(id, caller, showing: names) }
            ),
            .change(
                "/v1/sales/{id}",
                "changeSale",
                "Change a draft, or the remark on any sale",
                area: "sales",
                access: .scope(.salesWrite),
                body: Body("SalePatch") { SalePatch.read(&$0) },
                answer: .reference("Sale"),
                problems: [.invalidState, .insufficientStock, .productInactive, .quantityPrecision]
            ) { (id, patch, expected, context) throws(Problem) in
                try await shop.sales.change(id, patch, expected: expected, context)
            },
            .action(
                "/v1/sales/{id}/confirm",
                "confirmDraft",
                "Sell what was put away, at any till of its place",
                area: "sales",
                access: .scope(.salesWrite),
                store: shop.store,
                body: Body("SaleConfirmation") { SaleConfirmation.read(&$0) },
                answer: .reference("Sale"),
                problems: [
                    .invalidState, .priceChanged, .insufficientStock, .productInactive, .discountLimit,
                    .creditLimitExceeded, .sessionClosed, .periodClosed, .paymentMismatch, .creditNeedsCustomer,
                    .quantityPrecision,
                ]
            ) { (id, confirmation, context, key) throws(Problem) in
                try await shop.sales.confirm(id, confirmation, context, key: key)
            },
            .action(
                "/v1/sales/{id}/discard",
                "discardDraft",
                "Give a draft up",
                area: "sales",
                access: .scope(.salesWrite),
                store: shop.store,
                body: Body(isOptional: true) { _ in },
                answer: .reference("Sale"),
                problems: [.invalidState]
            ) { (id, _, context, key) throws(Problem) in try await shop.sales.discard(id, context, key: key) },
            .action(
                "/v1/sales/{id}/cancel",
                "cancelSale",
                "Cancel a sale: its goods go back, its payments are reversed",
                area: "sales",
                access: .scope(.salesWrite),
                store: shop.store,
                body: .reason,
                answer: .reference("Sale"),
                problems: [.invalidState, .sessionClosed, .periodClosed]
            ) { (id, reason, context, key) throws(Problem) in
                try await shop.sales.cancel(id, reason: reason, context, key: key)
            },
        ]
    }
}

extension Body<String> {
    /// Why something is undone, which is all that its command has to know.
    static let reason = Body("ReasonRequest") { $0.text("reason", .reason) }
}

extension SaleFilter {
    /// Reads what `GET /v1/sales` asks for.
    static func read(_ query: inout Query) -> SaleFilter {
        var filter = SaleFilter()
        filter.status = query.choice("status", "In this state only; confirmed and cancelled ones if left out.")
        filter.userID = query.id("user_id", "Drafts of this user only; with status=draft.")
        if filter.userID != nil, filter.status != .draft {
            query.fail("user_id", .notAllowed, "Only drafts are listed by user: add status=draft.")
        }
        filter.customerID = query.id("customer_id", "Of this customer only.")
        filter.registerID = query.id("register_id", "Of this register only.")
        filter.number = query.integer(
            "number",
            1...Int.max,
            "With this number only; each register counts by itself."
        ).map { Int64($0) }
        filter.days = query.days()
        filter.sort = query.order(
            "the newest first",
            "By total only with from and to, \(SaleFilter.longestSorted) days at most, and without number."
        )
        if filter.sort != .newest { filter.checkSorted(&query) }
        return filter
    }
    /// Notes what keeps sales from being sorted by their totals.
    private func checkSorted(_ query: inout Query) {
        if number != nil { query.fail("number", .conflict, "Does not go with sort=\(sort.rawValue).") }
        guard let from = days.from, let to = days.to else {
            for (name, day) in [("from", days.from), ("to", days.to)] where day == nil {
                query.fail(name, .required, "Sales are sorted by total of some days only.")
            }
            return
        }
        if from.adding(days: Self.longestSorted) ?? to <= to {
            query.fail("to", .outOfRange, "Must be within \(Self.longestSorted) days of from, \(from).")
        }
    }
}
