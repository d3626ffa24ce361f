extension ControlScenario {
    /// Every scenario.
    ///
    /// Each guard of the protocol is exposed by one of them.
    package static let all: [ControlScenario] =
        fills + generations + bus + leases + servers + sessions + histories
}

// MARK: - Fills that end late

extension ControlScenario {
    private static let fills: [ControlScenario] = [
        // B reads before a write and has its answer after everybody knew of the write.
        ControlScenario("late-fill", exposes: ["blind_store", "late_capture", "no_scope_capture"]) { stage in
            try await stage.becomeCaching()
            await stage.links(stage.b).database.behave(LinkBehaviour(toClient: .hold))
            let slow = stage.session()
            async let late = slow.read(0, from: stage.b)
            try await stage.pause(.milliseconds(150))
            try await stage.client.edit(0, on: stage.a)
            try await stage.pause(.milliseconds(250))
            await stage.links(stage.b).database.behave(.pass)
            _ = await late
            try await stage.pause(.milliseconds(150))
            // What B stored: A has forgotten its own write, which the log has shown it.
            await stage.client.read(0, from: stage.a)
            try await stage.pause(.milliseconds(800))
            await stage.client.read(0, from: stage.b)
            await stage.client.read(0, from: stage.a)
        },
        // Who comes with a token must not be given the answer of a read that began before its write.
        ControlScenario("old-flight", exposes: ["join_any_flight"]) { stage in
            try await stage.becomeCaching()
            await stage.links(stage.b).database.behave(LinkBehaviour(toClient: .hold))
            let slow = stage.session()
            async let late = slow.read(0, from: stage.b)
            try await stage.pause(.milliseconds(150))
            let writer = stage.session()
            try await writer.edit(0, on: stage.a)
            async let after = writer.read(0, from: stage.b, .token)
            try await stage.pause(.milliseconds(200))
            await stage.links(stage.b).database.behave(.pass)
            _ = await late
            _ = await after
        },
        // Names of values that collide: only the hash in the value tells them apart.
        ControlScenario("colliding-keys", exposes: ["no_key_hash"], with: ["colliding_keys"]) { stage in
            try await stage.becomeCaching()
            for product in 0..<3 {
                await stage.client.read(product, from: stage.a)
                try await stage.pause(.milliseconds(100))
                await stage.client.read((product + 1) % 3, from: stage.b)
                try await stage.pause(.milliseconds(100))
            }
        },
    ]
}

// MARK: - Generations that come back

extension ControlScenario {
    private static let generations: [ControlScenario] = [
        // The relay applies two writes at once, late; a read that began between them stores after that.
        ControlScenario("slow-relay", exposes: ["reuse_generation"]) { stage in
            try await stage.becomeCaching()
            let lane = try await stage.holdLane()
            try await stage.client.edit(0, on: stage.a)
            try await stage.pause(.milliseconds(50))
            await stage.links(stage.b).database.behave(LinkBehaviour(toClient: .hold))
            let slow = stage.session()
            async let late = slow.read(0, from: stage.b)
            try await stage.pause(.milliseconds(150))
            try await stage.client.edit(0, on: stage.a)
            try await lane.end()
            try await stage.pause(.milliseconds(300))
            await stage.links(stage.b).database.behave(.pass)
            _ = await late
            try await stage.pause(.milliseconds(150))
            await stage.client.read(0, from: stage.a)
        },
        // The generation is evicted twice, and begins twice.
        ControlScenario("evicted-generation", exposes: ["counter_generation"]) { stage in
            let redis = await stage.laboratory.redis
            let generation = stage.scopeKey("products", "_g")
            try await stage.becomeCaching()
            try await redis.command("DEL", generation)
            await stage.links(stage.b).database.behave(LinkBehaviour(toClient: .hold))
            let slow = stage.session()
            async let late = slow.read(0, from: stage.b)
            try await stage.pause(.milliseconds(150))
            try await stage.client.edit(0, on: stage.a)
            try await stage.pause(.milliseconds(250))
            try await redis.command("DEL", generation)
            await stage.client.read(1, from: stage.a)
            await stage.links(stage.b).database.behave(.pass)
            _ = await late
            try await stage.pause(.milliseconds(150))
            await stage.client.read(0, from: stage.a)
        },
    ]
}

// MARK: - What the bus does not bring

extension ControlScenario {
    private static let silence = LinkBehaviour(messages: .init(kinds: ["A", "H"], drop: 1))

    private static let bus: [ControlScenario] = [
        // One message is lost, and the next one comes before any probe.
        ControlScenario("lost-message", exposes: ["no_gap_check"]) { stage in
            try await stage.becomeCaching()
            try await stage.warm(0, on: stage.b)
            await stage.links(stage.b).database.behave(LinkBehaviour(toClient: .hold))
            await stage.links(stage.b).bus.behave(silence)
            try await stage.client.edit(0, on: stage.a)
            try await stage.pause(.milliseconds(100))
            await stage.links(stage.b).bus.behave(.pass)
            try await stage.client.sell(key: stage.newKey(), on: stage.a)
            try await stage.pause(.milliseconds(150))
            await stage.links(stage.b).database.behave(.pass)
            try await stage.pause(.milliseconds(1_000))
            try await stage.becomeCaching([stage.b])
            await stage.client.read(0, from: stage.b)
        },
        // Only the log tells of the write.
        ControlScenario("silent-bus", exposes: ["follow_without_bump"]) { stage in
            try await stage.becomeCaching()
            try await stage.warm(0, on: stage.b)
            await stage.links(stage.b).bus.behave(silence)
            try await stage.client.edit(0, on: stage.a)
            try await stage.pause(.milliseconds(1_100))
            await stage.client.read(0, from: stage.b)
        },
        // The same of purchases, transfers, counts, returns, drawers and settings.
        ControlScenario("silent-bus-of-a-trader", exposes: ["follow_without_bump"]) { stage in
            try await stage.becomeCaching()
            try await stage.trader.actOnce(on: stage.a)
            try await stage.pause(.milliseconds(1_100))
            await stage.trader.compare(from: stage.b, with: stage.a)
            await stage.links(stage.b).bus.behave(silence)
            try await stage.trader.actOnce(on: stage.a)
            try await stage.pause(.milliseconds(1_100))
            await stage.trader.compare(from: stage.b, with: stage.a)
        },
        // Only the outbox tells of the write: its instance dies when it is committed.
        ControlScenario(
            "killed-after-commit",
            exposes: ["no_outbox"],
            first: ["STOCK_FAILPOINT": "after_commit"]
        ) { stage in
            let first = stage.laboratory.instances[stage.a]
            try await stage.becomeCaching()
            try await stage.warm(0, on: stage.b)
            await stage.client.beginEdit(0, on: stage.a)
            try await stage.client.findEdit(0, on: stage.b)
            guard await first.hasEnded(within: .seconds(5)) else { throw CheckerFailure("\(first.name) did not die") }
            try await stage.pause(.milliseconds(1_200))
            await stage.client.read(0, from: stage.b)
        },
    ]
}

// MARK: - Leases that should be over

extension ControlScenario {
    private static let leases: [ControlScenario] = [
        // B hears beats alone, each later than the one before.
        ControlScenario("late-beats", exposes: ["no_lease", "beat_renews_lease"]) { stage in
            try await stage.becomeCaching()
            await stage.links(stage.b).bus.behave(
                LinkBehaviour(toClient: .growingDelay(rate: 0.6, most: .seconds(5)))
            )
            try await stage.pause(.milliseconds(2_600))
            try await stage.warm(0, on: stage.b)
            await stage.links(stage.b).database.behave(.blackhole)
            try await stage.client.edit(0, on: stage.a)
            try await stage.pause(.milliseconds(1_100))
            await stage.client.read(0, from: stage.b)
        },
        // Drains take long: a write that comes just after one began is logged by the next, and known late.
        ControlScenario(
            "long-drains",
            exposes: ["one_drain"],
            environment: ["STOCK_DRAIN_DELAY_MS": "850", "STOCK_BUMP_OFF": "1"]
        ) { stage in
            for round in 0..<4 where stage.judge.violationCount == 0 {
                // Whether it ever caches is the question: the right rule never does here.
                for _ in 0..<40 where stage.client.lastSource != .l1 {
                    await stage.client.read(0, from: stage.b)
                    try await stage.pause(.milliseconds(25))
                }
                try await stage.pause(.milliseconds(230 * round))
                await stage.client.read(0, from: stage.b)
                try await stage.client.edit(0, on: stage.a)
                try await stage.pause(.milliseconds(1_000))
                for _ in 0..<40 where stage.judge.violationCount == 0 {
                    await stage.client.read(0, from: stage.b)
                    try await stage.pause(.milliseconds(10))
                }
            }
        },
    ]
}

// MARK: - Redis that went back

extension ControlScenario {
    private static let servers: [ControlScenario] = [
        // Redis is restored as it was before two writes. One instance, so that nobody else repairs what it should.
        ControlScenario(
            "old-snapshot",
            exposes: ["no_alive_and_no_wm", "alive_before_replay", "wm_in_memory", "ring_in_memory"],
            environment: ["STOCK_APPLY_DELAY_MS": "700"]
        ) { stage in
            let redis = await stage.laboratory.redis
            try await stage.laboratory.kill(stage.laboratory.instances[stage.b])
            try await stage.becomeCaching([stage.a])
            for product in 0..<2 { try await stage.warm(product, on: stage.a) }
            try await stage.pause(.milliseconds(100))
            try await redis.save()
            for product in 0..<2 { try await stage.client.edit(product, on: stage.a) }
            // Until the log has told the writer, and Redis has had it.
            try await stage.pause(.milliseconds(2_200))
            try await redis.kill()
            try await redis.start(keepingData: true)
            try await stage.becomeCaching([stage.a])
            await stage.client.read(0, from: stage.a)
            // The log has been replayed by now.
            try await stage.pause(.milliseconds(1_500))
            try await stage.becomeCaching([stage.a])
            await stage.client.read(1, from: stage.a)
        },
        // The same without a watermark, so that Redis is begun anew.
        ControlScenario("lost-watermark", exposes: ["reuse_ns_on_reset"]) { stage in
            let redis = await stage.laboratory.redis
            try await stage.laboratory.kill(stage.laboratory.instances[stage.b])
            try await stage.becomeCaching([stage.a])
            try await stage.warm(0, on: stage.a)
            try await stage.pause(.milliseconds(100))
            try await redis.save()
            try await stage.client.edit(0, on: stage.a)
            try await stage.pause(.milliseconds(400))
            let links = stage.links(stage.a)
            for link in [links.commands, links.bus] {
                await link.behave(LinkBehaviour(refuses: true))
                await link.cut()
            }
            try await redis.kill()
            try await redis.start(keepingData: true)
            try await redis.command("DEL", "stock:lane:0:wm", "stock:lane:0:alive")
            for link in [links.commands, links.bus] { await link.behave(.pass) }
            try await stage.becomeCaching([stage.a])
            await stage.client.read(0, from: stage.a)
        },
    ]
}

// MARK: - Sessions

extension ControlScenario {
    private static let sessions: [ControlScenario] = [
        // Nothing but the token tells B of the write.
        ControlScenario("token-ahead-of-log", exposes: ["no_token_check"], environment: ["STOCK_BUMP_OFF": "1"]) {
            stage in
            try await stage.becomeCaching()
            try await stage.warm(0, on: stage.b)
            let lane = try await stage.holdLane()
            let writer = stage.session()
            try await writer.edit(0, on: stage.a)
            await writer.read(0, from: stage.b, .token)
            try await lane.end()
        },
        // B refuses an edit, as the one that nobody heard of was done; what it then shows is what it refused by.
        ControlScenario("refused-edit", exposes: ["no_token_check"], environment: ["STOCK_BUMP_OFF": "1"]) { stage in
            try await stage.becomeCaching()
            try await stage.warm(0, on: stage.b)
            let lane = try await stage.holdLane()
            let writer = stage.session()
            await stage.client.beginEdit(0, on: stage.a)
            try await writer.findEdit(0, on: stage.b)
            await writer.read(0, from: stage.b, .token)
            try await lane.end()
        },
        // A sale is committed after an edit whose transaction began later; B has an answer from in between, and the client learns of
        // its sale by asking again: the lower id joins a token that holds the higher one.
        ControlScenario("replayed-sale", exposes: ["max_id_token"], environment: ["STOCK_BUMP_OFF": "1"]) { stage in
            try await stage.becomeCaching()
            // What B has of the series is retired, so that it is read anew below, after the edit.
            try await stage.client.sell(key: stage.newKey(), on: stage.a)
            try await stage.pause(.milliseconds(1_200))
            let writer = stage.session()
            let other = stage.session()
            let key = stage.newKey()
            let records = try await stage.hold("LOCK TABLE stock.idempotency_record IN SHARE MODE")
            async let sale: Void = other.sell(key: key, on: stage.a, isAcknowledged: false)
            try await stage.pause(.milliseconds(300))
            try await writer.edit(0, on: stage.a)
            // The bumps of the edit are over.
            try await stage.pause(.milliseconds(200))
            try await stage.warm(stage.shop.seriesPath, on: stage.b)
            let lane = try await stage.holdLane()
            try await records.end()
            _ = try await sale
            try await writer.sell(key: key, on: stage.a, begins: false)
            await writer.read(stage.shop.seriesPath, from: stage.b, .token)
            try await lane.end()
        },
        // The writer's Redis has not heard of its write, as the fast bump failed.
        ControlScenario("failed-bump", exposes: ["no_own_writes"], environment: ["STOCK_BUMP_OFF": "1"]) { stage in
            try await stage.becomeCaching()
            try await stage.warm(0, on: stage.b)
            try await stage.pause(.milliseconds(100))
            let lane = try await stage.holdLane()
            try await stage.client.edit(0, on: stage.a)
            await stage.client.read(0, from: stage.a)
            try await lane.end()
        },
    ]
}

// MARK: - Other histories

extension ControlScenario {
    private static let histories: [ControlScenario] = [
        // A write that no trigger saw, and the rotation that an operator then owes.
        ControlScenario("rotation", exposes: ["no_ns"]) { stage in
            try await stage.becomeCaching()
            for instance in [stage.a, stage.b] { try await stage.warm(0, on: instance) }
            try await stage.laboratory.database.psql(
                """
                BEGIN;
                UPDATE stock.product SET version = version + 1, name = 'Unseen' WHERE id = '\(stage.shop.products[0])';
                DELETE FROM stock.cache_outbox WHERE xid = pg_current_xact_id();
                SELECT stock.cache_rotate();
                COMMIT;
                """
            )
            stage.client.wroteElsewhere(0)
            try await stage.pause(.milliseconds(1_100))
            for instance in [stage.a, stage.b] {
                try await stage.becomeCaching([instance])
                await stage.client.read(0, from: instance)
            }
        },
        // The data directory of an hour ago, in which as much has been written since.
        ControlScenario("other-history", exposes: ["no_tag"]) { stage in
            let (laboratory, database) = (stage.laboratory, stage.laboratory.database)
            try await stage.becomeCaching()
            try await laboratory.postgres.stop(.fast)
            try await laboratory.postgres.copyData()
            try await laboratory.postgres.startIfStopped()
            try await stage.becomeCaching()
            try await stage.client.edit(0, on: stage.a)
            try await stage.pause(.milliseconds(300))
            for instance in [stage.a, stage.b] { try await stage.warm(0, on: instance) }
            for instance in [stage.a, stage.b] {
                await stage.links(instance).database.behave(LinkBehaviour(refuses: true))
                await stage.links(instance).database.cut()
            }
            try await laboratory.postgres.stop(.immediate)
            try await laboratory.postgres.restoreData()
            try await laboratory.postgres.startIfStopped()
            try await database.psql(
                """
                UPDATE stock.product SET version = version + 1, name = 'Another' WHERE id = '\(stage.shop.products[1])';
                SELECT FROM stock.cache_drain_follow(0::smallint, 1000, false, NULL, 0);
                """
            )
            let before = stage.judge.acknowledged(0) - 1
            stage.judge.replaced(
                [(0, before), (1, stage.judge.acknowledged(1) + 1)],
                from: stage.judge.now,
                uncertain: [:]
            )
            // Whatever lease there was is over.
            try await stage.pause(.milliseconds(1_100))
            for instance in [stage.a, stage.b] { await stage.links(instance).database.behave(.pass) }
            try await stage.becomeCaching()
            for instance in [stage.a, stage.b] { await stage.client.read(0, from: instance) }
        },
    ]
}
