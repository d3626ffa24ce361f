import Glibc

/// A recorded history, judged again.
package enum HistoryFile {
    /// Reads a file line by line and judges every read in it.
    ///
    /// - Parameter path: the file; - is standard input.
    /// - Returns: the judge's report.
    /// - Throws: ``CheckerFailure`` when it cannot be read, ``HistoryError`` for a line that is no event.
    package static func check(path: String) throws -> CoherenceReport {
        guard let file = fopen(path == "-" ? "/dev/stdin" : path, "r") else {
            throw CheckerFailure("\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        var oracle = CoherenceOracle()
        var violations: [Incoherence] = []
        var rules: [Incoherence.Rule: Int] = [:]
        var count = 0
        var instances = 0
        var last: Int64 = 0
        var isFirst = true
        while true {
            let length = getline(&line, &capacity, file)
            guard length >= 0, let line else { break }
            let bytes = UnsafeRawBufferPointer(start: line, count: length)
            let text = String(
                decoding: bytes.last == 10 ? UnsafeRawBufferPointer(rebasing: bytes.dropLast()) : bytes,
                as: UTF8.self
            )
            if isFirst, text != HistoryFormat.header { throw CheckerFailure("\(path) is not a recorded history") }
            isFirst = false
            guard let event = try HistoryFormat.event(Substring(text)) else { continue }
            if case .instance = event { instances += 1 }
            if case .read(let read, _) = event { last = max(last, read.end) }
            for violation in oracle.take(event) {
                count += 1
                rules[violation.rule, default: 0] += 1
                if violations.count < 50 { violations.append(violation) }
            }
        }
        let summary = CoherenceSummary(
            seconds: Double(last) / 1_000_000,
            reads: oracle.reads,
            tokenReads: oracle.tokenReads,
            writes: oracle.writes,
            sources: oracle.sources,
            lags: oracle.lags,
            calmLags: oracle.calmLags,
            refused: [:],
            failedExchanges: 0,
            unexpectedCount: 0,
            unexpected: [],
            violationCount: count,
            rules: rules,
            violations: violations
        )
        return CoherenceReport(summary: summary, seed: 0, instances: instances)
    }
}
