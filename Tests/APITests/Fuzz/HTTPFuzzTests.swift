import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import API

/// Requests that were right once, against the whole surface with its database: nothing but documented answers comes back.
@Suite("Fuzzing of requests")
struct HTTPFuzzTests {
    /// What would end the run by itself.
    private static let avoided: Set<String> = ["logOut", "changePassword"]

    @Test("no request makes a server error, or an answer that is not documented")
    func requests() async throws {
        let database = try await PostgresServer.shared().database(named: "fuzz")
        let shop = try await TestShop(url: database.appURL, runs: true)
        do {
            let journey = await Journey(shop, database)
            try await journey.open()
            let routes = shop.api.routes.filter { !Self.avoided.contains($0.name) }
            let bodies = routes.compactMap { $0.body?.exampleBytes }
            let tried = try await FuzzRun.run("requests", share: 0.5) { seed in
                var mutator = Mutator(seed: seed)
                guard let route = routes.randomElement(using: &mutator.random) else { return }
                let reply = await TestShop.$occasion.withValue("FUZZ_SEED=\(seed) ") {
                    await self.send(route, &mutator, bodies, journey)
                }
                #expect(reply.status.code < 500, "FUZZ_SEED=\(seed) \(route.method) \(route.path): \(reply.text)")
                if reply.status == .unauthorized, !self.isOpen(route) { try await journey.call("logIn") }
            }
            #expect(tried > 0)
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    private func isOpen(_ route: Route) -> Bool {
        if case .open = route.access { true } else { false }
    }

    /// Sends a request of a route, with one part of it mutated.
    private func send(
        _ route: Route,
        _ mutator: inout Mutator,
        _ bodies: [[UInt8]],
        _ journey: Journey
    ) async -> Reply {
        let part = Int.random(in: 0..<4, using: &mutator.random)
        var path = journey.places[route.path] ?? route.path
        if part == 0 { path = self.changed(path, &mutator) }
        var query = route.parameters.map { parameter in
            let value = parameter.schema.exampleBytes.filter { $0 != UInt8(ascii: "\"") }
            return "\(parameter.name)=\(String(decoding: value, as: UTF8.self))"
        }.joined(separator: "&")
        if part == 1 { query = self.changed(query, &mutator) }
        var fields = ["If-Match": "*", "Idempotency-Key": "f-\(mutator.random.next())"]
        if part == 2 {
            let names = [
                "If-Match", "If-None-Match", "Idempotency-Key", "Stock-Consistency", "Accept-Encoding", "Cache-Control",
            ]
            let name = names.randomElement(using: &mutator.random) ?? "If-Match"
            fields[name] = self.changed(fields[name] ?? "\"3.17\", gzip;q=0.5", &mutator)
        }
        var body = route.body?.exampleBytes
        if part == 3, let right = body { body = mutator.mutate(right, others: bodies) }
        return await journey.shop.send(
            route.method,
            query.isEmpty ? path : "\(path)?\(query)",
            token: self.isOpen(route) ? nil : journey.token,
            fields,
            bytes: body
        )
    }

    private func changed(_ text: String, _ mutator: inout Mutator) -> String {
        String(decoding: mutator.mutate(Array(text.utf8), others: []), as: UTF8.self)
    }
}
