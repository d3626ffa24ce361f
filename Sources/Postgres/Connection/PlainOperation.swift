/// A script or a COPY on a leased connection, outside pipeline mode.
struct PlainOperation {
    /// What it has come to.
    enum Event {
        /// It is over; the tag and the row count are those of its last command.
        case ended(tag: String, rows: Int)
        /// The server awaits data.
        case copyIn
        /// The server sends data.
        case copyOut
    }

    enum Mode {
        case script
        /// The server was asked for a COPY and has not answered.
        case startingCopyIn
        case startingCopyOut
        case copyIn
        case copyOut
        /// The data is complete, its result is awaited.
        case ending
    }

    /// Why it was given up.
    enum Abandonment {
        case deadline
        case cancelled
    }

    var mode = Mode.script
    /// When it gives up; past that, when the connection is closed.
    var deadline: ContinuousClock.Instant?
    var abandonment: Abandonment?
    var error: PostgresError?
    var tag = ""
    var rows = 0

    /// Whoever waits for the next event.
    var waiter: CheckedContinuation<Result<Event, PostgresError>, Never>?
    /// An event nobody had waited for yet.
    var pending: Result<Event, PostgresError>?
    /// The producer of a COPY, waiting for the socket.
    var writer: CheckedContinuation<Void, Never>?
    /// The consumer of a COPY, waiting for data.
    var reader: CheckedContinuation<[UInt8]?, Never>?
    /// Whole rows of COPY data not yet taken.
    var chunk: [UInt8] = []
    /// Whether reading is suspended because the chunk is full.
    var isPaused = false

    /// Tells whoever waits, or keeps the event for whoever will.
    ///
    /// - Parameter event: The event.
    mutating func publish(_ event: Result<Event, PostgresError>) {
        if let waiter {
            self.waiter = nil
            waiter.resume(returning: event)
        } else {
            pending = event
        }
    }
}
