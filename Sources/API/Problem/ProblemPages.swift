import Kernel

/// The pages that the `type` of every problem leads to: what a code means, what to do about it, and who answers with it.
///
/// HTML in UTF-8; made of our own words and of the table of routes, so that no page can be behind what is answered.
struct ProblemPages: Sendable {
    /// All codes, each with a link to its page.
    let index: [UInt8]

    private let pages: [Problem.Code: [UInt8]]

    /// The page of one code.
    subscript(code: Problem.Code) -> [UInt8] { pages[code] ?? index }

    /// Writes the pages.
    ///
    /// - Parameter routes: the operations that may answer with a problem.
    init(of routes: [Route]) {
        var names: [Problem.Code: [String]] = [:]
        for route in routes {
            for code in route.allProblems { names[code, default: []].append("\(route.method) \(route.path)") }
        }
        let codes = Problem.Code.allCases
        let rows = codes.map { code in
            "<tr id=\"\(code.rawValue)\"><td>\(code.status)</td>"
                + "<td><a href=\"\(code.type)\">\(code.rawValue)</a></td><td>\(code.title)</td></tr>\n"
        }
        let faults = FieldError.Code.allCases.map { fault in
            "<tr><td>\(fault)</td><td>\(fault.meaning.split(separator: "`", omittingEmptySubsequences: false).joined())</td></tr>\n"
        }
        index = Self.page(
            "Problems",
            """
            <p>What the <code>code</code> of a problem document (RFC 9457) means, and what to do about it.</p>
            <table>
            \(rows.joined())</table>
            <p>What each of its <code>errors</code> says with its own <code>code</code>:</p>
            <table>
            \(faults.joined())</table>

            """
        )
        pages = Dictionary(
            uniqueKeysWithValues: codes.map { ($0, Self.page($0.rawValue, Self.text(of: $0, from: names[$0] ?? []))) }
        )
    }

    /// The shape of the list for programs.
    static let schema = Schema.named(
        "ProblemCodes",
        .object([
            .required(
                "problems",
                .array(
                    .object([
                        .required("code", .text), .required("status", .integer(minimum: 400)),
                        .required("title", .text), .required("explanation", .text),
                    ])
                )
            )
        ])
    )

    /// All codes for programs, as JSON.
    static var json: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("problems")
            writer.array { writer in
                for code in Problem.Code.allCases {
                    writer.object { writer in
                        writer.member("code", code.rawValue)
                        writer.member("status", code.status)
                        writer.member("title", code.title)
                        writer.member("explanation", code.explanation)
                    }
                }
            }
        }
        return writer.bytes
    }

    private static func text(of code: Problem.Code, from operations: [String]) -> String {
        let example = Problem(code, code.explanation).document(requestID: "stp2cqjb", instance: "/v1/sales")
        // Not one operation of many: what each of them may answer is said where it is described.
        let answerers =
            operations.count > 40
            ? "<p>Most operations may answer with it; see <a href=\"/openapi.json\">the document</a>.</p>\n"
            : operations.isEmpty
                ? "<p>It is answered before an operation is known.</p>\n"
                : "<ul>\n" + operations.map { "<li><code>\($0)</code></li>\n" }.joined() + "</ul>\n"
        return """
            <p>\(code.status) &middot; \(code.title).</p>
            <p>\(code.explanation)</p>
            <h2>The same request again?</h2>
            <p>\(code.repetition)</p>
            <h2>What it looks like</h2>
            <pre>\(String(decoding: example, as: UTF8.self))</pre>
            <h2>Who answers with it</h2>
            \(answerers)<p><a href="/problems">All problems</a></p>

            """
    }

    /// What the pages look like; the policy of pages names its digest.
    static let style = """
        body { font: 1rem/1.5 system-ui; max-width: 48rem; margin: 2rem auto; padding: 0 1rem }
        pre { white-space: pre-wrap; overflow-wrap: anywhere } td { padding-right: 1rem; vertical-align: top }
        """

    private static func page(_ title: String, _ text: String) -> [UInt8] {
        Array(
            """
            <!DOCTYPE html>
            <html lang="en">
            <head><meta charset="utf-8"><title>\(title)</title>
            <meta name="viewport" content="width=device-width">
            <style>\(style)</style>
            </head>
            <body>
            <h1>\(title)</h1>
            \(text)</body>
            </html>

            """.utf8
        )
    }
}

extension Problem.Code {
    /// Whether sending the same again helps, and with which key.
    var repetition: String {
        switch self {
        case .rateLimited, .overloaded, .draining, .databaseUnavailable, .idempotencyInProgress, .requestTimeout:
            "Yes, after <code>Retry-After</code>, with the same Idempotency-Key if it had one."
        case .outcomeUnknown:
            "Yes, with the same Idempotency-Key: what was done is answered, what was not is done. Without a key, look first."
        case .internalError:
            "Once, with the same Idempotency-Key; then tell whoever runs the service the request_id."
        case .unauthenticated:
            "Yes, with a new access token and the same Idempotency-Key."
        case .versionMismatch, .preconditionRequired:
            "Yes, with the ETag of what is there now."
        case .idempotencyKeyMissing:
            "Yes, with an Idempotency-Key."
        default:
            isStoredRefusal
                ? "No: the answer is kept with its Idempotency-Key for 48 hours. What is changed goes under a new key."
                : "No: it would be answered alike. Change what is named first."
        }
    }

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
        case .returnLimit:
            "More comes back without its sale than the role or key may take. The limit is named; somebody with a higher one may "
                + "take it, or approve of it."
        case .tenantSuspended:
            "The operator has suspended the tenant. Nothing is lost; ask the operator."
        case .notFound:
            "There is no such resource, or it belongs to another tenant: both are answered alike."
        case .methodNotAllowed:
            "The path exists, the method does not. Allow lists those that do."
        case .notAcceptable:
            "Accept names no media type that the operation answers with. Each of those is in errors."
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
        case .eventsPruned:
            "The events after the number that was asked for are gone: they are kept for some days, or the database was restored. Read "
                + "what you mirror anew, and go on from the number that errors names in after."
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
