import Domain
import Kernel

/// A sale computed from what its products were: everything its unit writes, decided before the first byte is sent.
struct SalePlan: Sendable {
    let id: SaleID
    /// The version of the draft that becomes it; nil for one that is new.
    let draftVersion: Int64?
    /// The quote that it is made of, and its version; nil for none.
    let quote: (id: QuoteID, version: Int64)?
    /// What somebody gave for it; nil for none.
    let approval: OpenApproval?
    let registerID: RegisterID?
    let customerID: CustomerID?
    let userID: UserID?
    let occurredAt: Timestamp?
    let note: String?
    let cart: PricedCart
    let settlement: Settlement
    let tenders: [Tender]
    let moved: [Goods]
    let lineIDs: [SaleLineID]
    let paymentIDs: [PaymentID]
    let ledgerIDs: [LedgerEntryID]
    /// The tips of all tenders; none if there are none.
    let tips: [Money]
    /// Their rows in the ledger.
    let tipLedgerIDs: [LedgerEntryID]
    /// That of the rounding.
    let roundingLedgerID: LedgerEntryID

    /// What leaves of one product whose stock is tracked, of all lines together.
    struct Goods: Sendable {
        let productID: ProductID
        let quantity: Quantity
        let movementID: MovementID

        /// What the lines take, in the order in which every command locks levels.
        static func taken(by lines: [PricedCart.Line]) -> [Goods] {
            var quantities: [ProductID: Int64] = [:]
            for line in lines where line.product.tracksStock {
                let (sum, overflows) = quantities[line.product.id, default: 0]
                    .addingReportingOverflow(line.quantity.rawValue)
                // More than any level holds: the database refuses it, and says of which lines it is the sum.
                quantities[line.product.id] = overflows ? .max : sum
            }
            return quantities.sorted { $0.key < $1.key }
                .map { Goods(productID: $0.key, quantity: Quantity(rawValue: $0.value), movementID: .make()) }
        }
    }

    /// Computes a sale.
    ///
    /// - Parameters:
    ///   - request: What is asked for.
    ///   - snapshot: The products of its lines.
    ///   - caller: Who sells.
    ///   - draft: The draft that becomes the sale, if there is one.
    ///   - quote: The quote that is sold, if there is one.
    ///   - approval: What somebody gave for it, if they did.
    /// - Throws: The refusals that need no look at running figures, all lines of a kind at once.
    init(
        _ request: SaleRequest,
        from snapshot: SellingSnapshot,
        by caller: Caller,
        draft: SaleDraft? = nil,
        quote: QuoteOnFile? = nil,
        approval: OpenApproval? = nil
    ) throws(Problem) {
        cart = try PricedCart(request, from: snapshot, by: caller, approved: approval?.discountLimit)
        settlement = try Settlement(
            total: cart.priced.total,
            tenders: request.payments,
            isCash: cart.kinds.map { $0 == .cash },
            rounding: cart.rules.cashRounding,
            hasCustomer: request.customerID != nil,
            exponent: Int(cart.rules.exponent)
        )
        id = draft?.id ?? request.purpose.fact?.id ?? .make()
        draftVersion = draft?.version
        self.approval = approval
        self.quote = quote.map { ($0.id, $0.version) }
        registerID = request.registerID
        customerID = request.customerID
        userID = caller.user
        occurredAt = request.occurredAt
        note = request.note
        tenders = request.payments
        moved = Goods.taken(by: cart.lines)
        lineIDs = cart.lines.map { _ in .make() }
        paymentIDs = tenders.map { _ in .make() }
        ledgerIDs = tenders.map { _ in .make() }
        tips = tenders.contains { !$0.tip.isZero } ? tenders.map(\.tip) : []
        tipLedgerIDs = tips.map { _ in .make() }
        roundingLedgerID = .make()
    }
}
