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

    @Test("peeking takes nothing")
    func peek() {
        let buckets = TokenBuckets<Int>(rate: Rate(perSecond: 1, burst: 1))
        for _ in 0..<10 { #expect(buckets.peek(1, now: 0) == .allowed) }
        #expect(buckets.take(1, now: 0) == .allowed)
        #expect(buckets.peek(1, now: 0) == .refused(retryAfter: 1))
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
