import Glibc
import Synchronization

/// The oracle of a run: threads report to it, it judges at once, and keeps the history in a file if one is asked for.
package final class CoherenceJudge: Sendable {
    private struct State {
        var oracle: CoherenceOracle
        var violations: [Incoherence] = []
        var violationCount = 0
        var rules: [Incoherence.Rule: Int] = [:]
        var refused: [Int: Int] = [:]
        var unexpected: [String] = []
        var unexpectedCount = 0
        var failedExchanges = 0
        var searches = 0
        var commands = 0
        var comparisons = 0
        var recorder: HistoryRecorder?
        var epoch = 0
        var faults = 0
    }

    /// At most so many violations are kept in full.
    private static let limit = 50

    private let start: ContinuousClock.Instant
    private let state: Mutex<State>
    private let stopped = Atomic<Bool>(false)
    private let parked = Atomic<Bool>(false)

    /// Makes a judge; a history is recorded at `path` if there is one.
    ///
    /// - Throws: ``CheckerFailure`` when the file cannot be written.
    package init(lease: Duration = .seconds(1), recordingTo path: String? = nil) throws {
        start = .now
        let recorder = try path.map { try HistoryRecorder(path: $0) }
        state = Mutex(State(oracle: CoherenceOracle(lease: lease), recorder: recorder))
    }

    /// Microseconds since the beginning.
    package var now: Int64 { time(of: .now) }

    /// A moment in microseconds since the beginning.
    package func time(of instant: ContinuousClock.Instant) -> Int64 {
        let parts = start.duration(to: instant).components
        return parts.seconds &* 1_000_000 &+ parts.attoseconds / 1_000_000_000_000
    }

    /// Whether threads are to end.
    package var isStopped: Bool { stopped.load(ordering: .relaxed) }

    /// Ends the threads that report here, at their next look.
    package func stop() { stopped.store(true, ordering: .relaxed) }

    /// Whether writers are to give up what they do, and wait.
    var areWritersParked: Bool { parked.load(ordering: .sequentiallyConsistent) }

    /// Counts the histories: a writer that finds another one than before forgets what it was doing.
    var epoch: Int { state.withLock { $0.epoch } }

    /// Takes in an event that is no read.
    package func take(_ event: HistoryEvent) {
        state.withLock { state in
            if let recorder = state.recorder { recorder.append(event) }
            _ = state.oracle.take(event)
        }
    }

    /// Takes in a read; what is wrong with it.
    @discardableResult
    func take(_ read: ReadEvent, _ sightings: [Sighting]) -> [Incoherence] {
        state.withLock { state in
            if let recorder = state.recorder { recorder.append(read, sightings) }
            let violations = state.oracle.take(.read(read, sightings))
            for violation in violations { Self.add(violation, &state) }
            return violations
        }
    }

    /// Reports a violation found by other means.
    package func report(_ violation: Incoherence) {
        state.withLock { Self.add(violation, &$0) }
    }

    /// Adds words to a violation reported before.
    func explain(_ violation: Incoherence, _ detail: String) {
        state.withLock { state in
            guard let index = state.violations.firstIndex(of: violation) else { return }
            state.violations[index].detail = detail
        }
    }

    private static func add(_ violation: Incoherence, _ state: inout State) {
        state.violationCount += 1
        state.rules[violation.rule, default: 0] += 1
        if state.violations.count < limit { state.violations.append(violation) }
    }

    /// Counts an answer that is neither good nor bad: 503, 429 and the like.
    func refused(_ status: Int) {
        state.withLock { $0.refused[status, default: 0] += 1 }
    }

    /// Counts an exchange that brought no answer.
    func failed() {
        state.withLock { $0.failedExchanges += 1 }
    }

    /// Counts a search whose answer was compared with the database's.
    func searched() {
        state.withLock { $0.searches += 1 }
    }

    /// Counts a command of the trader that was done.
    func commanded() {
        state.withLock { $0.commands += 1 }
    }

    /// Counts an answer that was compared with the database's after one of them.
    func compared() {
        state.withLock { $0.comparisons += 1 }
    }

    /// Notes an answer the service should never give.
    func unexpected(_ text: @autoclosure () -> String) {
        state.withLock { state in
            state.unexpectedCount += 1
            if state.unexpected.count < 10 { state.unexpected.append(text()) }
        }
    }

    /// Says that a fault begins or ends: lags in between are counted apart.
    package func fault(_ isActive: Bool, _ text: String) {
        state.withLock { state in
            state.oracle.isCalm = !isActive
            if isActive { state.faults += 1 }
            if let recorder = state.recorder { recorder.append(.note(time: now, text)) }
        }
    }

    // MARK: - Another history of the database

    /// The database is being replaced: writers give up and wait, nothing is judged until ``replaced(_:)``.
    func replacing() {
        parked.store(true, ordering: .sequentiallyConsistent)
        state.withLock { state in
            state.epoch += 1
        }
        let never = Int64.max
        take { subject in .replaced(time: never, subject: subject, revision: 0) }
    }

    private func take(_ event: (Int) -> HistoryEvent) {
        let subjects = state.withLock { $0.oracle.subjectNumbers }
        for subject in subjects { take(event(subject)) }
    }

    /// The database stands at these revisions; reads that begin from `time` on are judged again.
    ///
    /// - Parameters:
    ///   - revisions: by subject.
    ///   - time: reads that begin later are judged.
    ///   - uncertain: how many writes given up may still come, by subject.
    func replaced(_ revisions: [(subject: Int, revision: Int64)], from time: Int64, uncertain: [Int: Int]) {
        for (subject, revision) in revisions {
            take(.replaced(time: time, subject: subject, revision: revision))
            for _ in 0..<(uncertain[subject] ?? 0) { take(.begun(time: time, subject: subject)) }
        }
        parked.store(false, ordering: .sequentiallyConsistent)
    }

    // MARK: - Results

    /// What was found so far.
    package var summary: CoherenceSummary {
        state.withLock { state in
            CoherenceSummary(
                seconds: Double(now) / 1_000_000,
                reads: state.oracle.reads,
                tokenReads: state.oracle.tokenReads,
                writes: state.oracle.writes,
                sources: state.oracle.sources,
                lags: state.oracle.lags,
                calmLags: state.oracle.calmLags,
                refused: state.refused,
                failedExchanges: state.failedExchanges,
                unexpectedCount: state.unexpectedCount,
                unexpected: state.unexpected,
                violationCount: state.violationCount,
                rules: state.rules,
                violations: state.violations,
                searches: state.searches,
                commands: state.commands,
                comparisons: state.comparisons
            )
        }
    }

    /// Reads judged so far.
    package var reads: Int { state.withLock { $0.oracle.reads } }

    /// Violations so far.
    package var violationCount: Int { state.withLock { $0.violationCount } }

    /// The highest revision of a subject known to be committed.
    package func acknowledged(_ subject: Int) -> Int64 { state.withLock { $0.oracle.acknowledged(subject) } }

    /// Writes what is left of the record.
    package func close() {
        state.withLock { $0.recorder?.flush() }
    }
}

/// What a judge has found.
package struct CoherenceSummary: Sendable {
    /// How long it took.
    package var seconds: Double
    /// Reads judged.
    package var reads: Int
    /// Of them, with a token.
    package var tokenReads: Int
    /// Writes acknowledged.
    package var writes: Int
    /// Reads by source, in the order of ``AnswerSource``.
    package var sources: [Int]
    /// Lags of other instances.
    package var lags: LagHistogram
    /// Lags of other instances while no fault was about.
    package var calmLags: LagHistogram
    /// Refused requests by status.
    package var refused: [Int: Int]
    /// Exchanges without an answer.
    package var failedExchanges: Int
    /// Answers the service should not give.
    package var unexpectedCount: Int
    /// The first of them.
    package var unexpected: [String]
    /// Violations.
    package var violationCount: Int
    /// Violations by rule.
    package var rules: [Incoherence.Rule: Int]
    /// The first of them.
    package var violations: [Incoherence]
    /// Searches compared with the database.
    package var searches = 0
    /// Purchases, transfers, counts, returns and the like that were done.
    package var commands = 0
    /// Answers compared with the database after them.
    package var comparisons = 0
}

/// Writes a history to a file, in blocks.
private final class HistoryRecorder: Sendable {
    private let descriptor: CInt
    private let buffer = Mutex<[UInt8]>([])

    init(path: String) throws {
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw CheckerFailure("\(path) cannot be written: \(String(cString: strerror(errno)))")
        }
        buffer.withLock { $0.append(contentsOf: (HistoryFormat.header + "\n").utf8) }
    }

    deinit {
        Glibc.close(descriptor)
    }

    func append(_ event: HistoryEvent) {
        buffer.withLock { bytes in
            HistoryFormat.append(event, to: &bytes)
            if bytes.count > 1 << 18 { write(&bytes) }
        }
    }

    func append(_ read: ReadEvent, _ sightings: [Sighting]) {
        buffer.withLock { bytes in
            HistoryFormat.append(read, sightings, to: &bytes)
            if bytes.count > 1 << 18 { write(&bytes) }
        }
    }

    func flush() {
        buffer.withLock { write(&$0) }
    }

    private func write(_ bytes: inout [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress.map { $0 + sent }, $0.count - sent)
            }
            if count > 0 {
                sent += count
            } else if errno != EINTR {
                break
            }
        }
        bytes.removeAll(keepingCapacity: true)
    }
}
