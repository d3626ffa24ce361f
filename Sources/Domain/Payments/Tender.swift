package import Kernel

/// One payment as it was offered at the till.
package struct Tender: Sendable, Equatable {
    /// How it is paid.
    package var method: PaymentMethod

    /// What counts towards the sale.
    package var amount: Money

    /// What was handed over, cash only; at least the amount.
    package var tendered: Money?

    /// Makes a tender.
    package init(method: PaymentMethod, amount: Money, tendered: Money? = nil) {
        self.method = method
        self.amount = amount
        self.tendered = tendered
    }

    /// What is handed back: the rest of what was handed over.
    package var change: Money? {
        tendered.map { Money(rawValue: max($0.rawValue - amount.rawValue, 0)) }
    }

    /// Notes what is wrong with the tender by itself.
    ///
    /// Amounts are above zero and at the currency's exponent, `tendered` is for cash and covers the amount.
    package func check(at pointer: String, exponent: Int, into errors: inout [FieldError]) {
        if amount.rawValue <= 0 {
            errors.append(FieldError("\(pointer)/amount", "out_of_range", "Must be greater than 0."))
        } else if !amount.fits(decimals: exponent) {
            errors.append(.tooManyDecimals("\(pointer)/amount", exponent))
        }
        guard let tendered else { return }
        if method != .cash {
            errors.append(FieldError("\(pointer)/tendered", "not_allowed", "Only cash is tendered."))
        } else if !tendered.fits(decimals: exponent) {
            errors.append(.tooManyDecimals("\(pointer)/tendered", exponent))
        } else if tendered < amount {
            let covered = amount.text(minimumDecimals: exponent)
            errors.append(FieldError("\(pointer)/tendered", "too_low", "Must cover the amount of \(covered)."))
        }
    }
}

/// How the payments of a sale split its total into what is paid and what stays due.
package struct Settlement: Sendable, Equatable {
    /// The sum of the payments.
    package let paid: Money

    /// What the customer still owes.
    package let due: Money

    /// What is handed back over all payments.
    package let change: Money

    /// Settles a sale.
    ///
    /// - Parameters:
    ///   - total: The sale's total.
    ///   - tenders: The payments, already checked one by one.
    ///   - hasCustomer: Whether somebody can owe the rest.
    ///   - exponent: The decimals of the currency, with which amounts are told.
    /// - Throws: 422 `payment_mismatch` if the payments exceed the total, 422 `credit_needs_customer` if they fall short of it
    ///   and nobody can owe the rest.
    package init(total: Money, tenders: [Tender], hasCustomer: Bool, exponent: Int) throws(Problem) {
        var paid = Money.zero
        var change = Money.zero
        do throws(NumberError) {
            for tender in tenders {
                paid = try paid.adding(tender.amount)
                change = try change.adding(tender.change ?? .zero)
            }
        } catch {
            throw Problem(
                .paymentMismatch,
                "The payments are larger than any sale can be.",
                errors: [.outOfRange("/payments", "The sum of the payments")]
            )
        }
        let (told, whole) = (paid.text(minimumDecimals: exponent), total.text(minimumDecimals: exponent))
        guard paid <= total else {
            throw Problem(
                .paymentMismatch,
                "The payments add up to \(told), the sale to \(whole). Give the amount that counts, and cash handed over "
                    + "as tendered.",
                errors: [
                    FieldError("/payments", "exceeds_total", "Adds up to \(told), more than the total of \(whole).")
                ]
            )
        }
        guard paid == total || hasCustomer else {
            throw Problem(
                .creditNeedsCustomer,
                "The payments add up to \(told) of \(whole). Only a customer can owe the rest.",
                errors: [FieldError("/payments", "short", "Adds up to \(told), less than the total of \(whole).")]
            )
        }
        self.paid = paid
        self.change = change
        due = Money(rawValue: total.rawValue - paid.rawValue)
    }
}

extension FieldError {
    /// The error of an amount that no column holds, though the figures it is made of are right each by itself.
    package static func outOfRange(_ pointer: String, _ amount: String) -> FieldError {
        FieldError(pointer, "out_of_range", "\(amount) must be at most \(Money(rawValue: Money.largestRawValue)).")
    }

    /// The error of an amount with more decimals than its currency has.
    package static func tooManyDecimals(_ pointer: String, _ exponent: Int) -> FieldError {
        FieldError(pointer, "too_many_decimals", "Must have at most \(exponent) decimals, as the currency has.")
    }
}
