import Testing

@testable import Cache

@Suite struct TokenComposerTests {
    private static let ns = String(repeating: "a", count: 32)
    private static let other = String(repeating: "b", count: 32)

    @Test("a write and a read are added under the namespace adopted")
    func adds() {
        var composer = TokenComposer(settings: CacheSettings())
        let first = composer.compose(
            nil,
            tenant: 1,
            adding: .wrote(xid: 10, modules: [.sales]),
            ns: Self.ns,
            settled: 0,
            at: 0
        )
        #expect(first.namespace == Namespace.word(Self.ns))
        #expect(!first.isSatisfied(by: snapshot(below: 10), module: .sales))
        let second = composer.compose(
            first,
            tenant: 1,
            adding: .read(.stock, snapshot(below: 20)),
            ns: Self.ns,
            settled: 0,
            at: 1
        )
        #expect(!second.isSatisfied(by: snapshot(below: 19), module: .stock))
        #expect(second.isSatisfied(by: snapshot(below: 11), module: .sales))
        #expect(!second.isForeign(to: Self.ns))
        #expect(second.isForeign(to: Self.other) && second.isForeign(to: nil))
        #expect(!second.isForeign(to: Self.other, defects: Defects([.noNamespace])))
    }

    @Test("of a token of another namespace stays that everything before was seen")
    func foreign() {
        var composer = TokenComposer(settings: CacheSettings())
        var old = ConsistencyToken(tenant: 1, namespace: Namespace.word(Self.other))
        old.add(write: 5, modules: [.sales])
        let read = composer.compose(
            old,
            tenant: 1,
            adding: .read(.stock, snapshot(below: 20)),
            ns: Self.ns,
            settled: 0,
            at: 0
        )
        #expect(!read.isForeign(to: Self.ns))
        #expect(!read.isSatisfied(by: snapshot(below: 19), module: .sales), "the write is below")
        let wrote = composer.compose(
            old,
            tenant: 1,
            adding: .wrote(xid: 30, modules: [.stock]),
            ns: Self.ns,
            settled: 0,
            at: 0
        )
        #expect(!wrote.isSatisfied(by: Snapshot(xmin: 4, xmax: 40, xip: [4]), module: .sales))
        #expect(wrote.isSatisfied(by: snapshot(below: 31), module: .sales))
    }

    @Test("what is settled for two leases goes, of RELAXED modules only when no old answer can miss it")
    func pruned() {
        var composer = TokenComposer(settings: CacheSettings())
        let second: Int64 = 1_000_000_000
        var token = composer.compose(
            nil,
            tenant: 1,
            adding: .wrote(xid: 10, modules: [.sales, .units]),
            ns: Self.ns,
            settled: 11,
            at: 0
        )
        #expect(!token.isEmpty, "settled here is not settled everywhere")
        func later(_ time: Int64) {
            token = composer.compose(
                token,
                tenant: 1,
                adding: .read(.quotes, snapshot(below: 5)),
                ns: Self.ns,
                settled: 11,
                at: time
            )
        }
        later(1 * second)
        #expect(token.writes.first?.modules == ModuleSet([.sales, .units]))
        later(2 * second)
        #expect(token.writes.first?.modules == ModuleSet([.units]))
        later(61 * second)
        #expect(!token.writes.isEmpty)
        later(62 * second)
        #expect(token.isEmpty)
    }

    @Test("a replayed answer's token covers its write for every module, beside what was held")
    func replayed() {
        var composer = TokenComposer(settings: CacheSettings())
        let replay = TokenComposer.Addition.replayed(xid: 19, modules: Module.allCases, seenBy: snapshot(below: 40))
        let first = composer.compose(nil, tenant: 1, adding: replay, ns: Self.ns, settled: 0, at: 0)
        for module in Module.allCases {
            #expect(!first.isSatisfied(by: snapshot(below: 19), module: module))
            #expect(first.isSatisfied(by: snapshot(below: 20), module: module))
        }
        // A younger write that was committed before the one replayed.
        let held = composer.compose(
            nil,
            tenant: 1,
            adding: .wrote(xid: 30, modules: [.stock]),
            ns: Self.ns,
            settled: 0,
            at: 0
        )
        let both = composer.compose(held, tenant: 1, adding: replay, ns: Self.ns, settled: 0, at: 0)
        #expect(!both.isSatisfied(by: Snapshot(xmin: 19, xmax: 31, xip: [19]), module: .stock))
        #expect(both.isSatisfied(by: snapshot(below: 31), module: .stock))
    }

    @Test("a refusal's token covers what was visible behind it, for every module, beside what was held")
    func refused() {
        var composer = TokenComposer(settings: CacheSettings())
        let held = composer.compose(
            nil,
            tenant: 1,
            adding: .wrote(xid: 50, modules: [.stock]),
            ns: Self.ns,
            settled: 0,
            at: 0
        )
        let refusal = TokenComposer.Addition.refused(seenBy: snapshot(below: 40))
        let token = composer.compose(held, tenant: 1, adding: refusal, ns: Self.ns, settled: 0, at: 0)
        for module in Module.allCases {
            #expect(!token.isSatisfied(by: snapshot(below: 39), module: module))
            #expect(token.isSatisfied(by: snapshot(below: 40), module: module) == (module != .stock))
        }
        #expect(token.isSatisfied(by: snapshot(below: 51), module: .stock))
    }

    @Test("a replay beside a token of another namespace covers what the look-up saw")
    func foreignReplay() {
        var composer = TokenComposer(settings: CacheSettings())
        let held = composer.compose(
            nil,
            tenant: 1,
            adding: .wrote(xid: 30, modules: [.stock]),
            ns: Self.ns,
            settled: 0,
            at: 0
        )
        let token = composer.compose(
            held,
            tenant: 1,
            adding: .replayed(xid: 19, modules: Module.allCases, seenBy: snapshot(below: 40)),
            ns: String(repeating: "f", count: 32),
            settled: 0,
            at: 0
        )
        #expect(!token.isSatisfied(by: snapshot(below: 39), module: .stock))
        #expect(token.isSatisfied(by: snapshot(below: 40), module: .stock))
    }
}
