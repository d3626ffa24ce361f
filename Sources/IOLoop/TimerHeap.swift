/// The timers of one loop, ordered by their instant and, at the same instant, by their age.
///
/// A cancelled timer leaves the table of callbacks at once and the heap when it reaches the top, or when more than half of
/// the heap is cancelled: both operations stay O(log n) for the usual deadline that never comes.
struct TimerHeap {
    private struct Entry {
        let deadline: ContinuousClock.Instant
        let id: UInt64

        func precedes(_ other: Entry) -> Bool {
            deadline == other.deadline ? id < other.id : deadline < other.deadline
        }
    }

    private var entries: [Entry] = []
    private var callbacks: [UInt64: any TimerCallback] = [:]
    private var lastID: UInt64 = 0

    var count: Int { callbacks.count }

    mutating func insert(at deadline: ContinuousClock.Instant, _ callback: any TimerCallback) -> TimerID {
        lastID += 1
        callbacks[lastID] = callback
        entries.append(Entry(deadline: deadline, id: lastID))
        siftUp(entries.count - 1)
        return TimerID(rawValue: lastID)
    }

    mutating func cancel(_ id: TimerID) {
        guard callbacks.removeValue(forKey: id.rawValue) != nil else { return }
        if entries.count > 64, entries.count > 2 * callbacks.count {
            compact()
        }
    }

    mutating func removeAll() {
        entries.removeAll()
        callbacks.removeAll()
    }

    /// The earliest instant of a timer that has not been cancelled.
    mutating func nextDeadline() -> ContinuousClock.Instant? {
        dropCancelled()
        return entries.first?.deadline
    }

    /// Takes out the earliest timer if its instant has come.
    mutating func popDue(at now: ContinuousClock.Instant) -> (any TimerCallback)? {
        dropCancelled()
        guard let first = entries.first, first.deadline <= now else { return nil }
        removeFirst()
        return callbacks.removeValue(forKey: first.id)
    }

    private mutating func dropCancelled() {
        while let first = entries.first, callbacks[first.id] == nil {
            removeFirst()
        }
    }

    private mutating func removeFirst() {
        let last = entries.removeLast()
        if !entries.isEmpty {
            entries[0] = last
            siftDown(0)
        }
    }

    private mutating func compact() {
        entries.removeAll { callbacks[$0.id] == nil }
        for index in stride(from: entries.count / 2 - 1, through: 0, by: -1) {
            siftDown(index)
        }
    }

    private mutating func siftUp(_ start: Int) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard entries[index].precedes(entries[parent]) else { return }
            entries.swapAt(index, parent)
            index = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var index = start
        while true {
            var least = index
            let left = 2 * index + 1
            for child in left..<min(left + 2, max(left, entries.count)) {
                if entries[child].precedes(entries[least]) {
                    least = child
                }
            }
            guard least != index else { return }
            entries.swapAt(index, least)
            index = least
        }
    }
}
