import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The clock that leases and expiry are measured on, in nanoseconds from an arbitrary origin.
///
/// It counts while the machine sleeps (as `ContinuousClock` does): a lease must be over after a suspension. It never says
/// anything about another machine. A test moves its own.
package enum CacheClock: Sendable {
    /// The clock of the machine.
    case system
    /// A clock that a test moves.
    case manual(ManualClock)

    /// The time now, in nanoseconds.
    package var now: Int64 {
        switch self {
        case .system:
            // Read directly, not through `ContinuousClock`: the arithmetic of `Duration` costs more than the reading.
            var time = timespec()
            #if canImport(Darwin)
            clock_gettime(CLOCK_MONOTONIC_RAW, &time)
            #else
            clock_gettime(CLOCK_BOOTTIME, &time)
            #endif
            return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
        case .manual(let clock):
            return clock.now
        }
    }

    /// Microseconds since 1970, for the expiry of values shared with other machines; correctness never depends on it.
    package static var wallMicroseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) &* 1_000_000 &+ Int64(time.tv_nsec) / 1000
    }
}

/// A clock that stands still until it is moved.
package final class ManualClock: Sendable {
    private let time = Atomic<Int64>(1_000_000_000)

    /// Makes a clock that stands at one second.
    package init() {}

    /// The time now, in nanoseconds.
    package var now: Int64 { time.load(ordering: .sequentiallyConsistent) }

    /// Moves the clock forward.
    package func advance(by duration: Duration) {
        time.wrappingAdd(duration.nanoseconds, ordering: .sequentiallyConsistent)
    }
}

extension Duration {
    /// The duration in whole nanoseconds, cut off at what an Int64 holds.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        return product.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue
    }

    /// The duration in whole milliseconds.
    package var milliseconds: Int64 { nanoseconds / 1_000_000 }
}
