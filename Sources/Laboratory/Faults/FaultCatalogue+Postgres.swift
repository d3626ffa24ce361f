extension FaultCatalogue {
    /// PostgreSQL stopping, crashing, holding on to what it should let go, and going back in time.
    static let postgres: [Fault] = [
        restart("fast") { try await $0.stop(.fast) },
        restart("immediate") { try await $0.stop(.immediate) },
        restart("killed") { try await $0.kill() },
        Fault("postgres-frozen", group: "postgres", targets: [.postgres]) { laboratory, _ in
            let server = laboratory.postgres
            try await server.pause()
            return InjectedFault { await server.resume() }
        },
        Fault("postgres-sessions-ended", group: "postgres", targets: [.postgres], durations: short) { laboratory, _ in
            try await laboratory.database.psql(
                """
                SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE usename = 'stock_app' AND pid <> pg_backend_pid()
                """
            )
            return InjectedFault()
        },
        // No snapshot's xmin gets past it, and no write item of a token is ever settled.
        Fault("long-transaction", group: "postgres", targets: [.postgres], durations: .seconds(3) ... .seconds(20)) {
            laboratory,
            _ in
            let session = try await laboratory.hold("INSERT INTO laboratory_held VALUES (1)", database: "postgres")
            return InjectedFault { try await session.end() }
        },
        // The relay has the lane and rows of the outbox in its hands, and gets no further.
        Fault("drain-stuck", group: "postgres", targets: [.postgres]) { laboratory, _ in
            let session = try await laboratory.hold("LOCK TABLE stock.cache_log IN SHARE ROW EXCLUSIVE MODE")
            return InjectedFault { try await session.end() }
        },
        // As above, but others can write the log meanwhile: nobody drains, and nobody is told.
        Fault("lane-held", group: "postgres", targets: [.postgres]) { laboratory, _ in
            let session = try await laboratory.hold("SELECT FROM stock.cache_lane FOR UPDATE")
            return InjectedFault { try await session.end() }
        },
        // The triggers have written their rows, and everything is taken back.
        Fault("rollback", group: "postgres", targets: [.postgres], durations: .milliseconds(50) ... .seconds(1)) {
            laboratory,
            _ in
            let session = try await laboratory.hold(
                """
                UPDATE stock.product SET name = name || ' that never was', version = version + 1
                WHERE id = (SELECT id FROM stock.product ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED)
                """
            )
            return InjectedFault { try await session.end() }
        },
        Fault("restored-data", group: "postgres", targets: [.postgres], durations: short) { laboratory, random in
            var random = random
            let server = laboratory.postgres
            try await server.stop(.fast)
            let taken = ContinuousClock.now
            try await server.copyData()
            try await server.startIfStopped()
            let age = random.duration(in: .milliseconds(500) ... .seconds(2))
            try await Task.sleep(for: age)
            try await server.stop(.immediate)
            try await server.restoreData()
            await laboratory.historyReplaced(HistoryReplaced(snapshotTaken: taken, restored: .now))
            try await server.startIfStopped()
            return InjectedFault("\(age) old")
        },
    ]

    private static let short: ClosedRange<Duration> = .milliseconds(50) ... .milliseconds(500)

    private static func restart(
        _ name: String,
        _ stop: @escaping @Sendable (PostgresServer) async throws -> Void
    ) -> Fault {
        Fault("postgres-\(name)", group: "postgres", targets: [.postgres], durations: .milliseconds(50) ... .seconds(1))
        {
            laboratory,
            _ in
            let server = laboratory.postgres
            try await stop(server)
            return InjectedFault { try await server.startIfStopped() }
        }
    }
}

extension Laboratory {
    /// Runs a statement in a transaction that stays open.
    nonisolated fileprivate func hold(_ sql: String, database: String? = nil) async throws -> HeldSession {
        try await HeldSession.begin(sql, url: postgres.url(user: "postgres", database: database ?? self.database.name))
    }
}
