import Domain
package import Kernel
import Postgres

/// What would be sold at which prices, as `POST /v1/quotes` says it.
package struct QuoteRequest: Sendable, Equatable {
    /// The cart; it is neither paid nor dated.
    package var cart: SaleRequest

    /// The last day on which it holds; always if nil.
    package var validUntil: BusinessDay?

    /// Makes a request.
    package init(cart: SaleRequest, validUntil: BusinessDay? = nil) {
        self.cart = cart
        self.validUntil = validUntil
    }
}

/// What of a quote that is a draft is changed, as `PATCH /v1/quotes/{id}` says it.
package struct QuotePatch: Sendable, Equatable {
    /// What of the cart.
    package var cart = SalePatch()

    /// The last day on which it holds; nil is always.
    package var validUntil: Change<BusinessDay?> = .keep

    /// What somebody with a higher limit gave for it, as they got it.
    package var approval: String?

    /// Makes a patch that changes nothing.
    package init() {}
}

/// What `GET /v1/quotes` may be narrowed to, newest first.
package struct QuoteFilter: Sendable, Equatable {
    /// The states a quote can be in; that it has expired is none of them.
    package enum Status: String, Sendable, CaseIterable {
        case draft
        case sent
        case accepted
        case cancelled
    }

    /// In this state only.
    package var status: Status?

    /// Of this customer only.
    package var customerID: CustomerID?

    /// Of these business days only.
    package var days = DayRange.all

    /// Makes a filter that lets everything pass.
    package init() {}
}

/// A quote that is there, as it was read.
struct QuoteOnFile: Sendable, Equatable {
    let id: QuoteID
    /// Compared in the unit that writes it.
    let version: Int64
    let status: String
    let request: QuoteRequest
    /// How far below the list price somebody has approved of it.
    let approved: Percent?

    /// The quote as a patch leaves it.
    func changed(by patch: QuotePatch) -> QuoteRequest {
        var request = self.request
        request.cart.apply(patch.cart)
        if case .set(let day) = patch.validUntil { request.validUntil = day }
        request.cart.approval = patch.approval
        return request
    }

    /// The sale that it becomes, at its own prices.
    func sold(_ confirmation: SaleConfirmation) -> SaleRequest {
        var cart = request.cart.confirmed(by: confirmation)
        cart.purpose = .agreed
        return cart
    }
}

/// A quote with its lines, as it stands today.
struct Quote: Resource {
    static let name = "quotes.quote"
    static let collection = "/v1/quotes"
    static let sql: SQL = """
        SELECT stock.quote_body(q.tenant_id, q.id, stock.today()), '"' || q.version || '"'
        FROM stock.quote q
        WHERE q.tenant_id = stock.current_tenant() AND q.id = $1
        """

    let id: QuoteID

    init(_ id: QuoteID) { self.id = id }
}

/// The same as it stands on a day, whose tag says whether it has expired.
struct QuoteOnDay: Document {
    static let name = "quotes.quote_on_day"
    static let sql: SQL = """
        SELECT stock.quote_body(q.tenant_id, q.id, $2), '"' || q.version || '"'
        FROM stock.quote q
        WHERE q.tenant_id = stock.current_tenant() AND q.id = $1
        """
    static let parameterTypes: [PostgresType] = [.uuid, .date]

    let id: QuoteID
    let day: BusinessDay

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(day)
    }
}
