import IOLoop
import Testing

@Suite("The backoff")
struct BackoffTests {
    @Test("waits double up to the longest, each between half and all of its step, however many failures there were")
    func doubling() {
        let backoff = Backoff(first: .milliseconds(10), longest: .milliseconds(100))
        for (failures, step) in [(0, 10), (1, 20), (2, 40), (3, 80), (4, 100), (5, 100), (1_000_000, 100)] {
            #expect(backoff.wait(after: failures, random: 0) == .milliseconds(step) / 2)
            #expect(backoff.wait(after: failures, random: 1) == .milliseconds(step))
        }
    }
}
