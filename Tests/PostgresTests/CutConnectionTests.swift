import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2)), .serialized)
struct CutConnectionTests {
    @Test(
        "a connection cut at any message of the server leaves no wrong answer and nobody waiting",
        arguments: CuttingProxy.Place.allCases
    )
    func cuts(place: CuttingProxy.Place) async throws {
        let name = try await makeDatabase()
        let server = try await PostgresServer.shared()
        try await server.psql("CREATE TABLE item (id bigint PRIMARY KEY)", database: name)
        let target = "\(server.socketFolder)/.s.PGSQL.\(server.port)"
        var unknown = 0
        for cut in 0..<34 {
            let proxy = try CuttingProxy(target: target, cutAt: cut, place: place, connections: 3)
            defer { proxy.stop() }
            let id = Int64(cut)
            try await withClient("postgres://postgres@/\(name)?host=\(proxy.folder)") {
                $0.sharedConnections = 1
                $0.exclusiveConnections = 1
                $0.acquireTimeout = .seconds(2)
            } _: { client in
                let read = await failure {
                    let rows = try await client.query(CurrentTenant(), tenant: 3, deadline: seconds(5))
                    #expect(rows.map(\.value) == [3])
                }
                #expect(read == nil, "a read is repeated (cut at \(cut))")
                let error = await failure { try await client.insert(id, deadline: seconds(5)) }
                let text = try await server.psql("SELECT count(*) FROM item WHERE id = \(id)", database: name)
                let isThere = text.hasPrefix("1")
                switch error?.outcome {
                case nil: #expect(isThere, "acknowledged (cut at \(cut))")
                case .unknown: unknown += 1
                case .notRun, .failed: #expect(!isThere, "refused (cut at \(cut)): \(String(describing: error))")
                }
            }
        }
        #expect(unknown > 0, "some cut hits the unit between its Sync and the answer")
    }
}
