/// Namespaces, shortened to what a token and an entry carry of them.
package enum Namespace {
    /// The namespace of a token that has none yet, or of an instance that knows none.
    package static let none: UInt64 = 0

    /// The first eight bytes of a namespace; never ``none``.
    package static func word(_ ns: String?) -> UInt64 {
        guard let ns else { return Self.none }
        let word: UInt64
        if let parsed = UInt64(ns.prefix(16), radix: 16) {
            word = parsed
        } else {
            // Not as the database makes them: told apart all the same (FNV-1a).
            word = ns.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        }
        return word == Self.none ? 1 : word
    }
}
