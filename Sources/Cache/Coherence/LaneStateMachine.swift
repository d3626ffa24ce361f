/// One row of the log: a scope that was written, and the transactions that did it.
package struct LogRow: Sendable, Equatable {
    /// The position in the lane, dense.
    package let sequence: Int64
    /// Random; two histories that number differently differ in it.
    package let tag: Int32
    /// The tenant of the scope; nil in the row the migration made.
    package let tenant: Int64?
    /// The module of the scope, also one this version of the program does not know.
    package let module: String
    /// The transactions.
    package let xids: [UInt64]

    /// Makes a row.
    package init(sequence: Int64, tag: Int32, tenant: Int64?, module: String, xids: [UInt64]) {
        self.sequence = sequence
        self.tag = tag
        self.tenant = tenant
        self.module = module
        self.xids = xids
    }
}

/// A position of the log with the tag found there.
package struct LogPosition: Sendable, Equatable {
    /// The number of the row.
    package let sequence: Int64
    /// Its tag.
    package let tag: Int32

    /// Makes a position.
    package init(sequence: Int64, tag: Int32) {
        self.sequence = sequence
        self.tag = tag
    }
}

/// What one statement of `cache_follow` returned.
package struct FollowAnswer: Sendable, Equatable {
    /// The namespace of the lane, 32 hex digits; a new one means that everything cached is cold.
    package var ns: String
    /// The last number given out.
    package var head: Int64
    /// How many full drains have been counted.
    package var drains: Int64
    /// The rows asked for, in order.
    package var rows: [LogRow]
    /// The oldest transaction running at this snapshot.
    package var xmin: UInt64

    /// Makes an answer.
    package init(ns: String, head: Int64, drains: Int64, rows: [LogRow], xmin: UInt64) {
        self.ns = ns
        self.head = head
        self.drains = drains
        self.rows = rows
        self.xmin = xmin
    }
}

/// What an instance knows about the log: a pure machine, the owner probes and bumps.
///
/// Two sources drive it. *Probes* of the log in PostgreSQL are complete and alone prolong the lease. *Messages* of the bus
/// are fast and may be lost, late, doubled; they move the position forward and raise doubts, nothing else.
package struct LaneStateMachine: Sendable {
    /// Why there is doubt about being up to date.
    package enum Doubt: String, Sendable, CaseIterable {
        /// Nothing has been learned yet.
        case start
        /// A message begins after the next row.
        case gap
        /// A beat knows a later row.
        case behind
        /// A message or probe carries another namespace.
        case namespace
        /// A message could not be read.
        case parse
        /// The bus was interrupted.
        case bus
        /// The log no longer holds what was known of it.
        case history
    }

    /// A scope to bump.
    package struct Bump: Sendable, Equatable {
        /// The tenant.
        package let tenant: Int64
        /// The module's name.
        package let module: String
        /// The transactions that wrote it.
        package let xids: [UInt64]
        /// How that became known.
        package let source: BumpSource
        /// The row of the log, or the last of those a message covers; nil for a hint.
        package let sequence: Int64?

        /// Whether the transactions need no remembering any longer: the log has shown them.
        ///
        /// A hint is early, and Redis may not have had it in its history.
        package var isLogged: Bool { sequence != nil }
    }

    /// What the owner has to do, in this order, before anybody else looks at the machine.
    package struct Effects: Sendable, Equatable {
        /// Retire everything.
        package var dropsAll = false
        /// Forget this instance's own writes, too: the history they belong to was replaced.
        package var forgetsWrites = false
        /// Retire these scopes.
        package var bumps: [Bump] = []
        /// Probe again without waiting.
        package var probesNow = false
        /// A doubt that arose.
        package var doubt: Doubt?
        /// The namespace whose log was replaced by another history: a relay has to rotate.
        package var condemned: String?
    }

    /// What a probe has to remember from its beginning to its end.
    package struct ProbeStart: Sendable, Equatable {
        /// The time noted *before* the statement was sent.
        ///
        /// Noted after it, the lease would claim too much.
        package let time: Int64
        /// The position to read from; nil reads the newest row only.
        package let from: LogPosition?
        fileprivate let doubts: UInt64
    }

    private struct Probe: Sendable {
        let time: Int64
        let drains: Int64
        let xmin: UInt64
    }

    private let lease: Int64
    private let followLimit: Int
    private let catchUpLimit: Int64
    private let defects: Defects
    /// The namespace adopted.
    package private(set) var ns: String?
    /// The last row whose bump was done here.
    package private(set) var applied: LogPosition?
    /// The last number known to exist.
    package private(set) var head: Int64 = 0
    /// Drains at the last probe.
    package private(set) var drains: Int64 = 0
    /// Whether a bump is known or feared to be missing.
    package private(set) var hasHole = true
    /// Everything acknowledged before this moment is applied.
    package private(set) var freshAsOf: Int64?
    /// Everything committed below this transaction id is applied.
    package private(set) var settledXmin: UInt64 = 0
    /// The last probes, at most one for each count of drains.
    private var probes: [Probe] = []
    /// A namespace whose history was replaced: nothing is served before the lane has another.
    ///
    /// Redis still holds the watermark and the values of the history that is gone, and transaction ids are given out again:
    /// neither would be noticed under the same namespace.
    package private(set) var condemned: String?
    /// Whether Redis was seen to stand in the history followed here, since the position was adopted.
    private var hasRecognisedRedis = false
    /// Counts doubts, so that a probe which began before one does not end it.
    private var doubts: UInt64 = 0

    /// Makes a machine that knows nothing yet.
    package init(settings: CacheSettings) {
        lease = settings.lease.nanoseconds
        followLimit = settings.followLimit
        catchUpLimit = settings.catchUpLimit
        defects = settings.defects
    }

    /// Until when the caches may be served from; evaluated by the reader at the moment of serving.
    package var usableUntil: Int64 {
        guard !hasHole, condemned == nil, let freshAsOf else { return .min }
        if defects.contains(.noLease) { return .max }
        return freshAsOf.addingReportingOverflow(lease).partialValue
    }

    // MARK: - Redis

    /// Takes in the watermark that Redis shows: whether its data set followed the same log.
    ///
    /// A position that was adopted, not followed, says nothing of what was before it: the database may have been restored while
    /// this process started, and Redis be ahead with values of the history that is gone. Numbers come again there, tags do not.
    /// Once position and watermark have met, the position is followed without a break, and so is the watermark.
    package mutating func recognises(_ watermark: Watermark?) -> Bool {
        if hasRecognisedRedis { return true }
        guard let watermark, let applied, watermark.sequence == applied.sequence,
            watermark.tag == applied.tag || defects.contains(.noTag),
            watermark.ns == ns || defects.contains(.noNamespace)
        else { return false }
        hasRecognisedRedis = true
        return true
    }

    // MARK: - Probes

    /// Begins a probe at a time.
    package func probeBegins(at time: Int64) -> ProbeStart {
        ProbeStart(time: time, from: applied, doubts: self.doubts)
    }

    /// Takes in what a probe found.
    package mutating func probeEnded(_ start: ProbeStart, _ answer: FollowAnswer) -> Effects {
        var effects = Effects()
        if answer.ns != condemned { condemned = nil }
        effects.condemned = condemned
        guard let from = start.from, self.applied != nil else {
            adopt(answer, start, &effects)
            return effects
        }
        guard let first = answer.rows.first, first.sequence == from.sequence,
            first.tag == from.tag || defects.contains(.noTag)
        else {
            // Either the row fell out of the log, and then bumps may be missing, or it is another row: another history,
            // for which this instance's own transaction ids mean nothing.
            let isOther = answer.rows.first?.sequence == from.sequence || answer.head < from.sequence
            if isOther, answer.ns == ns {
                condemned = answer.ns
                effects.condemned = answer.ns
            }
            restart(&effects, forgetsWrites: isOther, doubt: .history)
            return effects
        }
        if answer.ns != ns {
            // The lane was rotated. The log goes on, but whatever was cached under the old namespace is cold.
            ns = answer.ns
            hasRecognisedRedis = false
            if !defects.contains(.noNamespace) {
                effects.dropsAll = true
                effects.doubt = .namespace
                probes.removeAll()
                freshAsOf = nil
            }
        }
        head = max(answer.head, head)
        if answer.head - from.sequence > catchUpLimit {
            restart(&effects, forgetsWrites: false, doubt: .history)
            return effects
        }
        for row in answer.rows.dropFirst() {
            guard let applied = self.applied, row.sequence > applied.sequence else { continue }
            guard row.sequence == applied.sequence + 1 else {
                restart(&effects, forgetsWrites: false, doubt: .history)
                return effects
            }
            apply(row, &effects)
        }
        if let applied = self.applied, applied.sequence < answer.head {
            // The answer was cut off at its limit.
            effects.probesNow = true
        } else if start.doubts == doubts {
            hasHole = false
        } else {
            effects.probesNow = true
        }
        renewLease(start, answer)
        return effects
    }

    /// Renews the lease if two drains have ended since an earlier probe.
    ///
    /// Two, because the first may have begun before that probe and missed a write acknowledged before it; the second began
    /// after the first had ended. `drains` counts only drains that emptied the outbox they saw.
    private mutating func renewLease(_ start: ProbeStart, _ answer: FollowAnswer) {
        if let last = probes.last, answer.drains < last.drains {
            // The count went back: PostgreSQL recovered from a crash, earlier probes prove nothing about later drains.
            probes.removeAll()
        }
        self.drains = answer.drains
        let drainsNeeded: Int64 = defects.contains(.oneDrain) ? 1 : 2
        if applied?.sequence ?? -1 >= answer.head,
            let proof = probes.last(where: { answer.drains >= $0.drains + drainsNeeded })
        {
            freshAsOf = max(proof.time, freshAsOf ?? .min)
            settledXmin = max(proof.xmin, settledXmin)
        }
        let probe = Probe(time: start.time, drains: answer.drains, xmin: answer.xmin)
        // Of probes with equal counts the latest proves the most, so frequent probes push nothing useful out.
        if let last = probes.last, last.drains == probe.drains {
            probes[probes.count - 1] = probe
        } else {
            probes.append(probe)
            if probes.count > 8 { probes.removeFirst() }
        }
    }

    private mutating func adopt(_ answer: FollowAnswer, _ start: ProbeStart, _ effects: inout Effects) {
        guard let newest = answer.rows.last, newest.sequence == answer.head else {
            effects.probesNow = true
            return
        }
        effects.dropsAll = true
        ns = answer.ns
        applied = LogPosition(sequence: newest.sequence, tag: newest.tag)
        head = answer.head
        hasHole = start.doubts != doubts
        effects.probesNow = hasHole
        renewLease(start, answer)
    }

    /// Gives up the position: the next probe adopts the newest.
    private mutating func restart(_ effects: inout Effects, forgetsWrites: Bool, doubt: Doubt) {
        effects.bumps.removeAll()
        effects.dropsAll = true
        effects.forgetsWrites = forgetsWrites
        effects.probesNow = true
        effects.doubt = doubt
        applied = nil
        hasRecognisedRedis = false
        hasHole = true
        freshAsOf = nil
        probes.removeAll()
        if forgetsWrites { settledXmin = 0 }
    }

    // MARK: - Bus

    /// Takes in a message of the bus; nil stands for one that could not be read.
    ///
    /// No message proves anything about time; `time` is for the test build in which one does (`beat_renews_lease`).
    package mutating func received(_ message: BusMessage?, at time: Int64? = nil) -> Effects {
        guard let message else { return doubt(.parse) }
        switch message {
        case .hint(let ns, let scopes):
            // A hint is early and unnumbered: it bumps and proves nothing.
            var effects = Effects()
            if isOwn(ns) {
                effects.bumps = scopes.map {
                    Bump(tenant: $0.tenant, module: $0.module, xids: $0.xids, source: .hint, sequence: nil)
                }
            }
            return effects
        case .beat(let ns, let head):
            guard let applied = self.applied else { return Effects() }
            guard isOwn(ns) else { return doubt(.namespace) }
            // A beat shows that the last message was lost. It never renews the lease: it may have been delayed.
            guard head <= applied.sequence || defects.contains(.noGapCheck) else { return doubt(.behind) }
            if defects.contains(.beatRenewsLease), let time { freshAsOf = max(time, freshAsOf ?? .min) }
            return Effects()
        case .applied(let ns, let first, let last, let tag, let scopes, _):
            guard let applied = self.applied else { return Effects() }
            guard isOwn(ns) else { return doubt(.namespace) }
            guard last > applied.sequence else { return Effects() }
            guard first <= applied.sequence + 1 || defects.contains(.noGapCheck) else { return doubt(.gap) }
            var effects = Effects()
            effects.bumps = scopes.map {
                Bump(tenant: $0.tenant, module: $0.module, xids: $0.xids, source: .bus, sequence: last)
            }
            self.applied = LogPosition(sequence: last, tag: tag)
            self.head = max(self.head, last)
            return effects
        }
    }

    /// Raises a doubt: nothing is served until a probe that begins after it has ended.
    package mutating func doubt(_ doubt: Doubt) -> Effects {
        hasHole = true
        doubts += 1
        var effects = Effects()
        effects.probesNow = true
        effects.doubt = doubt
        return effects
    }

    /// Whether a message is of the namespace adopted.
    private func isOwn(_ ns: String) -> Bool {
        ns == self.ns || defects.contains(.noNamespace)
    }

    private mutating func apply(_ row: LogRow, _ effects: inout Effects) {
        applied = LogPosition(sequence: row.sequence, tag: row.tag)
        if let tenant = row.tenant, !defects.contains(.followWithoutBump) {
            effects.bumps.append(
                Bump(tenant: tenant, module: row.module, xids: row.xids, source: .follow, sequence: row.sequence)
            )
        }
    }
}
