/// Which sentinel to ask next, whom to believe and when to leave: a pure state machine.
///
/// The order is that of the guidelines for Sentinel clients (redis.io, "Sentinel client spec"): the sentinels one after the
/// other, the first that answers is believed and asked first from then on. Two things are added. Sentinel numbers its
/// decisions (`config-epoch`): an answer older than one heard before comes from a sentinel that is cut off, and counts only
/// if a majority says nothing newer, as after sentinels were set up afresh. And a sentinel whose answer led nowhere is
/// asked last: it may go on naming a server that is a replica by now.
struct SentinelStateMachine {
    /// A primary as a sentinel names it.
    struct Primary: Sendable, Hashable {
        let address: RedisConfiguration.Address
        /// The number of the decision that made it one; nil if it is not told.
        let epoch: UInt64?
    }

    /// What came of asking a sentinel.
    enum Reply {
        case primary(Primary)
        /// It knows no primary of that name.
        case unknown
        case failed(RedisError)
    }

    /// What to do next.
    enum Step: Equatable {
        case ask(Int)
        case connect(RedisConfiguration.Address)
        case giveUp(RedisError)
    }

    private struct Inquiry {
        /// Who has yet to be asked; the first is being asked.
        var remaining: [Int]
        var stale: [Primary] = []
        var unknown = 0
        var lastError: RedisError?
        /// Somebody said meanwhile that the primary has changed.
        var isOvertaken = false
    }

    private enum State {
        /// Nothing under way. Goes to `asking`.
        case resting
        /// Sentinels are being asked. Goes to `following`, or to `resting` if none helps.
        case asking(Inquiry)
        /// A primary was named: it is being connected to, or used. Goes to `leaving` or `asking`.
        case following(Primary)
        /// Another primary was named since: the connection has to end. Goes to `asking`.
        case leaving
    }

    private let name: String
    private let count: Int
    private var state = State.resting
    /// The sentinels in the order in which they are asked.
    private var order: [Int]
    private var newestEpoch: UInt64 = 0

    init(_ sentinels: RedisSentinels) {
        name = sentinels.name
        count = sentinels.addresses.count
        order = Array(0..<count)
    }

    /// Whether the server named last must not be used any more.
    var isLeaving: Bool {
        if case .leaving = state { true } else { false }
    }

    /// A server is wanted.
    mutating func begin() -> Step {
        state = .asking(Inquiry(remaining: order))
        return .ask(order[0])
    }

    /// The sentinel that was asked has answered, or has not.
    mutating func replied(_ reply: Reply) -> Step {
        guard case .asking(var inquiry) = state, let sentinel = inquiry.remaining.first else {
            preconditionFailure("only a sentinel that was asked replies")
        }
        if inquiry.isOvertaken { return begin() }
        inquiry.remaining.removeFirst()
        switch reply {
        case .primary(let primary):
            guard let epoch = primary.epoch, epoch < newestEpoch else {
                newestEpoch = max(newestEpoch, primary.epoch ?? 0)
                return follow(primary, namedBy: sentinel)
            }
            inquiry.stale.append(primary)
        case .unknown: inquiry.unknown += 1
        case .failed(let error): inquiry.lastError = error
        }
        state = .asking(inquiry)
        if let next = inquiry.remaining.first { return .ask(next) }
        if inquiry.stale.count * 2 > count, let newest = inquiry.stale.max(by: { ($0.epoch ?? 0) < ($1.epoch ?? 0) }) {
            newestEpoch = newest.epoch ?? 0
            state = .following(newest)
            return .connect(newest.address)
        }
        state = .resting
        return .giveUp(error(after: inquiry))
    }

    private mutating func follow(_ primary: Primary, namedBy sentinel: Int) -> Step {
        order.removeAll { $0 == sentinel }
        order.insert(sentinel, at: 0)
        state = .following(primary)
        return .connect(primary.address)
    }

    private func error(after inquiry: Inquiry) -> RedisError {
        if inquiry.unknown > 0 {
            return RedisError(
                .unknownPrimary,
                "\(inquiry.unknown) of \(count) sentinels do not know a primary named \(name), and no other names one"
            )
        }
        if !inquiry.stale.isEmpty {
            return RedisError(.connectionFailed, "the sentinels that answer name a former primary")
        }
        let reason = inquiry.lastError.map { ": \($0.message)" } ?? ""
        return RedisError(.connectionFailed, "no sentinel answers\(reason)")
    }

    /// The server named last could not be connected to, or is no primary.
    mutating func missed() {
        guard case .following = state else { return }
        state = .resting
        order.append(order.removeFirst())
    }

    /// A sentinel names a primary unasked: it has seen a switch, or is heard again after a silence.
    ///
    /// - Parameters:
    ///   - primary: Whom it names.
    ///   - sentinel: Who says so.
    /// - Returns: Whether the connection to the server named last has to be closed, at once.
    mutating func announced(_ primary: Primary, by sentinel: Int) -> Bool {
        var isNews = true
        if let epoch = primary.epoch {
            guard epoch >= newestEpoch else { return false }
            isNews = epoch > newestEpoch
            newestEpoch = epoch
        }
        switch state {
        case .resting, .leaving:
            prefer(sentinel)
            return false
        case .asking(var inquiry):
            guard isNews else { return false }
            // The sentinel under question may answer with what was true before.
            inquiry.isOvertaken = true
            state = .asking(inquiry)
            prefer(sentinel)
            return false
        case .following(let current):
            guard primary.address != current.address else { return false }
            prefer(sentinel)
            state = .leaving
            return true
        }
    }

    private mutating func prefer(_ sentinel: Int) {
        order.removeAll { $0 == sentinel }
        order.insert(sentinel, at: 0)
    }
}
