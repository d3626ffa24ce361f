package import Cache
import NIOCore
import Synchronization

/// Modules of a tenant whose answers were retired in this instance.
package struct Retirement: Sendable, Equatable {
    /// Which.
    package let modules: [Module]
    /// What to send along so that no instance answers from before it; nil where everything may have been retired, and the
    /// database is to be asked.
    package let consistency: String?
}

/// Why somebody is told nothing more.
package enum SubscriptionEnd: Sendable, Equatable {
    /// They took what they were told too slowly.
    case slow
    /// The database was restored to before what they were told.
    case restored
}

/// One who is told of a tenant's events as they come: a stream, or a request that waits.
///
/// What is not taken yet is bounded: whoever lets it grow beyond that is told nothing more, and comes again with the last number
/// they have seen.
package final class EventSubscription: Sendable {
    /// What there is to tell.
    package enum News: Sendable {
        /// An event.
        case event(Event)
        /// Something was retired.
        case retired(Retirement)
    }

    /// What was taken at once.
    package struct Batch: Sendable {
        /// In order.
        package var news: [News] = []
        /// Everything up to here was told, or was not to be.
        package var position: Int64 = 0
        /// Whether it is time to show that somebody is there.
        package var isBeat = false
        /// Whether the credential may have changed.
        package var asksWho = false
        /// Why it ends.
        package var end: SubscriptionEnd?

        /// Whether there was nothing to take.
        package var isEmpty: Bool { news.isEmpty && !isBeat && !asksWho && end == nil }
    }

    private struct State {
        var news: [News] = []
        var bytes = 0
        var position: Int64 = 0
        var isBeat = false
        var asksWho = false
        /// Whether the next beat asks who it is.
        var asksLater = false
        var end: SubscriptionEnd?
        /// Whether whoever listens was called and has not taken anything since.
        var isCalled = false
        var call: (@Sendable () -> Void)?
    }

    /// What a retirement counts as, in bytes.
    private static let retirementBytes = 256

    /// Whether retirements are told, too.
    package let hearsRetirements: Bool

    private let filter: EventFilter
    private let onOverflow: @Sendable () -> Void
    private let state = Mutex(State())

    /// Makes one who hears nothing yet.
    ///
    /// - Parameters:
    ///   - filter: The events that are told.
    ///   - hearsRetirements: Whether retirements are told, too.
    ///   - onOverflow: Called once when it ends as ``SubscriptionEnd/slow``, for whoever waits for the other side.
    package init(
        _ filter: EventFilter,
        hearsRetirements: Bool = false,
        onOverflow: @escaping @Sendable () -> Void = {}
    ) {
        self.filter = filter
        self.hearsRetirements = hearsRetirements
        self.onOverflow = onOverflow
    }

    /// Has somebody called when there is something to take, once until it is taken.
    ///
    /// - Parameter call: Called on any thread, and at once if there is something already.
    package func listen(_ call: @escaping @Sendable () -> Void) {
        let isCalled = state.withLock { state in
            state.call = call
            return state.isCalled
        }
        if isCalled { call() }
    }

    /// Takes all that there is.
    package func take() -> Batch {
        state.withLock { state in
            defer {
                state.isCalled = false
                state.news.removeAll(keepingCapacity: false)
                state.bytes = 0
                state.isBeat = false
                state.asksWho = false
            }
            return Batch(
                news: state.news,
                position: state.position,
                isBeat: state.isBeat,
                asksWho: state.asksWho,
                end: state.end
            )
        }
    }

    /// Asks again who it is with the next beat, as that could not be found out.
    package func askAgain() { state.withLock { $0.asksLater = true } }

    // MARK: What the hub says

    /// Everything up to a number was told.
    ///
    /// Who asks is looked at once more, as nothing that happened to them until now was heard here.
    func begin(at position: Int64) {
        state.withLock { state in
            state.position = position
            state.asksWho = true
        }
    }

    /// Tells events in a row; those at or before the position are known.
    ///
    /// - Parameters:
    ///   - events: The events.
    ///   - limits: What may wait.
    /// - Returns: Whether this was too much.
    func tell(_ events: [Event], within limits: EventHub.Limits) -> Bool {
        let told: (isNew: Bool, isTooMuch: Bool) = state.withLock { state in
            guard state.end == nil else { return (false, false) }
            // What comes at once may be more than may wait.
            let waited = state.news.count
            var isNew = false
            for event in events where event.sequence > state.position {
                state.position = event.sequence
                guard filter.contains(event.type) else { continue }
                isNew = true
                state.news.append(.event(event))
                state.bytes += event.body.readableBytes
            }
            return (isNew, waited > 0 && isNew && Self.judge(&state, limits))
        }
        return finish(told)
    }

    /// Tells that modules were retired.
    func tell(_ retirement: Retirement, within limits: EventHub.Limits) -> Bool {
        let told: (isNew: Bool, isTooMuch: Bool) = state.withLock { state in
            guard state.end == nil else { return (false, false) }
            state.news.append(.retired(retirement))
            state.bytes += Self.retirementBytes
            return (true, Self.judge(&state, limits))
        }
        return finish(told)
    }

    private static func judge(_ state: inout State, _ limits: EventHub.Limits) -> Bool {
        guard state.news.count > limits.events || state.bytes > limits.bytes else { return false }
        state.news.removeAll(keepingCapacity: false)
        state.end = .slow
        return true
    }

    private func finish(_ told: (isNew: Bool, isTooMuch: Bool)) -> Bool {
        if told.isNew { call() }
        if told.isTooMuch { onOverflow() }
        return told.isTooMuch
    }

    private func call() {
        let call: (@Sendable () -> Void)? = state.withLock { state in
            defer { state.isCalled = true }
            return state.isCalled ? nil : state.call
        }
        call?()
    }

    func beat() {
        state.withLock { state in
            state.isBeat = true
            state.asksWho = state.asksWho || state.asksLater
            state.asksLater = false
        }
        call()
    }

    func askWho() {
        state.withLock { $0.asksWho = true }
        call()
    }

    func end(_ reason: SubscriptionEnd) {
        state.withLock { if $0.end == nil { $0.end = reason } }
        call()
    }
}
