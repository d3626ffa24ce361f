package import Kernel

/// One payment as it was offered at the till.
package struct Tender: Sendable, Equatable {
    /// How it is paid.
    package var method: PaymentMethodCode

    /// What counts towards the sale.
    package var amount: Money

    /// What is given beside the amount, for those who serve; none of the sale's.
    package var tip: Money

    /// What was handed over, cash only; at least the amount with the tip.
    package var tendered: Money?

    /// Makes a tender.
    package init(method: PaymentMethodCode, amount: Money, tip: Money = .zero, tendered: Money? = nil) {
        self.method = method
        self.amount = amount
        self.tip = tip
        self.tendered = tendered
    }

    /// What is handed back: the rest of what was handed over.
    package var change: Money? {
        tendered.map { tendered in
            let (kept, _) = amount.rawValue.addingReportingOverflow(tip.rawValue)
            let (rest, _) = tendered.rawValue.subtractingReportingOverflow(kept)
            return Money(rawValue: max(rest, 0))
        }
    }

    /// Notes what is wrong with the tender by itself.
    ///
    /// Amounts are above zero, tips not below it, both at the currency's exponent; `tendered` is for cash and covers them.
    ///
    /// - Parameters:
    ///   - pointer: Where the tender stands.
    ///   - kind: What its method is; nil where it is not known here, and whoever knows it asks for cash.
    ///   - exponent: The decimals of the currency.
    ///   - errors: Where faults go.
    package func check(at pointer: String, kind: PaymentKind?, exponent: Int, into errors: inout [FieldError]) {
        if amount.rawValue <= 0 {
            errors.append(FieldError("\(pointer)/amount", .outOfRange, "Must be greater than 0."))
        } else if !amount.fits(decimals: exponent) {
            errors.append(.tooManyDecimals("\(pointer)/amount", exponent))
        }
        if tip.rawValue < 0 {
            errors.append(FieldError("\(pointer)/tip", .outOfRange, "Must be 0 or more."))
        } else if !tip.fits(decimals: exponent) {
            errors.append(.tooManyDecimals("\(pointer)/tip", exponent))
        }
        let covered: Money
        do throws(NumberError) {
            covered = try amount.adding(tip)
        } catch {
            errors.append(.outOfRange("\(pointer)/tip", "The amount with its tip"))
            return
        }
        guard let tendered else { return }
        if let kind, kind != .cash {
            errors.append(FieldError("\(pointer)/tendered", .notAllowed, "Only cash is tendered."))
        } else if !tendered.fits(decimals: exponent) {
            errors.append(.tooManyDecimals("\(pointer)/tendered", exponent))
        } else if tendered < covered {
            let told = covered.text(minimumDecimals: exponent)
            let what = tip.isZero ? "the amount of \(told)" : "the amount with its tip, \(told)"
            errors.append(FieldError("\(pointer)/tendered", .tooLow, "Must cover \(what)."))
        }
    }
}

/// How the payments of a sale split its total into what is paid and what stays due.
package struct Settlement: Sendable, Equatable {
    /// The sum of the payments, without tips.
    package let paid: Money

    /// What was paid more than the total or, below zero, less than it, as cash is counted in steps; no debt and no credit.
    package let rounding: Money

    /// Which payment the rounding is of; nil without.
    package let rounded: Int?

    /// What the customer still owes.
    package let due: Money

    /// What is handed back over all payments.
    package let change: Money

    /// Settles a sale.
    ///
    /// What the other payments leave to cash is rounded, if there is cash among the payments and they come to that; a rest that
    /// somebody owes is not, nor is a total that is paid without cash. A total that rounds to nothing needs no payment.
    ///
    /// - Parameters:
    ///   - total: The sale's total.
    ///   - tenders: The payments, already checked one by one.
    ///   - isCash: Whether each is in cash, in that order.
    ///   - rounding: In what steps cash is counted.
    ///   - hasCustomer: Whether somebody can owe the rest.
    ///   - exponent: The decimals of the currency, with which amounts are told.
    /// - Throws: 422 `payment_mismatch` if the payments exceed what is to be paid, 422 `credit_needs_customer` if they fall short of
    ///   it and nobody can owe the rest.
    package init(
        total: Money,
        tenders: [Tender],
        isCash: [Bool],
        rounding: CashRounding,
        hasCustomer: Bool,
        exponent: Int
    ) throws(Problem) {
        var paid = Money.zero
        var change = Money.zero
        var other = Money.zero
        let target: Money
        do throws(NumberError) {
            for (tender, isCash) in zip(tenders, isCash) {
                paid = try paid.adding(tender.amount)
                change = try change.adding(tender.change ?? .zero)
                if !isCash { other = try other.adding(tender.amount) }
            }
            // What is left to cash, which only cash rounds; without any payment, what somebody without one would pay.
            let isRounded = isCash.contains(true) || tenders.isEmpty && !hasCustomer
            if isRounded, other < total {
                let left = try rounding.rounded(Money(checking: Int128(total.rawValue) - Int128(other.rawValue)))
                target = try other.adding(left)
            } else {
                target = total
            }
        } catch {
            throw Problem(
                .paymentMismatch,
                "The payments are larger than any sale can be.",
                errors: [.outOfRange("/payments", "The sum of the payments")]
            )
        }
        let (told, whole) = (paid.text(minimumDecimals: exponent), target.text(minimumDecimals: exponent))
        let what = target == total ? "the total of \(whole)" : "the \(whole) that the total comes to in cash"
        if paid == target {
            self.rounding = Money(rawValue: target.rawValue - total.rawValue)
            due = .zero
        } else if hasCustomer, paid < total, paid < target {
            self.rounding = .zero
            due = Money(rawValue: total.rawValue - paid.rawValue)
        } else if paid < target {
            throw Problem(
                hasCustomer ? .paymentMismatch : .creditNeedsCustomer,
                hasCustomer
                    ? "The payments add up to \(told), in cash the sale comes to \(whole)."
                    : "The payments add up to \(told) of \(whole). Only a customer can owe the rest.",
                errors: [FieldError("/payments", .short, "Adds up to \(told), less than \(what).")]
            )
        } else {
            throw Problem(
                .paymentMismatch,
                "The payments add up to \(told), the sale to \(whole). Give the amount that counts, and cash handed over "
                    + "as tendered.",
                errors: [FieldError("/payments", .exceedsTotal, "Adds up to \(told), more than \(what).")]
            )
        }
        self.paid = paid
        self.change = change
        rounded = self.rounding.isZero ? nil : Self.largest(of: tenders, where: isCash)
        // What is left of a payment without its rounding is what was sold for it.
        if let rounded, tenders.indices.contains(rounded), tenders[rounded].amount <= self.rounding {
            throw Problem(
                .paymentMismatch,
                "The cash is in more parts than can be rounded. Give it as one payment.",
                errors: [
                    FieldError("/payments/\(rounded)/amount", .tooLow, "Must be more than what it is rounded by.")
                ]
            )
        }
    }

    /// The place of the largest payment in cash, the first of equals; nil without.
    private static func largest(of tenders: [Tender], where isCash: [Bool]) -> Int? {
        var place: Int?
        var amount = Money.zero
        for (index, (tender, isCash)) in zip(tenders, isCash).enumerated() where isCash && tender.amount > amount {
            (place, amount) = (index, tender.amount)
        }
        return place
    }
}

extension FieldError {
    /// The error of an amount that no column holds, though the figures it is made of are right each by itself.
    package static func outOfRange(_ pointer: String, _ amount: String) -> FieldError {
        FieldError(pointer, .outOfRange, "\(amount) must be at most \(Money(rawValue: Money.largestRawValue)).")
    }

    /// The error of an amount with more decimals than its currency has.
    package static func tooManyDecimals(_ pointer: String, _ exponent: Int) -> FieldError {
        FieldError(pointer, .tooManyDecimals, "Must have at most \(exponent) decimals, as the currency has.")
    }
}
