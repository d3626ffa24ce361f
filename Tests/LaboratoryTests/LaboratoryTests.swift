import Foundation
import TestSupport
import Testing

/// Serialized, because each test runs instances of the service and measures what one sees of the other.
@Suite("Laboratory", .serialized)
struct LaboratoryTests {
    @Test("a laboratory serves its tenants through proxies, and an instance comes back at its old address")
    func deployment() async throws {
        let laboratory = try await Laboratory.start(instances: 2, seed: 1, executable: StockCommand.path)
        let tenant = try await laboratory.tenant("shop")
        for instance in laboratory.instances {
            let answer = try await instance.client.send("GET", "/v1/products", headers: tenant.authorization)
            #expect(answer.status == 200, "\(answer.text)")
            try await eventually("the instance uses its caches") { await instance.isCaching() }
        }
        for link in laboratory.links.flatMap(\.all) { #expect(link.counts.connections > 0, "\(link.name)") }
        let doomed = laboratory.instances[0]
        try await laboratory.restart(doomed)
        try await doomed.becomeReady(within: .seconds(30))
        laboratory.pause(doomed)
        #expect(await !doomed.isReady())
        laboratory.resume(doomed)
        try await eventually("the instance uses its caches again") { await doomed.isCaching() }
        await laboratory.stop()
    }
}
