/// A set of modules, in one word: the module with number n is bit n, in memory and in tokens.
package struct ModuleSet: Sendable, Equatable {
    private(set) var bits: UInt64 = 0

    /// All modules.
    package static let all = ModuleSet(Module.allCases)
    /// Those that may be answered from further back when the database cannot be asked.
    package static let relaxed = ModuleSet(Module.allCases.filter(\.isRelaxed))
    /// Those that may not.
    package static let strict = ModuleSet(Module.allCases.filter { !$0.isRelaxed })

    /// Makes an empty set.
    package init() {}

    /// Makes a set of some modules.
    package init(_ modules: some Sequence<Module>) {
        for module in modules { bits |= 1 << UInt64(module.index) }
    }

    /// Makes a set of a word; bits of modules this program does not know are dropped.
    init(bits: UInt64) {
        self.bits = bits & Self.all.bits
    }

    package var isEmpty: Bool { bits == 0 }

    package func contains(_ module: Module) -> Bool { bits & (1 << UInt64(module.index)) != 0 }

    func union(_ other: ModuleSet) -> ModuleSet { ModuleSet(bits: self.bits | other.bits) }

    func intersection(_ other: ModuleSet) -> ModuleSet { ModuleSet(bits: self.bits & other.bits) }

    mutating func formUnion(_ other: ModuleSet) { bits |= other.bits }

    mutating func subtract(_ other: ModuleSet) { bits &= ~other.bits }
}
