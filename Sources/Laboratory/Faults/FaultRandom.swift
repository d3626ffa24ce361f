/// SplitMix64: small, and the same numbers from the same seed everywhere.
package struct FaultRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Makes a generator of the sequence that belongs to a seed.
    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// Whether something of this probability happens.
    package mutating func chance(_ probability: Double) -> Bool {
        probability > 0 && Double.random(in: 0..<1, using: &self) < probability
    }

    /// A span of time between two.
    package mutating func duration(in range: ClosedRange<Duration>) -> Duration {
        let width = range.upperBound - range.lowerBound
        return range.lowerBound + width * Double.random(in: 0...1, using: &self)
    }
}
