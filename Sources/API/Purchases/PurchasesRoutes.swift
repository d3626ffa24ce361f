import Domain
import HTTPTypes
import Kernel
import Services

/// What the shop buys.
struct PurchasesRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let shop = self.shop
        let answer = Schema.reference("Purchase")
        return [
            .command(
                "/v1/purchases",
                "createPurchase",
                "Make a draft of a purchase",
                area: "purchases",
                access: .scope(.stockWrite),
                key: .required,
                store: shop.store,
                body: Body("PurchaseRequest") { PurchaseRequest.read(&$0) },
                answer: answer,
                problems: [.duplicate, .periodClosed, .quantityPrecision]
            ) { (request, context, key) throws(Problem) in try await shop.purchases.create(request, context, key: key)
            },
            .page(
                "/v1/purchases",
                "listPurchases",
                "Purchases, newest first",
                area: "purchases",
                access: .scope(.stockRead),
                answer: .reference("PurchaseSummary"),
                query: { PurchaseFilter.read(&$0) },
                reading: { (filter, page, caller) throws(Problem) in try shop.purchases.list(filter, page, caller) }
            ),
            .command(
                "/v1/purchases/reorder",
                "reorder",
                "Make a draft for each supplier of what runs short, at what it cost last",
                area: "purchases",
                access: .scope(.stockWrite),
                key: .required,
                store: shop.store,
                body: Body("ReorderRequest", isOptional: true) { ReorderRequest.read(&$0) },
                answer: .object([.required("data", .array(.reference("PurchaseSummary")))]),
                namesResource: false
            ) { (request, context, key) throws(Problem) in try await shop.purchases.reorder(request, context, key: key)
            },
            .page(
                "/v1/reports/reorder",
                "listReorder",
                "What is below its minimal stock, what is on order counted in, by name",
                area: "purchases",
                access: .scope(.stockRead),
                answer: .reference("ReorderLine"),
                query: { (query: inout Query) -> ID<Supplier>? in
                    query.id("supplier_id", "What was bought last from this supplier only.")
                },
                reading: { (supplier, page, caller) throws(Problem) in
                    try shop.purchases.short(of: supplier, page, caller)
                }
            ).tabular,
            .one(
                "/v1/purchases/{id}",
                "readPurchase",
                "One purchase with its lines and costs",
                area: "purchases",
                access: .scope(.stockRead),
                answer: answer
            ) { shop.purchases.purchase($0, $1) },
            .change(
                "/v1/purchases/{id}",
                "changePurchase",
                "Change a draft of a purchase",
                area: "purchases",
                access: .scope(.stockWrite),
                body: Body("PurchasePatch", PurchaseFields.changed),
                answer: answer,
                problems: [.duplicate, .invalidState, .quantityPrecision]
            ) { (id, fields, expected, context) throws(Problem) in
                try await shop.purchases.change(id, fields, expected: expected, context)
            },
            .action(
                "/v1/purchases/{id}/order",
                "orderPurchase",
                "Order a draft: it takes its number and is owed",
                area: "purchases",
                access: .scope(.stockWrite),
                store: shop.store,
                body: Body("PurchaseOrderRequest", isOptional: true) { $0.optionalText("note", .note) },
                answer: answer,
                problems: [.invalidState]
            ) { (id, note, context, key) throws(Problem) in
                try await shop.purchases.order(id, note: note, context, key: key)
            },
            .action(
                "/v1/purchases/{id}/receive",
                "receivePurchase",
                "Take in goods that came: these lines, or all that is open",
                area: "purchases",
                access: .scope(.stockWrite),
                store: shop.store,
                body: Body("ReceiptRequest", isOptional: true) { ReceiptRequest.read(&$0) },
                answer: answer,
                problems: [.invalidState, .periodClosed, .quantityPrecision]
            ) { (id, request, context, key) throws(Problem) in
                try await shop.purchases.receive(id, request, context, key: key)
            },
            .action(
                "/v1/purchases/{id}/cancel",
                "cancelPurchase",
                "Cancel a purchase that nothing was paid for: what came goes back",
                area: "purchases",
                access: .scope(.stockWrite),
                store: shop.store,
                body: Body("PurchaseCancellation", isOptional: true) { $0.optionalText("reason", .reason) },
                answer: answer,
                problems: [.invalidState, .inUse, .insufficientStock, .periodClosed]
            ) { (id, reason, context, key) throws(Problem) in
                try await shop.purchases.cancel(id, reason: reason, context, key: key)
            },
        ]
    }
}
