import Domain
import HTTPTypes
import Kernel
import NIOCore
import Services

/// What happened in a tenant, to be read by its numbers, waited for, or followed.
struct EventsRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let events = shop.events
        return [
            Route(
                .get,
                "/v1/events",
                "listEvents",
                "What happened, in the order of commits and without a gap; waits for the next event if asked to",
                area: "events",
                access: .authenticated,
                takes: Route.Input(parameters: Query.parameters(of: EventQuery.read)),
                gives: Route.Output(answer: Self.page, problems: [.eventsPruned, .forbidden]),
                service: .live { call, live in
                    let asked = try call.query(EventQuery.read)
                    return try await EventFeed(events, live, asked).answer()
                }
            ),
            Route(
                .get,
                "/v1/events/stream",
                "streamEvents",
                "What happens, as it happens, as server-sent events",
                area: "events",
                access: .authenticated,
                takes: Route.Input(parameters: Query.parameters(of: StreamQuery.read), resumes: true),
                gives: Route.Output(answer: .text, type: .events, problems: [.eventsPruned, .forbidden]),
                service: .live { call, live in
                    let asked = try call.query(StreamQuery.read)
                    return try await EventStream.open(events, live, asked, lastID: call.exchange.fields.lastEventID)
                }
            ),
        ]
    }

    static let event = Schema.named(
        "Event",
        .object([
            .required("seq", .integer(minimum: 1)),
            .required("type", .pattern(#"^[a-z_]+\.[a-z_]+$"#, description: "What happened: sale.confirmed.")),
            .required("entity_id", .nullable(.id)), .required("occurred_at", .time), .required("recorded_at", .time),
            .required("actor", .nullable(.id)),
            .required("data", .anyObject(description: "Ids, numbers and amounts; members are only ever added.")),
        ])
    )

    private static let page = Schema.object([
        .required("data", .array(event)), .required("next", .integer(minimum: 0)),
        .required("head", .integer(minimum: 0)),
    ])

    /// How many wait, and what they were told, as metrics.
    static func samples(of hub: EventHub) -> [MetricSample] {
        let statistics = hub.statistics
        return [
            MetricSample("stock_event_streams", Double(statistics.waiting)),
            MetricSample("stock_events_sent_total", count: statistics.told),
            MetricSample("stock_event_streams_slow_total", count: statistics.slow),
        ]
    }
}

/// What `GET /v1/events` is asked for.
struct EventQuery: Sendable {
    /// The number before the first event; nil for the oldest there is.
    let after: Int64?
    /// Types, and topics for all types of theirs; empty for all.
    let types: [String]
    /// How many events at most.
    let limit: Int
    /// How long to wait for one.
    let wait: Duration

    @Sendable static func read(_ query: inout Query) -> EventQuery {
        EventQuery(
            after: query.integer("after", 0...Int(Int64.max), "The number before the first; the oldest if left out.")
                .map { Int64($0) },
            types: query.eventTypes(),
            limit: query.integer("limit", 1...200, "Events of an answer; 50 if left out.") ?? 50,
            wait: .seconds(query.integer("wait", 0...25, "Seconds to wait while there is none; 0 if left out.") ?? 0)
        )
    }
}

/// What `GET /v1/events/stream` is asked for.
struct StreamQuery: Sendable {
    /// The number before the first event; nil for what happens from now on.
    let after: Int64?
    /// Types, and topics for all types of theirs; empty for all.
    let types: [String]
    /// Whether retirements are told.
    let changes: Bool

    @Sendable static func read(_ query: inout Query) -> StreamQuery {
        let description = "The number before the first, unless Last-Event-ID is sent; from now on if left out."
        return StreamQuery(
            after: query.integer("after", 0...Int(Int64.max), description).map { Int64($0) },
            types: query.eventTypes(),
            changes: query.flag("changes", "Whether to tell which modules have to be read anew.") ?? false
        )
    }
}

extension Query {
    /// Types of events, or topics, separated by commas.
    fileprivate mutating func eventTypes() -> [String] {
        let description = "Of these types only, as sale.confirmed,stock.low; sale stands for all of sales."
        guard let text = text("types", maximum: 1000, description) else { return [] }
        let types = text.split(separator: ",", omittingEmptySubsequences: false).map { Text.trimmed(String($0)) }
        for type in types where EventTopic(ofType: type) == nil {
            fail("types", .notAllowed, "\"\(Text.excerpt(type))\" is no type of event.")
        }
        return types
    }
}
