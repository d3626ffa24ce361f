import Foundation
import Synchronization

/// What the steps of a scenario act on: two instances, their links, a shop, and the judge.
final class ScenarioStage: Sendable {
    let laboratory: Laboratory
    let tenant: LabTenant
    let shop: CheckedShop
    let judge: CoherenceJudge
    /// A client without tokens.
    let client: ScenarioClient
    /// Who buys, carries, counts, takes back and edits settings.
    let trader: ScenarioTrader
    private let sessions = Atomic<Int>(0)

    /// The instances by name, for scripts.
    let a = 0
    let b = 1

    init(laboratory: Laboratory, tenant: LabTenant, recordingTo path: String?) async throws {
        self.laboratory = laboratory
        self.tenant = tenant
        // By the second: the first may be about to die of its first write.
        shop = try await CheckedShop.make(client: laboratory.instances[1].client, key: tenant.key, products: 3)
        judge = try CoherenceJudge(recordingTo: path)
        CoherenceWorkload.declare(shop, instances: laboratory.instances.map(\.name), to: judge)
        client = ScenarioClient(shop: shop, laboratory: laboratory, judge: judge, session: 0)
        trader = ScenarioTrader(shop: shop, laboratory: laboratory, judge: judge)
    }

    /// A client that keeps the tokens it gets, beginning with none.
    func session() -> ScenarioClient {
        let number = sessions.wrappingAdd(1, ordering: .relaxed).newValue
        return ScenarioClient(shop: shop, laboratory: laboratory, judge: judge, session: number)
    }

    /// Lets time pass: what a script waits for is that something does not happen.
    func pause(_ time: Duration) async throws {
        try await Task.sleep(for: time)
    }

    /// Waits until instances serve from both levels.
    func becomeCaching(_ instances: [Int]? = nil) async throws {
        let redis = await laboratory.redis
        for index in instances ?? laboratory.instances.indices.map({ $0 }) {
            let instance = laboratory.instances[index]
            try await eventually(within: .seconds(20), every: .milliseconds(10), "\(instance.name) caches") {
                await instance.isCaching()
            }
            // Who asks is known from here on: no step waits for a look at the key.
            await client.read(shop.seriesPath, from: index)
        }
        try await eventually(within: .seconds(20), every: .milliseconds(10), "Redis is declared up to date") {
            try await redis.command("EXISTS", "stock:lane:0:alive").hasPrefix("1")
        }
    }

    /// Waits until an instance answers a path from its memory.
    func warm(_ path: Int, on instance: Int) async throws {
        try await eventually(within: .seconds(10), every: .milliseconds(2), "\(shop.paths[path].text) is in L1") {
            await client.read(path, from: instance)
            return client.lastSource == .l1
        }
    }

    /// An idempotency key that was never used.
    func newKey() -> String { "scenario-\(UInt64.random(in: 0...UInt64.max))" }

    /// The name of one of the protocol's keys of a scope.
    func scopeKey(_ module: String, _ suffix: String) -> String {
        "stock:tenant:\(tenant.id):\(module):\(suffix)"
    }

    /// The links of an instance.
    func links(_ instance: Int) -> InstanceLinks { laboratory.links[instance] }

    /// Runs a statement in a transaction that stays open, past every proxy.
    func hold(_ sql: String) async throws -> HeldSession {
        try await HeldSession.begin(sql, url: laboratory.database.superuserURL)
    }

    /// Nobody drains the outbox until the session ends.
    func holdLane() async throws -> HeldSession {
        try await hold("SELECT FROM stock.cache_lane FOR UPDATE")
    }
}

/// A client of a scenario: its steps run one after the other, each on a thread, as the client's calls block.
final class ScenarioClient: Sendable {
    private let shop: CheckedShop
    private let judge: CoherenceJudge
    private let session: Mutex<CheckerSession>
    private let source = Mutex<AnswerSource?>(nil)

    init(shop: CheckedShop, laboratory: Laboratory, judge: CoherenceJudge, session number: Int) {
        self.shop = shop
        self.judge = judge
        session = Mutex(
            CheckerSession(
                shop: shop,
                ports: laboratory.instances.map(\.port),
                judge: judge,
                number: number,
                onViolation: { _, _ in }
            )
        )
        if number != 0 { judge.take(.sessionBegins(number)) }
    }

    /// Where the last read was answered from; nil if it was not answered.
    var lastSource: AnswerSource? { source.withLock { $0 } }

    private func onThread<Value: Sendable>(_ body: @escaping @Sendable (CheckerSession) -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(returning: self.session.withLock { body($0) })
            }
        }
    }

    /// Reads a path on an instance; what it showed, or nil without a good answer.
    @discardableResult
    func read(_ path: Int, from instance: Int, _ mode: CheckerSession.Mode = .plain) async -> [Sighting]? {
        await onThread { session in
            session.patience = .seconds(6)
            let seen = session.read(path, from: instance, mode)
            self.source.withLock { $0 = seen == nil ? nil : session.lastSource }
            return seen
        }
    }

    /// Edits a subject on an instance, which must execute it.
    func edit(_ subject: Int, on instance: Int) async throws {
        let revision = judge.acknowledged(subject)
        judge.take(.begun(time: judge.now, subject: subject))
        for _ in 0..<200 {
            let outcome = await onThread { session in
                let outcome = session.edit(subject, from: revision, on: instance)
                if case .done = outcome { self.acknowledge(subject, instance, isDirect: true, session) }
                return outcome
            }
            switch outcome {
            case .done: return
            case .open: try await Task.sleep(for: .milliseconds(20))
            default: throw CheckerFailure("an edit of subject \(subject) from \(revision) met another")
            }
        }
        throw CheckerFailure("an edit of subject \(subject) is not answered")
    }

    /// Begins an edit on an instance whose answer nobody hears; whether it was done is found out by ``findEdit(_:on:)``.
    func beginEdit(_ subject: Int, on instance: Int) async {
        let revision = judge.acknowledged(subject)
        judge.take(.begun(time: judge.now, subject: subject))
        _ = await onThread { $0.edit(subject, from: revision, on: instance) }
    }

    /// Sends an edit that was begun once more, to an instance that must refuse it, as it was done.
    func findEdit(_ subject: Int, on instance: Int) async throws {
        let revision = judge.acknowledged(subject)
        let isDone = await onThread { session in
            guard case .conflict = session.edit(subject, from: revision, on: instance) else { return false }
            self.acknowledge(subject, instance, isDirect: false, session)
            return true
        }
        guard isDone else { throw CheckerFailure("the edit of subject \(subject) that was begun was not done") }
    }

    /// Sells on an instance; the sale counts as this session's when it is answered.
    func sell(key: String, on instance: Int, isAcknowledged: Bool = true, begins: Bool = true) async throws {
        if begins { judge.take(.begun(time: judge.now, subject: shop.seriesSubject)) }
        for _ in 0..<200 {
            let outcome = await onThread { session in
                let outcome = session.sell(key: key, on: instance)
                if case .open = outcome { return outcome }
                if isAcknowledged {
                    let isDirect = if case .done = outcome { true } else { false }
                    self.acknowledge(self.shop.seriesSubject, instance, isDirect: isDirect, session)
                }
                return outcome
            }
            if case .open = outcome {
                try await Task.sleep(for: .milliseconds(20))
            } else {
                return
            }
        }
        throw CheckerFailure("a sale is not answered")
    }

    /// Notes that a subject was written by other means.
    func wroteElsewhere(_ subject: Int) {
        judge.take(.begun(time: judge.now, subject: subject))
        judge.take(.acknowledged(time: judge.now, subject: subject, instance: -1, isDirect: false, session: 0))
    }

    private func acknowledge(_ subject: Int, _ instance: Int, isDirect: Bool, _ session: CheckerSession) {
        judge.take(
            .acknowledged(
                time: judge.now,
                subject: subject,
                instance: instance,
                isDirect: isDirect,
                session: session.hasFreshToken ? session.number : 0
            )
        )
    }
}

/// The trader of a scenario: its steps run one after the other, each on a thread.
final class ScenarioTrader: Sendable {
    private let trader: Mutex<CheckerTrader>

    init(shop: CheckedShop, laboratory: Laboratory, judge: CoherenceJudge) {
        trader = Mutex(
            CheckerTrader(shop: shop, ports: laboratory.instances.map(\.port), judge: judge, seed: laboratory.seed)
        )
    }

    /// Does one thing of each kind on an instance, which must execute it.
    func actOnce(on instance: Int) async throws {
        for act in CheckerTrader.Act.allCases {
            let isDone = await onThread { trader in
                if case .done = trader.perform(act, on: instance) { true } else { false }
            }
            guard isDone else { throw CheckerFailure("\(act) is not answered") }
        }
    }

    /// Compares all that shows what was done on an instance with the database, asked by another.
    func compare(from instance: Int, with other: Int) async {
        await onThread { $0.compare(from: instance, with: other, usesToken: false) }
    }

    private func onThread<Value: Sendable>(_ body: @escaping @Sendable (CheckerTrader) -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(returning: self.trader.withLock { body($0) })
            }
        }
    }
}
