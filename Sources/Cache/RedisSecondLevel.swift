package import Redis

/// The second level in Redis.
package final class RedisSecondLevel: SecondLevel {
    private let client: RedisClient
    private let keys: RedisKeys
    private let settings: CacheSettings
    /// Twice the longest life of a value: a generation outlives every value stored under it.
    private let generationTTL: RedisArgument

    /// Makes a second level of a client.
    package init(client: RedisClient, settings: CacheSettings) {
        self.client = client
        self.keys = RedisKeys(prefix: settings.keyPrefix, database: client.configuration.database)
        self.settings = settings
        self.generationTTL = .integer(settings.longestTTL.milliseconds * 2)
    }

    package var isAvailable: Bool { self.client.isAvailable }

    package func look(_ key: CacheKey) async -> SecondLevelAnswer? {
        let command = RedisCommand([
            "MGET", .text(self.keys.watermark), .text(self.keys.alive),
            .text(self.keys.generation(key.tenant, key.module.rawValue)), .text(self.keys.value(key)),
        ])
        // The run id is that of the server which sent this very reply, not that of a connection made since.
        guard let answer = try? await self.client.exchange(command, timeout: self.settings.redisBudget),
            let elements = answer.reply.elements, elements.count == 4
        else { return nil }
        return SecondLevelAnswer(
            watermark: elements[0].bytes,
            alive: elements[1].bytes,
            generation: elements[2].bytes,
            value: elements[3].bytes,
            runID: answer.runID
        )
    }

    package func lease(_ key: CacheKey, ns: String, owner: FillOwner, renews: Bool) async -> LeaseAnswer? {
        let reply = try? await self.client.evaluate(
            CacheScript.capture,
            keys: [.text(self.keys.generation(key.tenant, key.module.rawValue))],
            arguments: [.text(Generation.fresh()), self.generationTTL],
            timeout: self.settings.redisBudget
        )
        return reply?.bytes.map { .fill(generation: $0) }
    }

    package func poll(_ key: CacheKey, lease: [UInt8]) async -> PollAnswer? {
        await self.look(key).map { PollAnswer(answer: $0, lease: nil, isOwnerAlive: true) }
    }

    package func steal(_ key: CacheKey, seen: [UInt8], generation: [UInt8], owner: FillOwner) async -> Bool? { false }

    package func store(
        _ key: CacheKey,
        value: [UInt8],
        generation: [UInt8],
        owner: FillOwner?,
        lifetime: Duration
    ) async -> Bool? {
        let reply = try? await self.client.evaluate(
            CacheScript.store,
            keys: [
                .text(self.keys.generation(key.tenant, key.module.rawValue)), .text(self.keys.value(key)),
            ],
            arguments: [
                .bytes(generation), .bytes(value), .integer(max(1, lifetime.milliseconds)), self.generationTTL,
            ],
            timeout: self.settings.redisBudget
        )
        return reply?.text.map { $0 == "OK" }
    }

    package func release(_ key: CacheKey, generation: [UInt8], owner: FillOwner) async {}

    package func timeToLive(_ key: CacheKey) async -> Duration? {
        let reply = try? await self.client.send(
            ["PTTL", .text(self.keys.value(key))],
            timeout: self.settings.redisBudget
        )
        guard case .integer(let milliseconds)? = reply, milliseconds >= 0 else { return nil }
        return .milliseconds(milliseconds)
    }

    package func beat(instance: String) async {}

    package func unlink(_ key: CacheKey) async {
        _ = try? await self.client.send(["UNLINK", .text(self.keys.value(key))], timeout: self.settings.redisBudget)
    }

    package func bump(_ writes: [CommittedWrite], ns: String) async {
        var keys: [RedisArgument] = []
        var scopes: [RedisArgument] = []
        var hints: [BusMessage.Item] = []
        for write in writes {
            for module in write.modules {
                keys.append(.text(self.keys.generation(write.tenant, module.rawValue)))
                keys.append(.text(self.keys.ring(write.tenant, module.rawValue)))
                scopes.append(.text(Generation.fresh()))
                scopes.append(.text(String(write.xid)))
                hints.append(BusMessage.Item(tenant: write.tenant, module: module.rawValue, xids: []))
            }
        }
        guard !keys.isEmpty else { return }
        _ = try? await self.client.evaluate(
            CacheScript.bumpScopes,
            keys: keys,
            arguments: [
                .text(ns), self.generationTTL, .integer(self.settings.ringTTL.milliseconds),
                .integer(self.settings.ringSize), .text(self.keys.channel),
                .text(BusMessage.hint(ns: ns, scopes: hints).text),
            ] + scopes,
            deadline: .now.advanced(by: self.settings.bumpBudget)
        )
    }
}
