import Cache
import HTTPTypes
import Kernel
import NIOCore
import Services
import Synchronization

/// One stream of `GET /v1/events/stream`: first what was missed, then what happens.
///
/// A machine that whoever sends asks for one ``Step`` after the other, each when the one before was taken. At rest it is nothing but a
/// subscription: no task waits for it, and ``listen(_:)`` calls for an event, for a retirement, and about once a second.
final class EventStream: Sendable {
    /// What is to be done next.
    enum Step {
        /// To send this, and to ask again when it was taken.
        case send(ByteBuffer)
        /// To wait for ``EventStream/work()``, and to ask again.
        case work
        /// To ask again when it calls, or at this time if there is one.
        case rest(until: ContinuousClock.Instant?)
        /// To send this as the last.
        case end(ByteBuffer)
        /// Nothing: the connection is being closed, as whoever did not take the events would not take a word about it.
        case cut
    }

    /// How far it is.
    private enum Phase {
        /// Nothing was sent; these will be first.
        case opening(EventPage)
        /// These are to be sent.
        case catchingUp(EventPage)
        /// All up to this number was sent, and there is more.
        case behind(Int64)
        /// Nothing is missing.
        case following
        /// Nothing is missing but this, which may be told once it is known who asks.
        case asking(EventSubscription.Batch)
        /// Nothing is missing but this.
        case telling(EventSubscription.Batch)
        /// It has to say why it ends.
        case ending(String)
    }

    /// How long a client that lost its stream is told to wait.
    static let retry = Duration.seconds(1)...Duration.seconds(3)

    /// Events read at once while a client catches up.
    private static let pageLimit = 200

    private let events: EventsService
    private let live: LiveCall
    private let filter: EventFilter
    private let subscription: EventSubscription
    /// Held for as long as this is.
    private let seat: EventHub.Seat
    private let phase: Mutex<Phase>
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
        phase = Mutex(.opening(first))
    }

    deinit { events.hub.leave(subscription, of: live.caller.tenant) }

    /// Opens a stream: what is refused is refused here, before anything is sent.
    ///
    /// - Parameters:
    ///   - events: Tells the events.
    ///   - live: Who asks.
    ///   - asked: For what.
    ///   - lastID: The id of the last event that came, in the client's words.
    /// - Returns: The answer, whose body does not end by itself.
    /// - Throws: 410 `events_pruned`, 403 `forbidden`, 429 `rate_limited`, 503.
    static func open(
        _ events: EventsService,
        _ live: LiveCall,
        _ asked: StreamQuery,
        lastID: String?
    ) async throws -> Reply {
        let filter = try EventFilter(for: live.caller, asked: asked.types)
        let after = try lastEventID(lastID) ?? asked.after
        let seat = try events.hub.admit(live.caller.tenant)
        let tenant = live.caller.tenant
        let first = try await live.inTurn(asStream: true) { deadline in
            guard let after else { return try await events.end(of: tenant, deadline: deadline) }
            return try await events.page(of: tenant, after: after, limit: pageLimit, deadline: deadline)
        }
        let subscription = EventSubscription(
            filter,
            hearsRetirements: asked.changes,
            onOverflow: live.closeConnection
        )
        var reply = Reply(.ok, body: ByteBuffer(), type: .events)
        // Proxies that gather answers would hold every event back.
        reply.append(.accelBuffering, "no")
        reply.closesConnection = true
        reply.events = EventStream(events, live, filter, subscription, seat, first)
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

    /// Has somebody called, on any thread, when ``step()`` is to be asked again.
    func listen(_ call: @escaping @Sendable () -> Void) { subscription.listen(call) }

    /// What is to be done next; to be asked by one at a time, and not while ``work()`` is done.
    func step() -> Step {
        var phase = self.phase.withLock { $0 }
        defer { self.phase.withLock { [phase] in $0 = phase } }
        while true {
            switch phase {
            case .opening(let first):
                phase = .catchingUp(first)
                // All of them come back after a restart, not all at once.
                let milliseconds = Self.retry.lowerBound / .milliseconds(1)...Self.retry.upperBound / .milliseconds(1)
                return .send(ByteBuffer(string: "retry: \(Int(Double.random(in: milliseconds)))\n\n"))
            case .catchingUp(let page):
                var bytes = frames(of: page.events.filter { filter.contains($0.type) })
                if page.last == page.head, events.hub.join(subscription, of: live.caller.tenant, at: page.last) {
                    phase = .following
                    Frame.writeReady(head: page.last, to: &bytes)
                    return .send(bytes)
                }
                phase = .behind(page.last)
                // Who asks for few types hears that somebody is there, and goes on from here if the connection breaks.
                if bytes.readableBytes == 0, page.last < page.head { Frame.writeProgress(head: page.last, to: &bytes) }
                if bytes.readableBytes > 0 { return .send(bytes) }
            case .behind, .asking:
                return .work
            case .following:
                let batch = subscription.take()
                switch batch.end {
                case .slow: return .cut
                case .restored: phase = .ending(Problem.Code.eventsPruned.rawValue)
                case nil where batch.isEmpty:
                    // It has called for nothing that was not taken: for the next it calls again.
                    guard let leaves = leaving() else { return .rest(until: nil) }
                    guard leaves <= .now else { return .rest(until: leaves) }
                    phase = .ending(Problem.Code.draining.rawValue)
                case nil: phase = batch.asksWho ? .asking(batch) : checked(batch)
                }
            case .telling(let batch):
                // What was taken and is not sent comes after the number that the client has.
                if let leaves = leaving(), leaves <= .now {
                    phase = .ending(Problem.Code.draining.rawValue)
                    continue
                }
                phase = .following
                let bytes = frames(of: batch)
                if bytes.readableBytes > 0 { return .send(bytes) }
            case .ending(let reason):
                return .end(Frame.end(reason))
            }
        }
    }

    /// Does what ``step()`` waits for.
    func work() async {
        let phase = self.phase.withLock { $0 }
        let next: Phase
        switch phase {
        case .behind(let number):
            do {
                next = .catchingUp(try await page(after: number))
            } catch {
                next = .ending((error as? Problem)?.code.rawValue ?? Problem.Code.internalError.rawValue)
            }
        case .asking(let batch):
            do {
                try await live.check()
                next = .telling(batch)
            } catch {
                next = refused(error, batch)
            }
        case .opening, .catchingUp, .following, .telling, .ending:
            next = phase
        }
        self.phase.withLock { $0 = next }
    }

    private func page(after number: Int64) async throws -> EventPage {
        try await live.check()
        return try await live.inTurn(asStream: true) { deadline in
            try await self.events.page(
                of: self.live.caller.tenant,
                after: number,
                limit: Self.pageLimit,
                deadline: deadline
            )
        }
    }

    /// When it goes as the instance does; nil while that does not.
    private func leaving() -> ContinuousClock.Instant? {
        leaves.withLock { leaves in
            leaves = leaves ?? live.timeToLeave()
            return leaves
        }
    }

    /// Whether whoever asked may hear more, as far as this instance knows: looked at with each beat.
    private func checked(_ batch: EventSubscription.Batch) -> Phase {
        do {
            if batch.isBeat { try live.refuseIfKnownToBeGone() }
            return .telling(batch)
        } catch {
            return refused(error, batch)
        }
    }

    /// What follows when it cannot be said that whoever asked may hear more.
    private func refused(_ error: any Error, _ batch: EventSubscription.Batch) -> Phase {
        guard let problem = error as? Problem else { return .ending(Problem.Code.internalError.rawValue) }
        switch problem.code {
        case .unauthenticated, .tenantSuspended, .forbidden:
            return .ending(problem.code.rawValue)
        default:
            // Who it is could not be found out: asked again with the next beat.
            subscription.askAgain()
            return .telling(batch)
        }
    }

    private func frames(of events: [Event]) -> ByteBuffer {
        var bytes = ByteBuffer()
        for event in events { Frame.write(event, to: &bytes) }
        self.events.hub.count(told: events.count)
        return bytes
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
