import Kernel

/// The page that the `type` of every problem leads to: what each code means, and what to do about it.
enum ProblemPage {
    /// HTML in UTF-8; made of our own words alone, so nothing needs escaping.
    static var html: [UInt8] {
        var text = """
            <!DOCTYPE html>
            <html lang="en">
            <head><meta charset="utf-8"><title>Problems</title></head>
            <body>
            <h1>Problems</h1>
            <p>What the <code>code</code> of a problem document (RFC 9457) means, and what to do about it.</p>

            """
        for code in Problem.Code.allCases {
            text += """
                <h2 id="\(code.rawValue)">\(code.rawValue)</h2>
                <p>\(code.status) &middot; \(code.title).</p>
                <p>\(code.explanation)</p>

                """
        }
        return Array((text + "</body>\n</html>\n").utf8)
    }
}

extension Problem.Code {
    /// What happened and what to do, in a sentence or two.
    var explanation: String {
        switch self {
        case .invalidRequest:
            "The request could not be read: no well-formed JSON or query, an unknown field or parameter, a malformed header. "
                + "Each is named in errors. Sending the same again gives the same answer."
        case .cursorMismatch:
            "A cursor continues the list it came from. Begin the changed list without a cursor."
        case .idempotencyKeyMissing:
            "The operation needs an Idempotency-Key of the client's making, so that it can be repeated without harm."
        case .unauthenticated:
            "No credential was sent, or one that is not valid any more. Log in, or refresh the session."
        case .forbidden:
            "The credential is good, and its role or scopes do not include this."
        case .discountLimit:
            "The sale is further below the list price than the role or key may sell. Each line is named with the limit in "
                + "percent and its list price; somebody with a higher limit may send the same request with the same key."
        case .tenantSuspended:
            "The operator has suspended the tenant. Nothing is lost; ask the operator."
        case .notFound:
            "There is no such resource, or it belongs to another tenant: both are answered alike."
        case .methodNotAllowed:
            "The path exists, the method does not. Allow lists those that do."
        case .requestTimeout:
            "The header block came, and the rest of the body stopped or was too slow. Nothing was changed; send it again, whole."
        case .insufficientStock:
            "A product that must not be oversold is not there in this quantity. Each line is named with what is available."
        case .idempotencyInProgress:
            "A request with the same Idempotency-Key is still being worked on. Repeat it after Retry-After."
        case .invalidState:
            "The resource is not in a state that allows this; detail and errors say which state it is in."
        case .duplicate:
            "Something else has this name, code or number already, and it must be unique in the tenant."
        case .inUse:
            "Documents or other records name it, so it can not be deleted or changed like this. Archive it instead."
        case .creditLimitExceeded:
            "What stays due would exceed what the customer may owe. Take more money now, or raise the limit."
        case .paymentExceedsDue:
            "The amount is more than what is due. Payments are never cut: send the amount that is due."
        case .productInactive:
            "The product is archived. Activate it before it is sold."
        case .sessionClosed:
            "The register takes cash only while a cash session is open on it, and none is."
        case .periodClosed:
            "The books are closed up to a day, and the document lies in that time. Date it later, or open the period."
        case .stockChanged:
            "What is on hand is not what the request expected. Count again, or send it without the expectation."
        case .priceChanged:
            "List prices are not what they were when the draft was made, and the shop wants that to be seen. Each line is named "
                + "with both prices; send the draft's lines again to take the new ones."
        case .versionMismatch:
            "Somebody else changed the resource after it was read. Read it again, and send the change with its new ETag."
        case .tooLarge:
            "The body, the header block or the target is longer than what is accepted."
        case .unsupportedMediaType:
            "Bodies are JSON in UTF-8, and say so in Content-Type."
        case .validationFailed:
            "The request was understood, and some of its values are not possible. Each is named in errors."
        case .idempotencyKeyReused:
            "The Idempotency-Key came with another body before. Make a new key for a new request."
        case .paymentMismatch:
            "The payments add up to more than the total, or cash handed over does not cover its amount. Those of a return are "
                + "exactly what is given back."
        case .creditNeedsCustomer:
            "The payments add up to less than the total. What stays due needs a customer who owes it."
        case .refundExceedsSold:
            "More would be returned of a line than was sold and has not been returned. Each line is named with what is left."
        case .quantityPrecision:
            "A quantity has more decimals than the product's unit of measure. It is refused, never rounded."
        case .preconditionRequired:
            "A change says in If-Match which version it is made to, so that nobody's change is overwritten unseen."
        case .rateLimited:
            "More requests or attempts than are allowed in this time. Wait for Retry-After."
        case .internalError:
            "A defect of the service. It is in the log under the request_id; nothing was changed."
        case .overloaded:
            "The service has more to do than it can. Nothing was changed; repeat the request after Retry-After."
        case .draining:
            "The instance is about to stop. Another one takes the request."
        case .outcomeUnknown:
            "The connection to the database was lost at the moment of committing. Repeat the request with the same "
                + "Idempotency-Key: it is done once."
        case .databaseUnavailable:
            "The database does not answer. Nothing was changed; repeat the request after Retry-After."
        }
    }
}
