/// What waits for a connection: a unit, or someone who wants the connection itself.
enum PoolRequest {
    case unit(UnitRequest)
    case lease(LeaseRequest)

    /// Which connections it may use.
    var lane: Lane {
        switch self {
        case .unit(let request): request.lane
        case .lease: .exclusive
        }
    }

    /// Whose work it is, for turns and shares.
    var claim: PoolClaim {
        switch self {
        case .unit(let request): PoolClaim(request.unit)
        case .lease: .lease
        }
    }

    /// What it costs: about what the server has to read.
    var cost: Int {
        switch self {
        case .unit(let request): request.unit.weight
        case .lease: 1
        }
    }

    /// When its caller gives up.
    var deadline: ContinuousClock.Instant {
        switch self {
        case .unit(let request): request.deadline
        case .lease(let request): request.deadline
        }
    }

    /// The object behind it, for comparison.
    var identity: ObjectIdentifier {
        switch self {
        case .unit(let request): ObjectIdentifier(request)
        case .lease(let request): ObjectIdentifier(request)
        }
    }

    /// Resumes the caller with an error.
    ///
    /// - Parameter error: The error.
    func fail(_ error: PostgresError) {
        switch self {
        case .unit(let request): request.finish(.failure(error))
        case .lease(let request): request.finish(.failure(error))
        }
    }
}

/// Whose work a connection does.
struct PoolClaim: Hashable, Sendable {
    /// How much work it is.
    enum Kind: Hashable, Sendable {
        /// A sale, a few rows, a read.
        case light
        /// Hundreds of rows at once.
        case heavy
        /// A connection lent for a while; operators' commands and the service itself do that, no client can.
        case lease
    }

    /// The tenant; nil for what belongs to none, as log-ins do.
    let tenant: Int64?
    let kind: Kind

    static let lease = PoolClaim(tenant: nil, kind: .lease)

    init(tenant: Int64?, kind: Kind) {
        self.tenant = tenant
        self.kind = kind
    }

    init(_ unit: UnitOfWork) {
        self.init(tenant: unit.tenant, kind: unit.weight >= UnitOfWork.heavy ? .heavy : .light)
    }
}

/// Someone who wants a connection for a while.
///
/// `@unchecked Sendable` because the caller fills it before handing it to the I/O loop and from then on only the loop's
/// thread touches it.
final class LeaseRequest: @unchecked Sendable {
    typealias Answer = Result<PostgresConnection, PostgresError>

    private enum Phase {
        case initial
        case waiting
        case cancelled
        case finished
    }

    /// When the caller gives up waiting.
    let deadline: ContinuousClock.Instant
    /// When the caller asked.
    let made = ContinuousClock.now
    private var phase = Phase.initial
    private var completion: ((Answer) -> Void)?

    init(deadline: ContinuousClock.Instant) {
        self.deadline = deadline
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
            finish(.failure(UnitRequest.cancelled))
            return false
        case .waiting, .finished: return phase == .waiting
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
        let completion = completion
        self.completion = nil
        completion?(answer)
    }
}
