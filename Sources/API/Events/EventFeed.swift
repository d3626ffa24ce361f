import Cache
import Kernel
import NIOCore
import Services

/// One answer of `GET /v1/events`.
struct EventFeed {
    /// Pages looked at for one answer, where few events are among those that are asked for.
    private static let pages = 5
    /// Events of a page where not all are asked for.
    private static let examined = 200

    private let events: EventsService
    private let live: LiveCall
    private let asked: EventQuery
    private let filter: EventFilter
    private let ends: ContinuousClock.Instant

    init(_ events: EventsService, _ live: LiveCall, _ asked: EventQuery) throws(Problem) {
        self.events = events
        self.live = live
        self.asked = asked
        filter = try EventFilter(for: live.caller, asked: asked.types)
        ends = .now + asked.wait
    }

    func answer() async throws -> Reply {
        var found = try await look(after: asked.after)
        guard found.events.isEmpty, asked.wait > .zero, found.next == found.head else { return reply(found) }
        let seat = try events.hub.admit(live.caller.tenant)
        let waiting = EventSubscription(filter)
        let bell = Doorbell()
        waiting.listen { bell.ring() }
        while !events.hub.join(waiting, of: live.caller.tenant, at: found.next) {
            found = try await look(after: found.next)
            guard found.events.isEmpty, found.next == found.head else { return reply(found) }
        }
        defer {
            events.hub.leave(waiting, of: live.caller.tenant)
            withExtendedLifetime(seat) {}
        }
        return reply(try await wait(waiting, bell))
    }

    /// What an answer says.
    private struct Found {
        var events: [Event] = []
        /// Where the next request begins.
        var next: Int64
        var head: Int64
    }

    /// Reads what there is.
    private func look(after: Int64?) async throws -> Found {
        var found: Found?
        for _ in 0..<Self.pages {
            let limit = asked.limit
            let start = found?.next ?? after
            let page = try await live.inTurn { deadline in
                try await events.page(
                    of: live.caller.tenant,
                    after: start,
                    limit: max(limit, Self.examined),
                    deadline: deadline
                )
            }
            let matching = page.events.filter { filter.contains($0.type) }
            let last = matching.count > limit ? matching[limit - 1].sequence : page.last
            found = Found(events: Array(matching.prefix(limit)), next: last, head: page.head)
            if !matching.isEmpty || page.last == page.head { break }
        }
        return found ?? Found(next: after ?? 0, head: after ?? 0)
    }

    /// Waits for an event, which comes without a statement of its own.
    private func wait(_ waiting: EventSubscription, _ bell: Doorbell) async throws -> Found {
        var leaves: ContinuousClock.Instant?
        while true {
            let batch = waiting.take()
            guard batch.end == nil else {
                // What this instance knows of its numbers is wrong: the next request is told what is.
                throw Problem(.overloaded, "The events have to be read anew.", retryAfter: 1)
            }
            if batch.asksWho { try await live.check() } else { try live.refuseIfKnownToBeGone() }
            let told = batch.news.compactMap { news -> Event? in
                if case .event(let event) = news { event } else { nil }
            }
            if !told.isEmpty {
                let given = told.prefix(asked.limit)
                let next = told.count > asked.limit ? given.last?.sequence : batch.position
                events.hub.count(told: given.count)
                return Found(events: Array(given), next: next ?? batch.position, head: batch.position)
            }
            // An instance that drains keeps who waits for as long as it does streams: they would ask it again at once.
            leaves = leaves ?? live.timeToLeave()
            let (now, end) = (ContinuousClock.now, min(ends, leaves ?? ends))
            guard now < end, !Task.isCancelled else {
                return Found(next: batch.position, head: batch.position)
            }
            _ = await bell.wait(atMost: end - now)
        }
    }

    private func reply(_ found: Found) -> Reply {
        .json { writer in
            writer.object { writer in
                writer.name("data")
                writer.array { writer in
                    for event in found.events { writer.raw(event.body.readableBytesView) }
                }
                writer.name("next")
                writer.integer(found.next)
                writer.name("head")
                writer.integer(found.head)
            }
        }
    }
}
