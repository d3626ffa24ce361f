import Synchronization

/// A value behind a lock, by reference.
final class Mutexed<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    init(_ value: Value) {
        self.value = Mutex(value)
    }

    func with<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
        self.value.withLock { body(&$0) }
    }
}

/// Lets tasks wait until a test opens it.
actor Gate {
    private var isOpen = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private var arrivals = 0
    private var arrivalWaiters: [(Int, CheckedContinuation<Void, Never>)] = []

    func pass() async {
        self.arrivals += 1
        let due = self.arrivalWaiters.filter { $0.0 <= self.arrivals }
        self.arrivalWaiters.removeAll { $0.0 <= self.arrivals }
        for (_, continuation) in due { continuation.resume() }
        if self.isOpen { return }
        await withCheckedContinuation { self.waiting.append($0) }
    }

    func open() {
        self.isOpen = true
        for continuation in self.waiting { continuation.resume() }
        self.waiting = []
    }

    func arrival(of count: Int) async {
        if self.arrivals >= count { return }
        await withCheckedContinuation { self.arrivalWaiters.append((count, $0)) }
    }
}
