import Synchronization

/// Makes UUIDs of version 7 (RFC 9562): 48 bits of milliseconds, then a counter, then random bits.
///
/// Ids made by one generator ascend even within a millisecond and across a clock that steps back, so that rows of one unit of
/// work land side by side in their index and sort as they were made.
package final class UUIDv7: Sendable {
    private struct State {
        var milliseconds: UInt64 = 0
        var counter: UInt64 = 0
    }

    private let clock: WallClock
    private let state = Mutex(State())

    /// Makes a generator of its own, as tests do.
    ///
    /// - Parameter clock: Gives the milliseconds.
    package init(clock: WallClock = .system) { self.clock = clock }

    /// The generator of the process.
    private static let shared = UUIDv7()

    /// A new id from the generator of the process.
    package static func make() -> EntityID { shared.next() }

    /// The next id of this generator.
    package func next() -> EntityID {
        let now = UInt64(max(clock.now().microsecondsSince1970, 0)) / 1000 & 0xFFFF_FFFF_FFFF
        let random = UInt64.random(in: .min ... .max)
        let (milliseconds, counter) = state.withLock { state -> (UInt64, UInt64) in
            if now > state.milliseconds {
                state.milliseconds = now
                // Half of the counter's space is left for the rest of the millisecond.
                state.counter = random >> 53
            } else {
                state.counter += 1
                if state.counter > 0xFFF {
                    state.milliseconds += 1
                    state.counter = 0
                }
            }
            return (state.milliseconds, state.counter)
        }
        return EntityID(
            high: milliseconds << 16 | 0x7000 | counter,
            low: UInt64.random(in: .min ... .max) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        )
    }
}
