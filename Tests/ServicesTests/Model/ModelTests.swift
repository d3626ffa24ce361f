import Cache
import Foundation
import IOLoop
import Kernel
import Logging
import Postgres
import TestSupport
import Testing

@testable import Services

/// Random commands by random clerks, on several tenants and places, through the services on a real database: its books are those of
/// a model in memory to the smallest unit, whatever was done in whichever order.
///
/// `STOCK_MODEL_SEED` repeats a run, `STOCK_MODEL_COMMANDS` says how many commands it has.
@Suite("The books are those of a model", .serialized)
struct ModelTests {
    /// What a run of all tests has: some eight minutes of one processor.
    static let usualCommands = 100_000

    private static var seed: UInt64 {
        environment("STOCK_MODEL_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000_000)
    }

    private static var commands: Int {
        environment("STOCK_MODEL_COMMANDS").flatMap { Int($0) } ?? usualCommands
    }

    private static func environment(_ name: String) -> String? { ProcessInfo.processInfo.environment[name] }

    @Test("each command of a random clerk is answered as the model says, and all figures agree")
    func oneByOne() async throws {
        // A seed that is given is one tenant's.
        let isAgain = Self.environment("STOCK_MODEL_SEED") != nil
        let (seed, commands, tenants) = (Self.seed, isAgain ? Self.commands : Self.commands * 2 / 3, isAgain ? 1 : 6)
        let began = ContinuousClock.now
        try await Self.open { shop, database in
            let tally = try await withThrowingTaskGroup(of: ModelTally.self) { group in
                for tenant in 0..<tenants {
                    group.addTask {
                        try await ModelRun(shop: shop, database: database, seed: seed &+ UInt64(tenant))
                            .oneByOne(commands / tenants)
                    }
                }
                return try await group.reduce(ModelTally(), +)
            }
            Self.tell("one by one", seed, tally, began)
            #expect(tally.done > tally.refusedCount, "most commands can be done")
            let violations = try await Self.violations(shop)
            #expect(violations == [])
        }
    }

    @Test("commands given at once leave the sums that their answers come to, and no refusal is unexplained")
    func atOnce() async throws {
        let (seed, commands) = (Self.seed, Self.commands / 3)
        let began = ContinuousClock.now
        try await Self.open { shop, database in
            let tally = try await withThrowingTaskGroup(of: ModelTally.self) { group in
                for tenant in 0..<2 {
                    group.addTask {
                        try await ModelRun(shop: shop, database: database, seed: seed &+ UInt64(tenant))
                            .atOnce(commands / 2, by: 4)
                    }
                }
                return try await group.reduce(ModelTally(), +)
            }
            Self.tell("at once", seed, tally, began)
            #expect(tally.overloaded * 100 <= tally.done, "few give up on each other")
            let violations = try await Self.violations(shop)
            #expect(violations == [])
        }
    }

    @Test("a fault of the database is found, and its shortest run is told")
    func faultOfTheDatabase() async throws {
        try await Self.open { shop, database in
            // What comes back costs what the others do, but cut off instead of rounded.
            let source = try await database.psql("SELECT pg_get_functiondef('stock.moved_cost'::regproc)")
            let planted = source.replacing("round((", with: "trunc((")
            try #require(planted != source)
            try await database.psql(planted)
            try await Self.expectShortest(of: ModelRun(shop: shop, database: database, seed: 4))
        }
    }

    @Test("a fault of the model is found, and its shortest run is told")
    func faultOfTheModel() async throws {
        try await Self.open { shop, database in
            var run = ModelRun(shop: shop, database: database, seed: 5)
            run.forgetsCosts = true
            try await Self.expectShortest(of: run)
        }
    }

    /// Expects a run to fail, after as many commands as it tells and not after one less.
    private static func expectShortest(of run: ModelRun) async throws {
        let failure = try #require(await failure(of: run, 1_000))
        #expect(failure.detail.contains("cost"))
        #expect(failure.commands > ModelTenant.openings.count)
        #expect(failure.last.count > 1)
        #expect(failure.description.contains("STOCK_MODEL_SEED=\(run.seed)"))
        #expect(await Self.failure(of: run, failure.commands)?.detail == failure.detail)
        #expect(await Self.failure(of: run, failure.commands - 1)?.detail == nil)
    }

    private static func failure(of run: ModelRun, _ commands: Int) async -> ModelFailure? {
        do {
            _ = try await run.oneByOne(commands)
            return nil
        } catch {
            return error as? ModelFailure
        }
    }

    private static func tell(_ how: String, _ seed: UInt64, _ tally: ModelTally, _ began: ContinuousClock.Instant) {
        let codes = tally.refused.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key.rawValue) \($0.value)" }
        let time = Double((ContinuousClock.now - began).components.seconds)
        let speed = Int(Double(tally.done + tally.refusedCount) / max(time, 1))
        print(
            "Model, \(how): seed \(seed), \(tally.done) done, \(tally.overloaded) overloaded, \(speed) a second; refused: \(codes)"
        )
    }

    // MARK: The shop

    private static func violations(_ shop: Shop) async throws -> [Violation] {
        // Nothing relays in these tests, so rows of the outbox only grow old.
        try await Verification(postgres: shop.store.postgres).run(deadline: .now + .seconds(300)).filter {
            !$0.detail.hasPrefix("outbox row")
        }
    }

    private static func open(
        _ name: String = #function,
        _ body: (Shop, TestDatabase) async throws -> Void
    ) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        var configuration = try PostgresConfiguration(url: database.appURL)
        configuration.exclusiveConnections = 8
        configuration.acquireTimeout = .seconds(60)
        configuration.statementTimeout = .seconds(120)
        var logger = Logger(label: "model")
        logger.logLevel = .critical
        let loop = IOLoop()
        loop.start()
        let postgres = PostgresClient(
            configuration: configuration,
            loop: loop,
            statements: Shop.statements,
            logger: logger
        )
        let shop = Shop(
            postgres: postgres,
            cache: TenantCache(),
            settings: ShopSettings(secret: Array(repeating: 9, count: 32)),
            logger: logger
        )
        let connections = Task { await postgres.run() }
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(shop, database))
        } catch {
            result = .failure(error)
        }
        connections.cancel()
        await connections.value
        loop.stop()
        try result.get()
    }
}
