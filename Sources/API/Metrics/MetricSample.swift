/// A value that is read when the metrics are asked for: of something that is counted elsewhere, or has to be looked up.
package struct MetricSample: Sendable {
    let name: String
    let labels: MetricLabels
    let value: MetricValue

    init(_ name: String, _ value: MetricValue, labels: [(String, String)] = []) {
        self.name = name
        self.labels = MetricLabels(labels)
        self.value = value
    }

    /// A sample of a gauge, or of a counter of amounts.
    ///
    /// - Parameters:
    ///   - name: one of ``MetricDescription/all``.
    ///   - value: what it is now.
    ///   - labels: names and values.
    package init(_ name: String, _ value: Double, labels: [(String, String)] = []) {
        self.init(name, .real(value), labels: labels)
    }

    /// A sample of a counter of whole things.
    ///
    /// - Parameters:
    ///   - name: one of ``MetricDescription/all``.
    ///   - count: how many there were since the process began.
    ///   - labels: names and values.
    package init(_ name: String, count: Int64, labels: [(String, String)] = []) {
        self.init(name, .integer(count), labels: labels)
    }

    /// A sample of something that holds or does not: 1 or 0.
    ///
    /// - Parameters:
    ///   - name: one of ``MetricDescription/all``.
    ///   - holds: whether it does.
    package init(_ name: String, holds: Bool) {
        self.init(name, .integer(holds ? 1 : 0))
    }
}
