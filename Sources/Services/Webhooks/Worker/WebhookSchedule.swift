import Kernel

/// When an event that could not be sent is tried again, and when an endpoint is given up.
///
/// An event that fails three times within a minute is set aside, so that those behind it go on: it is likely to be the event. Where nothing
/// comes through at all it is likely to be the receiver: after three events in a row the endpoint stays at the next one and tries it ever
/// more rarely, and after a day of nothing but failures it is switched off.
package enum WebhookSchedule {
    /// Between the tries of an event in its order: of the last, from then on.
    static let delaysInOrder: [Duration] = [
        .seconds(5), .seconds(30), .seconds(300), .seconds(900), .seconds(1_800), .seconds(3_600),
    ]

    /// Tries of an event after which it is set aside.
    static let triesInOrder = 3

    /// Before the tries of an event that was set aside; behind the last it is given up.
    static let delaysAside: [Duration] = [
        .seconds(300), .seconds(1_800), .seconds(7_200), .seconds(21_600), .seconds(54_000), .seconds(86_400),
    ]

    /// Events of an endpoint that may be set aside with nothing delivered in between.
    static let mostAsideInARow = 3

    /// Events of an endpoint that may wait beside the order.
    static let mostAside = 100

    /// How long an endpoint may do nothing but fail.
    static let patience: Duration = .seconds(86_400)

    /// What comes of a try.
    package enum Outcome: Equatable, Sendable {
        case delivered
        /// It is tried again, after so long.
        case retried(Duration)
        /// It is tried beside the order, after so long, and the next one takes its place.
        case setAside(Duration)
        /// It is tried no more.
        case givenUp
        /// The endpoint is switched off.
        case disabled
    }

    /// What comes of a failure.
    ///
    /// - Parameters:
    ///   - message: What was tried, and how it went before.
    ///   - now: When it failed.
    ///   - jitter: A share of each delay that is added, 0 ..< 1 of a tenth: those that failed together do not come together again.
    /// - Returns: What is to be done.
    static func outcome(
        ofFailed message: NextWebhookMessage.Row,
        at now: Timestamp,
        jitter: Double
    ) -> Outcome {
        guard message.reason != .test else { return .givenUp }
        if let since = message.failingSince, now >= since.adding(patience) { return .disabled }
        func spread(_ delay: Duration) -> Duration { delay + delay * (jitter / 10) }
        guard message.reason == .event else {
            // What was set aside has waited for the first of them.
            let passed = message.failures + (message.reason == .setAside ? 1 : 0)
            let delay = delaysAside.dropFirst(passed).first
            return delay.map { .retried(spread($0)) } ?? .givenUp
        }
        let tries = message.attempts + 1
        let mayBeSetAside = message.asides < mostAsideInARow && message.waiting < mostAside
        if tries >= triesInOrder, mayBeSetAside, let delay = delaysAside.first {
            return .setAside(spread(delay))
        }
        let delay = delaysInOrder.dropFirst(message.attempts).first ?? delaysInOrder.last ?? patience
        return .retried(spread(delay))
    }
}
