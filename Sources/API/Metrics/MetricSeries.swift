import Metrics
import Synchronization

/// What a metric is, as the text format names it.
package enum MetricKind: String, Sendable {
    /// Only grows.
    case counter
    /// The last value.
    case gauge
    /// How often values fell below each bound.
    case histogram

    /// The value of a metric nobody has measured yet.
    var zero: MetricValue {
        switch self {
        case .counter: .integer(0)
        case .gauge: .real(0)
        case .histogram: .histogram(HistogramSeries.Counts())
        }
    }
}

/// A value read from a series.
enum MetricValue: Sendable {
    case integer(Int64)
    case real(Double)
    case histogram(HistogramSeries.Counts)
}

/// One line, or the lines of one histogram: a name with these labels.
enum MetricSeries: Sendable {
    case counter(CounterSeries)
    case sum(SumSeries)
    case gauge(GaugeSeries)
    case histogram(HistogramSeries)
    /// Read at this moment from where it is kept.
    case read(MetricValue)

    var value: MetricValue {
        switch self {
        case .counter(let counter): .integer(counter.value)
        case .sum(let sum): .real(sum.value)
        case .gauge(let gauge): .real(gauge.value)
        case .histogram(let histogram): .histogram(histogram.counts)
        case .read(let value): value
        }
    }
}

/// A counter of whole things.
final class CounterSeries: CounterHandler, Sendable {
    private let count = Atomic<Int64>(0)

    var value: Int64 { count.load(ordering: .relaxed) }

    func increment(by amount: Int64) {
        // A counter that falls is read as a restart of the process.
        guard amount > 0 else { return }
        count.wrappingAdd(amount, ordering: .relaxed)
    }

    func reset() {
        count.store(0, ordering: .relaxed)
    }
}

/// A counter of amounts, for instance seconds.
final class SumSeries: FloatingPointCounterHandler, Sendable {
    private let sum = Mutex(0.0)

    var value: Double { sum.withLock { $0 } }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        sum.withLock { $0 += amount }
    }

    func reset() {
        sum.withLock { $0 = 0 }
    }
}

/// The last value of something.
final class GaugeSeries: MeterHandler, RecorderHandler, Sendable {
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func set(_ value: Int64) {
        self.set(Double(value))
    }

    func set(_ value: Double) {
        bits.store(value.bitPattern, ordering: .relaxed)
    }

    func increment(by amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (isDone, found) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if isDone { return }
            old = found
        }
    }

    func decrement(by amount: Double) {
        increment(by: -amount)
    }

    func record(_ value: Int64) {
        set(value)
    }

    func record(_ value: Double) {
        set(value)
    }
}

/// How long things took, or how large they were, in buckets that never change.
final class HistogramSeries: RecorderHandler, TimerHandler, Sendable {
    /// The counts of a histogram at one moment.
    struct Counts: Sendable, Equatable {
        /// The upper bounds, ascending.
        let bounds: [Double]
        /// How many values were at most each of ``bounds`` and above the bound before; the last one has no bound.
        var buckets: [UInt64]
        /// All values added up.
        var sum = 0.0

        init(bounds: [Double] = HistogramSeries.bounds) {
            self.bounds = bounds
            buckets = [UInt64](repeating: 0, count: bounds.count + 1)
        }

        /// Whether nothing was ever recorded.
        var isEmpty: Bool { buckets.allSatisfy { $0 == 0 } }

        /// Adds a value.
        mutating func record(_ value: Double) {
            buckets[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
            sum += value
        }
    }

    /// The upper bounds in seconds: from an answer of Redis to the deadline of a report.
    static let bounds = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ]

    private let state: Mutex<Counts>

    init(bounds: [Double] = HistogramSeries.bounds) {
        state = Mutex(Counts(bounds: bounds))
    }

    var counts: Counts { state.withLock { $0 } }

    func record(_ value: Int64) {
        self.record(Double(value))
    }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        state.withLock { $0.record(value) }
    }

    func recordNanoseconds(_ duration: Int64) {
        record(Double(duration) / 1e9)
    }
}
