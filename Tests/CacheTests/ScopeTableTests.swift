import Synchronization
import Testing

@testable import Cache

@Suite struct ScopeTableTests {
    @Test("a scope that something refers to, or that remembers writes, is never replaced by a second object")
    func identity() {
        let table = ScopeTable(shards: 1)
        let held = table.scope(1, .products)
        table.scope(2, .products).wrote(7, settled: 0)
        let other = ObjectIdentifier(table.scope(2, .products))
        for tenant in 100..<6000 as Range<Int64> { _ = table.scope(tenant, .products) }
        #expect(table.count < 5000, "unused scopes are dropped")
        #expect(table.scope(1, .products) === held)
        #expect(ObjectIdentifier(table.scope(2, .products)) == other)
        #expect(table.scope(2, .products).hasOwnWrites)
    }

    @Test("what dropped scopes had counted stays in the totals")
    func totals() {
        let table = ScopeTable(shards: 1)
        for tenant in 0..<5000 as Range<Int64> {
            table.scope(tenant, .sales).counters.l1Hits.wrappingAdd(1, ordering: .relaxed)
        }
        #expect(table.totals()[.sales].l1Hits == 5000)
    }

    @Test("tasks that ask for one scope at once get one object")
    func concurrent() async {
        for round in 0..<200 as Range<Int64> {
            let table = ScopeTable()
            let scopes = await withTaskGroup { group in
                for _ in 0..<4 { group.addTask { ObjectIdentifier(table.scope(round, .stock)) } }
                var found: Set<ObjectIdentifier> = []
                for await scope in group { found.insert(scope) }
                return found
            }
            #expect(scopes.count == 1)
        }
    }
}
