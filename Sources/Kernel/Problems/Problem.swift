/// Something a client should see: the code of a problem document, a sentence, and what was wrong with which field.
///
/// Services throw it where the cause is known; the API maps its code to a status once (RFC 9457, docs/http.md).
package struct Problem: Error, Sendable, Equatable {
    /// Every code a problem document can carry.
    package enum Code: String, Sendable, Hashable, CaseIterable {
        case invalidRequest = "invalid_request"
        case cursorMismatch = "cursor_mismatch"
        case idempotencyKeyMissing = "idempotency_key_missing"
        case unauthenticated
        case forbidden
        case discountLimit = "discount_limit"
        case returnLimit = "return_limit"
        case tenantSuspended = "tenant_suspended"
        case notFound = "not_found"
        case methodNotAllowed = "method_not_allowed"
        case notAcceptable = "not_acceptable"
        case requestTimeout = "request_timeout"
        case insufficientStock = "insufficient_stock"
        case idempotencyInProgress = "idempotency_in_progress"
        case invalidState = "invalid_state"
        case duplicate
        case inUse = "in_use"
        case creditLimitExceeded = "credit_limit_exceeded"
        case paymentExceedsDue = "payment_exceeds_due"
        case productInactive = "product_inactive"
        case sessionClosed = "session_closed"
        case periodClosed = "period_closed"
        case stockChanged = "stock_changed"
        case priceChanged = "price_changed"
        case eventsPruned = "events_pruned"
        case versionMismatch = "version_mismatch"
        case tooLarge = "too_large"
        case unsupportedMediaType = "unsupported_media_type"
        case validationFailed = "validation_failed"
        case idempotencyKeyReused = "idempotency_key_reused"
        case paymentMismatch = "payment_mismatch"
        case creditNeedsCustomer = "credit_needs_customer"
        case refundExceedsSold = "refund_exceeds_sold"
        case quantityPrecision = "quantity_precision"
        case preconditionRequired = "precondition_required"
        case rateLimited = "rate_limited"
        case internalError = "internal_error"
        case overloaded
        case draining
        case outcomeUnknown = "outcome_unknown"
        case databaseUnavailable = "database_unavailable"
    }

    /// What happened, by name.
    package var code: Code

    /// A sentence for people.
    ///
    /// What was wrong and what is accepted. Holds no SQL and no constraint names.
    package var detail: String

    /// Every field that is wrong, all at once.
    package var errors: [FieldError]

    /// Seconds after which the same request may succeed.
    package var retryAfter: Int?

    /// The limit that was used up, if that is why.
    package var limit: Limit?

    /// A limit on how often something may be asked, in the words of draft-ietf-httpapi-ratelimit-headers.
    package struct Limit: Sendable, Equatable {
        /// The value of `RateLimit-Policy`: how many at once, and in how many seconds a rest gives them back.
        package let policy: String

        /// The value of `RateLimit`: none left, and seconds until the next.
        package let state: String

        /// Describes a limit.
        package init(policy: String, state: String) {
            self.policy = policy
            self.state = state
        }
    }

    /// Makes a problem.
    ///
    /// - Parameters:
    ///   - code: What happened, by name.
    ///   - detail: A sentence for people.
    ///   - errors: Every field that is wrong.
    ///   - retryAfter: Seconds after which to try again.
    package init(_ code: Code, _ detail: String, errors: [FieldError] = [], retryAfter: Int? = nil) {
        self.code = code
        self.detail = detail
        self.errors = errors
        self.retryAfter = retryAfter
    }

    /// The HTTP status of a code: the one mapping there is, used for answers and for stored refusals alike.
    package var status: Int { code.status }

    /// The answer to an id that does not exist, or is another tenant's.
    package static let notFound = Problem(.notFound, "There is no such resource.")
}

extension Problem.Code {
    /// The status of HTTP that goes with the code.
    package var status: Int {
        switch self {
        case .invalidRequest, .cursorMismatch, .idempotencyKeyMissing: 400
        case .unauthenticated: 401
        case .forbidden, .discountLimit, .returnLimit, .tenantSuspended: 403
        case .notFound: 404
        case .methodNotAllowed: 405
        case .notAcceptable: 406
        case .requestTimeout: 408
        case .insufficientStock, .idempotencyInProgress, .invalidState, .duplicate, .inUse, .creditLimitExceeded,
            .paymentExceedsDue, .productInactive, .sessionClosed, .periodClosed, .stockChanged, .priceChanged:
            409
        case .eventsPruned: 410
        case .versionMismatch: 412
        case .tooLarge: 413
        case .unsupportedMediaType: 415
        case .validationFailed, .idempotencyKeyReused, .paymentMismatch, .creditNeedsCustomer, .refundExceedsSold,
            .quantityPrecision:
            422
        case .preconditionRequired: 428
        case .rateLimited: 429
        case .internalError: 500
        case .overloaded, .draining, .outcomeUnknown, .databaseUnavailable: 503
        }
    }

    /// The title of the problem document: the same for every problem of a code.
    package var title: String {
        switch self {
        case .invalidRequest: "The request is not valid"
        case .cursorMismatch: "The cursor belongs to another query"
        case .idempotencyKeyMissing: "An Idempotency-Key is required"
        case .unauthenticated: "Authentication is required"
        case .forbidden: "Not allowed"
        case .discountLimit: "Further below the list price than allowed"
        case .returnLimit: "More given back without a sale than allowed"
        case .tenantSuspended: "The tenant is suspended"
        case .notFound: "Not found"
        case .methodNotAllowed: "Method not allowed"
        case .notAcceptable: "It can not be had in this form"
        case .requestTimeout: "The request did not come in time"
        case .insufficientStock: "Not enough stock"
        case .idempotencyInProgress: "The first request is still running"
        case .invalidState: "Not possible in this state"
        case .duplicate: "Already exists"
        case .inUse: "Still in use"
        case .creditLimitExceeded: "The credit limit is exceeded"
        case .paymentExceedsDue: "The payment exceeds what is due"
        case .productInactive: "A product is archived"
        case .sessionClosed: "No cash session is open"
        case .periodClosed: "The period is closed"
        case .stockChanged: "The stock changed"
        case .priceChanged: "A list price changed"
        case .eventsPruned: "The events are not kept any more"
        case .versionMismatch: "The resource was changed meanwhile"
        case .tooLarge: "Too large"
        case .unsupportedMediaType: "The media type is not supported"
        case .validationFailed: "Some fields are not valid"
        case .idempotencyKeyReused: "The Idempotency-Key was used for another request"
        case .paymentMismatch: "The payments do not match"
        case .creditNeedsCustomer: "Credit needs a customer"
        case .refundExceedsSold: "More than was sold"
        case .quantityPrecision: "Too many decimals for the unit"
        case .preconditionRequired: "If-Match is required"
        case .rateLimited: "Too many requests"
        case .internalError: "Something went wrong"
        case .overloaded: "Overloaded"
        case .draining: "Shutting down"
        case .outcomeUnknown: "The outcome is unknown"
        case .databaseUnavailable: "The database is not available"
        }
    }

    /// Whether an answer with this code is stored beside its idempotency key: the business's refusals, and nothing else.
    package var isStoredRefusal: Bool {
        switch self {
        case .idempotencyInProgress, .idempotencyKeyReused: false
        default: status == 409 || status == 422
        }
    }
}
