import Foundation
import Synchronization

/// How much a workload does.
package struct WorkloadPlan: Sendable {
    /// Threads that read without tokens.
    package var readers = 9
    /// Threads that read with the token of a session of their own.
    package var sessions = 3
    /// Threads that edit products and the category; each reads what it wrote, with and without its token.
    package var editors = 2
    /// Threads that sell.
    package var sellers = 1
    /// Threads that search with random text, and compare each answer with the database's.
    package var searchers = 1
    /// Threads that buy, carry, count, take back and edit settings, and compare all that shows it with the database.
    package var traders = 1
    /// The mean time between two writes of a thread.
    package var writePause = Duration.milliseconds(25)
    /// The time between two reads of a thread; none for as many as the machine can do.
    package var readPause = Duration.zero
    /// The seed of every choice.
    package var seed: UInt64 = 1

    /// Makes the usual plan.
    package init() {}
}

/// The random load of a check: threads that write and read until the judge says stop.
package final class CoherenceWorkload: Sendable {
    private let shop: CheckedShop
    private let ports: [Int]
    private let judge: CoherenceJudge
    private let plan: WorkloadPlan
    private let onViolation: @Sendable (Incoherence, CheckedShop.Path) -> Void
    private let running = Atomic<Int>(0)
    private let parked = Atomic<Int>(0)
    private let ended = Latch<Bool>()

    init(
        shop: CheckedShop,
        ports: [Int],
        judge: CoherenceJudge,
        plan: WorkloadPlan,
        onViolation: @escaping @Sendable (Incoherence, CheckedShop.Path) -> Void
    ) {
        self.shop = shop
        self.ports = ports
        self.judge = judge
        self.plan = plan
        self.onViolation = onViolation
    }

    /// Tells the judge what there is and starts the threads.
    func start(instances: [String]) {
        Self.declare(shop, instances: instances, to: judge)
        var number = 0
        func thread(
            _ body: @escaping @Sendable (CoherenceWorkload, CheckerSession, inout CheckerRandom) -> Void,
            session: Bool
        ) {
            number += 1
            let sessionNumber = session ? number : 0
            let seed = plan.seed &* 1_000_003 &+ UInt64(number)
            running.wrappingAdd(1, ordering: .relaxed)
            Thread.detachNewThread {
                let client = CheckerSession(
                    shop: self.shop,
                    ports: self.ports,
                    judge: self.judge,
                    number: sessionNumber,
                    onViolation: self.onViolation
                )
                var random = CheckerRandom(seed: seed)
                body(self, client, &random)
                if self.running.wrappingSubtract(1, ordering: .sequentiallyConsistent).newValue == 0 {
                    self.ended.set(true)
                }
            }
        }
        // Held by one more until all are started.
        running.wrappingAdd(1, ordering: .relaxed)
        for editor in 0..<plan.editors { thread({ $0.edit(editor, $1, &$2) }, session: true) }
        for _ in 0..<plan.sellers { thread({ $0.sell($1, &$2) }, session: true) }
        for number in 0..<plan.traders {
            thread({ (load, _, random) in load.trade(number, &random) }, session: false)
        }
        for _ in 0..<plan.readers { thread({ $0.readPlainly($1, &$2) }, session: false) }
        for _ in 0..<plan.searchers { thread({ (load, _, random) in load.search(&random) }, session: false) }
        for _ in 0..<plan.sessions { thread({ $0.readInSession($1, &$2) }, session: true) }
        if running.wrappingSubtract(1, ordering: .sequentiallyConsistent).newValue == 0 { ended.set(true) }
    }

    /// Waits until all threads have ended, which they do when the judge says stop.
    func finish() async throws {
        _ = try await ended.wait()
    }

    /// Whether all writers wait for the database to be replaced.
    var areWritersWaiting: Bool {
        parked.load(ordering: .sequentiallyConsistent) >= plan.editors + plan.sellers + plan.traders
            || ended.value != nil
    }

    /// How many writes given up may still be executed, by subject.
    var uncertain: [Int: Int] {
        var uncertain: [Int: Int] = [:]
        for subject in 0...shop.products.count { uncertain[subject] = 1 }
        uncertain[shop.seriesSubject] = plan.sellers
        return uncertain
    }

    /// Tells a judge which instances and subjects there are.
    static func declare(_ shop: CheckedShop, instances: [String], to judge: CoherenceJudge) {
        for (number, name) in instances.enumerated() { judge.take(.instance(number, name: name)) }
        for (number, subject) in shop.subjects.enumerated() {
            judge.take(.subject(number, subject.kind, revision: shop.revisions[number], name: subject.name))
        }
    }

    // MARK: - Threads

    private func readPlainly(_ client: CheckerSession, _ random: inout CheckerRandom) {
        while !judge.isStopped {
            let instance = random.below(client.instanceCount)
            guard client.isAwake(instance) else {
                // All may be resting: no spinning then.
                usleep(500)
                continue
            }
            if client.read(path(&random), from: instance) == nil { usleep(1_000) }
            pause(plan.readPause)
        }
    }

    private func readInSession(_ client: CheckerSession, _ random: inout CheckerRandom) {
        client.beginSession()
        var left = 100
        while !judge.isStopped {
            let instance = random.below(client.instanceCount)
            guard client.isAwake(instance) else {
                usleep(500)
                continue
            }
            if client.read(path(&random), from: instance, .token) == nil { usleep(1_000) }
            left -= 1
            if left == 0 {
                left = 50 + random.below(200)
                client.beginSession()
            }
            pause(plan.readPause)
        }
    }

    private func search(_ random: inout CheckerRandom) {
        let searcher = CheckerSearcher(text: shop.text, key: shop.key, ports: ports, judge: judge)
        while !judge.isStopped {
            guard !judge.areWritersParked, let instance = searcher.instance(&random),
                let other = searcher.instance(&random)
            else {
                usleep(500)
                continue
            }
            if !searcher.compare(searcher.path(&random), from: instance, with: other) { usleep(1_000) }
            pause(max(plan.readPause, .milliseconds(2)))
        }
    }

    private func trade(_ number: Int, _ random: inout CheckerRandom) {
        let trader = CheckerTrader(shop: shop, ports: ports, judge: judge, seed: random.next())
        var epoch = 0
        while !judge.isStopped {
            guard let current = awaitHistory(epoch) else { return }
            if current != epoch {
                epoch = current
                trader.beginAnew()
                // What was given up may still be done in the new history, and what was cached of the old one served.
                let end = judge.now + 6_000_000
                while judge.now < end, !judge.isStopped, judge.epoch == epoch { usleep(20_000) }
                continue
            }
            trader.step()
            pause(plan.writePause * (50 + random.below(100)) / 100)
        }
    }

    private func path(_ random: inout CheckerRandom) -> Int {
        switch random.below(20) {
        case 0..<12: random.below(shop.products.count)
        case 12: shop.categoryPath
        case 13..<16: shop.listPath(&random)
        default: shop.seriesPath
        }
    }

    private func pause(_ pause: Duration) {
        guard pause > .zero else { return }
        usleep(UInt32(pause / .microseconds(1)))
    }

    private func edit(_ number: Int, _ client: CheckerSession, _ random: inout CheckerRandom) {
        // Each subject has one editor, so that its revisions have one order.
        var subjects = (0..<shop.products.count).filter { $0 % plan.editors == number }
        if number == 0 { subjects.append(shop.categorySubject) }
        guard !subjects.isEmpty else { return }
        var revisions = shop.revisions
        var epoch = 0
        client.beginSession()
        while !judge.isStopped {
            guard let current = awaitHistory(epoch) else { return }
            if current != epoch {
                epoch = current
                client.beginSession()
                for subject in subjects {
                    guard let revision = revision(of: subject, client, &random, epoch) else { break }
                    revisions[subject] = revision
                }
                if judge.epoch != epoch { continue }
            }
            let subject = subjects[random.below(subjects.count)]
            guard let instance = write(subject, revision: revisions[subject], client, &random, epoch) else { continue }
            revisions[subject] += 1
            readBack(subject, instance, client, &random)
            if random.below(50) == 0 { client.beginSession() }
            pause(plan.writePause * (50 + random.below(100)) / 100)
        }
    }

    /// Edits a subject until that is known to be done; the instance that did it, or nil if it was given up.
    private func write(
        _ subject: Int,
        revision: Int64,
        _ client: CheckerSession,
        _ random: inout CheckerRandom,
        _ epoch: Int
    ) -> Int? {
        judge.take(.begun(time: judge.now, subject: subject))
        while !judge.isStopped, !judge.areWritersParked {
            let instance = random.below(client.instanceCount)
            guard client.isAwake(instance) else {
                usleep(1_000)
                continue
            }
            switch client.edit(subject, from: revision, on: instance) {
            case .done:
                acknowledge(subject, instance, isDirect: true, client)
                return instance
            case .conflict, .wasDone:
                // An earlier try was executed after all; what the database says is what counts.
                guard let found = self.revision(of: subject, client, &random, epoch) else { return nil }
                guard found == revision + 1 else {
                    judge.unexpected("subject \(subject) is at \(found) after an edit from \(revision)")
                    return nil
                }
                acknowledge(subject, instance, isDirect: false, client)
                return instance
            case .open:
                usleep(20_000)
            }
        }
        return nil
    }

    private func acknowledge(_ subject: Int, _ instance: Int, isDirect: Bool, _ client: CheckerSession) {
        judge.take(
            .acknowledged(
                time: judge.now,
                subject: subject,
                instance: instance,
                isDirect: isDirect,
                session: client.hasFreshToken ? client.number : 0
            )
        )
    }

    /// The revision the database says, past all caches; nil if it cannot be had before the end.
    private func revision(
        of subject: Int,
        _ client: CheckerSession,
        _ random: inout CheckerRandom,
        _ epoch: Int
    ) -> Int64? {
        while !judge.isStopped, judge.epoch == epoch {
            if let seen = client.read(subject, from: random.below(client.instanceCount), .bypass)?.first {
                return seen.revision
            }
            usleep(20_000)
        }
        return nil
    }

    private func sell(_ client: CheckerSession, _ random: inout CheckerRandom) {
        var epoch = 0
        client.beginSession()
        while !judge.isStopped {
            guard let current = awaitHistory(epoch) else { return }
            if current != epoch {
                epoch = current
                client.beginSession()
            }
            let key = "check-\(UInt64.random(in: 0...UInt64.max))-\(random.below(1 << 30))"
            judge.take(.begun(time: judge.now, subject: shop.seriesSubject))
            var wasOpen = false
            while !judge.isStopped, !judge.areWritersParked {
                let instance = random.below(client.instanceCount)
                guard client.isAwake(instance) else {
                    usleep(1_000)
                    continue
                }
                let outcome = client.sell(key: key, on: instance)
                if case .open = outcome {
                    wasOpen = true
                    usleep(20_000)
                    continue
                }
                let isDirect = if case .done = outcome { true } else { !wasOpen }
                acknowledge(shop.seriesSubject, instance, isDirect: isDirect, client)
                readBack(shop.seriesSubject, instance, client, &random)
                break
            }
            if random.below(50) == 0 { client.beginSession() }
            pause(plan.writePause * (50 + random.below(100)) / 100)
        }
    }

    /// Reads what was just written: with the token on another instance, without it on the same one.
    private func readBack(_ subject: Int, _ instance: Int, _ client: CheckerSession, _ random: inout CheckerRandom) {
        let path =
            if subject == shop.seriesSubject {
                shop.seriesPath
            } else if subject < shop.products.count, random.below(4) == 0 {
                shop.listPath(&random)
            } else {
                subject
            }
        client.patience = .milliseconds(500)
        defer { client.patience = .seconds(2) }
        let other = (instance + 1 + random.below(max(1, client.instanceCount - 1))) % client.instanceCount
        client.read(path, from: other, .token)
        client.read(path, from: instance)
    }

    /// Waits while the database is being replaced; the number of the history, or nil at the end.
    private func awaitHistory(_ epoch: Int) -> Int? {
        guard judge.areWritersParked else { return judge.epoch }
        parked.wrappingAdd(1, ordering: .sequentiallyConsistent)
        defer { parked.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
        while judge.areWritersParked {
            if judge.isStopped { return nil }
            usleep(2_000)
        }
        return judge.epoch
    }
}

/// A small generator with a given seed.
struct CheckerRandom: Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A number from 0 up to, but not including, a bound.
    mutating func below(_ bound: Int) -> Int {
        Int(next() % UInt64(max(1, bound)))
    }
}
