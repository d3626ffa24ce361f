import DequeModule

/// What a connection is doing, free of any I/O.
///
/// A first-in-first-out of units, each a count of answers expected: libpq gives every statement one answer and a NULL,
/// then PIPELINE_SYNC. Only that Sync says that a unit is committed: a deferred constraint fails after all statements
/// succeeded. The owner acts on what the methods return.
///
/// What the server says at the wrong time closes the connection, with ``outOfStep``. What only the owner decides stops the process
/// where it cannot be: nothing that comes from outside leads there.
struct ConnectionStateMachine: ~Copyable {
    /// The connection as a whole.
    enum State: Equatable {
        /// Coming up: socket, login, preparation. Next: `pipeline` or `closed`.
        case connecting
        /// Units may be sent. Next: `plain` on a lease, `closed`.
        case pipeline
        /// Leased and out of pipeline mode, nothing under way. Next: `pipeline`, `busy`, `closed`.
        case plain
        /// Leased: a script or a COPY is under way. Next: `plain`, `closed`.
        case busy
        /// Over; a last state.
        case closed
    }

    /// One Sync's worth of messages that were sent.
    struct Flight {
        enum Purpose {
            case unit(UnitRequest)
            /// Statements prepared in a unit of their own, so that no abort of a business unit skips them.
            case prepare([any Statement.Type])
        }

        let purpose: Purpose
        /// Statements expected to answer, the scope included.
        let commandCount: Int
        /// When its sender gives up.
        let deadline: ContinuousClock.Instant
        /// The statement whose answers come next; `commandCount` is the Sync.
        var position = 0
        /// Whether that statement has answered and its NULL is awaited.
        var isAnswered = false
        /// The answers so far, without the scope's.
        var results: [PGResult] = []
        /// The first error, which is the unit's.
        var error: PostgresError?
        /// Where the first error came; `commandCount` for one at the commit.
        var failedPosition: Int?
        /// The caller has gone; the answers are dropped as they come.
        var isDetached = false
        /// Its time is up and it was noticed.
        var isOverdue = false

        init(_ purpose: Purpose, commandCount: Int, deadline: ContinuousClock.Instant) {
            self.purpose = purpose
            self.commandCount = commandCount
            self.deadline = deadline
        }

        /// What the caller gets after the Sync.
        var answer: UnitRequest.Answer {
            guard case .unit(let request) = purpose else { return .failure(ConnectionStateMachine.outOfStep) }
            if let error { return .failure(error) }
            return .success(UnitResult(results: results, unit: request.unit))
        }

        fileprivate mutating func fail(_ error: PostgresError) {
            guard self.error == nil else { return }
            failedPosition = position
            if case .unit(let request) = purpose, let name = request.unit.name(at: position - 1) {
                self.error = error.with(statement: name)
            } else if case .prepare(let types) = purpose, types.indices.contains(position) {
                self.error = error.with(statement: types[position].name)
            } else {
                self.error = error
            }
        }
    }

    /// What libpq had to say.
    enum Answer {
        case success(PGResult?)
        case failure(PostgresError)
        /// The statement was skipped because an earlier one of its unit failed.
        case aborted
        /// NULL: the statement's answers are over.
        case end
        case sync
        /// Anything else.
        case unexpected
    }

    /// What to do about it.
    enum Action {
        case none
        /// A Sync was answered.
        case finished(Flight)
        /// The peer and we are out of step.
        case close(PostgresError)
    }

    private(set) var state = State.connecting
    /// What is under way while connecting or in pipeline mode; not a part of these two states, as it would have to be taken out of
    /// the state and put back for every answer, or be copied.
    private(set) var flights: Deque<Flight> = []
    /// Whether the connection is to be closed once it is empty.
    private(set) var isRetiring = false

    init() {}

    static let outOfStep = PostgresError(
        .protocolViolation,
        "the server's answers do not fit what was sent",
        outcome: .unknown
    )

    /// Whether nothing is under way.
    var isEmpty: Bool { flights.isEmpty && state != .busy }

    /// Stops at what the owner must not do.
    private func refuse(_ event: String) -> Never {
        preconditionFailure("a connection that is \(state) was told that \(event)")
    }

    /// Notes that units may be sent.
    mutating func connected() {
        guard state == .connecting else { refuse("it has come up") }
        state = .pipeline
    }

    /// Notes that no unit should come any more.
    mutating func retire() {
        isRetiring = true
    }

    /// Notes that a unit was sent.
    ///
    /// - Parameter flight: What is expected.
    mutating func sent(_ flight: Flight) {
        switch (state, flight.purpose) {
        case (.pipeline, _), (.connecting, .prepare): flights.append(flight)
        case (.connecting, .unit), (.plain, _), (.busy, _), (.closed, _): refuse("a unit was sent")
        }
    }

    /// Leaves pipeline mode.
    ///
    /// - Returns: Whether the connection may: only an empty one.
    mutating func becomePlain() -> Bool {
        switch state {
        case .plain: return true
        case .pipeline where flights.isEmpty:
            state = .plain
            return true
        case .connecting, .pipeline, .busy, .closed: return false
        }
    }

    /// Enters pipeline mode.
    ///
    /// - Returns: Whether the connection may: only an idle one.
    mutating func becomePipeline() -> Bool {
        switch state {
        case .pipeline: return true
        case .plain:
            state = .pipeline
            return true
        case .connecting, .busy, .closed: return false
        }
    }

    /// Begins a script or a COPY, after ``becomePlain()``.
    mutating func beginPlain() {
        guard state == .plain else { refuse("a script begins") }
        state = .busy
    }

    /// Ends a script or a COPY.
    mutating func endPlain() {
        guard state == .busy else { refuse("a script has ended") }
        state = .plain
    }

    /// Takes the next answer.
    ///
    /// - Parameter answer: The answer.
    /// - Returns: What to do.
    mutating func received(_ answer: Answer) -> Action {
        guard state == .pipeline || state == .connecting else { refuse("a unit was answered") }
        guard !flights.isEmpty else {
            // A NULL is libpq's word for having nothing to say.
            if case .end = answer { return .none }
            return .close(Self.outOfStep)
        }
        let isSync = flights[0].position == flights[0].commandCount
        switch answer {
        case .success(let result):
            guard !isSync, !flights[0].isAnswered else { return .close(Self.outOfStep) }
            flights[0].isAnswered = true
            // The first answer of a unit is its scope's.
            if let result, flights[0].position > 0, case .unit = flights[0].purpose {
                flights[0].results.append(result)
            }
            return .none
        case .failure(let error):
            flights[0].fail(error)
            flights[0].isAnswered = true
            return .none
        case .aborted:
            guard !isSync, flights[0].error != nil else { return .close(Self.outOfStep) }
            flights[0].isAnswered = true
            return .none
        case .end:
            if isSync {
                flights[0].isAnswered = false
            } else if flights[0].isAnswered {
                flights[0].isAnswered = false
                flights[0].position += 1
            }
            return .none
        case .sync:
            guard isSync, let flight = flights.popFirst() else { return .close(Self.outOfStep) }
            if let error = flight.error, error.replacesConnection { isRetiring = true }
            return .finished(flight)
        case .unexpected:
            return .close(Self.outOfStep)
        }
    }

    /// What a caller's cancellation means.
    enum Cancellation: Equatable {
        /// The caller resumes at once, the answer is dropped.
        case detached
        /// A write that was sent takes its course.
        case ignored
    }

    /// Takes back a unit whose caller was cancelled.
    ///
    /// - Parameter request: The unit.
    /// - Returns: What that means.
    mutating func cancel(_ request: UnitRequest) -> Cancellation {
        guard request.unit.access == .read else { return .ignored }
        detach(request)
        return .detached
    }

    private mutating func detach(_ request: UnitRequest) {
        for index in flights.indices {
            if case .unit(let other) = flights[index].purpose, other === request {
                flights[index].isDetached = true
            }
        }
    }

    /// What the passing of time means.
    struct Expiry {
        /// Reads whose callers resume now.
        var detached: [UnitRequest] = []
        /// Whether the time of a write is up: it is to be cancelled, so that its answer says for certain what became of it.
        ///
        /// The server limits each statement to the time left when the unit was sent, not all of them together, and its commit not
        /// at all. Only closing the connection on it would leave open whether it was committed.
        var mustCancel = false
        /// Whether something went unanswered past its grace.
        var mustClose = false
        /// When to look again.
        var next: ContinuousClock.Instant?
    }

    /// Looks at the deadlines.
    ///
    /// - Parameters:
    ///   - now: The present.
    ///   - grace: How long after its deadline a unit may keep the connection.
    /// - Returns: What to do.
    mutating func expire(now: ContinuousClock.Instant, grace: Duration) -> Expiry {
        var expiry = Expiry()
        for index in flights.indices {
            let deadline = flights[index].deadline
            let last = deadline.advanced(by: grace)
            if now >= last {
                expiry.mustClose = true
                continue
            }
            var wake = last
            if case .unit(let request) = flights[index].purpose, !flights[index].isDetached {
                let isRead = request.unit.access == .read
                // A single statement is cancelled by the server itself, which keeps the connection: it goes first.
                let due = isRead ? deadline : deadline.advanced(by: grace / 8)
                if now < due {
                    wake = due
                } else if isRead {
                    flights[index].isDetached = true
                    expiry.detached.append(request)
                } else if !flights[index].isOverdue {
                    flights[index].isOverdue = true
                    expiry.mustCancel = true
                }
            }
            expiry.next = expiry.next.map { min($0, wake) } ?? wake
        }
        return expiry
    }

    /// A unit that ended with its connection.
    struct Casualty {
        let request: UnitRequest
        let error: PostgresError
    }

    /// Ends the connection, which happens once.
    ///
    /// - Parameters:
    ///   - cause: Why.
    ///   - now: The present.
    /// - Returns: What became of the units under way.
    mutating func close(_ cause: PostgresError, now: ContinuousClock.Instant) -> [Casualty] {
        guard state != .closed else { refuse("it ends") }
        state = .closed
        let fatal = flights.first.map { ($0.error?.isFatal ?? false) && $0.failedPosition != $0.commandCount } ?? false
        var casualties: [Casualty] = []
        for (index, flight) in flights.enumerated() {
            guard case .unit(let request) = flight.purpose, !flight.isDetached else { continue }
            let isWrite = request.unit.access == .write
            let error: PostgresError
            if index == 0, let own = flight.error {
                // A refused statement cannot be committed any more. At the commit itself only an ordinary error says
                // so: an administrator's FATAL may have come after it.
                let isUncertain = own.isFatal && flight.failedPosition == flight.commandCount && isWrite
                error = own.with(outcome: isUncertain ? .unknown : .failed)
            } else if index > 0, fatal {
                // The server ended before it came to this unit.
                error = PostgresError(.connectionLost, "the connection was ended by the server", outcome: .notRun)
            } else if now >= flight.deadline {
                error = PostgresError(
                    .deadlineExceeded,
                    "no answer within the deadline and its grace",
                    outcome: isWrite ? .unknown : .failed
                )
            } else {
                error = PostgresError(cause.code, cause.message, outcome: isWrite ? .unknown : .failed)
            }
            casualties.append(Casualty(request: request, error: error))
        }
        flights.removeAll()
        return casualties
    }
}
