import HTTPTypes
import Kernel
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

    @Test("requests are timed by route and class of status, counted by status, and seen while they work")
    func requests() async throws {
        let registry = MetricsRegistry()
        let fine = Route(
            .get,
            "/v1/fine/{id}",
            "fine",
            "Fine",
            area: "shop",
            access: .open,
            takes: Route.Input(parameters: [Route.Parameter("x", .text, "Whatever.")])
        ) { _ in .json { $0.object { _ in } } }
        let bad = Route(.post, "/v1/bad", "bad", "Bad", area: "shop", access: .open) { _ in
            throw Problem(.insufficientStock, "None left.")
        }
        let looks = Route(.get, "/v1/looks", "looks", "Looks", area: "shop", access: .open) { _ in
            .json { writer in writer.object { $0.member("seen", self.text(registry)) } }
        }
        let api = try await TestAPI([fine, bad, looks], metrics: registry)
        for number in 0..<3 { _ = try await api.send(.get, "/v1/fine/\(number)?x=SECRET") }
        _ = try await api.send(.post, "/v1/bad", body: "{}")
        _ = try await api.send(.get, "/v1/SECRET")
        #expect(try await api.send(.get, "/v1/looks").text.contains("stock_http_requests_in_flight 1\\n"))
        let text = self.text(registry)
        for line in [
            #"stock_http_request_seconds_count{method="GET",route="/v1/fine/{id}",status="2xx"} 3"#,
            #"stock_http_request_seconds_bucket{method="GET",route="/v1/fine/{id}",status="2xx",le="+Inf"} 3"#,
            #"stock_http_request_seconds_count{method="POST",route="/v1/bad",status="4xx"} 1"#,
            #"stock_http_request_seconds_count{method="any",route="unmatched",status="4xx"} 1"#,
            #"stock_http_requests_total{status="200"} 4"#, #"stock_http_requests_total{status="409"} 1"#,
            "stock_http_requests_in_flight 0",
        ] {
            #expect(text.contains("\n\(line)\n"), "\(line)")
        }
        #expect(!text.contains("SECRET"))
    }

    @Test("every answer of every route, and everything else there is to measure, is at most 1,500 series")
    func boundedByRoutes() async throws {
        let registry = MetricsRegistry()
        let shop = try await withMetricsFactory(registry) {
            try await TestShop(url: "postgres://nobody@localhost/nothing", runs: false, metrics: registry)
        }
        let measured = HTTPMetrics(shop.api.routes)
        registry.observe(measured.samples)
        registry.observe(ProcessMetrics().samples)
        for status in [500, 404, 304, 200] {
            for route in shop.api.routes {
                measured.began()
                measured.answered(route, status: status, time: .milliseconds(3))
            }
        }
        // As many again: a release may bring routes.
        for route in shop.api.routes {
            let next = Route(route.method, "/next\(route.path)", "next", "Next", area: "shop", access: .open) { _ in
                .json { $0.object { _ in } }
            }
            measured.answered(next, status: 200, time: .milliseconds(3))
        }
        for status in 400..<420 { measured.answered(nil, status: status, time: .milliseconds(3)) }
        await shop.stop()
        let text = self.text(registry)
        let series = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(series.count <= 1500, "\(series.count) series")
        for route in shop.api.routes.prefix(HTTPMetrics.answeredRoutes) {
            let name = #"method="\#(route.method.rawValue)",route="\#(route.path)",status="2xx"}"#
            #expect(text.contains(name), "\(name)")
        }
        for status in ["2xx", "4xx"] {
            #expect(text.contains(#"stock_http_request_seconds_count{method="any",route="other",status="\#(status)"}"#))
        }
        #expect(text.contains("stock_metrics_series_dropped_total 0\n"))
    }

    @Test("the process shows its processor time, memory, descriptors and threads")
    func process() {
        let registry = MetricsRegistry()
        registry.observe(ProcessMetrics().samples)
        let text = self.text(registry)
        func value(_ name: String) -> Double {
            text.split(separator: "\n").first { $0.hasPrefix("\(name) ") }?.split(separator: " ").last.flatMap {
                Double($0)
            } ?? -1
        }
        #expect(value("process_cpu_seconds_total") > 0)
        #expect(value("process_resident_memory_bytes") > 1_000_000)
        #expect(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"))
        #expect(value("process_open_fds") >= 3)
        #expect(value("process_max_fds") >= value("process_open_fds"))
        #expect(value("process_threads") >= 1)
        #expect(value("process_start_time_seconds") > 1_700_000_000)
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
