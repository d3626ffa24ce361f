/// Writes the text format of Prometheus, version 0.0.4.
struct MetricsWriter {
    private var text = ""

    /// What was written, in UTF-8.
    var bytes: [UInt8] { Array(text.utf8) }

    /// Begins a metric.
    mutating func begin(_ name: String, _ kind: MetricKind, help: String) {
        if !help.isEmpty { text += "# HELP \(name) \(MetricLabels.escaped(help, quote: false))\n" }
        text += "# TYPE \(name) \(kind.rawValue)\n"
    }

    /// Writes a series; a histogram is written with cumulative counts, as the format wants them.
    mutating func write(_ name: String, _ labels: MetricLabels, _ value: MetricValue) {
        switch value {
        case .integer(let value):
            line(name, labels.text, "\(value)")
        case .real(let value):
            line(name, labels.text, Self.number(value))
        case .histogram(let counts):
            var below: UInt64 = 0
            for (bound, count) in zip(counts.bounds + [.infinity], counts.buckets) {
                below += count
                let limit = "le=\"\(Self.number(bound))\""
                line("\(name)_bucket", labels.text.isEmpty ? limit : "\(labels.text),\(limit)", "\(below)")
            }
            line("\(name)_sum", labels.text, Self.number(counts.sum))
            line("\(name)_count", labels.text, "\(below)")
        }
    }

    private mutating func line(_ name: String, _ labels: String, _ value: String) {
        text += labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }

    /// A number as Go reads it.
    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value) { return "\(whole)" }
        return "\(value)"
    }
}
