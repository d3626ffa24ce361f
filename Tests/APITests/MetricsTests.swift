import HTTPTypes
import Metrics
import TestSupport
import Testing

@testable import API

@Suite("Metrics in the text format")
struct MetricsTests {
    private func text(_ registry: MetricsRegistry) -> String {
        String(decoding: registry.text(), as: UTF8.self)
    }

    @Test("counters, gauges and histograms are written by name and labels, escaped, whatever order they came in")
    func golden() {
        let registry = MetricsRegistry(catalogue: [])
        registry.makeTimer(label: "b_seconds", dimensions: [("module", "sales")]).recordNanoseconds(3_000_000)
        let timer = Timer(label: "b_seconds", dimensions: [("module", "sales")], factory: registry)
        timer.recordNanoseconds(600_000_000)
        timer.recordNanoseconds(60_000_000_000)
        Counter(label: "a_total", dimensions: [("z", "1"), ("a", "say \"hi\"\\\n")], factory: registry).increment(by: 2)
        Counter(label: "a_total", dimensions: [("a", "ñ")], factory: registry).increment()
        FloatingPointCounter(label: "seconds_total", factory: registry).increment(by: 0.25)
        Gauge(label: "9 strange-name", factory: registry).record(1.5)
        #expect(
            self.text(registry) == """
                # TYPE _9_strange_name gauge
                _9_strange_name 1.5
                # TYPE a_total counter
                a_total{a="say \\"hi\\"\\\\\\n",z="1"} 2
                a_total{a="ñ"} 1
                # TYPE b_seconds histogram
                b_seconds_bucket{module="sales",le="0.0005"} 0
                b_seconds_bucket{module="sales",le="0.001"} 0
                b_seconds_bucket{module="sales",le="0.0025"} 0
                b_seconds_bucket{module="sales",le="0.005"} 1
                b_seconds_bucket{module="sales",le="0.01"} 1
                b_seconds_bucket{module="sales",le="0.025"} 1
                b_seconds_bucket{module="sales",le="0.05"} 1
                b_seconds_bucket{module="sales",le="0.1"} 1
                b_seconds_bucket{module="sales",le="0.25"} 1
                b_seconds_bucket{module="sales",le="0.5"} 1
                b_seconds_bucket{module="sales",le="1"} 2
                b_seconds_bucket{module="sales",le="2.5"} 2
                b_seconds_bucket{module="sales",le="5"} 2
                b_seconds_bucket{module="sales",le="10"} 2
                b_seconds_bucket{module="sales",le="+Inf"} 3
                b_seconds_sum{module="sales"} 60.603
                b_seconds_count{module="sales"} 3
                # TYPE seconds_total counter
                seconds_total 0.25
                # HELP stock_metrics_series_dropped_total Series that found no room, or whose name another kind of metric has.
                # TYPE stock_metrics_series_dropped_total counter
                stock_metrics_series_dropped_total 0

                """
        )
    }

    @Test("a metric of the catalogue is there at zero before anybody counts, but no gauge claims a zero")
    func zeros() {
        let text = self.text(MetricsRegistry())
        #expect(text.contains("\nstock_cache_store_refused_total 0\n"))
        #expect(text.contains("\nstock_cache_lease_wait_seconds_count 0\n"))
        #expect(text.contains("\n# TYPE stock_cache_outbox_rows gauge\n# "))
        for metric in MetricDescription.all {
            let head = "# HELP \(metric.name) \(metric.help)\n# TYPE \(metric.name) \(metric.kind.rawValue)\n"
            #expect(text.contains(head))
        }
    }

    @Test("a counter never falls, a gauge does")
    func directions() {
        let registry = MetricsRegistry(catalogue: [])
        let counter = registry.makeCounter(label: "c", dimensions: [])
        counter.increment(by: 3)
        counter.increment(by: -2)
        let meter = Meter(label: "m", factory: registry)
        meter.set(3)
        meter.decrement(by: 1.5)
        #expect(self.text(registry).contains("\nc 3\n") || self.text(registry).hasPrefix("# TYPE c counter\nc 3\n"))
        #expect(self.text(registry).contains("\nm 1.5\n"))
    }

    @Test("the number of series is bounded, and a name keeps its kind; what is left out is counted")
    func bounded() {
        let registry = MetricsRegistry(limit: 3, catalogue: [])
        for number in 0..<5 {
            Counter(label: "many_total", dimensions: [("id", "\(number)")], factory: registry).increment()
        }
        Gauge(label: "many_total", factory: registry).record(7)
        // Known ones still count.
        Counter(label: "many_total", dimensions: [("id", "0")], factory: registry).increment()
        let text = self.text(registry)
        #expect(text.contains("many_total{id=\"0\"} 2\n"))
        #expect(!text.contains("id=\"3\"") && !text.contains("many_total 7"))
        #expect(text.contains("stock_metrics_series_dropped_total 3\n"))
    }

    @Test("nothing is lost when many count at once, in counters made again and again")
    func concurrent() async {
        let registry = MetricsRegistry(catalogue: [])
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for number in 0..<1000 {
                        Counter(label: "c_total", dimensions: [("of", "\(number % 4)")], factory: registry).increment()
                        Timer(label: "t_seconds", factory: registry).recordNanoseconds(Int64(task) * 1_000_000)
                        Meter(label: "m", factory: registry).increment(by: 1)
                        if number.isMultiple(of: 100) { _ = registry.text() }
                    }
                }
            }
        }
        let text = self.text(registry)
        for of in 0..<4 { #expect(text.contains("c_total{of=\"\(of)\"} 2000\n")) }
        #expect(text.contains("t_seconds_count 8000\n"))
        #expect(text.contains("\nm 8000\n"))
    }
}
