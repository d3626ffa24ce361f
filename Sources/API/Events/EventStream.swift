import Cache
import HTTPTypes
import Kernel
import NIOCore
import Services
import Synchronization

/// One stream of `GET /v1/events/stream`: first what was missed, then what happens.
///
/// Each piece is made when the one before was taken. At rest it is a task that waits for its bell, which the hub rings: for an event,
/// for a retirement, and about once a second.
final class EventStream: Sendable {
    /// How far it is.
    private enum Phase {
        /// Nothing was sent.
        case opening
        /// These are to be sent.
        case catchingUp(EventPage)
        /// All up to this number was sent, and there is more.
        case behind(Int64)
        /// Nothing is missing.
        case following
        /// It has said why it ends.
        case ended
    }

    /// Events read at once while a client catches up.
    private static let pageLimit = 200

    private let events: EventsService
    private let live: LiveCall
    private let filter: EventFilter
    private let subscription: EventSubscription
    /// Held for as long as this is.
    private let seat: EventHub.Seat
    private let first: EventPage
    private let phase = Mutex(Phase.opening)
    /// When it goes, once the instance drains.
    private let leaves = Mutex<ContinuousClock.Instant?>(nil)

    private init(
        _ events: EventsService,
        _ live: LiveCall,
        _ filter: EventFilter,
        _ subscription: EventSubscription,
        _ seat: EventHub.Seat,
        _ first: EventPage
    ) {
        self.events = events
        self.live = live
        self.filter = filter
        self.subscription = subscription
        self.seat = seat
        self.first = first
    }

    deinit { events.hub.leave(subscription, of: live.caller.tenant) }

    /// Opens a stream: what is refused is refused here, before anything is sent.
    ///
    /// - Parameters:
    ///   - events: Tells the events.
    ///   - live: Who asks.
    ///   - asked: For what.
    /// - Returns: The answer, whose body does not end by itself.
    /// - Throws: 410 `events_pruned`, 403 `forbidden`, 429 `rate_limited`, 503.
    static func open(_ events: EventsService, _ live: LiveCall, _ asked: StreamQuery) async throws -> Reply {
        let filter = try EventFilter(for: live.caller, asked: asked.types)
        let after = try lastEventID(live.call.exchange.fields.lastEventID) ?? asked.after
        guard !live.isDraining else {
            throw Problem(.draining, "This instance is about to stop. Another one takes the request.", retryAfter: 1)
        }
        let seat = try events.hub.admit(live.caller.tenant)
        let tenant = live.caller.tenant
        let first = try await live.inTurn { deadline in
            guard let after else { return try await events.end(of: tenant, deadline: deadline) }
            return try await events.page(of: tenant, after: after, limit: pageLimit, deadline: deadline)
        }
        let subscription = EventSubscription(
            filter,
            hearsRetirements: asked.changes,
            onOverflow: live.closeConnection
        )
        let stream = EventStream(events, live, filter, subscription, seat, first)
        var reply = Reply(.ok, body: ByteBuffer(), type: .events)
        // Proxies that gather answers would hold every event back.
        reply.append(.accelBuffering, "no")
        reply.closesConnection = true
        reply.stream = AsyncThrowingStream(unfolding: { try await stream.next() })
        return reply
    }

    private static func lastEventID(_ text: String?) throws(Problem) -> Int64? {
        guard let text, !text.isEmpty else { return nil }
        guard let id = Int64(text), id >= 0 else {
            throw Problem(.invalidRequest, "Last-Event-ID is the id of an event that came.")
        }
        return id
    }

    // MARK: Sending

    /// The next piece; nil after the last.
    private func next() async throws -> ByteBuffer? {
        var phase = self.phase.withLock { $0 }
        defer { self.phase.withLock { [phase] in $0 = phase } }
        while true {
            switch phase {
            case .opening:
                phase = .catchingUp(first)
                // All of them come back after a restart, not all at once.
                return ByteBuffer(string: "retry: \(Int.random(in: 1000...3000))\n\n")
            case .catchingUp(let page):
                var bytes = frames(of: page.events.filter { filter.contains($0.type) })
                if page.last == page.head, events.hub.join(subscription, of: live.caller.tenant, at: page.last) {
                    phase = .following
                    Frame.writeReady(head: page.last, to: &bytes)
                    return bytes
                }
                phase = .behind(page.last)
                if bytes.readableBytes > 0 { return bytes }
            case .behind(let number):
                do {
                    phase = .catchingUp(try await page(after: number))
                } catch let problem as Problem {
                    phase = .ended
                    return Frame.end(problem.code.rawValue)
                }
            case .following:
                let (bytes, isLast) = try await news()
                if isLast { phase = .ended }
                return bytes
            case .ended:
                return nil
            }
        }
    }

    private func page(after number: Int64) async throws -> EventPage {
        try live.check()
        return try await live.inTurn { deadline in
            try await self.events.page(
                of: self.live.caller.tenant,
                after: number,
                limit: Self.pageLimit,
                deadline: deadline
            )
        }
    }

    private func frames(of events: [Event]) -> ByteBuffer {
        var bytes = ByteBuffer()
        for event in events { Frame.write(event, to: &bytes) }
        self.events.hub.count(told: events.count)
        return bytes
    }

    /// Waits for something to send.
    private func news() async throws -> (ByteBuffer, isLast: Bool) {
        while true {
            let batch = subscription.take()
            switch batch.end {
            // The connection is being closed: whoever did not take the events does not take this.
            case .slow: throw ChannelError.ioOnClosedChannel
            case .restored: return (Frame.end(Problem.Code.eventsPruned.rawValue), true)
            case nil: break
            }
            if let reason = await reasonToEnd(batch) { return (Frame.end(reason), true) }
            let bytes = frames(of: batch)
            if bytes.readableBytes > 0 { return (bytes, false) }
            if Task.isCancelled { return (Frame.end(Problem.Code.draining.rawValue), true) }
            var patience: Duration?
            if live.isDraining {
                let time = leaves.withLock { leaves in
                    let time = leaves ?? ContinuousClock.now + live.timeToLeave()
                    leaves = time
                    return time
                }
                guard time > .now else { return (Frame.end(Problem.Code.draining.rawValue), true) }
                patience = time - .now
            }
            _ = await subscription.bell.wait(atMost: patience)
        }
    }

    private func frames(of batch: EventSubscription.Batch) -> ByteBuffer {
        var bytes = ByteBuffer()
        var count = 0
        for news in batch.news {
            switch news {
            case .event(let event):
                Frame.write(event, to: &bytes)
                count += 1
            case .retired(let retirement):
                Frame.write(retirement, to: &bytes)
            }
        }
        if batch.isBeat { Frame.writeProgress(head: batch.position, to: &bytes) }
        events.hub.count(told: count)
        return bytes
    }

    /// Why whoever asked may not hear more; nil if they may.
    private func reasonToEnd(_ batch: EventSubscription.Batch) async -> String? {
        do {
            if batch.asksWho { try await live.checkAnew() } else if batch.isBeat { try live.check() }
            return nil
        } catch let problem as Problem {
            switch problem.code {
            case .unauthenticated, .tenantSuspended, .forbidden:
                return problem.code.rawValue
            default:
                // Who it is could not be found out: asked again with the next beat.
                subscription.askAgain()
                return nil
            }
        } catch {
            return Problem.Code.internalError.rawValue
        }
    }
}

/// What stands in a stream.
private enum Frame {
    /// An event: its number is its id.
    static func write(_ event: Event, to bytes: inout ByteBuffer) {
        bytes.writeString("id: \(event.sequence)\ndata: ")
        // A line end in JSON is a blank, and would end the field.
        for part in event.body.readableBytesView.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
            bytes.writeBytes(part)
        }
        bytes.writeString("\n\n")
    }

    /// Modules that are to be read anew, with what to send along.
    static func write(_ retirement: Retirement, to bytes: inout ByteBuffer) {
        var json = JSONWriter(capacity: 256)
        json.object { writer in
            writer.name("modules")
            writer.array { writer in
                for module in retirement.modules { writer.string(module.rawValue) }
            }
            writer.name("consistency")
            if let token = retirement.consistency { writer.string(token) } else { writer.null() }
        }
        bytes.writeString("event: change\ndata: ")
        bytes.writeBytes(json.bytes)
        bytes.writeString("\n\n")
    }

    /// That somebody is there, and up to where everything was sent.
    static func writeProgress(head: Int64, to bytes: inout ByteBuffer) {
        bytes.writeString("id: \(head)\nevent: progress\ndata: {\"head\":\(head)}\n\n")
    }

    /// That nothing is missing up to a number.
    static func writeReady(head: Int64, to bytes: inout ByteBuffer) {
        bytes.writeString("id: \(head)\nevent: ready\ndata: {\"head\":\(head)}\n\n")
    }

    /// That nothing comes any more, and why.
    static func end(_ reason: String) -> ByteBuffer {
        ByteBuffer(string: "event: end\ndata: {\"reason\":\"\(reason)\"}\n\n")
    }
}
