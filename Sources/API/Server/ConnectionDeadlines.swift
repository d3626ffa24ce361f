import NIOCore

/// Where a connection is in its life, and when that phase has lasted too long.
///
/// A pure machine: the channel handlers tell it what happened and when, and a coarse timer asks for its verdict. So a
/// request costs no timer of its own, and tests need no waiting.
struct ConnectionDeadlines {
    /// What the peer is sending.
    private enum Reading {
        /// Nothing that belongs to a request.
        case nothing
        /// A header block, since its first byte; the first one since the connection was accepted.
        case head(since: NIODeadline)
        /// A body of which `bytes` have come, the last of them at `last`.
        case body(since: NIODeadline, last: NIODeadline, bytes: Int)
    }

    /// What to do with the connection now.
    enum Verdict: Equatable {
        /// Leave it and ask again at that time.
        case askAgain(at: NIODeadline)
        /// Close it.
        case close(Reason)
    }

    /// Why a connection was closed; a value for logs and tests.
    enum Reason: String {
        /// The header block took too long.
        case headerDeadline = "header_deadline"
        /// No byte of the body came for too long.
        case bodyIdle = "body_idle"
        /// The body took too long as a whole.
        case bodyTotal = "body_total"
        /// The body came too slowly.
        case bodyRate = "body_rate"
        /// The peer took no byte of the answer for too long.
        case writeIdle = "write_idle"
        /// The peer took too long to take the answer.
        case writeTotal = "write_total"
        /// Nothing was asked for too long.
        case keepAlive = "keep_alive"

        /// Whether a request has begun, and could be answered.
        var isOfBody: Bool {
            switch self {
            case .bodyIdle, .bodyTotal, .bodyRate: true
            case .headerDeadline, .writeIdle, .writeTotal, .keepAlive: false
            }
        }
    }

    private let limits: ServerLimits
    /// Whoever connects has something to ask: until the first header block is there a connection costs as much as one that works, and
    /// gives nothing.
    private var reading: Reading
    private var lastActive: NIODeadline
    /// Requests read or being read whose answer is not written yet.
    private(set) var answering = 0
    /// Since when an answer is written as it is made.
    private var streaming: NIODeadline?
    /// Bytes of answers the kernel has not taken, as of the last verdict, and since when it is above zero and unmoved.
    private var pending: (bytes: Int, since: NIODeadline, moved: NIODeadline)?

    init(limits: ServerLimits, now: NIODeadline) {
        self.limits = limits
        lastActive = now
        reading = .head(since: now)
    }

    /// Whether the peer owes the rest of a body.
    var isReadingBody: Bool {
        if case .body = reading { true } else { false }
    }

    /// Bytes came from the peer.
    mutating func bytesArrived(now: NIODeadline) {
        if case .nothing = reading {
            reading = .head(since: now)
        }
    }

    /// A header block is complete.
    mutating func headParsed(now: NIODeadline) {
        reading = .body(since: now, last: now, bytes: 0)
        answering += 1
    }

    /// Part of a body came.
    mutating func bodyArrived(bytes: Int, now: NIODeadline) {
        if case .body(let since, _, let before) = reading {
            reading = .body(since: since, last: now, bytes: before + bytes)
        }
    }

    /// A request is complete.
    mutating func endParsed(now: NIODeadline) {
        reading = .nothing
        lastActive = now
    }

    /// The rest of a body is not waited for any more: what is left is to answer.
    mutating func bodyGivenUp(now: NIODeadline) {
        endParsed(now: now)
    }

    /// An answer begins whose length nobody knows yet.
    mutating func streams(now: NIODeadline) {
        streaming = now
    }

    /// An answer was handed to the kernel's queue.
    mutating func answered(now: NIODeadline) {
        streaming = nil
        answering = max(0, answering - 1)
        lastActive = now
    }

    /// Judges the connection.
    ///
    /// - Parameters:
    ///   - now: the monotonic time of the question.
    ///   - pendingBytes: bytes of answers that the kernel has not taken.
    /// - Returns: what to do with it.
    mutating func verdict(now: NIODeadline, pendingBytes: Int) -> Verdict {
        var next = now + limits.longestTick
        func within(_ deadline: NIODeadline) -> Bool {
            next = min(next, deadline)
            return now < deadline
        }

        if pendingBytes > 0 {
            var pending = self.pending ?? (bytes: pendingBytes, since: now, moved: now)
            if pending.bytes != pendingBytes {
                pending.bytes = pendingBytes
                pending.moved = now
            }
            self.pending = pending
            guard within(pending.moved + limits.writeIdle) else { return .close(.writeIdle) }
            // Much is pending all the time of what is written as fast as it is taken.
            let end = max(pending.since + limits.writeTotal, streaming.map { $0 + limits.streamTotal } ?? .distantPast)
            guard within(end) else { return .close(.writeTotal) }
        } else {
            self.pending = nil
        }

        switch reading {
        case .nothing:
            if answering == 0, pendingBytes == 0 {
                guard within(lastActive + limits.keepAlive) else { return .close(.keepAlive) }
            }
        case .head(let since):
            guard within(since + limits.headerDeadline) else { return .close(.headerDeadline) }
        case .body(let since, let last, let bytes):
            guard within(last + limits.bodyIdle) else { return .close(.bodyIdle) }
            guard within(since + limits.bodyTotal) else { return .close(.bodyTotal) }
            // The time by which so few bytes would be too few: the grace, or what the rate allows for them.
            let allowed = TimeAmount.milliseconds(Int64(bytes) * 1000 / Int64(max(1, limits.bodyMinimumRate)))
            guard within(since + max(limits.bodyGrace, allowed)) else { return .close(.bodyRate) }
        }
        return .askAgain(at: next)
    }
}

extension ServerLimits {
    /// The longest pause between two verdicts: half the shortest deadline, so that none is passed by more than its half.
    fileprivate var longestTick: TimeAmount {
        let shortest = min(
            headerDeadline,
            bodyIdle,
            bodyTotal,
            bodyGrace,
            writeIdle,
            writeTotal,
            keepAlive
        )
        return .nanoseconds(max(1_000_000, shortest.nanoseconds / 2))
    }
}
