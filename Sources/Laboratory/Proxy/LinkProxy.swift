package import NIOCore
import Synchronization

/// The connections of one kind between one instance and one server, and what is done to them.
///
/// All of a link's state belongs to one event loop; the methods may be called from anywhere.
package final class LinkProxy: Sendable {
    /// What went over a link.
    package struct Counts: Sendable, Equatable {
        /// Connections that belonged to it.
        package var connections = 0
        /// Messages of the bus that came from the server.
        package var messages = 0
        /// Of them lost, doubled, or moved on purpose.
        package var dropped = 0
        package var doubled = 0
        package var moved = 0

        /// What was counted; nothing but what is named.
        package init(connections: Int = 0, messages: Int = 0, dropped: Int = 0, doubled: Int = 0, moved: Int = 0) {
            self.connections = connections
            self.messages = messages
            self.dropped = dropped
            self.doubled = doubled
            self.moved = moved
        }
    }

    /// Its name in reports: `database-0`, `commands-0`, `bus-0`.
    package let name: String
    let eventLoop: any EventLoop
    private let state: NIOLoopBoundBox<State>
    private let shownCounts = Mutex(Counts())

    struct State {
        var behaviour = LinkBehaviour.pass
        var since = NIODeadline.now()
        var random: FaultRandom
        var connections: [ObjectIdentifier: ProxiedConnection] = [:]
    }

    /// Makes a link that passes everything.
    ///
    /// - Parameters:
    ///   - name: its name in reports.
    ///   - seed: what its chances follow from.
    ///   - eventLoop: the loop of its connections.
    package init(name: String, seed: UInt64, eventLoop: any EventLoop) {
        self.name = name
        self.eventLoop = eventLoop
        state = .makeBoxSendingValue(State(random: FaultRandom(seed: seed)), eventLoop: eventLoop)
    }

    /// What went over it so far.
    package var counts: Counts { shownCounts.withLock { $0 } }

    /// Changes what is done to present and future connections; in effect when this returns.
    package func behave(_ behaviour: LinkBehaviour) async {
        await onLoop { link in
            link.state.value.behaviour = behaviour
            link.state.value.since = .now()
            for connection in link.state.value.connections.values { connection.behaviourChanged() }
        }
    }

    /// Ends every connection now, by RST or by FIN; new ones are welcome unless the behaviour refuses them.
    package func cut(reset: Bool = true) async {
        await onLoop { link in
            for connection in link.state.value.connections.values { connection.close(reset: reset) }
        }
    }

    private func onLoop(_ body: @escaping @Sendable (LinkProxy) -> Void) async {
        // A loop that has ended has no connections left.
        try? await eventLoop.submit { body(self) }.get()
    }

    // MARK: On the event loop

    var behaviour: LinkBehaviour { state.value.behaviour }

    func add(_ connection: ProxiedConnection) {
        state.value.connections[ObjectIdentifier(connection)] = connection
        count { $0.connections += 1 }
    }

    func remove(_ connection: ProxiedConnection) {
        state.value.connections[ObjectIdentifier(connection)] = nil
    }

    func count(_ change: (inout Counts) -> Void) {
        shownCounts.withLock { change(&$0) }
    }

    func random<Value>(_ draw: (inout FaultRandom) -> Value) -> Value {
        draw(&state.value.random)
    }

    /// When bytes that come now go on: at once, later, or not before the behaviour changes.
    func dueTime(_ flow: LinkBehaviour.Flow) -> NIODeadline {
        let now = NIODeadline.now()
        switch flow {
        case .pass: return now
        case .hold: return .distantFuture
        case .delay(let range): return now + TimeAmount(random { $0.duration(in: range) })
        case .growingDelay(let rate, let most):
            let grown = Double((now - state.value.since).nanoseconds) * rate
            return now + min(TimeAmount.nanoseconds(Int64(grown)), TimeAmount(most))
        }
    }
}
