#if DEBUG
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif
#endif

/// Places where a test build dies on request, as if the machine had been switched off.
///
/// `STOCK_FAILPOINT=after_commit` arms one by name; `STOCK_FAILPOINT=after_commit:3` lets it pass twice first. A release
/// build contains none of this.
package enum Failpoint {
    #if DEBUG
    private static let armed: (name: String, counter: Countdown)? = {
        guard let value = getenv("STOCK_FAILPOINT") else { return nil }
        let parts = String(cString: value).split(separator: ":")
        guard let name = parts.first else { return nil }
        let passes = parts.count > 1 ? Int(parts[1]) ?? 1 : 1
        return (String(name), Countdown(passes))
    }()
    #endif

    /// Kills the process with SIGKILL if this place is armed and its turn has come.
    @inline(__always)
    package static func reach(_ name: StaticString) {
        #if DEBUG
        guard let armed = Self.armed, armed.name == name.description, armed.counter.isDue() else { return }
        kill(getpid(), SIGKILL)
        #endif
    }
}

#if DEBUG
import Synchronization

/// Counts down from a number, once.
private final class Countdown: Sendable {
    private let left: Atomic<Int>

    init(_ count: Int) {
        self.left = Atomic(count)
    }

    func isDue() -> Bool {
        self.left.wrappingSubtract(1, ordering: .sequentiallyConsistent).newValue == 0
    }
}
#endif
