/// What a check of coherence found, to be read by people or programs.
package struct CoherenceReport: Sendable {
    /// What the readers found.
    package var summary: CoherenceSummary
    /// The seed of workload and faults.
    package var seed: UInt64
    /// How many instances.
    package var instances: Int
    /// Faults by name.
    package var faults: [String: Int] = [:]
    /// From the end of a fault until every instance serves from its caches, in microseconds.
    package var recoveries = LagHistogram()
    /// Recoveries that took longer than promised: what, and seconds.
    package var slow: [(fault: String, seconds: Double)] = []
    /// Explanations compared by the online oracle, and those it asked PostgreSQL about; nil if it did not run.
    package var online: (compared: Int, cached: Int, mismatches: Int)?
    /// What else there is to say, one sentence each.
    package var remarks: [String] = []

    /// The bound of ``slow``.
    package static let promisedRecovery = Duration.seconds(5)

    /// How many faults.
    package var faultCount: Int { faults.values.reduce(0, +) }

    /// What ended the run before its time.
    package var failure: String?

    /// Whether no answer was wrong, there were answers, and the run came to its end.
    package var isClean: Bool { summary.violationCount == 0 && summary.reads > 0 && failure == nil }

    /// What a zero is worth.
    package var honesty: String {
        guard summary.violationCount == 0 else {
            return "\(summary.violationCount) of \(summary.reads) reads were wrong"
        }
        guard summary.reads > 0 else { return "nothing was read, so nothing was shown" }
        return "no violation in \(summary.reads) reads means a rate below \(Self.rate(summary.reads)) at 95 %"
    }

    private static func rate(_ count: Int) -> String {
        var value = 3 / Double(count)
        var exponent = 0
        while value < 1 {
            value *= 10
            exponent += 1
        }
        return exponent == 0 ? decimal(value, 1) : "\(decimal(value, 1))e-\(exponent)"
    }

    private static func decimal(_ value: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int64((value * scale).rounded())
        guard digits > 0 else { return String(scaled) }
        let fraction = String(scaled % Int64(scale))
        return "\(scaled / Int64(scale))." + String(repeating: "0", count: max(0, digits - fraction.count)) + fraction
    }

    private static func milliseconds(_ microseconds: Int64) -> String { decimal(Double(microseconds) / 1_000, 1) }

    private static let shares: [(name: String, share: Double)] = [
        ("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1),
    ]

    private static func percentiles(_ lags: LagHistogram) -> String {
        guard lags.count > 0 else { return "none measured" }
        return shares.map { "\($0.name) \(milliseconds(lags.percentile($0.share))) ms" }.joined(separator: ", ")
            + " of \(lags.count)"
    }

    /// A page for people.
    package var text: String {
        var lines: [String] = []
        func line(_ name: String, _ value: String) {
            lines.append(name + String(repeating: " ", count: max(1, 14 - name.count)) + value)
        }
        let perSecond = summary.seconds > 0 ? Int(Double(summary.reads) / summary.seconds) : 0
        line("seed", String(seed))
        line("instances", String(instances))
        line("duration", Self.decimal(summary.seconds, 1) + " s")
        line("reads", "\(summary.reads) checked, \(perSecond)/s, \(summary.tokenReads) with a token")
        line("searches", "\(summary.searches) with random text, each compared with the database")
        line("writes", "\(summary.writes) acknowledged")
        line(
            "commands",
            "\(summary.commands) of purchases, transfers, counts, returns, drawers and settings; "
                + "\(summary.comparisons) answers compared with the database after them"
        )
        let shares = AnswerSource.allCases.filter { summary.sources[Int($0.rawValue)] > 0 }.map { source in
            let share = Double(summary.sources[Int(source.rawValue)]) * 100 / Double(max(1, summary.reads))
            return "\(source.name) \(Self.decimal(share, 1)) %"
        }
        line("answered by", shares.joined(separator: ", "))
        let refused = summary.refused.sorted { $0.key < $1.key }.map { "\($0.value) x \($0.key)" }
        line("not answered", (refused + ["\(summary.failedExchanges) broken off"]).joined(separator: ", "))
        line("lag, calm", Self.percentiles(summary.calmLags))
        line("lag, all", Self.percentiles(summary.lags))
        if !faults.isEmpty {
            line("faults", "\(faultCount) injected")
            for (name, count) in faults.sorted(by: { $0.key < $1.key }) { line("", "\(count) x \(name)") }
            line("recovery", "caches usable everywhere again after " + Self.percentiles(recoveries))
            for (fault, seconds) in slow.prefix(10) {
                line("", "SLOW: \(Self.decimal(seconds, 1)) s after \(fault)")
            }
        }
        if let online {
            line(
                "online",
                "\(online.compared) explanations compared with the log, \(online.cached) of them of cached values, "
                    + "\(online.mismatches) asked PostgreSQL about; wrong: \(summary.rules[.explain] ?? 0)"
            )
        }
        for remark in remarks { line("note", remark) }
        if let failure { line("ended early", failure) }
        if summary.unexpectedCount > 0 {
            line("unexpected", "\(summary.unexpectedCount) answers")
            for answer in summary.unexpected.prefix(5) { line("", answer) }
        }
        let rules = summary.rules.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.value) \($0.key.rawValue)" }
        line("violations", rules.isEmpty ? "0" : "\(summary.violationCount): " + rules.joined(separator: ", "))
        for violation in summary.violations.prefix(10) { line("", violation.description) }
        line("result", honesty)
        return lines.joined(separator: "\n")
    }

    /// The same as one JSON object.
    package var json: String {
        func string(_ text: String) -> String {
            var result = "\""
            for scalar in text.unicodeScalars {
                switch scalar {
                case "\"": result += "\\\""
                case "\\": result += "\\\\"
                case _ where scalar.value < 32: result += " "
                default: result.unicodeScalars.append(scalar)
                }
            }
            return result + "\""
        }
        func object(_ members: [(String, String)]) -> String {
            "{" + members.map { "\(string($0.0)):\($0.1)" }.joined(separator: ",") + "}"
        }
        func lags(_ lags: LagHistogram) -> String {
            object(
                [("count", String(lags.count))]
                    + Self.shares.map { ($0.name, String(lags.percentile($0.share))) }
            )
        }
        var members: [(String, String)] = [
            ("seed", String(seed)), ("instances", String(instances)), ("seconds", Self.decimal(summary.seconds, 3)),
            ("reads", String(summary.reads)), ("token_reads", String(summary.tokenReads)),
            ("searches", String(summary.searches)), ("writes", String(summary.writes)),
            ("commands", String(summary.commands)), ("comparisons", String(summary.comparisons)),
            (
                "sources",
                object(AnswerSource.allCases.map { ($0.name, String(summary.sources[Int($0.rawValue)])) })
            ),
            (
                "refused",
                object(summary.refused.sorted { $0.key < $1.key }.map { (String($0.key), String($0.value)) })
            ),
            ("broken_off", String(summary.failedExchanges)), ("unexpected", String(summary.unexpectedCount)),
            ("lag_us", lags(summary.lags)), ("calm_lag_us", lags(summary.calmLags)),
            ("fault_count", String(faultCount)),
            ("faults", object(faults.sorted { $0.key < $1.key }.map { ($0.key, String($0.value)) })),
            ("recovery_us", lags(recoveries)),
            (
                "slow_recoveries",
                "["
                    + slow.map { object([("fault", string($0.fault)), ("seconds", Self.decimal($0.seconds, 3))]) }
                    .joined(separator: ",") + "]"
            ),
        ]
        if let online {
            members.append(
                (
                    "online",
                    object([
                        ("compared", String(online.compared)), ("cached", String(online.cached)),
                        ("mismatches", String(online.mismatches)),
                    ])
                )
            )
        }
        members += [
            ("violation_count", String(summary.violationCount)),
            (
                "violations",
                "[" + summary.violations.map { string($0.description) }.joined(separator: ",") + "]"
            ),
            ("unexpected_answers", "[" + summary.unexpected.map(string).joined(separator: ",") + "]"),
            ("notes", "[" + remarks.map(string).joined(separator: ",") + "]"),
            ("failure", failure.map(string) ?? "null"),
            ("clean", isClean ? "true" : "false"),
            ("result", string(honesty)),
        ]
        return object(members)
    }
}
