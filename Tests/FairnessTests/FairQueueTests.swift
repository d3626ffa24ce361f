import Testing

@testable import Fairness

@Suite
struct FairQueueTests {
    /// Begins and ends pieces, one at a time, until nothing waits.
    private func drain(_ queue: inout FairQueue<String, String>) -> [String] {
        var order: [String] = []
        while let party = queue.next(), let piece = queue.begin(party) {
            order.append(piece)
            queue.end(party)
        }
        return order
    }

    @Test("one party's pieces keep their order")
    func order() {
        var queue = FairQueue<String, String>()
        for piece in ["a1", "a2", "a3"] { queue.append(piece, of: "a") }
        #expect(drain(&queue) == ["a1", "a2", "a3"])
        #expect(queue.isEmpty)
    }

    @Test("parties take turns, however many pieces one of them has in line")
    func turns() {
        var queue = FairQueue<String, String>()
        for number in 1...4 { queue.append("a\(number)", of: "a") }
        queue.append("b1", of: "b")
        queue.append("b2", of: "b")
        #expect(drain(&queue) == ["a1", "b1", "a2", "b2", "a3", "a4"])
    }

    @Test("a dear piece is paid for by waiting until the others have had as much")
    func cost() {
        var queue = FairQueue<String, String>()
        for number in 1...2 { queue.append("A\(number)", of: "a", cost: 3) }
        for number in 1...5 { queue.append("b\(number)", of: "b") }
        #expect(drain(&queue) == ["A1", "b1", "b2", "b3", "A2", "b4", "b5"])
    }

    @Test("what a party had while nobody waited counts: one piece in line at a time gains nothing")
    func unqueued() {
        var queue = FairQueue<String, String>()
        queue.begin("a", cost: 1_000)
        queue.append("a2", of: "a", cost: 1_000)
        queue.append("b1", of: "b")
        #expect(queue.next() == "b")
        #expect(queue.begin("b") == "b1")
        queue.append("b2", of: "b")
        #expect(queue.next() == "b")
    }

    @Test("nobody is in debt once everything is done")
    func rest() {
        var queue = FairQueue<String, String>()
        queue.begin("a", cost: 1_000)
        queue.end("a")
        queue.append("a1", of: "a")
        queue.append("b1", of: "b")
        #expect(drain(&queue) == ["a1", "b1"])
    }

    @Test("a party that may not begin another piece is passed over, and keeps its place")
    func limit() {
        var queue = FairQueue<String, String>()
        queue.append("a1", of: "a")
        queue.append("a2", of: "a")
        queue.append("b1", of: "b")
        #expect(queue.begin("a") == "a1")
        #expect(queue.next(limit: 1) == "b")
        #expect(queue.begin("b") == "b1")
        #expect(queue.next(limit: 1) == nil)
        queue.end("a")
        #expect(queue.next(limit: 1) == "a")
    }

    @Test("a piece put at the head goes before its party's others")
    func head() {
        var queue = FairQueue<String, String>()
        queue.append("a2", of: "a")
        queue.prepend("a1", of: "a")
        #expect(drain(&queue) == ["a1", "a2"])
    }

    @Test("what is taken out is not begun, and its party pays nothing for it")
    func removal() {
        var queue = FairQueue<String, String>()
        queue.append("a1", of: "a", cost: 100)
        queue.append("a2", of: "a")
        queue.append("b1", of: "b")
        #expect(queue.removeAll { $0 == "a1" } == ["a1"])
        #expect(queue.removeAll(of: "b") { $0 == "a2" } == [])
        #expect(queue.count == 2)
        #expect(drain(&queue) == ["a2", "b1"])
    }

    @Test("by cost every party gets the same, whatever its pieces are like, while all of them wait", arguments: 0..<8)
    func shares(seed: UInt64) {
        var numbers = SplitMix(seed: seed)
        var queue = FairQueue<Int, (party: Int, cost: Int)>()
        let largest = [1, 10, 100, 1_000]
        func add(_ party: Int) {
            let cost = 1 + Int(numbers.next() % UInt64(largest[party]))
            queue.append((party, cost), of: party, cost: cost)
        }
        for party in 0..<4 { for _ in 0..<3 { add(party) } }
        var had = [0, 0, 0, 0]
        for _ in 0..<20_000 {
            guard let party = queue.next(), let piece = queue.begin(party) else { break }
            had[piece.party] += piece.cost
            queue.end(party)
            add(party)
        }
        let spread = (had.max() ?? 0) - (had.min() ?? 0)
        // No two are ever further apart than one piece of each.
        #expect(spread <= 2_000, "\(had), seed \(seed)")
    }

    @Test("those who come once and never again are forgotten")
    func memory() {
        var queue = FairQueue<Int, Int>()
        queue.begin(-1, cost: 1)
        for party in 0..<100_000 {
            queue.begin(party, cost: 1)
            queue.end(party)
            queue.begin(-2, cost: 2)
            queue.end(-2)
        }
        #expect(queue.remembered < 1_000)
    }
}

/// A small generator whose seed repeats a test.
private struct SplitMix {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
