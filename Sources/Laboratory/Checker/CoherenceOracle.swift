/// What is wrong with an answer.
package struct Incoherence: Sendable, Equatable, CustomStringConvertible {
    /// Which rule was broken.
    package enum Rule: String, Sendable, CaseIterable {
        /// Older than a write acknowledged a lease before the read began.
        case lease
        /// Older than a write the same instance acknowledged before the read began.
        case own
        /// Older than a write in the token the request carried.
        case token
        /// Older than what the session of the token has seen.
        case monotonic
        /// Newer than anything ever written.
        case future
        /// The body is of something else than was asked for.
        case foreign
        /// One entity tag, two bodies.
        case etag
        /// Marked stale in a module that is never to be, or for too long.
        case stale
        /// The online oracle found a cached value that misses a logged write.
        case explain
        /// The end state was not reached.
        case unsettled
        /// A search is answered otherwise than by the database, though nothing of it changes.
        case search
        /// What one client alone writes is answered otherwise than by the database, after it wrote.
        case command
    }

    /// The rule.
    package var rule: Rule
    /// When the read began and ended, in microseconds since the beginning.
    package var start: Int64
    package var end: Int64
    /// The instance.
    package var instance: Int
    /// The subject; -1 if it is about none.
    package var subject: Int
    /// What the answer had to show at least, or at most for `future`.
    package var required: Int64
    /// What it showed.
    package var seen: Int64
    /// Where the answer came from.
    package var source: AnswerSource
    /// More, in words.
    package var detail: String = ""

    package var description: String {
        var text = "\(rule.rawValue): instance \(instance), subject \(subject), read \(start)...\(end) us,"
        text += " required \(required), seen \(seen), from \(source.name)"
        return detail.isEmpty ? text : text + ". " + detail
    }
}

/// Decides which answers were wrong, from the history alone.
///
/// Pure, and the same for a run that goes on and for a file of one: events come in, violations go out, memory is bounded. A read must
/// show at least the highest revision that was acknowledged a lease before it began, that its own instance had acknowledged, or
/// that is in its token, and nothing that was never written.
package struct CoherenceOracle: Sendable {
    private struct Acknowledgement: Sendable {
        let time: Int64
        /// The revision reached by this and all earlier acknowledgements.
        let revision: Int64
        let instance: Int
        let isDirect: Bool
        let session: Int
    }

    private struct Subject: Sendable {
        let kind: SubjectKind
        var attempted: Int64
        /// Of acknowledgements no longer listed.
        var base: Int64
        var acknowledgements: [Acknowledgement] = []
        /// Reads that began before are judged no more: the database was replaced.
        var since: Int64 = .min
    }

    private struct Pending: Sendable {
        let time: Int64
        let revision: Int64
        let isCalm: Bool
    }

    /// The promised bound, in microseconds.
    private let lease: Int64
    /// How old a value marked stale may be, in microseconds.
    private let staleLimit: Int64 = 60_000_000
    private var subjects: [Int: Subject] = [:]
    /// What each session has seen, by subject.
    private var floors: [Int: [Int: Int64]] = [:]
    /// Bodies by path and entity tag; two generations, the older goes when the newer is full.
    private var bodies: [UInt64: UInt64] = [:]
    private var olderBodies: [UInt64: UInt64] = [:]
    private var pending: [Int: [Int: Pending]] = [:]
    private var instances: [Int] = []

    /// Reads judged.
    package private(set) var reads = 0
    /// Reads by source, in the order of ``AnswerSource``.
    package private(set) var sources = [Int](repeating: 0, count: AnswerSource.allCases.count)
    /// Reads that carried a token.
    package private(set) var tokenReads = 0
    /// Writes acknowledged.
    package private(set) var writes = 0
    /// From a write's acknowledgement to the first fresh read on another instance, in microseconds.
    package private(set) var lags = LagHistogram()
    /// The same of writes without a fault about.
    package private(set) var calmLags = LagHistogram()
    /// Set while a fault is in force, by whoever knows.
    package var isCalm = true

    /// Makes an oracle for a lease.
    package init(lease: Duration = .seconds(1)) {
        let parts = lease.components
        self.lease = parts.seconds * 1_000_000 + parts.attoseconds / 1_000_000_000_000
    }

    /// Takes in an event; what is wrong, if it is a read.
    package mutating func take(_ event: HistoryEvent) -> [Incoherence] {
        switch event {
        case .instance(let number, _):
            if !instances.contains(number) { instances.append(number) }
        case .subject(let number, let kind, let revision, _):
            subjects[number] = Subject(kind: kind, attempted: revision, base: revision)
        case .begun(_, let subject):
            subjects[subject]?.attempted += 1
        case .acknowledged(let time, let subject, let instance, let isDirect, let session):
            acknowledge(time, subject, instance, isDirect, session)
        case .read(let read, let sightings):
            return judge(read, sightings)
        case .sessionBegins(let session):
            floors[session] = nil
        case .replaced(let time, let number, let revision):
            guard let old = subjects[number] else { return [] }
            subjects[number] = Subject(kind: old.kind, attempted: revision, base: revision, since: time)
            for session in floors.keys { floors[session]?[number] = nil }
            pending[number] = nil
            bodies = [:]
            olderBodies = [:]
        case .note:
            break
        }
        return []
    }

    /// The numbers of the subjects.
    package var subjectNumbers: [Int] { subjects.keys.sorted() }

    /// The highest revision known to be committed.
    package func acknowledged(_ subject: Int) -> Int64 {
        guard let subject = subjects[subject] else { return 0 }
        return subject.acknowledgements.last?.revision ?? subject.base
    }

    private mutating func acknowledge(
        _ time: Int64,
        _ number: Int,
        _ instance: Int,
        _ isDirect: Bool,
        _ session: Int
    ) {
        writes += 1
        guard var subject = subjects.removeValue(forKey: number) else { return }
        let last = subject.acknowledgements.last
        let acknowledgement = Acknowledgement(
            // Threads note the time and then wait for their turn: later in the list, later in time, never earlier.
            time: max(time, last?.time ?? .min),
            revision: (last?.revision ?? subject.base) + 1,
            instance: instance,
            isDirect: isDirect,
            session: session
        )
        subject.acknowledgements.append(acknowledgement)
        if subject.acknowledgements.count > 8_192 {
            subject.base = subject.acknowledgements[4_095].revision
            subject.acknowledgements.removeFirst(4_096)
        }
        subjects[number] = subject
        for other in instances where other != instance && pending[number]?[other] == nil {
            pending[number, default: [:]][other] = Pending(
                time: acknowledgement.time,
                revision: acknowledgement.revision,
                isCalm: isCalm
            )
        }
    }

    private mutating func judge(_ read: ReadEvent, _ sightings: [Sighting]) -> [Incoherence] {
        reads += 1
        sources[Int(read.source.rawValue)] += 1
        if read.session != 0 { tokenReads += 1 }
        var violations: [Incoherence] = []
        guard read.isWanted else {
            violations.append(
                violation(.foreign, read, Sighting(subject: sightings.first?.subject ?? -1, revision: 0), 0)
            )
            return violations
        }
        for sighting in sightings {
            judge(read, sighting, &violations)
        }
        // What was cached of a history that was lost has a tag that the new one may give to something else, as long as the lease lasts.
        let isOfHistory = sightings.allSatisfy { read.start > subjects[$0.subject]?.since ?? .min }
        if read.etag != 0, !sightings.isEmpty, isOfHistory {
            let key = read.etag &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(truncatingIfNeeded: read.path)
            if let known = bodies[key] ?? olderBodies[key] {
                if known != read.body { violations.append(violation(.etag, read, sightings[0], sightings[0].revision)) }
            } else {
                if bodies.count >= 50_000 {
                    olderBodies = bodies
                    bodies = [:]
                }
                bodies[key] = read.body
            }
        }
        return violations
    }

    private mutating func judge(_ read: ReadEvent, _ sighting: Sighting, _ violations: inout [Incoherence]) {
        guard let subject = subjects[sighting.subject], read.start > subject.since else { return }
        if sighting.revision > subject.attempted {
            violations.append(violation(.future, read, sighting, subject.attempted))
        }
        if read.source == .stale, !subject.kind.isRelaxed {
            violations.append(violation(.stale, read, sighting, acknowledged(sighting.subject)))
        }
        var required = subject.base
        var rule = Incoherence.Rule.lease
        var more: Int64 = 0
        var moreRule = Incoherence.Rule.own
        // A value marked stale was filled at most a minute ago, after what was acknowledged then.
        let cut = read.start - (read.source == .stale ? max(lease, staleLimit) : lease)
        for acknowledgement in subject.acknowledgements.reversed() {
            if acknowledgement.time <= cut {
                required = acknowledgement.revision
                break
            }
            guard acknowledgement.time < read.start else { continue }
            // Never past the token or the instance's own writes, not even when marked stale.
            let isInToken = read.session != 0 && acknowledgement.session == read.session
            let isOwn = acknowledgement.isDirect && acknowledgement.instance == read.instance
            guard isInToken || isOwn else { continue }
            if subject.kind == .series {
                more += 1
            } else {
                more = max(more, acknowledgement.revision)
            }
            // Named for what makes the stronger claim: a token holds everywhere.
            if isInToken, !isOwn { moreRule = .token }
        }
        let claimed = subject.kind == .series ? required + more : more
        if more > 0, claimed > required {
            required = claimed
            rule = moreRule
        }
        if read.session != 0, let floor = floors[read.session]?[sighting.subject], floor > required {
            required = floor
            rule = .monotonic
        }
        if sighting.revision < required {
            violations.append(violation(rule, read, sighting, required))
        }
        if read.session != 0, read.renewsToken {
            let floor = floors[read.session]?[sighting.subject] ?? .min
            if sighting.revision > floor { floors[read.session, default: [:]][sighting.subject] = sighting.revision }
        }
        guard read.session == 0, let waiting = pending[sighting.subject]?[read.instance],
            sighting.revision >= waiting.revision
        else { return }
        pending[sighting.subject]?[read.instance] = nil
        let lag = max(0, read.end - waiting.time)
        lags.add(lag)
        if waiting.isCalm, isCalm { calmLags.add(lag) }
    }

    private func violation(
        _ rule: Incoherence.Rule,
        _ read: ReadEvent,
        _ sighting: Sighting,
        _ required: Int64
    ) -> Incoherence {
        Incoherence(
            rule: rule,
            start: read.start,
            end: read.end,
            instance: read.instance,
            subject: sighting.subject,
            required: required,
            seen: sighting.revision,
            source: read.source
        )
    }
}

/// Times in buckets that grow by a twentieth: percentiles to 5 %, whatever their number.
package struct LagHistogram: Sendable {
    private var buckets = [Int](repeating: 0, count: 512)
    /// How many times.
    package private(set) var count = 0
    /// The longest, in microseconds.
    package private(set) var maximum: Int64 = 0

    /// Makes an empty one.
    package init() {}

    /// Adds a time in microseconds.
    package mutating func add(_ microseconds: Int64) {
        count += 1
        maximum = max(maximum, microseconds)
        var bound = 10.0
        var index = 0
        while Double(microseconds) > bound, index < buckets.count - 1 {
            bound *= 1.05
            index += 1
        }
        buckets[index] += 1
    }

    /// The time that a share of all do not exceed, in microseconds; 0 for none.
    package func percentile(_ share: Double) -> Int64 {
        guard count > 0 else { return 0 }
        let wanted = max(1, Int((Double(count) * share).rounded(.up)))
        var sum = 0
        var bound = 10.0
        for bucket in buckets {
            sum += bucket
            if sum >= wanted { return min(maximum, Int64(bound)) }
            bound *= 1.05
        }
        return maximum
    }
}
