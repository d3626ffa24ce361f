/// Someone who listens to a channel.
struct Subscription {
    let channel: String
    private let continuation: AsyncStream<ListenEvent>.Continuation

    /// The events a slow listener may leave lying; beyond them it is told to resynchronise.
    static let capacity = 256

    init(channel: String, continuation: AsyncStream<ListenEvent>.Continuation) {
        self.channel = channel
        self.continuation = continuation
    }

    /// Passes an event on; if an older one fell out of the queue, says so.
    ///
    /// - Parameter event: The event.
    func yield(_ event: ListenEvent) {
        if case .dropped = continuation.yield(event) { continuation.yield(.resync) }
    }

    /// Ends the stream.
    func finish() {
        continuation.finish()
    }
}
