import Foundation
import IOLoop
import Synchronization
import TestSupport
import Testing

@testable import Redis

@Suite("Redis connections that fall silent")
struct SilenceTests {
    /// The clock of an inline loop.
    private final class ManualClock: Sendable {
        private let instant = Mutex(ContinuousClock.now)

        var now: ContinuousClock.Instant { instant.withLock { $0 } }

        func advance(by duration: Duration) {
            instant.withLock { $0 = $0.advanced(by: duration) }
        }
    }

    private final class Answering: Sendable {
        private let flag = Atomic(true)

        var value: Bool {
            get { flag.load(ordering: .relaxed) }
            set { flag.store(newValue, ordering: .relaxed) }
        }
    }

    @Test("a subscriber asks after each third of the silence allowed, and leaves exactly when it is over")
    func thirds() async throws {
        let answering = Answering()
        let server = try FakeServer { command, _ in
            answering.value ? FakeServer.handshake(command) ?? .reply("+OK\r\n") : .reply("")
        }
        let clock = ManualClock()
        let loop = IOLoop.inline { clock.now }
        var settings = try configuration(server.url)
        settings.subscriberSilence = .milliseconds(900)
        let queue = EventQueue(capacity: 8)
        let connection = SubscriberConnection(configuration: settings, loop: loop, channel: [98], queue: queue)
        let opening = Task { try await connection.open(.unix(path: server.path)) }
        let ended = Mutex<RedisError?>(nil)
        let waiting = Task {
            let reason = await connection.waitUntilClosed()
            ended.withLock { $0 = reason }
        }
        func pump(until condition: @Sendable () -> Bool) async throws {
            try await eventually("the loop gets there") {
                loop.pump()
                return condition()
            }
        }
        func asked() -> Int { server.commands.count { $0[0] == "SUBSCRIBE" } }

        let isOpen = Mutex(false)
        let watching = Task {
            try await opening.value
            isOpen.withLock { $0 = true }
        }
        try await pump { isOpen.withLock { $0 } }
        try await watching.value
        #expect(await queue.next() == .subscribed)
        #expect(asked() == 1)

        // As long as it answers it is asked once a third, for ever.
        for round in 2...6 {
            clock.advance(by: .milliseconds(299))
            loop.pump()
            #expect(asked() == round - 1)
            clock.advance(by: .milliseconds(1))
            try await pump { server.commands.count { $0[0] == "SUBSCRIBE" } == round }
            // The confirmation has to be read, or the clock would run ahead of it.
            try await pump { assumedHeard(connection, loop) == clock.now }
        }

        answering.value = false
        clock.advance(by: .milliseconds(899))
        loop.pump()
        #expect(ended.withLock { $0 } == nil)
        clock.advance(by: .milliseconds(1))
        try await pump { ended.withLock { $0 } != nil }
        #expect(ended.withLock { $0?.code } == .timedOut)
        await waiting.value
        server.stop()
        loop.stop()
    }

    /// When the connection last heard of the server.
    private func assumedHeard(_ connection: SubscriberConnection, _ loop: IOLoop) -> ContinuousClock.Instant {
        loop.onLoop { connection.assumeIsolated { $0.lastHeard } }
    }

    @Test(
        "a subscription that is black-holed is left after a second, and found again afterwards",
        arguments: [
            BlackHoleProxy.Hole.everything, .replies,
        ]
    )
    func blackHole(hole: BlackHoleProxy.Hole) async throws {
        let server = try await RedisServer.start()
        let proxy = try BlackHoleProxy(to: server.socketPath)
        var settings = try configuration(proxy.url)
        settings.subscriberSilence = .seconds(1)
        settings.connectTimeout = .milliseconds(200)
        try await withSubscriber(settings) { subscriber in
            let events = subscriber.events
            #expect(await events.next() == .subscribed)
            proxy.swallow(hole)
            let start = ContinuousClock.now
            #expect(await events.next() == .lost)
            let waited = ContinuousClock.now - start
            // A third passed at most since the last sign of life.
            #expect(waited > .milliseconds(600) && waited < .milliseconds(1_900), "\(waited)")
            _ = try await server.command("PUBLISH", "bus", "unheard")
            proxy.swallow(.nothing)
            #expect(await events.next() == .subscribed)
            _ = try await server.command("PUBLISH", "bus", "heard")
            #expect(await events.next() == .message(Array("heard".utf8)))
        }
        proxy.stop()
        try await server.stop()
    }

    @Test(
        "commands into a black hole time out once; then calls fail at once until it is gone",
        arguments: [
            BlackHoleProxy.Hole.everything, .replies,
        ]
    )
    func commandsIntoBlackHole(hole: BlackHoleProxy.Hole) async throws {
        let server = try await RedisServer.start()
        let proxy = try BlackHoleProxy(to: server.socketPath)
        var settings = try configuration(proxy.url)
        settings.commandTimeout = .milliseconds(50)
        settings.connectTimeout = .milliseconds(200)
        try await withClient(settings) { client in
            proxy.swallow(hole)
            let error = await client.failure(of: ["SET", "a", "1"])
            #expect(error?.code == .timedOut)
            #expect(error?.mayHaveRun == true)
            try await eventually("the connection is given up") { !client.isAvailable }
            let start = ContinuousClock.now
            for _ in 0..<1_000 {
                #expect(await client.failure(of: ["GET", "a"])?.code == .unavailable)
            }
            // A wait of 50 ms each would be 50 s.
            #expect(ContinuousClock.now - start < .seconds(10))
            proxy.swallow(.nothing)
            try await client.connected(after: 1)
            try await same(client.reply(to: ["ECHO", "back"], timeout: .seconds(5)).text, "back")
        }
        proxy.stop()
        try await server.stop()
    }
}
