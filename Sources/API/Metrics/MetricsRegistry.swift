package import Metrics
import Synchronization

/// The metrics of this process: the backend of swift-metrics, read by `GET /metrics`.
///
/// Our own, as it is small: a series is found once, when its counter is made, and then costs one atomic addition. Equal
/// names and labels are one series, whoever made them. The number of series is bounded; what comes above counts nowhere,
/// and how much did is a metric itself.
package final class MetricsRegistry: MetricsFactory, Sendable {
    private struct Family {
        let kind: MetricKind
        let help: String
        /// Whether the metric exists before anybody counted, at zero.
        let isZeroFirst: Bool
        var series: [MetricLabels: MetricSeries] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var count = 0
        var readers: [@Sendable () -> [MetricSample]] = []
    }

    /// The name of the counter of series that found no room.
    static let dropped = "stock_metrics_series_dropped_total"

    private let limit: Int
    private let state = Mutex(State())
    private let droppedSeries = CounterSeries()

    /// Makes an empty registry that knows what the metrics of the catalogue mean.
    ///
    /// - Parameters:
    ///   - limit: how many series there may be; a histogram is one.
    ///   - catalogue: what is known to be measured.
    package init(limit: Int = 4096, catalogue: [MetricDescription] = MetricDescription.all) {
        self.limit = limit
        state.withLock { state in
            for metric in catalogue {
                state.families[metric.name] = Family(
                    kind: metric.kind,
                    help: metric.help,
                    isZeroFirst: metric.isZeroFirst
                )
            }
        }
    }

    /// Makes this the registry of the process; once, before anything that measures is made.
    package func install() {
        MetricsSystem.bootstrap(self)
    }

    /// Adds values that are read when the metrics are asked for.
    ///
    /// - Parameter read: Gives them; must not block and must not touch a store.
    package func observe(_ read: @escaping @Sendable () -> [MetricSample]) {
        state.withLock { $0.readers.append(read) }
    }

    // MARK: - Making series

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let series = self.series(.counter, label, dimensions) { .counter(CounterSeries()) }
        guard case .counter(let counter) = series else { return NOOPMetricsHandler.instance }
        return counter
    }

    package func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        let series = self.series(.counter, label, dimensions) { .sum(SumSeries()) }
        guard case .sum(let sum) = series else { return NOOPMetricsHandler.instance }
        return sum
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        let series = self.series(.gauge, label, dimensions) { .gauge(GaugeSeries()) }
        guard case .gauge(let gauge) = series else { return NOOPMetricsHandler.instance }
        return gauge
    }

    package func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else {
            let series = self.series(.gauge, label, dimensions) { .gauge(GaugeSeries()) }
            guard case .gauge(let gauge) = series else { return NOOPMetricsHandler.instance }
            return gauge
        }
        let series = self.series(.histogram, label, dimensions) { .histogram(HistogramSeries()) }
        guard case .histogram(let histogram) = series else { return NOOPMetricsHandler.instance }
        return histogram
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let series = self.series(.histogram, label, dimensions) { .histogram(HistogramSeries()) }
        guard case .histogram(let histogram) = series else { return NOOPMetricsHandler.instance }
        return histogram
    }

    // A series may be shared by several counters of one name, and a total that vanishes is no total: all of them stay.
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}

    /// The series of a name and labels, made if it is new.
    ///
    /// - Returns: the series; nil if the name is taken by a metric of another kind or there is no room.
    private func series(
        _ kind: MetricKind,
        _ label: String,
        _ dimensions: [(String, String)],
        _ make: () -> MetricSeries
    ) -> MetricSeries? {
        let name = MetricLabels.metricName(label)
        let labels = MetricLabels(dimensions)
        let found: MetricSeries? = state.withLock { state in
            var family = state.families[name] ?? Family(kind: kind, help: "", isZeroFirst: false)
            guard family.kind == kind else { return nil }
            if let known = family.series[labels] { return known }
            guard state.count < self.limit else { return nil }
            let series = make()
            family.series[labels] = series
            state.families[name] = family
            state.count += 1
            return series
        }
        if found == nil { droppedSeries.increment(by: 1) }
        return found
    }

    // MARK: - Reading

    /// All metrics in the text format of Prometheus, version 0.0.4, by name and labels.
    ///
    /// - Returns: UTF-8.
    package func text() -> [UInt8] {
        let (known, readers) = state.withLock { ($0.families, $0.readers) }
        var families = known
        for sample in readers.flatMap({ $0() }) {
            families[sample.name, default: Family(kind: .gauge, help: "", isZeroFirst: false)].series[sample.labels] =
                .read(sample.value)
        }
        var writer = MetricsWriter()
        let lost = Family(
            kind: .counter,
            help: "Series that found no room, or whose name another kind of metric has.",
            isZeroFirst: true,
            series: [MetricLabels([]): .counter(droppedSeries)]
        )
        let all = families.merging([Self.dropped: lost]) { $1 }
        for (name, family) in all.sorted(by: { $0.key < $1.key }) {
            writer.begin(name, family.kind, help: family.help)
            if family.series.isEmpty, family.isZeroFirst {
                writer.write(name, MetricLabels([]), family.kind.zero)
            }
            for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
                let value = series.value
                // A histogram is a dozen lines or more: one of many that nothing was recorded in says nothing by them.
                if case .histogram(let counts) = value, counts.isEmpty, !labels.text.isEmpty { continue }
                writer.write(name, labels, value)
            }
        }
        return writer.bytes
    }
}
