import Synchronization

/// All scopes this instance has something for.
///
/// There is never a second object for a scope that something still refers to, as the second would miss the bumps of the
/// first; a scope leaves only when the table's is the last reference and it has no writes to remember.
final class ScopeTable: Sendable {
    private struct Name: Hashable {
        let tenant: Int64
        let module: Module
    }

    private struct Shard {
        var scopes: [Name: Scope] = [:]
        /// The number of scopes at which unused ones are dropped next.
        var sweepAt = 1024
        /// What dropped scopes had counted, so that totals never go back.
        var departed = ModuleTotals()
    }

    /// A class around the mutex, as an array cannot hold one.
    private final class Cell: Sendable {
        let state = Mutex(Shard())
    }

    private let cells: [Cell]

    init(shards: Int = 16) {
        cells = (0..<max(1, shards)).map { _ in Cell() }
    }

    private func cell(_ tenant: Int64, _ module: Module) -> Cell {
        let mixed = (UInt64(bitPattern: tenant) &* 0x9E37_79B9_7F4A_7C15) >> 32
        return cells[Int((mixed &+ UInt64(module.index)) % UInt64(cells.count))]
    }

    /// The scope, made if there is none.
    func scope(_ tenant: Int64, _ module: Module) -> Scope {
        cell(tenant, module).state.withLock { shard in
            let name = Name(tenant: tenant, module: module)
            if let scope = shard.scopes[name] { return scope }
            if shard.scopes.count >= shard.sweepAt { Self.sweep(&shard) }
            let scope = Scope(tenant: tenant, module: module)
            shard.scopes[name] = scope
            return scope
        }
    }

    /// The scope, if there is one.
    ///
    /// A bump of a scope without object has nothing to retire.
    func existing(_ tenant: Int64, _ module: Module) -> Scope? {
        cell(tenant, module).state.withLock { $0.scopes[Name(tenant: tenant, module: module)] }
    }

    /// Visits all scopes.
    func forEach(_ body: (Scope) -> Void) {
        for cell in cells {
            for scope in cell.state.withLock({ Array($0.scopes.values) }) { body(scope) }
        }
    }

    /// What all scopes counted, dropped ones included, by module.
    func totals() -> ModuleTotals {
        var totals = ModuleTotals()
        for cell in cells {
            cell.state.withLock { shard in
                totals.add(shard.departed)
                for scope in shard.scopes.values { totals.add(scope) }
            }
        }
        return totals
    }

    /// The number of scopes.
    var count: Int {
        cells.reduce(0) { $0 + $1.state.withLock { $0.scopes.count } }
    }

    private static func sweep(_ shard: inout Shard) {
        for name in Array(shard.scopes.keys) {
            // Taken out of the table first, so that a scope only the table knew is now uniquely referenced. New references
            // are given out under this lock only.
            guard var scope = shard.scopes.removeValue(forKey: name) else { continue }
            if isKnownUniquelyReferenced(&scope), !scope.hasOwnWrites {
                shard.departed.add(scope)
            } else {
                shard.scopes[name] = scope
            }
        }
        shard.sweepAt = max(1024, shard.scopes.count * 2)
    }
}

/// Sums of scope counters by module.
struct ModuleTotals: Sendable {
    struct Counts: Sendable, Equatable {
        var l1Hits: UInt64 = 0
        var l2Hits: UInt64 = 0
        var misses: UInt64 = 0
        var bypasses: UInt64 = 0
        var stale: UInt64 = 0
        var tokenMisses: UInt64 = 0
        var evictions: UInt64 = 0
        var refusedStores: UInt64 = 0

        mutating func advance(to other: Counts) {
            l1Hits = max(l1Hits, other.l1Hits)
            l2Hits = max(l2Hits, other.l2Hits)
            misses = max(misses, other.misses)
            bypasses = max(bypasses, other.bypasses)
            stale = max(stale, other.stale)
            tokenMisses = max(tokenMisses, other.tokenMisses)
            evictions = max(evictions, other.evictions)
            refusedStores = max(refusedStores, other.refusedStores)
        }
    }

    private(set) var modules = [Counts](repeating: Counts(), count: Module.allCases.count)

    subscript(_ module: Module) -> Counts { modules[module.index] }

    mutating func add(_ scope: Scope) {
        let counters = scope.counters
        self.add(
            Counts(
                l1Hits: counters.l1Hits.load(ordering: .relaxed),
                l2Hits: counters.l2Hits.load(ordering: .relaxed),
                misses: counters.misses.load(ordering: .relaxed),
                bypasses: counters.bypasses.load(ordering: .relaxed),
                stale: counters.stale.load(ordering: .relaxed),
                tokenMisses: counters.tokenMisses.load(ordering: .relaxed),
                evictions: counters.evictions.load(ordering: .relaxed),
                refusedStores: counters.refusedStores.load(ordering: .relaxed)
            ),
            at: scope.module.index
        )
    }

    mutating func add(_ other: ModuleTotals) {
        for index in other.modules.indices { self.add(other.modules[index], at: index) }
    }

    /// Takes the higher of each count: totals read earlier may come later.
    mutating func advance(to other: ModuleTotals) {
        for index in other.modules.indices { modules[index].advance(to: other.modules[index]) }
    }

    private mutating func add(_ counts: Counts, at index: Int) {
        modules[index].l1Hits += counts.l1Hits
        modules[index].l2Hits += counts.l2Hits
        modules[index].misses += counts.misses
        modules[index].bypasses += counts.bypasses
        modules[index].stale += counts.stale
        modules[index].tokenMisses += counts.tokenMisses
        modules[index].evictions += counts.evictions
        modules[index].refusedStores += counts.refusedStores
    }
}
