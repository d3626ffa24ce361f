import Domain
import HTTPTypes
import Kernel
import Services

/// Quotes, and the sales that are made of them.
struct QuotesRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let (store, quotes) = (shop.store, shop.quotes)
        let answer = Schema.reference("Quote")
        return [
            .command(
                "/v1/quotes",
                "createQuote",
                "Write a quote",
                area: "quotes",
                access: .scope(.salesWrite),
                key: .required,
                store: store,
                body: Body("QuoteRequest") { QuoteRequest.read(&$0) },
                answer: answer,
                problems: [.productInactive, .discountLimit, .quantityPrecision]
            ) { (request, context, key) throws(Problem) in try await quotes.create(request, context, key: key) },
            .page(
                "/v1/quotes",
                "listQuotes",
                "Quotes, newest first",
                area: "quotes",
                access: .scope(.salesRead),
                answer: .reference("QuoteSummary"),
                query: { QuoteFilter.read(&$0) },
                reading: { (filter, page, caller) throws(Problem) in try quotes.list(filter, page, caller) }
            ),
            .one(
                "/v1/quotes/{id}",
                "readQuote",
                "One quote with its lines",
                area: "quotes",
                access: .scope(.salesRead),
                answer: answer
            ) { quotes.quote($0, $1) },
            .change(
                "/v1/quotes/{id}",
                "changeQuote",
                "Change a quote that is a draft",
                area: "quotes",
                access: .scope(.salesWrite),
                body: Body("QuotePatch") { QuotePatch.read(&$0) },
                answer: answer,
                problems: [.invalidState, .productInactive, .discountLimit, .quantityPrecision]
            ) { (id, patch, expected, context) throws(Problem) in
                try await quotes.change(id, patch, expected: expected, context)
            },
            .action(
                "/v1/quotes/{id}/send",
                "sendQuote",
                "Send a draft, which gives it its number",
                area: "quotes",
                access: .scope(.salesWrite),
                store: store,
                body: Body(isOptional: true) { _ in },
                answer: answer,
                problems: [.invalidState]
            ) { (id, _, context, key) throws(Problem) in try await quotes.send(id, context, key: key) },
            .action(
                "/v1/quotes/{id}/accept",
                "acceptQuote",
                "Note that the customer takes a quote",
                area: "quotes",
                access: .scope(.salesWrite),
                store: store,
                body: Body(isOptional: true) { _ in },
                answer: answer,
                problems: [.invalidState, .insufficientStock]
            ) { (id, _, context, key) throws(Problem) in try await quotes.accept(id, context, key: key) },
            .action(
                "/v1/quotes/{id}/cancel",
                "cancelQuote",
                "Note that nothing comes of a quote",
                area: "quotes",
                access: .scope(.salesWrite),
                store: store,
                body: Body(isOptional: true) { _ in },
                answer: answer,
                problems: [.invalidState]
            ) { (id, _, context, key) throws(Problem) in try await quotes.cancel(id, context, key: key) },
            .action(
                "/v1/quotes/{id}/convert",
                "convertQuote",
                "Sell what was quoted, once, at the quote's prices",
                area: "quotes",
                access: .scope(.salesWrite),
                store: store,
                body: Body("SaleConfirmation") { SaleConfirmation.read(&$0) },
                status: .created,
                answer: .reference("Sale"),
                problems: [
                    .invalidState, .insufficientStock, .productInactive, .creditLimitExceeded, .sessionClosed,
                    .periodClosed, .paymentMismatch, .creditNeedsCustomer, .quantityPrecision,
                ]
            ) { (id, confirmation, context, key) throws(Problem) in
                try await quotes.convert(id, confirmation, context, key: key)
            },
        ]
    }
}

extension QuoteRequest {
    /// Reads the body of `POST /v1/quotes`.
    static func read(_ reader: inout JSONObjectReader) -> QuoteRequest {
        var cart = SaleRequest(
            registerID: reader.optionalID("register_id"),
            customerID: reader.optionalID("customer_id"),
            note: reader.optional("note", .note()),
            discount: reader.optionalMoney("discount") ?? .zero,
            lines: SaleRequest.Line.read(&reader),
            purpose: .offer
        )
        let validUntil: BusinessDay? = reader.optional("valid_until", .date)
        cart.approval = reader.approval()
        return QuoteRequest(cart: cart, validUntil: validUntil)
    }
}

extension QuotePatch {
    /// Reads the body of `PATCH /v1/quotes/{id}`.
    static func read(_ reader: inout JSONObjectReader) -> QuotePatch {
        var patch = QuotePatch()
        patch.cart = SalePatch.read(&reader)
        patch.validUntil = reader.clearableChange("valid_until", .date)
        patch.approval = reader.approval()
        return patch
    }
}

extension QuoteFilter {
    /// Reads what `GET /v1/quotes` asks for.
    static func read(_ query: inout Query) -> QuoteFilter {
        var filter = QuoteFilter()
        filter.status = query.choice("status", "In this state only.")
        filter.customerID = query.id("customer_id", "Of this customer only.")
        filter.days = query.days()
        return filter
    }
}
