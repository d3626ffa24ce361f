import Domain
import Kernel
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import Cache
@testable import Services

/// The hub over a list of events in memory: who is told what, without a database.
@Suite("Waiting for events")
struct EventHubTests {
    private static let tenant = TenantID(rawValue: 1)

    /// Events that are numbered when a test says so.
    private final class Source: Sendable {
        private let head = Mutex<Int64>(0)
        let readings = Atomic<Int>(0)

        func add(_ count: Int64) { head.withLock { $0 += count } }

        func page(after: Int64, limit: Int) throws(Problem) -> EventPage {
            readings.wrappingAdd(1, ordering: .relaxed)
            let head = self.head.withLock { $0 }
            guard after <= head else { throw Problem(.eventsPruned, "Restored.") }
            let last = min(head, after + Int64(limit))
            let events = (after..<last).map { number in
                Event(sequence: number + 1, type: "sale.confirmed", body: ByteBuffer(string: "{\"n\":\"ñ\"}"))
            }
            return EventPage(events: events, first: 1, head: head, last: last)
        }
    }

    private func subscription(hearsRetirements: Bool = false) throws -> EventSubscription {
        EventSubscription(
            try EventFilter(for: Caller(tenant: Self.tenant, scopes: [.salesRead], name: "Łódź")),
            hearsRetirements: hearsRetirements
        )
    }

    /// Runs a hub for as long as the body.
    private func open(
        _ limits: EventHub.Limits = EventHub.Limits(),
        _ body: (EventHub, Source) async throws -> Void
    ) async throws {
        let source = Source()
        let hub = EventHub(cache: TenantCache(), limits: limits) { (_, after, limit) throws(Problem) in
            try source.page(after: after, limit: limit)
        }
        let running = Task { await hub.run() }
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(hub, source))
        } catch {
            result = .failure(error)
        }
        running.cancel()
        await running.value
        try result.get()
    }

    /// A row of the log.
    private static func row(_ module: String, _ xid: UInt64 = 7) -> LaneStateMachine.Bump {
        LaneStateMachine.Bump(tenant: 1, module: module, xids: [xid], source: .bus, sequence: 1)
    }

    /// The numbers that are told, until there are so many.
    private func numbers(_ subscription: EventSubscription, _ count: Int) async throws -> [Int64] {
        var numbers: [Int64] = []
        try await eventually("\(count) events are told") {
            for case .event(let event) in subscription.take().news { numbers.append(event.sequence) }
            return numbers.count >= count
        }
        return numbers
    }

    /// The retirement that is told, and whether it was asked who it is.
    private func retirement(of subscription: EventSubscription) async throws -> (Retirement, asksWho: Bool) {
        var told: Retirement?
        var asksWho = false
        try await eventually("a retirement is told") {
            let batch = subscription.take()
            asksWho = asksWho || batch.asksWho
            for case .retired(let retirement) in batch.news { told = retirement }
            return told != nil
        }
        return (try required(told), asksWho)
    }

    @Test("costs one reading for all, and whoever comes behind the others reads up to them first")
    func joining() async throws {
        try await open { (hub, source) async throws in
            source.add(3)
            let (one, two, late) = (try subscription(), try subscription(), try subscription())
            #expect(hub.join(one, of: Self.tenant, at: 3) && hub.join(two, of: Self.tenant, at: 5))
            try await eventually("the new room was read for") { source.readings.load(ordering: .relaxed) == 1 }
            source.add(4)
            hub.retired([Self.row("sales"), Self.row("events")])
            #expect(try await numbers(one, 4) == [4, 5, 6, 7])
            #expect(try await numbers(two, 2) == [6, 7])
            #expect(source.readings.load(ordering: .relaxed) == 2)
            #expect(!hub.join(late, of: Self.tenant, at: 6))
            #expect(hub.join(late, of: Self.tenant, at: 7))
            for gone in [one, two, late] { hub.leave(gone, of: Self.tenant) }
            hub.retired([Self.row("sales")])
            #expect(source.readings.load(ordering: .relaxed) == 2)
        }
    }

    @Test("begins with who it is, and misses nothing where a reading ends that was begun for others")
    func replaced() async throws {
        let (source, gate, begun) = (Source(), Doorbell(), Doorbell())
        let hub = EventHub(cache: TenantCache()) { (_, after, limit) throws(Problem) in
            let page = try source.page(after: after, limit: limit)
            if after == 11 {
                begun.ring()
                _ = await gate.wait(atMost: nil)
            }
            return page
        }
        let running = Task { await hub.run() }
        source.add(10)
        let (one, two) = (try subscription(), try subscription())
        #expect(hub.join(one, of: Self.tenant, at: 10))
        #expect(one.take().asksWho)
        source.add(1)
        hub.retired([Self.row("sales")])
        #expect(try await numbers(one, 1) == [11])
        // One is read for once more, and gone before it ends.
        hub.retired([Self.row("sales")])
        #expect(await begun.wait(atMost: .seconds(10)))
        hub.leave(one, of: Self.tenant)
        #expect(hub.join(two, of: Self.tenant, at: 10))
        gate.ring()
        #expect(try await numbers(two, 1) == [11])
        running.cancel()
        gate.ring()
        await running.value
    }

    @Test("ends for one who takes nothing, and goes on for the others")
    func slow() async throws {
        var limits = EventHub.Limits()
        limits.events = 10
        try await open(limits) { (hub, source) async throws in
            let (slow, quick) = (try subscription(), try subscription())
            #expect(hub.join(slow, of: Self.tenant, at: 0) && hub.join(quick, of: Self.tenant, at: 0))
            for step in 1...4 {
                source.add(5)
                hub.retired([Self.row("sales")])
                #expect(try await numbers(quick, 5).last == Int64(5 * step))
            }
            try await eventually("the slow one is told nothing more") { hub.statistics.slow == 1 }
            let batch = slow.take()
            #expect(batch.news.isEmpty && batch.end == .slow)
        }
    }

    @Test("tells retirements together, with a token of their transactions, and asks who it is after those of identity")
    func retirements() async throws {
        try await open { (hub, _) async throws in
            let hears = try subscription(hearsRetirements: true)
            #expect(hub.join(hears, of: Self.tenant, at: 0))
            hub.retired([Self.row("balance", 5), Self.row("sales", 5), Self.row("sales", 9), Self.row("identity", 9)])
            let (told, asksWho) = try await retirement(of: hears)
            #expect(told.modules == [.balance, .sales, .identity] && asksWho)
            let token = try #require(ConsistencyToken(parsing: told.consistency ?? "", tenant: 1))
            let before = Snapshot(xmin: 9, xmax: 10, xip: [9])
            let after = Snapshot(xmin: 10, xmax: 10, xip: [])
            #expect(!token.isSatisfied(by: before, module: .sales) && token.isSatisfied(by: after, module: .sales))
            // Who keeps the last token alone is not answered from before what was told first.
            hub.retired([Self.row("stock", 12)])
            let next = try await retirement(of: hears).0
            let both = try #require(ConsistencyToken(parsing: next.consistency ?? "", tenant: 1))
            #expect(next.modules == [.stock])
            let last = Snapshot(xmin: 13, xmax: 13, xip: [])
            #expect(!both.isSatisfied(by: before, module: .sales) && both.isSatisfied(by: last, module: .sales))
            #expect(!both.isSatisfied(by: after, module: .stock) && both.isSatisfied(by: last, module: .stock))
            hub.lostPlace()
            let all = try await retirement(of: hears).0
            #expect(all == Retirement(modules: Module.allCases, consistency: nil))
        }
    }

    @Test("ends when the database was restored to before what was told")
    func restored() async throws {
        try await open { (hub, source) async throws in
            source.add(2)
            let ahead = try subscription()
            #expect(hub.join(ahead, of: Self.tenant, at: 9))
            try await eventually("it ends") { ahead.take().end == .restored }
        }
    }
}
