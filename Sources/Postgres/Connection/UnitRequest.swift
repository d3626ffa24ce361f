import Synchronization

/// One unit on its way through pool and connection.
///
/// The caller suspends once, on this object's continuation, and is resumed exactly once: with the answers, with an
/// error, or because it was cancelled. `@unchecked Sendable` because the caller fills it before handing it to the I/O
/// loop and from then on only the loop's thread touches it.
final class UnitRequest: @unchecked Sendable {
    typealias Answer = Result<UnitResult, PostgresError>

    /// Closes the race between suspending and being cancelled: the two reach the loop in either order.
    private enum Phase {
        /// Made; the loop has not seen it.
        case initial
        /// The loop has it.
        case waiting
        /// Cancelled before the loop had it.
        case cancelled
        /// The caller was resumed.
        case finished
    }

    let unit: UnitOfWork
    let lane: Lane
    /// When the caller gives up.
    let deadline: ContinuousClock.Instant
    /// Whether it runs on a connection its caller has leased: then the pool knows nothing of it.
    let isLeased: Bool
    /// When the caller asked.
    let made = ContinuousClock.now
    /// How often it was sent before.
    var attempt = 0
    /// The connection it was sent on.
    var connection: PostgresConnection?

    private var phase = Phase.initial
    private var completion: ((Answer) -> Void)?
    private let isAnswered = Atomic(false)

    init(unit: UnitOfWork, lane: Lane, deadline: ContinuousClock.Instant, isLeased: Bool = false) {
        self.unit = unit
        self.lane = lane
        self.deadline = deadline
        self.isLeased = isLeased
    }

    /// Says what to call with the answer; before the request is handed over.
    ///
    /// - Parameter completion: Called once, on the loop.
    func onFinish(_ completion: @escaping (Answer) -> Void) {
        self.completion = completion
    }

    /// Marks that the loop has it.
    ///
    /// - Returns: False if it was cancelled before; it is finished then.
    func begin() -> Bool {
        switch phase {
        case .initial:
            phase = .waiting
            return true
        case .cancelled:
            phase = .waiting
            finish(.failure(Self.cancelled))
            return false
        case .waiting, .finished:
            return phase == .waiting
        }
    }

    /// Marks that the caller was cancelled.
    ///
    /// - Returns: Whether the loop has it, so that there is something to take back.
    func cancel() -> Bool {
        switch phase {
        case .initial:
            phase = .cancelled
            return false
        case .waiting: return true
        case .cancelled, .finished: return false
        }
    }

    /// Resumes the caller, unless that has happened.
    ///
    /// - Parameter answer: The answer.
    func finish(_ answer: Answer) {
        guard phase != .finished else { return }
        phase = .finished
        connection = nil
        let completion = completion
        self.completion = nil
        isAnswered.store(true, ordering: .releasing)
        completion?(answer)
    }

    /// Orders what the loop wrote before what the resumed caller reads.
    ///
    /// The runtime does so as well, but where the thread sanitizer cannot see it.
    func received() {
        _ = isAnswered.load(ordering: .acquiring)
    }

    /// Whether the caller was resumed.
    var isFinished: Bool { phase == .finished }

    /// How often a unit may be sent.
    ///
    /// A server that goes down takes all connections with it, some a moment later.
    private static let maximalAttempts = 3

    /// Whether the unit may be sent once more after a failure of its connection.
    ///
    /// - Parameters:
    ///   - error: The failure.
    ///   - now: The present.
    /// - Returns: True if it left no effect for certain, or is a read, and there is time.
    func mayRepeat(after error: PostgresError, now: ContinuousClock.Instant) -> Bool {
        guard !isLeased, attempt + 1 < Self.maximalAttempts, now < deadline, error.replacesConnection else {
            return false
        }
        return unit.access == .read || error.outcome != .unknown
    }

    static let cancelled = PostgresError(.cancelled, "the task was cancelled", outcome: .notRun)
}
