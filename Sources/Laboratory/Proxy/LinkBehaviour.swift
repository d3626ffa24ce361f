/// What a link does to the bytes and messages that go over it.
package struct LinkBehaviour: Sendable, Equatable {
    /// What happens to the bytes of one direction; their order is always kept.
    package enum Flow: Sendable, Equatable {
        /// They go on at once.
        case pass
        /// They stay where they are, connections open, until the link passes again: a black hole whose packets TCP sends anew.
        case hold
        /// Each packet comes later by a time of this range.
        case delay(ClosedRange<Duration>)
        /// The delay grows by `rate` seconds a second up to `most`, so that the receiver never waits long for the next packet.
        case growingDelay(rate: Double, most: Duration)
    }

    /// What happens to single messages on the bus; chances are drawn one after the other, the first that hits decides.
    package struct Messages: Sendable, Equatable {
        /// The first letters of the messages concerned: `A`, `B`, `H`.
        package var kinds: Set<Character>
        /// The chance that a message is lost.
        package var drop: Double
        /// The chance that it comes twice.
        package var double: Double
        /// The chance that it comes later, after others that were sent after it.
        package var delay: Double
        /// How much later.
        package var delays: ClosedRange<Duration>
        /// The chance that it changes places with the next.
        package var swap: Double

        /// Messages that nothing happens to, but for what is named.
        package init(
            kinds: Set<Character> = ["A", "B", "H"],
            drop: Double = 0,
            double: Double = 0,
            delay: Double = 0,
            delays: ClosedRange<Duration> = .milliseconds(5) ... .milliseconds(700),
            swap: Double = 0
        ) {
            self.kinds = kinds
            self.drop = drop
            self.double = double
            self.delay = delay
            self.delays = delays
            self.swap = swap
        }
    }

    /// From the instance to the server.
    package var toServer: Flow
    /// From the server to the instance.
    package var toClient: Flow
    /// Whether new connections are closed as soon as they are known to belong to this link.
    package var refuses: Bool
    /// Of a bus: what happens to single messages.
    package var messages: Messages?

    /// A link that does nothing but what is named.
    package init(toServer: Flow = .pass, toClient: Flow = .pass, refuses: Bool = false, messages: Messages? = nil) {
        self.toServer = toServer
        self.toClient = toClient
        self.refuses = refuses
        self.messages = messages
    }

    /// As if there were no proxy.
    package static let pass = LinkBehaviour()
    /// Connections stay open, and nothing comes through.
    package static let blackhole = LinkBehaviour(toServer: .hold, toClient: .hold)
}
