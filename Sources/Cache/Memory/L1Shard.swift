import DequeModule
import Synchronization

/// One shard of L1: a dictionary and an S3-FIFO queue, bounded in bytes.
///
/// New entries wait in a small queue (a tenth of the bytes). Only what was asked for again while waiting moves to the main
/// queue, so a scan passes through without pushing out what is used. A hit sets one bit and moves nothing. The keys of what
/// left the small queue are remembered for a while as *ghosts*: if one comes back it goes to the main queue at once.
/// (Yang, Zhang, Qiu, Yue, Vinayak: FIFO queues are all you need for cache eviction, SOSP 2023.)
///
/// A retired entry gives its bytes back when it is touched, its place stays: as a rule the same key is filled again at once.
/// Those of RELAXED modules stay until they are replaced, evicted, or too old to be given out when the database fails.
struct L1Shard {
    /// What an entry costs beside its key and content: slot, index, queue, ghost.
    static let overhead = 192
    /// How many entries of others an insert of a too large tenant may pass over while it looks for its own.
    private static let fairnessSteps = 64

    private struct Slot {
        var key: CacheKey
        var answer: StoredAnswer?
        var cost: Int
        var wasHit: Bool
        var isMain: Bool
    }

    private let capacity: Int
    private let staleLimit: Int64
    private var index: [CacheKey: Int] = [:]
    private var slots: ContiguousArray<Slot> = []
    private var free: [Int] = []
    private var small = Deque<Int>()
    private var main = Deque<Int>()
    private var ghosts: Set<Int> = []
    private var ghostOrder = Deque<Int>()
    private var smallBytes = 0
    private var tenantBytes: [Int64: Int] = [:]
    /// The bytes of all entries, overhead included; at most the capacity.
    private(set) var bytes = 0

    init(capacity: Int, staleLimit: Duration = .seconds(60)) {
        self.capacity = capacity
        self.staleLimit = staleLimit.nanoseconds
    }

    /// The number of keys known, those without a live answer included.
    var count: Int { index.count }

    /// A live answer, if there is one.
    ///
    /// Equality of versions, not "not older": an entry is either of the present version or worthless.
    mutating func lookup(_ key: CacheKey, now: Int64) -> StoredAnswer? {
        guard let position = index[key], let answer = slots[position].answer else { return nil }
        guard answer.version == answer.scope.version.load(ordering: .acquiring), now < answer.expiresAt else {
            if !answer.scope.module.isRelaxed || now - answer.filledAt > staleLimit { clear(position) }
            return nil
        }
        if !slots[position].wasHit { slots[position].wasHit = true }
        return answer
    }

    /// What there is of a key, alive or not.
    func stale(_ key: CacheKey) -> StoredAnswer? {
        index[key].flatMap { self.slots[$0].answer }
    }

    /// Keeps an answer, evicting others; false if it is too large for this shard.
    mutating func insert(_ key: CacheKey, _ answer: StoredAnswer) -> Bool {
        let cost = Self.overhead + key.key.utf8.count + answer.bytes
        if cost > capacity / 4 {
            remove(key)
            return false
        }
        if let position = index[key] {
            clear(position)
            charge(position, by: cost - slots[position].cost)
            slots[position].answer = answer
        } else {
            let isMain = ghosts.remove(key.hash) != nil
            let slot = Slot(key: key, answer: answer, cost: 0, wasHit: false, isMain: isMain)
            let position: Int
            if let reused = free.popLast() {
                position = reused
                slots[position] = slot
            } else {
                position = slots.count
                slots.append(slot)
            }
            index[key] = position
            if isMain { main.append(position) } else { small.append(position) }
            charge(position, by: cost)
        }
        answer.scope.counters.entries.wrappingAdd(1, ordering: .relaxed)
        answer.scope.counters.bytes.wrappingAdd(cost, ordering: .relaxed)
        var steps = Self.fairnessSteps
        while bytes > capacity, !index.isEmpty {
            evict(for: key.tenant, steps: &steps)
        }
        return true
    }

    /// Forgets the answer of a key.
    mutating func remove(_ key: CacheKey) {
        guard let position = index[key] else { return }
        clear(position)
    }

    /// Forgets everything.
    mutating func removeAll() {
        for position in index.values { clear(position) }
        self = L1Shard(capacity: self.capacity, staleLimit: .nanoseconds(self.staleLimit))
    }

    // MARK: - Bytes

    private mutating func charge(_ position: Int, by difference: Int) {
        slots[position].cost += difference
        bytes += difference
        if !slots[position].isMain { smallBytes += difference }
        let tenant = slots[position].key.tenant
        let total = tenantBytes[tenant, default: 0] + difference
        tenantBytes[tenant] = total > 0 ? total : nil
    }

    /// Takes the answer out of a slot and leaves the slot in its queue.
    private mutating func clear(_ position: Int) {
        guard let answer = slots[position].answer else { return }
        slots[position].answer = nil
        answer.scope.counters.entries.wrappingSubtract(1, ordering: .relaxed)
        answer.scope.counters.bytes.wrappingSubtract(slots[position].cost, ordering: .relaxed)
        let empty = Self.overhead + slots[position].key.key.utf8.count
        charge(position, by: empty - slots[position].cost)
    }

    // MARK: - Eviction

    private mutating func evict(for tenant: Int64, steps: inout Int) {
        let fromSmall = smallBytes * 10 >= capacity || main.isEmpty
        guard let position = fromSmall ? small.popFirst() : main.popFirst() else {
            // The chosen queue is empty, so the other is not.
            if let other = fromSmall ? main.popFirst() : small.popFirst() { drop(other) }
            return
        }
        let owner = slots[position].key.tenant
        if owner != tenant, steps > 0, tenantBytes[tenant, default: 0] > capacity / 4 {
            // The inserting tenant holds more than a quarter: it evicts its own first, others are passed over. It has a
            // quarter of the bytes, so a few steps find something of its own; the number of steps bounds the work.
            steps -= 1
            if fromSmall { small.append(position) } else { main.append(position) }
            return
        }
        if slots[position].wasHit, isLive(position) {
            slots[position].wasHit = false
            if fromSmall {
                smallBytes -= slots[position].cost
                slots[position].isMain = true
            }
            main.append(position)
            return
        }
        if fromSmall { remember(slots[position].key.hash) }
        drop(position)
    }

    private func isLive(_ position: Int) -> Bool {
        guard let answer = slots[position].answer else { return false }
        return answer.version == answer.scope.version.load(ordering: .relaxed)
    }

    private mutating func drop(_ position: Int) {
        if let answer = slots[position].answer {
            answer.scope.counters.evictions.wrappingAdd(1, ordering: .relaxed)
        }
        clear(position)
        charge(position, by: -slots[position].cost)
        index[slots[position].key] = nil
        free.append(position)
    }

    private mutating func remember(_ hash: Int) {
        if ghosts.insert(hash).inserted { ghostOrder.append(hash) }
        while ghostOrder.count > max(64, index.count), let oldest = ghostOrder.popFirst() {
            ghosts.remove(oldest)
        }
    }
}
