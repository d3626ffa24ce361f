import Kernel
import Testing

@testable import Cache

/// A database's transactions, as a model: what a snapshot sees is known from when each began and committed.
private struct History {
    private var next: UInt64 = 100
    private var running: Set<UInt64> = []
    private var committed: Set<UInt64> = []

    mutating func begin() -> UInt64 {
        defer { self.next += 1 }
        self.running.insert(self.next)
        return self.next
    }

    mutating func commit(_ xid: UInt64) {
        self.running.remove(xid)
        self.committed.insert(xid)
    }

    func snapshot() -> (Snapshot, sees: Set<UInt64>) {
        (
            Snapshot(xmin: self.running.min() ?? self.next, xmax: self.next, xip: self.running.sorted()),
            self.committed
        )
    }

    mutating func step(_ generator: inout Seeded) -> UInt64? {
        if self.running.count < 3 || Bool.random(using: &generator) && self.running.count < 40 {
            _ = self.begin()
            return nil
        }
        guard let xid = self.running.sorted().randomElement(using: &generator) else { return nil }
        self.commit(xid)
        return xid
    }
}

@Suite struct ConsistencyTokenTests {
    private static let tenant: Int64 = 7

    private static func roundTrip(_ token: ConsistencyToken) throws -> ConsistencyToken {
        let text = token.text
        #expect(text.utf8.count <= ConsistencyToken.textLimit)
        return try #require(ConsistencyToken(parsing: text, tenant: Self.tenant))
    }

    @Test("a satisfied token means that the snapshot sees every write and all that was read before")
    func model() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = Seeded(seed)
        var satisfied = 0
        var refused = 0
        for round in 0..<100 {
            var history = History()
            var token = ConsistencyToken(tenant: Self.tenant, namespace: 5)
            var required: [Module: Set<UInt64>] = [:]
            var snapshots: [(Snapshot, sees: Set<UInt64>)] = []
            var isExact = true
            var writes = 0
            for _ in 0..<60 {
                let committed = history.step(&generator)
                let module: Module = [.sales, .stock, .units].randomElement(using: &generator) ?? .sales
                switch Int.random(in: 0..<6, using: &generator) {
                case 0:
                    guard let committed else { break }
                    token.add(write: committed, modules: [module, .reports])
                    required[module, default: []].insert(committed)
                    required[.reports, default: []].insert(committed)
                    writes += 1
                case 1:
                    let (snapshot, sees) = history.snapshot()
                    token.add(read: module, snapshot: snapshot)
                    required[module, default: []].formUnion(sees)
                    if (snapshot.xip?.count ?? 0) > ConsistencyToken.runningLimit { isExact = false }
                default:
                    snapshots.append(history.snapshot())
                }
                if Bool.random(using: &generator) { token = try Self.roundTrip(token) }
                for (snapshot, sees) in snapshots + [history.snapshot()] {
                    for module in [Module.sales, .stock, .units, .reports] {
                        let isTrue = required[module, default: []].isSubset(of: sees)
                        let isSaid = token.isSatisfied(by: snapshot, module: module)
                        if isSaid && !isTrue {
                            Issue.record("seed \(seed), round \(round): \(snapshot) satisfies \(token)")
                            return
                        }
                        if isTrue && !isSaid && isExact && writes <= ConsistencyToken.writeLimit
                            && snapshot.xip?.count ?? 0 <= ConsistencyToken.runningLimit
                        {
                            Issue.record("seed \(seed), round \(round): \(snapshot) is refused by \(token)")
                            return
                        }
                        if isSaid { satisfied += 1 } else { refused += 1 }
                    }
                }
            }
        }
        #expect(satisfied > 1000 && refused > 1000)
    }

    @Test("where running transactions are unknown only what is certain counts")
    func unknownRunning() {
        var token = ConsistencyToken(tenant: Self.tenant)
        token.add(read: .sales, snapshot: Snapshot(xmin: 10, xmax: 20, xip: nil))
        #expect(!token.isSatisfied(by: Snapshot(xmin: 10, xmax: 20, xip: [10]), module: .sales))
        #expect(!token.isSatisfied(by: Snapshot(xmin: 19, xmax: 25, xip: nil), module: .sales))
        #expect(token.isSatisfied(by: Snapshot(xmin: 20, xmax: 25, xip: nil), module: .sales))
        #expect(token.isSatisfied(by: Snapshot(xmin: 20, xmax: 25, xip: [20]), module: .sales))
        #expect(token.isSatisfied(by: Snapshot(xmin: 1, xmax: 1, xip: []), module: .stock))
    }

    @Test("more writes than the limit become a barrier for their modules alone")
    func barrier() throws {
        var token = ConsistencyToken(tenant: Self.tenant)
        for xid in 100..<109 as Range<UInt64> { token.add(write: xid, modules: [.sales]) }
        token.add(write: 200, modules: [.stock])
        token = try Self.roundTrip(token)
        #expect(!token.isSatisfied(by: Snapshot(xmin: 108, xmax: 300, xip: [108]), module: .sales))
        #expect(!token.isSatisfied(by: Snapshot(xmin: 50, xmax: 300, xip: [50]), module: .sales), "any may be missing")
        #expect(token.isSatisfied(by: Snapshot(xmin: 109, xmax: 109, xip: []), module: .sales))
        #expect(token.isSatisfied(by: Snapshot(xmin: 50, xmax: 300, xip: [50]), module: .stock))
        #expect(token.isSatisfied(by: Snapshot(xmin: 1, xmax: 1, xip: []), module: .units))
    }

    @Test("the fullest token is still short")
    func bounds() throws {
        var token = ConsistencyToken(tenant: .min, namespace: .max)
        let high = UInt64.max - 100_000
        for index in 0..<17 as Range<UInt64> {
            token.add(write: high + index, modules: Module.allCases)
        }
        for (index, module) in Module.allCases.enumerated() {
            let xmax = high + UInt64(index) + 5000
            token.add(
                read: module,
                snapshot: Snapshot(xmin: 1, xmax: xmax, xip: (0..<100).map { 1 + $0 * (high / 101) })
            )
        }
        let read = try #require(ConsistencyToken(parsing: token.text, tenant: .min))
        #expect(token.text.utf8.count <= ConsistencyToken.textLimit)
        let all = Snapshot(xmin: .max, xmax: .max, xip: [])
        for module in Module.allCases {
            #expect(read.isSatisfied(by: all, module: module))
            #expect(!read.isSatisfied(by: Snapshot(xmin: high, xmax: high, xip: []), module: module))
        }
    }

    @Test("an empty text begins, anything unreadable or of another tenant is no token")
    func unreadable() throws {
        #expect(ConsistencyToken(parsing: "", tenant: 1)?.isEmpty == true)
        var token = ConsistencyToken(tenant: 1, namespace: 9)
        token.add(write: 5, modules: [.sales])
        #expect(ConsistencyToken(parsing: token.text, tenant: 1) == token)
        #expect(ConsistencyToken(parsing: token.text, tenant: 2) == nil)
        #expect(ConsistencyToken(parsing: token.text + "=", tenant: 1) == nil)
        #expect(ConsistencyToken(parsing: String(token.text.dropLast()), tenant: 1) == nil)
        #expect(ConsistencyToken(parsing: String(repeating: "A", count: 5000), tenant: 1) == nil)
    }

    @Test("several are asked for together: the order of the client's answers and a stream's is nobody's to know")
    func union() throws {
        var answers = ConsistencyToken(tenant: Self.tenant, namespace: 5)
        answers.add(write: 100, modules: [.sales])
        answers.add(read: .stock, snapshot: Snapshot(xmin: 104, xmax: 104, xip: []))
        var stream = ConsistencyToken(tenant: Self.tenant, namespace: 5)
        stream.add(write: 101, modules: [.balance])
        stream.add(barrier: 90, modules: ModuleSet([.products]))
        let (one, other) = (answers.text, stream.text)
        for text in ["\(one),\(other)", "\(other), \(one)", ",\(one),, \(other) ,"] {
            let both = try #require(ConsistencyToken(parsing: text, tenant: Self.tenant))
            #expect(!both.isSatisfied(by: Snapshot(xmin: 100, xmax: 110, xip: [100]), module: .sales))
            #expect(!both.isSatisfied(by: Snapshot(xmin: 101, xmax: 110, xip: [101]), module: .balance))
            #expect(!both.isSatisfied(by: Snapshot(xmin: 103, xmax: 110, xip: [103]), module: .stock))
            #expect(!both.isSatisfied(by: Snapshot(xmin: 90, xmax: 110, xip: [90]), module: .products))
            for module in [Module.sales, .balance, .stock, .products] {
                #expect(both.isSatisfied(by: Snapshot(xmin: 110, xmax: 110, xip: []), module: module))
            }
            #expect(try Self.roundTrip(both) == both && !both.isForeign(to: 5, Defects()))
        }
        #expect(ConsistencyToken(parsing: ",", tenant: Self.tenant)?.isEmpty == true)
        #expect(ConsistencyToken(parsing: answers.text + ",x", tenant: Self.tenant) == nil)
        let many = Array(repeating: answers.text, count: ConsistencyToken.partLimit + 1).joined(separator: ",")
        #expect(ConsistencyToken(parsing: many, tenant: Self.tenant) == nil)
    }

    @Test("of tokens of two histories nothing is left that a cache could answer", arguments: [true, false])
    func histories(isEmpty: Bool) throws {
        var former = ConsistencyToken(tenant: Self.tenant, namespace: 4)
        if !isEmpty { former.add(write: 7, modules: [.sales]) }
        var present = ConsistencyToken(tenant: Self.tenant, namespace: 5)
        present.add(write: 100, modules: [.sales])
        for (first, second) in [(former, present), (present, former)] {
            let both = try #require(ConsistencyToken(parsing: "\(first.text),\(second.text)", tenant: Self.tenant))
            #expect(both.isForeign(to: 4, Defects()) && both.isForeign(to: 5, Defects()))
        }
    }

    @Test("garbage is no harm")
    func fuzz() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = Seeded(seed)
        var token = ConsistencyToken(tenant: 1, namespace: 9)
        for xid in 0..<12 as Range<UInt64> { token.add(write: .max - xid * 3, modules: [.sales]) }
        token.add(read: .stock, snapshot: Snapshot(xmin: 3, xmax: .max, xip: [3, .max - 1]))
        let bytes = try #require(Base64URL.decode(token.text))
        let probe = Snapshot(xmin: 1 << 40, xmax: .max, xip: [1 << 40, 1 << 50])
        for _ in 0..<30_000 {
            var copy = bytes
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: 0..<copy.count, using: &generator)
                copy[index] =
                    [0, 0x7F, 0x80, 0xFF, .random(in: 0...255, using: &generator)]
                    .randomElement(using: &generator) ?? 0
            }
            if var read = ConsistencyToken(parsing: Base64URL.encode(copy), tenant: 1) {
                for module in Module.allCases { _ = read.isSatisfied(by: probe, module: module) }
                read.add(read: .sales, snapshot: probe)
                read.add(write: .max, modules: Module.allCases)
                read.prune(settled: .random(in: 0...UInt64.max, using: &generator))
                _ = read.text
            }
        }
    }

    @Test("what is settled is forgotten")
    func pruned() {
        var token = ConsistencyToken(tenant: 1)
        token.add(write: 10, modules: [.sales, .units])
        token.add(write: 30, modules: [.sales])
        token.add(barrier: 9, modules: .all)
        token.add(read: .stock, snapshot: snapshot(below: 10))
        token.prune(settled: 11, for: .strict)
        #expect(token.writes.map(\.xid) == [10, 30], "the RELAXED module is kept")
        #expect(token.reads.isEmpty && token.barrier != nil)
        token.prune(settled: 31)
        #expect(token.isEmpty)
    }

    @Test("the defective token forgets all but the highest id")
    func maximalID() {
        var token = ConsistencyToken(tenant: 1)
        for xid in [100, 105] as [UInt64] {
            token.add(write: xid, modules: ModuleSet([.sales]), defects: Defects([.maximalIDToken]))
        }
        #expect(token.isSatisfied(by: Snapshot(xmin: 100, xmax: 106, xip: [100]), module: .sales))
    }

    @Test("a history answers for the past, and forgets it when the ids begin anew")
    func history() {
        var history = SettledHistory(reach: .seconds(62))
        for second in 0..<200 as Range<Int64> {
            history.note(UInt64(second) + 1, namespace: 1, at: second * 1_000_000_000)
        }
        let now = 199 * 1_000_000_000 as Int64
        #expect(history.settled(before: .seconds(2), now: now) <= 198)
        #expect(history.settled(before: .seconds(2), now: now) > 190)
        #expect((130...138).contains(history.settled(before: .seconds(62), now: now)))
        #expect(history.settled(before: .seconds(500), now: now) == 0)
        history.note(3, namespace: 2, at: now)
        #expect(history.settled(before: .seconds(2), now: now) == 0)
    }
}
