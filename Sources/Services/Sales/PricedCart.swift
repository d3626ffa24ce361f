import Domain
import Kernel

/// A cart with what its lines come to: what a sale is computed from before it is said who pays how.
struct PricedCart: Sendable {
    let rules: SellingRules
    let lines: [Line]
    /// What the method of each tender was taken for.
    let kinds: [PaymentKind]
    let priced: PricedSale
    /// What it would be refused for, had it not happened already.
    let exceptions: [FieldError]

    /// A line with the product it was priced by.
    struct Line: Sendable {
        let product: SellableProduct
        let quantity: Quantity
        let unitPrice: Price
        let isOverridden: Bool
        /// How it was asked for, if not by the product's unit.
        let packed: PackedLine?
        /// The same as it is listed.
        let listed: DiscountRule.ListedLine

        /// Computes a line of a request.
        ///
        /// - Parameters:
        ///   - asked: The line.
        ///   - product: The product that it names.
        ///   - listPrice: The product's own price, as the line goes by it.
        ///   - pointer: Where the line is in the request.
        /// - Throws: At `/quantity`, if what is asked for is no quantity of the product; at `/unit_price`.
        init(
            _ asked: SaleRequest.Line,
            of product: SellableProduct,
            at listPrice: Price,
            _ pointer: String
        ) throws(FieldError) {
            self.product = product
            if let kept = asked.kept {
                // Put away by packagings: it is sold as it was put away.
                quantity = asked.quantity
                packed = kept.packed
                isOverridden = asked.unitPrice != nil
                unitPrice = asked.unitPrice ?? (kept.packed.price == nil ? listPrice : asked.seenPrice ?? listPrice)
                listed = kept.listed(asked.quantity, isOverridden: isOverridden, at: listPrice)
                return
            }
            let goods = asked.product.goods
            packed = goods?.line(of: asked.quantity, at: asked.unitPrice)
            do throws(ReadingFault) {
                quantity = try goods?.packed.units(of: asked.quantity) ?? asked.quantity
            } catch {
                throw FieldError("\(pointer)/quantity", error.code, error.detail)
            }
            guard let goods, let packed else {
                unitPrice = asked.unitPrice ?? listPrice
                isOverridden = unitPrice != listPrice
                listed = DiscountRule.ListedLine(price: listPrice, quantity: quantity)
                return
            }
            do throws(ReadingFault) {
                unitPrice =
                    try packed.price.map { (price) throws(ReadingFault) in
                        try goods.packed.unitPrice(at: price)
                    } ?? listPrice
            } catch {
                throw FieldError("\(pointer)/unit_price", error.code, error.detail)
            }
            if let packedPrice = goods.packed.listPrice {
                isOverridden = packed.price != packedPrice
                listed = DiscountRule.ListedLine(price: packedPrice, quantity: asked.quantity)
            } else {
                isOverridden = unitPrice != listPrice
                listed = DiscountRule.ListedLine(price: listPrice, quantity: quantity)
            }
        }
    }

    /// Prices a cart.
    ///
    /// A draft is no sale yet: its lines keep the list prices that they were put away with, and whether it may be sold is asked when
    /// somebody does. Then a list price that has changed is refused or kept, as the tenant wants it.
    ///
    /// - Parameters:
    ///   - request: What is asked for.
    ///   - snapshot: The products of its lines.
    ///   - caller: Who sells.
    ///   - approved: How far below the list price somebody else lets them.
    /// - Throws: The refusals that need no look at running figures, all lines of a kind at once.
    init(
        _ request: SaleRequest,
        from snapshot: SellingSnapshot,
        by caller: Caller,
        approved: Percent? = nil
    ) throws(Problem) {
        var unknown: [FieldError] = []
        var inactive: [FieldError] = []
        var faulty: [FieldError] = []
        var changed: [FieldError] = []
        var lines: [Line] = []
        lines.reserveCapacity(request.lines.count)
        for (index, (line, product)) in zip(request.lines, snapshot.products).enumerated() {
            let pointer = "/lines/\(index)/\(line.product.field)"
            guard let product else {
                unknown.append(FieldError(pointer, .notFound, "There is no such product."))
                continue
            }
            let wasPutAway = line.seenPrice != nil
            if !product.isActive, !(request.purpose == .draft && wasPutAway) {
                inactive.append(FieldError(pointer, .productInactive, "The product is archived."))
            }
            var listPrice = product.price
            if let (seen, now) = line.changedPrice(of: product) {
                if request.purpose.keepsPrices || snapshot.rules.keepsPrices {
                    listPrice = line.seenPrice ?? listPrice
                } else {
                    changed.append(.priceChanged(index, from: seen, to: now, Int(snapshot.rules.exponent)))
                }
            }
            do throws(FieldError) {
                lines.append(try Line(line, of: product, at: listPrice, "/lines/\(index)"))
            } catch {
                faulty.append(error)
            }
        }
        guard unknown.isEmpty else {
            throw Problem(.validationFailed, "Some lines name no product.", errors: unknown)
        }
        let hasHappened = request.purpose.fact != nil
        guard inactive.isEmpty || hasHappened else {
            throw Problem(.productInactive, "Some products are archived and can not be sold.", errors: inactive)
        }
        guard faulty.isEmpty else { throw GoodsFinder.refusal(of: faulty) }
        guard changed.isEmpty else {
            throw Problem(.priceChanged, "Some prices have changed since the draft was made.", errors: changed)
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
            let method = snapshot.rules.methods[tender.method]
            let kind = method.flatMap { $0.isActive || hasHappened ? $0.kind : nil }
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
                    packed: line.packed,
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
        var exceptions = inactive
        if request.purpose.asksForLimit {
            let limit = caller.discountLimit(snapshot.rules).map { max($0, approved ?? .zero) }
            do throws(Problem) {
                try Self.check(priced, of: lines, request, limit, exponent)
            } catch {
                guard hasHappened else { throw error }
                exceptions += error.errors
            }
        }
        self.exceptions = hasHappened ? exceptions : []
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
            listed: lines.map(\.listed)
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

extension FieldError {
    /// A list price that is no longer the one that a draft was made with.
    fileprivate static func priceChanged(_ line: Int, from old: Price, to new: Price, _ exponent: Int) -> FieldError {
        let (was, now) = (old.text(minimumDecimals: exponent), new.text(minimumDecimals: exponent))
        return FieldError(
            "/lines/\(line)/unit_price",
            .priceChanged,
            "It was \(was), and is \(now) now.",
            extra: [("old_price", "\"\(was)\""), ("new_price", "\"\(now)\"")]
        )
    }
}
