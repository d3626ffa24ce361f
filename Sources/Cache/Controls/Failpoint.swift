#if DEBUG
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif
#endif

/// Places where a test build dies, dawdles or leaves a step out on request.
///
/// `STOCK_FAILPOINT=after_commit` kills the process at a place, as if the machine had been switched off; `after_commit:3`
/// lets it pass twice first. `STOCK_DRAIN_DELAY_MS=700` makes every drain stay open for so long, `700:10` every tenth;
/// `STOCK_APPLY_DELAY_MS` waits likewise before log rows are applied to Redis. `STOCK_BUMP_OFF=1` drops the writer's fast
/// path. A release build contains none of this.
package enum Failpoint {
    #if DEBUG
    private static let armed: (name: String, counter: Countdown)? = {
        guard let value = getenv("STOCK_FAILPOINT") else { return nil }
        let parts = String(cString: value).split(separator: ":")
        guard let name = parts.first else { return nil }
        let passes = parts.count > 1 ? Int(parts[1]) ?? 1 : 1
        return (String(name), Countdown(passes))
    }()

    private static let delays = Delays(["drain": "STOCK_DRAIN_DELAY_MS", "apply": "STOCK_APPLY_DELAY_MS"])

    private static let off: Set<String> = getenv("STOCK_BUMP_OFF").map { String(cString: $0) } == "1" ? ["bump"] : []
    #endif

    /// Kills the process with SIGKILL if this place is armed and its turn has come.
    @inline(__always)
    package static func reach(_ name: StaticString) {
        #if DEBUG
        guard let armed = Self.armed, armed.name == name.description, armed.counter.isDue() else { return }
        kill(getpid(), SIGKILL)
        #endif
    }

    /// How long to dawdle at this place now; nil in the usual case.
    @inline(__always)
    package static func delay(_ name: StaticString) -> Duration? {
        #if DEBUG
        Self.delays.delay(name.description)
        #else
        nil
        #endif
    }

    /// Whether a step is to be left out.
    @inline(__always)
    package static func isOff(_ name: StaticString) -> Bool {
        #if DEBUG
        Self.off.contains(name.description)
        #else
        false
        #endif
    }
}

#if DEBUG
import Synchronization

/// Counts down from a number, once.
private final class Countdown: Sendable {
    private let left: Atomic<Int>

    init(_ count: Int) {
        left = Atomic(count)
    }

    func isDue() -> Bool {
        left.wrappingSubtract(1, ordering: .sequentiallyConsistent).newValue == 0
    }
}
#endif

#if DEBUG
/// Delays by place, each of every so many passes.
private final class Delays: Sendable {
    private let rules: [String: Rule]

    init(_ names: [String: String]) {
        var rules: [String: Rule] = [:]
        for (place, variable) in names {
            guard let value = getenv(variable) else { continue }
            let parts = String(cString: value).split(separator: ":").map { Int($0) }
            guard let milliseconds = parts.first ?? nil, milliseconds > 0 else { continue }
            rules[place] = Rule(.milliseconds(milliseconds), every: parts.count > 1 ? max(1, parts[1] ?? 1) : 1)
        }
        self.rules = rules
    }

    func delay(_ place: String) -> Duration? {
        rules[place].flatMap { $0.isDue ? $0.duration : nil }
    }

    private final class Rule: Sendable {
        let duration: Duration
        private let every: Int
        private let passes = Atomic<Int>(0)

        init(_ duration: Duration, every: Int) {
            self.duration = duration
            self.every = every
        }

        var isDue: Bool {
            passes.wrappingAdd(1, ordering: .relaxed).newValue % every == 0
        }
    }
}
#endif
