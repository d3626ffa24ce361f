/// What owns a descriptor registered with an ``IOLoop``.
///
/// Every method is called on the loop's thread, never from within a job of an actor. An actor conforms with `nonisolated`
/// methods that enter it by `assumeIsolated`.
package protocol ReadinessHandler: AnyObject {
    /// The descriptor has bytes to read, was closed by the peer, or failed.
    func readable()

    /// The descriptor takes bytes, finished connecting, or failed.
    func writable()

    /// The turn's jobs have run: what they buffered can leave in one write.
    func flush()
}

extension ReadinessHandler {
    package func flush() {}
}

/// What a timer of an ``IOLoop`` calls.
package protocol TimerCallback: AnyObject {
    /// The timer's instant has come; called on the loop's thread, once.
    func fire()
}

/// A timer that has been scheduled, to cancel it by.
package struct TimerID: Hashable, Sendable {
    let rawValue: UInt64
}
