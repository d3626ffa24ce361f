internal import IOLoop

/// A closure that a timer calls.
final class TimerClosure: TimerCallback {
    private let body: () -> Void

    init(_ body: @escaping () -> Void) {
        self.body = body
    }

    func fire() {
        body()
    }
}
