/// A descriptor watched by an ``IOLoop``; belongs to the loop's thread.
package final class Registration {
    /// Unique among the loop's registrations, so that an event meant for a closed descriptor never reaches its successor.
    let id: UInt32
    let descriptor: CInt
    private(set) var interest: IOLoop.Interest
    private(set) var handler: (any ReadinessHandler)?
    private let loop: IOLoop

    init(
        id: UInt32,
        descriptor: CInt,
        interest: IOLoop.Interest,
        handler: any ReadinessHandler,
        loop: IOLoop
    ) {
        self.id = id
        self.descriptor = descriptor
        self.interest = interest
        self.handler = handler
        self.loop = loop
    }

    /// Whether events still reach the handler.
    package var isActive: Bool { handler != nil }

    /// Changes what the handler is told of; a system call only if it differs from before.
    package func setInterest(_ interest: IOLoop.Interest) {
        loop.assertOnLoop()
        guard handler != nil, interest != self.interest else { return }
        self.interest = interest
        loop.updateInterest(of: self)
    }

    /// Stops watching; to be called before the descriptor is closed.
    ///
    /// No event of the running turn arrives any more.
    package func deregister() {
        loop.assertOnLoop()
        guard handler != nil else { return }
        loop.remove(self)
        handler = nil
    }

    /// Lets go of the handler when the loop itself ends.
    func abandon() {
        handler = nil
    }
}
