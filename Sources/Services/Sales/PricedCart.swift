import Domain
import Kernel

/// A cart with what its lines come to: what a sale is computed from before it is said who pays how.
struct PricedCart: Sendable {
    let rules: SellingRules
    let lines: [Line]
    /// What the method of each tender was taken for.
    let kinds: [PaymentKind]
    let priced: PricedSale

    /// A line with the product it was priced by.
    struct Line: Sendable {
        let product: SellableProduct
        let quantity: Quantity
        let unitPrice: Price
        let isOverridden: Bool
    }

    /// Prices a cart.
    ///
    /// - Parameters:
    ///   - request: What is asked for.
    ///   - snapshot: The products of its lines.
    ///   - caller: Who sells.
    /// - Throws: The refusals that need no look at running figures, all lines of a kind at once.
    init(_ request: SaleRequest, from snapshot: SellingSnapshot, by caller: Caller) throws(Problem) {
        var unknown: [FieldError] = []
        var inactive: [FieldError] = []
        var lines: [Line] = []
        lines.reserveCapacity(request.lines.count)
        for (index, (line, product)) in zip(request.lines, snapshot.products).enumerated() {
            let pointer = "/lines/\(index)/\(line.product.field)"
            guard let product else {
                unknown.append(FieldError(pointer, .notFound, "There is no such product."))
                continue
            }
            if !product.isActive {
                inactive.append(FieldError(pointer, .productInactive, "The product is archived."))
            }
            let price = line.unitPrice ?? product.price
            lines.append(
                Line(
                    product: product,
                    quantity: line.quantity,
                    unitPrice: price,
                    isOverridden: price != product.price
                )
            )
        }
        guard unknown.isEmpty else {
            throw Problem(.validationFailed, "Some lines name no product.", errors: unknown)
        }
        guard inactive.isEmpty else {
            throw Problem(.productInactive, "Some products are archived and can not be sold.", errors: inactive)
        }
        guard !lines.isEmpty else {
            throw Problem(
                .validationFailed,
                "A sale needs a line.",
                errors: [FieldError("/lines", .required, "Must have at least one line.")]
            )
        }
        let exponent = Int(snapshot.rules.exponent)
        var tenderErrors: [FieldError] = []
        var kinds: [PaymentKind] = []
        for (index, tender) in request.payments.enumerated() {
            let kind = snapshot.rules.methods[tender.method]
            if kind == nil {
                let detail = "There is no such active payment method."
                tenderErrors.append(FieldError("/payments/\(index)/method", .notFound, detail))
            }
            tender.check(at: "/payments/\(index)", kind: kind, exponent: exponent, into: &tenderErrors)
            kinds.append(kind ?? .other)
        }
        priced = try PricedSale(
            lines: zip(lines, request.lines).map { line, asked in
                LineToPrice(
                    quantity: line.quantity,
                    unitPrice: line.unitPrice,
                    discount: asked.discount,
                    taxRate: line.product.taxRate,
                    taxes: line.product.taxes,
                    unitDecimals: Int(line.product.unitDecimals)
                )
            },
            documentDiscount: request.discount,
            rules: PricingRules(exponent: exponent, pricesIncludeTax: snapshot.rules.pricesIncludeTax)
        )
        guard tenderErrors.isEmpty else {
            // Cash handed over that does not cover its amount is a matter of the money, not of the form.
            let isShort = tenderErrors.allSatisfy { $0.code == .tooLow }
            throw Problem(
                isShort ? .paymentMismatch : .validationFailed,
                isShort ? "Cash handed over does not cover its amount." : "Some payments are not valid.",
                errors: tenderErrors
            )
        }
        try Self.check(priced, of: lines, request, caller.discountLimit(snapshot.rules), exponent)
        rules = snapshot.rules
        self.lines = lines
        self.kinds = kinds
    }

    /// Refuses what is further below the list price than the caller may sell.
    private static func check(
        _ priced: PricedSale,
        of lines: [Line],
        _ request: SaleRequest,
        _ limit: Percent?,
        _ exponent: Int
    ) throws(Problem) {
        guard let limit else { return }
        let faults = DiscountRule(limit: limit, exponent: exponent).faults(
            in: priced,
            documentDiscount: request.discount,
            listed: lines.map { DiscountRule.ListedLine(price: $0.product.price, quantity: $0.quantity) }
        )
        guard faults.isEmpty else {
            throw Problem(
                .discountLimit,
                limit.isZero
                    ? "You sell at list price; going below it is for somebody with a higher limit."
                    : "You may sell at most \(limit) % below the list price.",
                errors: faults
            )
        }
    }
}
