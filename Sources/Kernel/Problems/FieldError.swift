/// One field that is wrong.
package struct FieldError: Error, Sendable, Equatable {
    /// What can be wrong with a field: one fault has one code, whoever finds it.
    ///
    /// SQL of ours uses the same words; which problem each of them makes of a body is ``problem``, and `stock.problem_code` there.
    package enum Code: String, Sendable, CaseIterable, CustomStringConvertible {
        // What the body alone shows.
        case invalidJSON = "invalid_json"
        case unknownField = "unknown_field"
        case unknownParameter = "unknown_parameter"
        case type
        case required
        case format
        case tooLong = "too_long"
        case tooShort = "too_short"
        case tooCommon = "too_common"
        case tooMany = "too_many"
        case outOfRange = "out_of_range"
        case tooManyDecimals = "too_many_decimals"
        case notAllowed = "not_allowed"
        case conflict
        case short
        case exceedsTotal = "exceeds_total"
        case tooLow = "too_low"
        case wrong
        // What shows against the shop's data.
        case notFound = "not_found"
        case duplicate
        case inUse = "in_use"
        case invalidState = "invalid_state"
        case forbidden
        case productInactive = "product_inactive"
        case quantityPrecision = "quantity_precision"
        case insufficientStock = "insufficient_stock"
        case stockChanged = "stock_changed"
        case creditLimitExceeded = "credit_limit_exceeded"
        case discountLimit = "discount_limit"
        case returnLimit = "return_limit"
        case paymentExceedsDue = "payment_exceeds_due"
        case paymentMismatch = "payment_mismatch"
        case refundExceedsSold = "refund_exceeds_sold"
        case sessionClosed = "session_closed"
        case periodClosed = "period_closed"
        case cursorMismatch = "cursor_mismatch"
        case priceChanged = "price_changed"
        case ambiguous
        case checkDigit = "check_digit"
        case offered
        case eventsPruned = "events_pruned"

        package var description: String { rawValue }
    }

    /// Where, as a JSON pointer (RFC 6901).
    ///
    /// `/lines/0/quantity`. Empty means the whole body.
    package var pointer: String

    /// What, for programs.
    package var code: Code

    /// What, for people.
    package var detail: String

    /// Further members, already JSON text: `("available", "\"3\"")`.
    package var extra: [(name: String, json: String)]

    /// Makes an error of a field.
    ///
    /// - Parameters:
    ///   - pointer: A JSON pointer.
    ///   - code: For programs.
    ///   - detail: For people.
    ///   - extra: Further members as JSON text.
    package init(_ pointer: String, _ code: Code, _ detail: String, extra: [(name: String, json: String)] = []) {
        self.pointer = pointer
        self.code = code
        self.detail = detail
        self.extra = extra
    }

    package static func == (left: FieldError, right: FieldError) -> Bool {
        left.pointer == right.pointer && left.code == right.code && left.detail == right.detail
            && left.extra.elementsEqual(right.extra, by: ==)
    }
}

extension FieldError.Code {
    /// The problem that a body has which has this fault alone.
    package var problem: Problem.Code {
        switch self {
        case .invalidJSON, .unknownField, .unknownParameter: .invalidRequest
        case .cursorMismatch: .cursorMismatch
        case .priceChanged: .priceChanged
        case .offered: .notAcceptable
        case .eventsPruned: .eventsPruned
        case .duplicate: .duplicate
        case .inUse: .inUse
        case .invalidState: .invalidState
        case .forbidden: .forbidden
        case .productInactive: .productInactive
        case .quantityPrecision: .quantityPrecision
        case .insufficientStock: .insufficientStock
        case .stockChanged: .stockChanged
        case .creditLimitExceeded: .creditLimitExceeded
        case .discountLimit: .discountLimit
        case .returnLimit: .returnLimit
        case .paymentExceedsDue: .paymentExceedsDue
        case .paymentMismatch, .short, .exceedsTotal, .tooLow: .paymentMismatch
        case .refundExceedsSold: .refundExceedsSold
        case .sessionClosed: .sessionClosed
        case .periodClosed: .periodClosed
        case .type, .required, .format, .tooLong, .tooShort, .tooCommon, .tooMany, .outOfRange, .tooManyDecimals,
            .notAllowed, .conflict, .wrong, .notFound, .ambiguous, .checkDigit:
            .validationFailed
        }
    }

    /// What it says, as the pages of problems and `docs/http.md` tell it.
    package var meaning: String {
        switch self {
        case .invalidJSON: "the body is no well-formed JSON"
        case .unknownField: "no such field is taken here"
        case .unknownParameter: "no such parameter is taken here"
        case .type: "another type of JSON is wanted, as a string for a number"
        case .required: "it is missing, null, blank or empty, and must not be"
        case .format: "the text does not have the form that is wanted, as of an id, a date or a number"
        case .tooLong: "the text has more characters than are kept"
        case .tooShort: "the password has too few characters"
        case .tooCommon: "the password is one that is tried first"
        case .tooMany: "the list has more elements than are taken at once, or fewer"
        case .outOfRange: "the number, sum, day or time is too small, too large, too early or too late"
        case .tooManyDecimals: "the number has more decimals than the currency or the field"
        case .notAllowed: "it is none of the choices, or does not go with the rest of the body"
        case .conflict: "it contradicts another field of the body, or what that names"
        case .short: "the payments add up to less than they must"
        case .exceedsTotal: "the payments add up to more than they may"
        case .tooLow: "what was handed over does not cover what it is for"
        case .wrong: "the password is not that of the account"
        case .notFound: "what it names is not there, is not the tenant's or is not in use any more"
        case .duplicate: "another one has it: a record of the shop, or an element before it in the same body"
        case .inUse: "something names it, so it stays as it is"
        case .invalidState: "what it names is in a state, or has a setting, that does not allow this"
        case .forbidden: "it is of a location where the member does not work"
        case .productInactive: "the product is archived"
        case .quantityPrecision: "the quantity has more decimals than the product's unit"
        case .insufficientStock: "less is there: `available` of `requested`; of `on_hand`, `reserved` is held back"
        case .stockChanged: "`on_hand` is not as `expected`"
        case .creditLimitExceeded: "the customer would owe more than `credit_limit`"
        case .discountLimit: "it is further below the list price than the caller may sell"
        case .returnLimit: "`amount` is more than the caller may give back without a sale, `limit`"
        case .paymentExceedsDue: "`amount` is more than `due`"
        case .paymentMismatch: "the payments are not exactly what is given back, `due`"
        case .refundExceedsSold: "more comes back than is left of the line"
        case .sessionClosed: "no cash session is open there, and one is wanted"
        case .periodClosed: "the books are closed up to a later day"
        case .cursorMismatch: "the cursor is of another query"
        case .priceChanged: "the list price was `old_price` when the draft was made, and is `new_price`"
        case .ambiguous: "several products have the code: `candidates`"
        case .checkDigit: "the last digit of the code does not follow from the others"
        case .offered: "a media type that can be had instead"
        case .eventsPruned: "the events from there on are not kept any more: go on `after`"
        }
    }
}
