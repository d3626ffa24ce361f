/// What a step of the world is about.
enum StepKind: UInt8 {
    case start
    case probeTick
    case probe
    case relay
    case connectPostgres
    case connectRedis
    case loseRedis
    case liveness
    case subscribe
    case deliver
    case silence
    case client
    case flight
    case transaction
    case bump
    case rawWriter
    case fault
    case redisUp
    case postgresUp
}

/// One pending step: a plain value, so that the queue never allocates for it.
struct PendingStep {
    let time: Int64
    /// Breaks ties, so that a run is repeated exactly.
    let order: Int64
    let kind: StepKind
    let index: Int32
    /// A step of an older ticket than its process has is void.
    let ticket: Int32
}

/// The pending steps, soonest first: a binary heap over raw memory, as tests run unoptimised.
final class EventQueue {
    private var heap: UnsafeMutablePointer<PendingStep>
    private var capacity = 1024
    private(set) var count = 0
    private var order: Int64 = 0

    init() {
        self.heap = .allocate(capacity: self.capacity)
    }

    deinit {
        self.heap.deallocate()
    }

    func add(_ time: Int64, _ kind: StepKind, _ index: Int, _ ticket: Int32) {
        if self.count == self.capacity { self.grow() }
        self.order += 1
        let step = PendingStep(time: time, order: self.order, kind: kind, index: Int32(index), ticket: ticket)
        var child = self.count
        self.count += 1
        while child > 0 {
            let parent = (child - 1) / 2
            // The new step has the highest order, so equal times stay as they are.
            if self.heap[parent].time <= time { break }
            self.heap[child] = self.heap[parent]
            child = parent
        }
        self.heap[child] = step
    }

    func pop() -> PendingStep? {
        guard self.count > 0 else { return nil }
        let first = self.heap[0]
        self.count -= 1
        let last = self.heap[self.count]
        var parent = 0
        while true {
            var child = 2 * parent + 1
            if child >= self.count { break }
            if child + 1 < self.count, Self.isBefore(self.heap[child + 1], self.heap[child]) { child += 1 }
            if !Self.isBefore(self.heap[child], last) { break }
            self.heap[parent] = self.heap[child]
            parent = child
        }
        self.heap[parent] = last
        return first
    }

    private static func isBefore(_ left: PendingStep, _ right: PendingStep) -> Bool {
        left.time < right.time || (left.time == right.time && left.order < right.order)
    }

    private func grow() {
        let larger = UnsafeMutablePointer<PendingStep>.allocate(capacity: self.capacity * 2)
        larger.update(from: self.heap, count: self.count)
        self.heap.deallocate()
        self.heap = larger
        self.capacity *= 2
    }
}
