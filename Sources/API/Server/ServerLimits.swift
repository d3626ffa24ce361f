package import NIOCore

/// What one connection and one request may cost before the server ends them.
///
/// Every deadline is absolute: counted from the event that started the phase, not from the last byte, unless the name
/// says idle. Hummingbird leaves its only time-out off, and resets it with each chunk of a body.
package struct ServerLimits: Sendable {
    /// From the first byte of a request to the end of its header block; of the first one, from the connection's beginning.
    package var headerDeadline: TimeAmount = .seconds(10)
    /// Longest silence within a body; what is late by this or the next three is answered with 408.
    package var bodyIdle: TimeAmount = .seconds(10)
    /// Longest time for a whole body.
    package var bodyTotal: TimeAmount = .seconds(30)
    /// Slowest body accepted once ``bodyGrace`` is over, in bytes per second.
    package var bodyMinimumRate = 1024
    /// How long a body may be slower than ``bodyMinimumRate``.
    package var bodyGrace: TimeAmount = .seconds(5)
    /// Longest time in which the peer takes no byte of an answer.
    package var writeIdle: TimeAmount = .seconds(10)
    /// Longest time for a whole answer to be taken.
    package var writeTotal: TimeAmount = .seconds(60)
    /// Longest time for an answer that is written as it is made, whose length nobody knows; ``writeIdle`` holds for it, too.
    package var streamTotal: TimeAmount = .seconds(330)
    /// How long a connection may wait between requests; above the 60 s that proxies use themselves.
    package var keepAlive: TimeAmount = .seconds(75)
    /// How long what a refused client still sends is read and thrown away, so that it sees the answer and not a reset.
    package var lingering: TimeAmount = .seconds(2)

    /// Bytes of a header block.
    package var headerBlockBytes = 16 * 1024
    /// Bytes of one header field.
    package var headerFieldBytes = 8 * 1024
    /// Number of header fields.
    package var headerFieldCount = 100
    /// Bytes of the request target.
    package var targetBytes = 8 * 1024
    /// Bytes of a JSON body.
    package var bodyBytes = 1024 * 1024
    /// Bytes of the body of a route about people and their credentials, some of which anybody may call.
    package var identityBodyBytes = 8 * 1024

    /// Open connections; for one more the oldest that is silent or idle, or owes the rest of a body, is closed.
    package var connections = 4096
    /// Of which one address may have so many.
    package var connectionsPerAddress = 1024
    /// How many are accepted beyond ``connections``, until the closed ones are gone.
    package var spareConnections = 64
    /// Time a request may take, handed on to the stores.
    package var requestDeadline: Duration = .seconds(5)
    /// From SIGTERM (readiness turns 503) to the end of accepting, so that load balancers look away first.
    ///
    /// Longer than they need for that: the shipped configuration of HAProxy asks every second and takes an instance out after
    /// two refusals, the second of which it asks for 250 ms after the first. What it sends until then is answered, each answer
    /// closing its connection; what it would send on a connection that is closed in the same moment would be lost.
    package var drainDelay: Duration = .seconds(4)
    /// The last part of ``drainDelay``, in which new connections are ignored and those that were queued send their requests; behind it
    /// whoever has connected and said nothing has as long once more.
    package var lastCall: Duration = .milliseconds(500)
    /// From the end of accepting to the end of the last request.
    package var drainTotal: Duration = .seconds(20)

    /// The limits that hold where nothing else is said.
    package init() {}
}
