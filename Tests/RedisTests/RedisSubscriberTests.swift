import Foundation
import IOLoop
import TestSupport
import Testing

@testable import Redis

@Suite("The Redis subscriber")
struct RedisSubscriberTests {
    private func message(_ text: String) -> RedisSubscriber.Event {
        .message(Array(text.utf8))
    }

    @Test("messages arrive in order after the confirmation")
    func messages() async throws {
        let server = try await RedisServer.start()
        try await withSubscriber(configuration(server.url)) { subscriber in
            let events = subscriber.events.makeAsyncIterator()
            #expect(await events.next() == .subscribed)
            try await withClient(configuration(server.url)) { client in
                for index in 0..<1_000 {
                    try await same(client.reply(to: ["PUBLISH", "bus", .integer(index)]), .integer(1))
                }
            }
            for index in 0..<1_000 {
                #expect(await events.next() == message("\(index)"))
            }
        }
        try await server.stop()
    }

    @Test("every new connection is a gap: lost, then subscribed")
    func gaps() async throws {
        let server = try await RedisServer.start()
        try await withSubscriber(configuration(server.url)) { subscriber in
            let events = subscriber.events.makeAsyncIterator()
            #expect(await events.next() == .subscribed)
            _ = try await server.command("CLIENT", "KILL", "TYPE", "pubsub")
            #expect(await events.next() == .lost)
            #expect(await events.next() == .subscribed)
            _ = try await server.command("PUBLISH", "bus", "after")
            #expect(await events.next() == message("after"))
            try await server.kill()
            #expect(await events.next() == .lost)
            try await server.start(keepingData: false)
            #expect(await events.next() == .subscribed)
        }
        try await server.stop()
    }

    @Test("a password and a database are no obstacle, a wrong password is")
    func password() async throws {
        let server = try await RedisServer.start(password: "right")
        try await withSubscriber(configuration("unix://:right@\(server.socketPath)?db=2")) { subscriber in
            let events = subscriber.events.makeAsyncIterator()
            #expect(await events.next() == .subscribed)
        }
        try await withLoop { loop in
            let connection = SubscriberConnection(
                configuration: try configuration("unix://:wrong@\(server.socketPath)"),
                loop: loop,
                channel: [98],
                queue: EventQueue(capacity: 1)
            )
            let error = await #expect(throws: RedisError.self) {
                try await connection.open(.unix(path: server.socketPath))
            }
            #expect(error?.code == .notAuthenticated)
        }
        try await server.stop()
    }

    @Test("silence is broken by asking, and a frozen server is left")
    func silence() async throws {
        let server = try await RedisServer.start()
        var settings = try configuration(server.url)
        settings.subscriberSilence = .seconds(3)
        try await withSubscriber(settings) { subscriber in
            let events = subscriber.events.makeAsyncIterator()
            #expect(await events.next() == .subscribed)
            try await eventually(within: .seconds(30), "it has asked for longer than the silence") {
                let text = try await server.command("INFO", "commandstats")
                guard let range = text.range(of: "cmdstat_subscribe:calls=") else { return false }
                return (Int(text[range.upperBound...].prefix { $0.isNumber }) ?? 0) > 4
            }
            _ = try await server.command("PUBLISH", "bus", "still there")
            #expect(await events.next() == message("still there"))
            try await server.pause()
            #expect(await events.next() == .lost)
            await server.resume()
            #expect(await events.next() == .subscribed)
        }
        try await server.stop()
    }

    @Test("messages between the signs of life are all delivered")
    func pingsAndMessages() async throws {
        let server = try await RedisServer.start()
        var settings = try configuration(server.url)
        settings.subscriberSilence = .seconds(3)
        settings.pingInterval = .milliseconds(1)
        try await withSubscriber(settings) { subscriber in
            let events = subscriber.events.makeAsyncIterator()
            #expect(await events.next() == .subscribed)
            try await withClient(configuration(server.url)) { client in
                for index in 0..<60 {
                    _ = try await client.reply(to: ["PUBLISH", "bus", .integer(index)])
                    #expect(await events.next() == message("\(index)"))
                    // A pause as long as it takes the server to be asked for a sign of life.
                    if index.isMultiple(of: 20) {
                        _ = try? await client.reply(to: ["BLPOP", "nothing", "1.1"])
                    }
                }
            }
        }
        try await server.stop()
    }

    @Test("a consumer that is too slow loses the connection, not the order")
    func overflow() async throws {
        let server = try await RedisServer.start()
        var settings = try configuration(server.url)
        settings.subscriberQueue = 8
        @Sendable func connections() async throws -> [Substring] {
            try await server.command("CLIENT", "LIST", "TYPE", "pubsub").split(separator: "\n")
                .compactMap { $0.split(separator: " ").first }
        }
        try await withSubscriber(settings) { subscriber in
            let events = subscriber.events.makeAsyncIterator()
            #expect(await events.next() == .subscribed)
            let former = try await connections()
            #expect(former.count == 1)
            try await withClient(configuration(server.url)) { client in
                for index in 0..<9 {
                    _ = try await client.reply(to: ["PUBLISH", "bus", .integer(index)])
                }
            }
            // It connects anew only once it has said that the former connection is lost.
            try await eventually("the slow consumer's connection was given up for another") {
                let now = try await connections()
                return !now.isEmpty && !now.contains { former.contains($0) }
            }
            // What waited is worth nothing after a gap.
            #expect(await events.next() == .lost)
            #expect(await events.next() == .subscribed)
        }
        try await server.stop()
    }

    @Test("a subscription that is not permitted is no connection")
    func refused() async throws {
        let server = try await RedisServer.start()
        try await server.command("ACL", "SETUSER", "shop", "on", ">pw", "~*", "resetchannels", "+@all")
        try await withLoop { loop in
            let connection = SubscriberConnection(
                configuration: try configuration("unix://shop:pw@\(server.socketPath)"),
                loop: loop,
                channel: [98],
                queue: EventQueue(capacity: 1)
            )
            let error = await #expect(throws: RedisError.self) {
                try await connection.open(.unix(path: server.socketPath))
            }
            #expect(error?.message.contains("NOPERM") == true)
        }
        try await server.stop()
    }

    @Test("the events end with run(), and a cancelled consumer goes on")
    func ends() async throws {
        let server = try await RedisServer.start()
        try await withLoop { loop in
            let subscriber = RedisSubscriber(
                configuration: try configuration(server.url),
                loop: loop,
                channel: "bus",
                logger: quiet
            )
            let task = Task { await subscriber.run() }
            let events = subscriber.events.makeAsyncIterator()
            #expect(await events.next() == .subscribed)
            let consumer = Task {
                let events = subscriber.events.makeAsyncIterator()
                return await events.next()
            }
            consumer.cancel()
            #expect(await consumer.value == nil)
            task.cancel()
            await task.value
            #expect(await events.next() == .lost)
            #expect(await events.next() == nil)
        }
        try await server.stop()
    }
}
