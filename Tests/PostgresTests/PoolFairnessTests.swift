import Testing

@testable import Postgres

/// What tenants do to each other in the queues for connections.
@Suite
struct PoolFairnessTests {
    private static let start = ContinuousClock.now

    private func at(_ milliseconds: Int) -> ContinuousClock.Instant {
        Self.start.advanced(by: .milliseconds(milliseconds))
    }

    /// A running pool with as many exclusive connections as wanted, numbered from 2.
    private func pool(exclusive: Int = 3) throws -> PoolStateMachine {
        var configuration = try PostgresConfiguration(url: "postgres:///shop")
        configuration.sharedConnections = 2
        configuration.exclusiveConnections = exclusive
        configuration.unitsPerSharedConnection = 2
        var pool = PoolStateMachine(configuration: configuration, now: Self.start, random: { 0.5 })
        _ = pool.start(now: Self.start)
        for id in 0..<(exclusive + 3) { _ = pool.connected(id, now: Self.start) }
        return pool
    }

    private func sale(of tenant: Int64, on lane: Lane = .exclusive, at time: Int = 0) -> PoolRequest {
        .unit(UnitRequest(unit: UnitOfWork(tenant: tenant, access: .write), lane: lane, deadline: at(time + 5_000)))
    }

    /// A unit of so many rows.
    private func batch(of tenant: Int64, rows: Int = 1_000, at time: Int = 0) throws -> PoolRequest {
        var unit = UnitOfWork(tenant: tenant, access: .write)
        try unit.add(WriteRows(names: (0..<rows).map { "A product with a name, number \($0), and other columns" }))
        return .unit(UnitRequest(unit: unit, lane: .exclusive, deadline: at(time + 5_000)))
    }

    /// Whether it was handed to a connection.
    private func isSent(_ action: PoolStateMachine.Action?) -> Bool {
        if case .send = action { true } else { false }
    }

    /// Who was handed to a connection, in order.
    private func tenants(_ actions: [PoolStateMachine.Action]) -> [Int64?] {
        actions.compactMap { action in
            if case .send(let request, _) = action { request.claim.tenant } else { nil }
        }
    }

    @Test("a unit of a hundred rows and more is a bulk, a sale is none")
    func kinds() throws {
        #expect(try batch(of: 1, rows: 500).claim.kind == .heavy)
        #expect(try batch(of: 1, rows: 20).claim.kind == .light)
        #expect(sale(of: 1).claim.kind == .light)
    }

    @Test("bulks run on half of the exclusive connections, so that a sale finds one free, its own tenant's too")
    func bulks() throws {
        var pool = try pool()
        #expect(isSent(pool.submit(try batch(of: 1), now: at(0))))
        for tenant in [1, 1, 2] as [Int64] { #expect(!isSent(pool.submit(try batch(of: tenant), now: at(0)))) }
        #expect(isSent(pool.submit(sale(of: 3), now: at(0))))
        #expect(isSent(pool.submit(sale(of: 1), now: at(0))))
    }

    @Test("a tenant that is alone may have every connection; once another was seen it leaves one")
    func share() throws {
        var pool = try pool()
        for _ in 0..<3 { #expect(isSent(pool.submit(sale(of: 1), now: at(0)))) }
        #expect(!isSent(pool.submit(sale(of: 2), now: at(0))))
        let light = PoolClaim(tenant: 1, kind: .light)
        #expect(tenants(pool.released(2, light, isUsable: true, now: at(1))) == [2])
        #expect(tenants(pool.released(3, light, isUsable: true, now: at(1))) == [])
        #expect(isSent(pool.submit(sale(of: 1), now: at(2))))
        _ = pool.released(2, PoolClaim(tenant: 2, kind: .light), isUsable: true, now: at(3))
        #expect(!isSent(pool.submit(sale(of: 1), now: at(4))), "a third connection while tenant 2 is about")
        #expect(isSent(pool.submit(sale(of: 2), now: at(5))))
    }

    @Test("of the places on shared connections a tenant that is not alone has half")
    func sharedPlaces() throws {
        var pool = try pool()
        #expect(isSent(pool.submit(sale(of: 2, on: .shared), now: at(0))))
        #expect(isSent(pool.submit(sale(of: 1, on: .shared), now: at(0))))
        #expect(isSent(pool.submit(sale(of: 1, on: .shared), now: at(0))))
        #expect(!isSent(pool.submit(sale(of: 1, on: .shared), now: at(0))))
        #expect(isSent(pool.submit(sale(of: 3, on: .shared), now: at(0))))
    }

    @Test("who waits is served by turns, not by the order in which they came")
    func turns() throws {
        var pool = try pool(exclusive: 1)
        _ = pool.submit(sale(of: 9), now: at(0))
        for tenant in [1, 1, 1, 2, 3] as [Int64] { #expect(!isSent(pool.submit(sale(of: tenant), now: at(0)))) }
        var order: [Int64?] = []
        var last: Int64? = 9
        while let tenant = last {
            let sent = tenants(pool.released(2, PoolClaim(tenant: tenant, kind: .light), isUsable: true, now: at(1)))
            order += sent
            last = sent.first ?? nil
        }
        #expect(order == [1, 2, 3, 1, 1])
    }

    @Test("a bulk waits for its turn until its deadline, a sale no longer than the pool's patience")
    func patience() throws {
        var pool = try pool(exclusive: 1)
        _ = pool.submit(try batch(of: 1), now: at(0))
        #expect(pool.submit(try batch(of: 1), now: at(0)) == nil)
        #expect(pool.submit(sale(of: 1), now: at(0)) == nil)
        #expect(pool.tick(now: at(250)).count == 1)
        #expect(pool.tick(now: at(4_999)).isEmpty)
        #expect(pool.tick(now: at(5_000)).count == 1)
    }

    @Test("a connection that is lost gives back what its work had taken")
    func lostConnection() throws {
        var pool = try pool()
        guard case .send(_, let id)? = pool.submit(try batch(of: 1), now: at(0)) else {
            Issue.record("the first bulk was not sent")
            return
        }
        #expect(pool.submit(try batch(of: 1), now: at(0)) == nil)
        _ = pool.closed(id, failure: nil, now: at(1))
        #expect(tenants(pool.connected(id + 6, now: at(2))) == [1])
    }

    /// Virtual time: batches from four connections, each sent as soon as the last was answered, beside a sale every 200 ms.
    @Test("beside tenants that send bulks without a pause, who sells once in 0.2 s is never refused", arguments: 1...5)
    func neighbour(noisy: Int) throws {
        var pool = try pool()
        var now = 0
        /// What ends when: on which connection, whose, how it goes on.
        var ends: [(time: Int, connection: Int, claim: PoolClaim)] = []
        var refused = (sales: 0, bulks: 0)
        var done = (sales: 0, bulks: 0)
        var waited: [Int] = []
        var sold: [ObjectIdentifier: Int] = [:]
        func act(_ actions: [PoolStateMachine.Action]) {
            for action in actions {
                switch action {
                case .send(let request, let connection):
                    let isBulk = request.claim.kind == .heavy
                    if !isBulk { waited.append(now - (sold[request.identity] ?? now)) }
                    ends.append((now + (isBulk ? 400 : 5), connection, request.claim))
                case .fail(let request, _):
                    if request.claim.kind == .heavy { refused.bulks += 1 } else { refused.sales += 1 }
                default: break
                }
            }
        }
        func submit(_ request: PoolRequest) {
            sold[request.identity] = now
            if let action = pool.submit(request, now: at(now)) { act([action]) }
        }
        for tenant in 1...noisy { for _ in 0..<4 { submit(try batch(of: Int64(tenant), at: now)) } }
        while now < 20_000 {
            if now % 200 == 0 { submit(sale(of: 99, at: now)) }
            for end in ends where end.time <= now {
                ends.removeAll { $0.connection == end.connection }
                act(pool.released(end.connection, end.claim, isUsable: true, now: at(now)))
                if end.claim.kind == .heavy {
                    done.bulks += 1
                    if let tenant = end.claim.tenant { submit(try batch(of: tenant, at: now)) }
                } else {
                    done.sales += 1
                }
            }
            act(pool.tick(now: at(now)))
            now += 1
        }
        #expect(refused.sales == 0)
        #expect(done.sales >= 99)
        #expect(done.bulks >= 45, "bulks go on, one after the other")
        #expect(waited.max() == 0, "a sale waits for no bulk")
    }
}

/// Rows by one array of texts.
private struct WriteRows: Statement {
    static let name = "test.write-rows"
    static let sql: SQL = "SELECT count(*) FROM unnest($1) AS n"
    static let parameterTypes: [PostgresType] = [.textArray]
    var names: [String]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(names)
    }
}
