import Testing

@testable import Postgres

@Suite("Whether the database answers")
struct AvailabilityTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start.advanced(by: .seconds(seconds)) }

    @Test("failing is counted from the failure, however long nobody asked before")
    func idle() {
        var availability = Availability()
        #expect(availability.update(isAvailable: true, now: at(0)) == nil)
        #expect(availability.state == .available)
        // Nobody asks for an hour; then the connections break.
        #expect(availability.update(isAvailable: false, now: at(3600)) == nil)
        #expect(availability.state == .failing(since: at(3600)))
        #expect(availability.update(isAvailable: false, now: at(3604)) == nil)
        #expect(availability.state == .failing(since: at(3600)))
        #expect(availability.update(isAvailable: true, now: at(3609)) == .seconds(9))
        #expect(availability.state == .available)
    }

    @Test("a database that was never reached is not one that fails since a moment ago")
    func never() {
        var availability = Availability()
        for second in 0..<20 {
            #expect(availability.update(isAvailable: false, now: at(Double(second))) == nil)
            #expect(availability.state == .neverReached)
        }
        #expect(availability.update(isAvailable: true, now: at(20)) == nil)
        #expect(availability.state == .available)
    }
}
