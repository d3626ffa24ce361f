import NIOCore

/// The ways from one instance to its stores.
package struct InstanceLinks: Sendable {
    /// To PostgreSQL.
    package let database: LinkProxy
    /// To Redis, for commands.
    package let commands: LinkProxy
    /// To Redis, for the bus.
    package let bus: LinkProxy
    private let databaseProxy: ProxyServer
    private let redisProxy: ProxyServer

    static func start(
        index: Int,
        seed: UInt64,
        postgres: PostgresServer,
        redis: RedisServer,
        on eventLoop: any EventLoop
    ) async throws -> InstanceLinks {
        func link(_ name: String, _ number: Int) -> LinkProxy {
            LinkProxy(name: "\(name)-\(index)", seed: seed &+ UInt64(index * 3 + number), eventLoop: eventLoop)
        }
        let (database, commands, bus) = (link("database", 0), link("commands", 1), link("bus", 2))
        return InstanceLinks(
            database: database,
            commands: commands,
            bus: bus,
            databaseProxy: try await .start(to: .unix(postgres.socketPath), .bytes(database), on: eventLoop),
            redisProxy: try await .start(
                to: .unix(redis.socketPath),
                .redis(commands: commands, bus: bus),
                on: eventLoop
            )
        )
    }

    /// All three.
    package var all: [LinkProxy] { [database, commands, bus] }

    /// Lets everything through.
    package func pass() async {
        for link in all { await link.behave(.pass) }
    }

    func databaseURL(_ name: String) -> String {
        "postgresql://stock_app:\(PostgresServer.password)@127.0.0.1:\(databaseProxy.port)/\(name)"
    }

    var redisURL: String { "redis://127.0.0.1:\(redisProxy.port)" }

    func redirect(to redis: RedisServer) async {
        await redisProxy.retarget(to: .unix(redis.socketPath))
    }

    func stop() async {
        await databaseProxy.stop()
        await redisProxy.stop()
    }
}
