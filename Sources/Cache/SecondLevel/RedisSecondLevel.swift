package import Redis

/// The second level in Redis.
package final class RedisSecondLevel: SecondLevel {
    private let client: RedisClient
    private let keys: RedisKeys
    private let scripts: CacheScript
    private let settings: CacheSettings
    /// Twice the longest life of a value: a generation outlives every value stored under it.
    private let generationTTL: RedisArgument

    /// Makes a second level of a client.
    package init(client: RedisClient, settings: CacheSettings) {
        self.client = client
        keys = RedisKeys(
            prefix: settings.keyPrefix,
            database: client.configuration.database,
            defects: settings.defects
        )
        scripts = CacheScript(defects: settings.defects)
        self.settings = settings
        generationTTL = .integer(settings.longestTTL.milliseconds * 2)
    }

    package var isAvailable: Bool { client.isAvailable }

    // MARK: - Values

    package func look(_ key: CacheKey) async -> SecondLevelAnswer? {
        await get(key, also: [])?.answer
    }

    /// Reads all that a value is judged by, and more keys with it, in one round trip.
    private func get(
        _ key: CacheKey,
        also others: [RedisArgument]
    ) async -> (answer: SecondLevelAnswer, others: ArraySlice<RedisReply>)? {
        let command = RedisCommand(
            [
                "MGET", .text(keys.watermark), .text(keys.alive),
                .text(keys.generation(key.tenant, key.module.rawValue)), .text(keys.value(key)),
            ] + others
        )
        // The run id is that of the server which sent this very reply, not that of a connection made since.
        guard let answer = try? await client.exchange(command, timeout: settings.redisBudget),
            let elements = answer.reply.elements, elements.count == 4 + others.count
        else { return nil }
        return (
            SecondLevelAnswer(
                watermark: elements[0].bytes,
                alive: elements[1].bytes,
                generation: elements[2].bytes,
                value: elements[3].bytes,
                runID: answer.runID
            ), elements[4...]
        )
    }

    package func store(
        _ key: CacheKey,
        value: [UInt8],
        generation: [UInt8],
        owner: FillOwner?,
        lifetime: Duration
    ) async -> Bool? {
        let milliseconds = max(1, lifetime.milliseconds)
        let lease: RedisArgument = owner.map { .bytes(Self.lease(generation, $0)) } ?? ""
        let reply = try? await client.evaluate(
            scripts.store,
            keys: [
                .text(self.keys.generation(key.tenant, key.module.rawValue)), .text(self.keys.value(key)),
                .text(self.keys.lease(key)), .text(self.keys.index(key.tenant, key.module.rawValue)),
            ],
            arguments: [
                .bytes(generation), .bytes(value), .integer(milliseconds), generationTTL, lease,
                .integer(CacheClock.wallMicroseconds / 1000 + milliseconds), .text(self.keys.name(key)),
                .integer(settings.indexSize),
            ],
            timeout: settings.redisBudget
        )
        return reply?.text.map { $0 == "OK" }
    }

    package func unlink(_ key: CacheKey) async {
        _ = try? await client.send(["UNLINK", .text(keys.value(key))], timeout: settings.redisBudget)
    }

    package func timeToLive(_ key: CacheKey) async -> Duration? {
        let reply = try? await client.send(
            ["PTTL", .text(keys.value(key))],
            timeout: settings.redisBudget
        )
        guard case .integer(let milliseconds)? = reply, milliseconds >= 0 else { return nil }
        return .milliseconds(milliseconds)
    }

    // MARK: - Leases of fills

    /// The text of a lease.
    private static func lease(_ generation: [UInt8], _ owner: FillOwner) -> [UInt8] {
        generation + [UInt8(ascii: " ")] + Array(owner.text.utf8)
    }

    /// The instance that holds a lease.
    private static func instance(holding lease: [UInt8]) -> Substring {
        String(decoding: lease, as: UTF8.self).drop { $0 != " " }.dropFirst().prefix { $0 != "/" }
    }

    package func lease(_ key: CacheKey, ns: String, owner: FillOwner, renews: Bool) async -> LeaseAnswer? {
        let reply = try? await client.evaluate(
            scripts.lease,
            keys: [
                .text(self.keys.generation(key.tenant, key.module.rawValue)), .text(self.keys.value(key)),
                .text(self.keys.lease(key)), .text(self.keys.liveness(instance: owner.instance)),
            ],
            arguments: [
                .text(Generation.fresh()), generationTTL, .text(ns), .text(owner.text),
                .integer(settings.fillLease.milliseconds), renews ? "1" : "0",
                .integer(settings.fillerTTL.milliseconds),
            ],
            timeout: settings.redisBudget
        )
        guard let elements = reply?.elements, elements.count >= 2, let generation = elements[1].bytes else {
            return nil
        }
        switch (elements[0].text, elements.count > 2 ? elements[2].bytes : nil) {
        case ("HIT", let value?): return .hit(generation: generation, value: value)
        case ("WAIT", let lease?): return .wait(generation: generation, lease: lease)
        case ("FILL", nil): return .fill(generation: generation)
        default: return nil
        }
    }

    package func poll(_ key: CacheKey, lease: [UInt8]) async -> PollAnswer? {
        let holder = keys.liveness(instance: Self.instance(holding: lease))
        guard let (answer, others) = await get(key, also: [.text(keys.lease(key)), .text(holder)]),
            let now = others.first, let sign = others.last
        else { return nil }
        return PollAnswer(answer: answer, lease: now.bytes, isOwnerAlive: sign.bytes != nil)
    }

    package func steal(_ key: CacheKey, seen: [UInt8], generation: [UInt8], owner: FillOwner) async -> Bool? {
        let reply = try? await client.evaluate(
            scripts.steal,
            keys: [.text(self.keys.lease(key)), .text(self.keys.liveness(instance: owner.instance))],
            arguments: [
                .bytes(seen), .bytes(Self.lease(generation, owner)), .integer(settings.fillLease.milliseconds),
                .integer(settings.fillerTTL.milliseconds),
            ],
            timeout: settings.redisBudget
        )
        return reply?.text.map { $0 == "OK" }
    }

    package func release(_ key: CacheKey, generation: [UInt8], owner: FillOwner) async {
        _ = try? await client.evaluate(
            scripts.release,
            keys: [.text(self.keys.lease(key))],
            arguments: [.bytes(Self.lease(generation, owner))],
            timeout: settings.redisBudget
        )
    }

    package func beat(instance: String) async {
        _ = try? await client.send(
            [
                "SET", .text(keys.liveness(instance: instance)), "1", "PX",
                .integer(settings.fillerTTL.milliseconds),
            ],
            timeout: settings.redisBudget
        )
    }

    // MARK: - The writer's fast path

    package func bump(_ writes: [CommittedWrite], ns: String) async {
        guard !Failpoint.isOff("bump") else { return }
        // One bump for each scope: writes that wait together often meet in one.
        var scopes: [BusMessage.Item] = []
        for write in writes {
            for module in write.modules {
                if let place = scopes.firstIndex(where: { $0.tenant == write.tenant && $0.module == module.rawValue }) {
                    scopes[place].xids.append(write.xid)
                } else {
                    scopes.append(BusMessage.Item(tenant: write.tenant, module: module.rawValue, xids: [write.xid]))
                }
            }
        }
        guard !scopes.isEmpty else { return }
        var keys: [RedisArgument] = []
        var arguments: [RedisArgument] = [
            .text(ns), generationTTL, .integer(settings.ringTTL.milliseconds),
            .integer(settings.ringSize), .text(self.keys.channel),
            .text(BusMessage.hint(ns: ns, scopes: scopes).text),
        ]
        for scope in scopes {
            let xids = scope.xids.suffix(settings.ringSize)
            keys.append(.text(self.keys.generation(scope.tenant, scope.module)))
            keys.append(.text(self.keys.ring(scope.tenant, scope.module)))
            arguments.append(.text(Generation.fresh()))
            arguments.append(.integer(xids.count))
            arguments += xids.map { .text(String($0)) }
        }
        let reply = try? await client.evaluate(
            scripts.bumpScopes,
            keys: keys,
            arguments: arguments,
            deadline: .now.advanced(by: settings.bumpBudget)
        )
        #if COHERENCE_CONTROLS
        if reply != nil, settings.defects.contains(.ringInMemory) {
            for scope in scopes { RingInMemory.of(client).insert(scope, ns: ns) }
        }
        #else
        _ = reply
        #endif
    }
}
