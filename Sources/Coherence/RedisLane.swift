package import Cache
package import Redis

/// The lane's keys in Redis, as the relay uses them.
package struct RedisLane: Sendable {
    private let client: RedisClient
    private let keys: RedisKeys
    private let settings: CacheSettings
    private let scripts: CacheScript

    /// The lane of a server.
    package init(client: RedisClient, settings: CacheSettings) {
        self.client = client
        keys = RedisKeys(
            prefix: settings.keyPrefix,
            database: client.configuration.database,
            defects: settings.defects
        )
        scripts = CacheScript(defects: settings.defects)
        self.settings = settings
    }

    /// The watermark of this data set; nil if there is none, or something else under its name.
    func watermark() async throws(RedisError) -> Watermark? {
        let reply = try await client.send(["GET", .text(keys.watermark)])
        return reply.bytes.flatMap { Watermark(parsing: $0) }
    }

    /// Applies log rows.
    package func apply(_ batch: RelayBatch) async throws(RedisError) -> RelayStateMachine.ScriptAnswer {
        var keys: [RedisArgument] = [.text(self.keys.watermark)]
        var arguments: [RedisArgument] = [
            .text(batch.ns), .integer(batch.first), .integer(batch.last), .integer(Int64(batch.tag)),
            .integer(settings.longestTTL.milliseconds * 2), .integer(settings.ringTTL.milliseconds),
            .integer(settings.ringSize), .text(self.keys.channel),
            .text(batch.message(sentAt: CacheClock.wallMicroseconds).text),
        ]
        for item in batch.items where !isRemembered(item, batch) {
            keys.append(.text(self.keys.generation(item.tenant, item.module)))
            keys.append(.text(self.keys.ring(item.tenant, item.module)))
            // Beyond the ring's size ids could not be remembered anyway; the scope is then bumped once more than needed.
            let xids = item.xids.suffix(settings.ringSize)
            arguments.append(.integer(item.sequence))
            arguments.append(.text(Generation.fresh()))
            arguments.append(.integer(xids.count))
            arguments += xids.map { .text(String($0)) }
        }
        let answer = try Self.answer(
            await client.evaluate(
                scripts.apply,
                keys: keys,
                arguments: arguments,
                timeout: .milliseconds(500)
            )
        )
        #if COHERENCE_CONTROLS
        if answer == .done, settings.defects.contains(.ringInMemory) {
            for item in batch.items { RingInMemory.of(client).insert(item.named, ns: batch.ns) }
        }
        #endif
        return answer
    }

    /// Whether a test build believes that an item was applied before because this process did it: `ring_in_memory`.
    private func isRemembered(_ item: RelayBatch.Item, _ batch: RelayBatch) -> Bool {
        #if COHERENCE_CONTROLS
        settings.defects.contains(.ringInMemory)
            && RingInMemory.of(client).contains(item.named, ns: batch.ns)
        #else
        false
        #endif
    }

    /// Declares this server up to date, and beats.
    func declareAlive(_ declaration: RelayDeclaration) async throws(RedisError) -> RelayStateMachine.ScriptAnswer {
        let watermark = declaration.watermark
        return try Self.answer(
            await client.evaluate(
                scripts.declareAlive,
                keys: [.text(self.keys.watermark), .text(self.keys.alive)],
                arguments: [
                    .text(watermark.ns), .integer(watermark.sequence), .integer(Int64(watermark.tag)),
                    .text(declaration.runID ?? "-"), .integer(declaration.drains),
                    .integer(settings.aliveTTL.milliseconds), .text(self.keys.channel),
                    .text(BusMessage.beat(ns: watermark.ns, head: watermark.sequence).text),
                ]
            )
        )
    }

    /// Frees the retired values of a scope, as far as its index knows them.
    ///
    /// In pieces, between which Redis serves others. What is stored meanwhile is swept next time, or expires.
    package func sweep(tenant: Int64, module: String) async throws(RedisError) {
        let index = self.keys.index(tenant, module)
        let generation = self.keys.generation(tenant, module)
        let size = 100
        var place = 0
        for _ in 0...self.settings.indexSize / size {
            let range: RedisCommand = ["ZRANGE", .text(index), .integer(place), .integer(place + size - 1)]
            let names = try await client.send(range).elements?.compactMap { $0.bytes } ?? []
            guard !names.isEmpty else { return }
            let kept = try await client.evaluate(
                scripts.sweep,
                keys: [.text(generation), .text(index)]
                    + names.map { .text(self.keys.value(tenant, module, name: String(decoding: $0, as: UTF8.self))) },
                arguments: names.map { .bytes($0) }
            )
            place += Int(clamping: kept.integer ?? 0)
            if names.count < size { return }
        }
    }

    /// Writes something that nobody misses; throws what a server says that takes no writes.
    func testWriting() async throws(RedisError) {
        _ = try await client.send(["SET", .text(keys.liveness(instance: "relay")), "1", "PX", "1000"])
    }

    /// Begins this data set anew.
    func reset(_ watermark: Watermark) async throws(RedisError) {
        _ = try await client.evaluate(
            scripts.reset,
            keys: [.text(self.keys.alive), .text(self.keys.watermark)],
            arguments: [.text(watermark.text)]
        )
    }

    private static func answer(_ reply: RedisReply) throws(RedisError) -> RelayStateMachine.ScriptAnswer {
        // An answer no script gives is treated as "stands elsewhere": the watermark is read again.
        reply.text.flatMap { RelayStateMachine.ScriptAnswer(rawValue: $0) } ?? .gap
    }
}
