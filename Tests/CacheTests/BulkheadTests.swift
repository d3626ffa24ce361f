import Testing

@testable import Cache

@Suite struct BulkheadTests {
    @Test("a tenant's fills wait for each other, another tenant's do not")
    func perTenant() async throws {
        let bulkhead = Bulkhead(perTenant: 1, total: 8, waiting: 8)
        let gate = Gate()
        let first = Task { try await bulkhead.run(for: 1, until: soon) { await gate.pass() } }
        await gate.arrival(of: 1)
        let second = Task { try await bulkhead.run(for: 1, until: soon) { await gate.pass() } }
        await eventually { bulkhead.waiting == 1 }
        let other = Task { try await bulkhead.run(for: 2, until: soon) { await gate.pass() } }
        await gate.arrival(of: 2)
        #expect(bulkhead.waiting == 1)
        await gate.open()
        for task in [first, second, other] { try await task.value }
        #expect(bulkhead.waiting == 0)
    }

    @Test("a full queue refuses, and one tenant cannot fill it")
    func refused() async throws {
        let bulkhead = Bulkhead(perTenant: 1, total: 2, waiting: 8)
        let gate = Gate()
        var tasks = [Task { try await bulkhead.run(for: 1, until: soon) { await gate.pass() } }]
        await gate.arrival(of: 1)
        for count in 1...2 {
            tasks.append(Task { try await bulkhead.run(for: 1, until: soon) { await gate.pass() } })
            await eventually { bulkhead.waiting == count }
        }
        await #expect(throws: CacheOverload.refused) { try await bulkhead.run(for: 1, until: soon) {} }
        try await bulkhead.run(for: 2, until: soon) {}
        await gate.open()
        for task in tasks { try await task.value }
    }

    @Test("tenants take turns, however many of one wait")
    func turns() async throws {
        let bulkhead = Bulkhead(perTenant: 4, total: 1, waiting: 64)
        let gate = Gate()
        let order = Mutexed<[Int64]>([])
        let first = Task { try await bulkhead.run(for: 9, until: soon) { await gate.pass() } }
        await gate.arrival(of: 1)
        var tasks: [Task<Void, any Error>] = []
        for tenant in [1, 1, 1, 1, 2, 3] as [Int64] {
            let before = bulkhead.waiting
            tasks.append(
                Task { try await bulkhead.run(for: tenant, until: soon) { order.with { $0.append(tenant) } } }
            )
            await eventually { bulkhead.waiting == before + 1 }
        }
        await gate.open()
        try await first.value
        for task in tasks { try await task.value }
        #expect(order.with { $0 } == [1, 2, 3, 1, 1, 1])
    }

    @Test("who waits gives up at its deadline, or when cancelled, and takes no room")
    func givesUp() async throws {
        let bulkhead = Bulkhead(perTenant: 1, total: 1, waiting: 64)
        let gate = Gate()
        let first = Task { try await bulkhead.run(for: 1, until: soon) { await gate.pass() } }
        await gate.arrival(of: 1)
        await #expect(throws: CacheOverload.late) {
            try await bulkhead.run(for: 1, until: .now.advanced(by: .milliseconds(5))) {}
        }
        await #expect(throws: CacheOverload.late) { try await bulkhead.run(for: 1, until: .now) {} }
        let cancelled = Task { try await bulkhead.run(for: 2, until: soon) {} }
        await eventually { bulkhead.waiting == 1 }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        #expect(bulkhead.waiting == 0)
        let last = Task { try await bulkhead.run(for: 1, until: soon) { 7 } }
        await gate.open()
        try await first.value
        #expect(try await last.value == 7)
    }

    @Test("however fills come, end, and give up, the bounds hold and nobody is forgotten")
    func storm() async throws {
        let bulkhead = Bulkhead(perTenant: 2, total: 3, waiting: 1000)
        let running = Mutexed<[Int64: Int]>([:])
        let worst = Mutexed((tenant: 0, total: 0))
        await withTaskGroup { group in
            for number in 0..<600 {
                group.addTask {
                    let tenant = Int64(number % 7)
                    let deadline = number % 5 == 0 ? ContinuousClock.now.advanced(by: .microseconds(300)) : soon
                    let task = Task {
                        try await bulkhead.run(for: tenant, until: deadline) {
                            let now = running.with { running in
                                running[tenant, default: 0] += 1
                                return (running[tenant, default: 0], running.values.reduce(0, +))
                            }
                            worst.with { $0 = (max($0.tenant, now.0), max($0.total, now.1)) }
                            for _ in 0..<5 { await Task.yield() }
                            running.with { $0[tenant, default: 1] -= 1 }
                        }
                    }
                    if number % 11 == 0 { task.cancel() }
                    _ = try? await task.value
                }
            }
        }
        #expect(worst.with { $0.tenant } <= 2)
        #expect(worst.with { $0.total } <= 3)
        #expect(bulkhead.waiting == 0)
        try await bulkhead.run(for: 1, until: soon) {}
    }
}
