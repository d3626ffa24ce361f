/// Whether what Redis returned may be believed: a pure judgement.
package enum Trust: Sendable, Equatable {
    /// Redis is where it says it is, and not behind this instance.
    case trusted
    /// It may be behind, or another data set; the cause is for the counters.
    case untrusted(Cause)

    /// Why Redis is not trusted.
    package enum Cause: String, Sendable, CaseIterable {
        /// This instance has not adopted a position yet.
        case unknown
        /// This instance's lease ended while it waited for the answer.
        case unusable
        /// No watermark: the data set is empty, or the key was evicted.
        case watermarkMissing = "wm_missing"
        /// The watermark belongs to another namespace.
        case watermarkNamespace = "wm_namespace"
        /// The data set has not had all bumps this instance has applied.
        case watermarkBehind = "wm_behind"
        /// Nothing has shown yet that the data set followed the log that this instance follows.
        case watermarkHistory = "wm_history"
        /// Nobody declared this server up to date in the last seconds.
        case aliveMissing = "alive_missing"
        /// The declaration belongs to another namespace.
        case aliveNamespace = "alive_namespace"
        /// The declaration was made to another server: this one was promoted, restarted or restored.
        case runID = "run_id"
    }

    /// Judges the keys read together with a value.
    ///
    /// The watermark moves in the same script as the bumps, so a data set that shows it had those bumps in its own history.
    /// The declaration with the server's run id keeps out a server that was rolled back and not replayed since.
    ///
    /// - Parameters:
    ///   - answer: what one MGET returned.
    ///   - ns: the namespace this instance has adopted.
    ///   - applied: the last log row this instance has applied.
    ///   - isRecognised: whether the data set is of the history this instance follows, see
    ///     ``LaneStateMachine/recognises(_:)``.
    ///   - defects: guards left out by a test build.
    /// - Returns: the judgement.
    package static func judge(
        _ answer: SecondLevelAnswer,
        ns: String?,
        applied: Int64?,
        isRecognised: Bool,
        defects: Defects = Defects()
    ) -> Trust {
        guard let ns, let applied else { return .untrusted(.unknown) }
        if defects.contains(.noAliveAndNoWatermark) { return .trusted }
        let looksAtNamespace = !defects.contains(.noNamespace)
        if !defects.contains(.aliveBeforeReplay), !defects.contains(.watermarkInMemory) {
            guard let watermark = answer.watermark.flatMap({ Watermark(parsing: $0) }) else {
                return .untrusted(.watermarkMissing)
            }
            guard watermark.ns == ns || !looksAtNamespace else { return .untrusted(.watermarkNamespace) }
            guard watermark.sequence >= applied else { return .untrusted(.watermarkBehind) }
            guard isRecognised else { return .untrusted(.watermarkHistory) }
        }
        // A server that hides its run id is judged by the watermark alone: safe, but a failover is seen up to a lease later.
        guard let runID = answer.runID else { return .trusted }
        guard let alive = answer.alive else { return .untrusted(.aliveMissing) }
        let parts = alive.split(separator: UInt8(ascii: " "))
        guard parts.count == 3 else { return .untrusted(.aliveMissing) }
        guard parts[0].elementsEqual(ns.utf8) || !looksAtNamespace else { return .untrusted(.aliveNamespace) }
        guard parts[1].elementsEqual(runID.utf8) else { return .untrusted(.runID) }
        return .trusted
    }
}

/// The watermark of a data set: all log rows up to `sequence` are applied in it.
package struct Watermark: Sendable, Equatable {
    /// The namespace.
    package let ns: String
    /// The last row applied.
    package let sequence: Int64
    /// That row's tag.
    package let tag: Int32

    /// Makes a watermark.
    package init(ns: String, sequence: Int64, tag: Int32) {
        self.ns = ns
        self.sequence = sequence
        self.tag = tag
    }

    /// Reads `<ns> <seq> <tag>`; nil if it is anything else.
    package init?(parsing bytes: [UInt8]) {
        let parts = bytes.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 3, let sequence = Int64(String(decoding: parts[1], as: UTF8.self)),
            let tag = Int32(String(decoding: parts[2], as: UTF8.self))
        else { return nil }
        self.init(ns: String(decoding: parts[0], as: UTF8.self), sequence: sequence, tag: tag)
    }

    /// The text kept in Redis.
    package var text: String { "\(ns) \(sequence) \(tag)" }
}
