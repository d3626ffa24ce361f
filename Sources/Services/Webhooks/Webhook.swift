import Domain
package import Kernel
import Postgres

/// An endpoint that is to be made, as `POST /v1/webhooks` asks for it.
package struct WebhookDraft: Sendable {
    /// Where it is; nil if that could not be read.
    package let url: WebhookURL?
    /// Types of events, and topics for all types of theirs; none for all that may be read.
    package let types: [String]
    /// Whether events are sent there.
    package let active: Bool

    /// Reads the body of `POST /v1/webhooks`.
    ///
    /// - Parameters:
    ///   - reader: Where it stands.
    ///   - rule: Which addresses are refused at once.
    /// - Returns: What is to be made.
    package static func read(_ reader: inout JSONObjectReader, _ rule: AddressRule) -> WebhookDraft {
        WebhookDraft(
            url: reader.required("url", else: nil, FieldReading<WebhookURL>.webhook(rule).map { .success($0) }),
            types: reader.optionalValues("types", count: WebhooksService.mostTypes, .eventType) ?? [],
            active: reader.optionalBool("active") ?? true
        )
    }
}

/// What is changed of an endpoint, as `PATCH /v1/webhooks/{id}` asks for it.
package struct WebhookPatch: Sendable {
    package var url: Change<WebhookURL>
    package var types: Change<[String]>
    package var active: Change<Bool>

    /// Reads the body of `PATCH /v1/webhooks/{id}`.
    package static func read(_ reader: inout JSONObjectReader, _ rule: AddressRule) -> WebhookPatch {
        WebhookPatch(
            url: reader.change("url", .webhook(rule)),
            types: reader.changedValues("types", count: WebhooksService.mostTypes, .eventType),
            active: reader.change("active", .bool)
        )
    }
}

extension FieldReading where Value == WebhookURL {
    /// The address of an endpoint; one that is refused wherever it leads is refused here already.
    static func webhook(_ rule: AddressRule) -> FieldReading {
        let text = FieldReading<String>.text(.url).described(as: .string(format: "uri", maximum: TextRule.url.maximum))
        return text.map { text in
            let url: WebhookURL
            do throws(ReadingFault) { url = try WebhookURL(text) } catch { return .failure(error) }
            guard url.isSecure || rule.allowsHTTP else {
                return .failure(ReadingFault(.notAllowed, "Must begin with https://."))
            }
            if let address = url.address, !rule.permits(address) {
                return .failure(ReadingFault(.notAllowed, "Must be an address that the internet can reach."))
            }
            return .success(url)
        }
    }
}

extension FieldReading where Value == String {
    /// A type of event, or a topic for all types of its.
    package static var eventType: FieldReading {
        let topics = EventTopic.allCases.map(\.rawValue).joined(separator: ", ")
        let schema = Schema.pattern(
            #"^[a-z_]{1,60}(\.[a-z_]{1,60})?$"#,
            description: "A type, as sale.confirmed, or a topic for all types of its: \(topics)."
        )
        return FieldReading<String>.string.described(as: schema).map { text in
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            let isFormed = parts.allSatisfy { part in
                (1...60).contains(part.utf8.count)
                    && part.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == UInt8(ascii: "_") }
            }
            guard isFormed, parts.count <= 2, EventTopic(ofType: text) != nil else {
                let detail = "Must be a type of \(topics), as sale.confirmed, or one of these."
                return .failure(ReadingFault(.notAllowed, detail))
            }
            return .success(text)
        }
    }
}

/// An endpoint with how far it is.
struct Webhook: Resource {
    static let name = "webhooks.webhook"
    static let collection = "/v1/webhooks"
    static let sql: SQL = """
        SELECT stock.webhook_body(w.tenant_id, w.id), '"' || w.version || '"'
        FROM stock.webhook w
        WHERE w.tenant_id = stock.current_tenant() AND w.id = $1
        """

    let id: WebhookID

    init(_ id: WebhookID) { self.id = id }
}
