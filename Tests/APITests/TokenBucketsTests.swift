import Testing

@testable import API

@Suite("TokenBuckets")
struct TokenBucketsTests {
    private let second: Int64 = 1_000_000_000

    @Test("a burst is let through, then the steady rate")
    func burst() {
        let buckets = TokenBuckets<Int>(rate: Rate(perSecond: 10, burst: 5))
        for _ in 0..<5 { #expect(buckets.take(1, now: 0) == .allowed) }
        #expect(buckets.take(1, now: 0) == .refused(retryAfter: 1))
        #expect(buckets.take(1, now: self.second / 10) == .allowed)
        #expect(buckets.take(1, now: self.second / 10) == .refused(retryAfter: 1))
    }

    @Test("keys do not share")
    func keys() {
        let buckets = TokenBuckets<Int>(rate: Rate(perSecond: 1, burst: 1))
        #expect(buckets.take(1, now: 0) == .allowed)
        #expect(buckets.take(2, now: 0) == .allowed)
        #expect(buckets.take(1, now: 0) != .allowed)
    }

    @Test("what is given back can be taken again, and no more")
    func givingBack() {
        let buckets = TokenBuckets<Int>(rate: Rate(perSecond: 1, burst: 2))
        for _ in 0..<10 {
            #expect(buckets.take(1, now: 0) == .allowed)
            buckets.giveBack(1)
        }
        for _ in 0..<2 { #expect(buckets.take(1, now: 0) == .allowed) }
        #expect(buckets.take(1, now: 0) == .refused(retryAfter: 1))
        buckets.giveBack(2)
        for _ in 0..<2 { #expect(buckets.take(2, now: 0) == .allowed) }
        #expect(buckets.take(2, now: 0) != .allowed)
    }

    @Test("dear work begins with one token and leaves a debt")
    func debt() {
        let buckets = TokenBuckets<Int>(rate: Rate(perSecond: 10, burst: 5))
        #expect(buckets.take(1, cost: 30, now: 0) == .allowed)
        #expect(buckets.take(1, now: 2 * self.second) == .refused(retryAfter: 1))
        #expect(buckets.take(1, now: 3 * self.second) == .allowed)
        buckets.charge(1, cost: 100, now: 3 * self.second)
        #expect(buckets.take(1, now: 12 * self.second) != .allowed)
    }

    @Test("while all buckets are in use those who come new are refused, at a price that does not grow with them")
    func full() {
        let buckets = TokenBuckets<Int>(rate: Rate(perSecond: 0.001, burst: 1), capacity: 16_384)
        for key in 0..<100_000 { _ = buckets.take(key, now: 0) }
        let start = ContinuousClock.now
        for key in 100_000..<200_000 { #expect(buckets.take(key, now: 0) == .refused(retryAfter: 1)) }
        #expect(ContinuousClock.now - start < .seconds(20), "sweeping all of them for each takes minutes")
    }

    @Test("a rate per minute says how many seconds to wait")
    func minutes() {
        let buckets = TokenBuckets<String>(rate: .perMinute(5))
        for _ in 0..<5 { #expect(buckets.take("ana", now: 0) == .allowed) }
        #expect(buckets.take("ana", now: 0) == .refused(retryAfter: 12))
    }

    @Test("over any stretch of time no more than burst plus rate is let through")
    func bound() {
        var generator = SystemRandomNumberGenerator()
        let buckets = TokenBuckets<Int>(rate: Rate(perSecond: 100, burst: 20))
        var now: Int64 = 0
        var allowed = 0
        for _ in 0..<10_000 {
            now += Int64.random(in: 0...4_000_000, using: &generator)
            if buckets.take(7, now: now) == .allowed { allowed += 1 }
        }
        #expect(Double(allowed) <= 20 + 100 * Double(now) / 1e9 + 1)
    }

    @Test("keys no longer in use make room for new ones")
    func capacity() {
        let buckets = TokenBuckets<Int>(rate: Rate(perSecond: 1, burst: 1), capacity: 16)
        for key in 0..<1000 {
            #expect(buckets.take(key, now: Int64(key) * 2 * self.second) == .allowed)
        }
    }
}
