import API
import Redis

/// Keeps what is busy in Redis, where every instance adds to it and one that starts finds it.
///
/// A sorted set of bounded size that forgets: old counts fade with each round, all are gone five minutes after the last one.
struct RedisBusyPaths: BusyPathStore {
    /// Lets the old counts fade, adds the new ones, keeps the greatest.
    ///
    /// Fades once a round, however many instances add to it. KEYS: the set, the mark of the round. ARGV: milliseconds of a round,
    /// weight of what is old, members kept, milliseconds to live, then count and member of each path.
    static let script = RedisScript(
        name: "busyPaths",
        source: """
            if redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[1]) then
              redis.call('ZUNIONSTORE', KEYS[1], 1, KEYS[1], 'WEIGHTS', ARGV[2])
            end
            for i = 5, #ARGV, 2 do redis.call('ZINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
            redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -ARGV[3] - 1)
            redis.call('PEXPIRE', KEYS[1], ARGV[4])
            return 'OK'
            """
    )

    private static let size = 256

    private let client: RedisClient
    private let key: String

    init(client: RedisClient, prefix: String) {
        self.client = client
        key = "\(prefix):busy"
    }

    var isWaitedFor: Bool { !client.isAvailable }

    func add(_ counts: [BusyPaths.Count]) async {
        guard client.isAvailable else { return }
        var arguments: [RedisArgument] = [9000, "0.8", .integer(Self.size), 300_000]
        for count in counts.prefix(Self.size) {
            arguments.append(.text(String(count.count)))
            arguments.append(.text(count.path.text))
        }
        _ = try? await client.evaluate(
            Self.script,
            keys: [.text(key), .text("\(key):round")],
            arguments: arguments
        )
    }

    func busiest(_ limit: Int) async -> [BusyPath] {
        guard client.isAvailable, limit > 0,
            let reply = try? await client.send(["ZREVRANGE", .text(key), 0, .integer(limit - 1)])
        else { return [] }
        return (reply.elements ?? []).compactMap { $0.text.flatMap { BusyPath(parsing: $0) } }
    }
}
