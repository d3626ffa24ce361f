import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Sales under contention")
    struct SalesTests {
        @Test(
            "64 parallel sales of the last 10 units: 10 succeed, 54 are refused, nothing is left, nothing is oversold"
        )
        func lastUnits() async throws {
            let deployment = try await Deployment.start()
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "LAST", price: "2.50", onHand: 10)
            let answers = try await inParallel(64) { number in
                let key = UUID().uuidString
                while true {
                    let answer = try await tenant.post(
                        "/v1/sales",
                        to: number.isMultiple(of: 2) ? .a : .b,
                        key: key,
                        Tenant.sale([(product, 1)], total: "2.50")
                    )
                    // A busy machine may say "later": the same key again, as any client would.
                    if answer.status != 503 { return answer }
                }
            }
            #expect(answers.count { $0.status == 201 } == 10)
            let refused = answers.filter { $0.status == 409 }
            #expect(refused.count == 54, "\(Set(answers.map(\.status)))")
            for answer in refused {
                #expect(answer[header: "Content-Type"]?.hasPrefix("application/problem+json") == true)
                #expect(answer.json["code"].string == "insufficient_stock")
                #expect(answer.json["errors"][0]["requested"].string == "1")
                #expect(answer.json["errors"][0]["available"].string == "0")
            }
            #expect(try await tenant.onHand(product, from: .a) == "0")
            #expect(try await tenant.onHand(product, from: .b) == "0")
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test("two carts with the same products in opposite order, 1,000 times: no client sees a deadlock")
        func oppositeCarts() async throws {
            let deployment = try await Deployment.start()
            let tenant = try await deployment.tenant()
            let first = try await tenant.product(sku: "A", onHand: 10_000)
            let second = try await tenant.product(sku: "B", onHand: 10_000)
            let there = Tenant.sale([(first, 1), (second, 1)], total: "2.00")
            let back = Tenant.sale([(second, 1), (first, 1)], total: "2.00")
            let statuses = try await inParallel(8) { worker in
                var statuses: [Int] = []
                for _ in 0..<250 {
                    let answer = try await tenant.post(
                        "/v1/sales",
                        to: worker < 4 ? .a : .b,
                        worker.isMultiple(of: 2) ? there : back
                    )
                    statuses.append(answer.status)
                }
                return statuses
            }.flatMap { $0 }
            #expect(statuses.count == 2000)
            #expect(statuses.allSatisfy { $0 == 201 }, "\(Dictionary(grouping: statuses) { $0 }.mapValues(\.count))")
            #expect(try await tenant.onHand(first, from: .b) == "8000")
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test("the same Idempotency-Key sent 16 times in parallel: one sale, identical bodies")
        func sameKey() async throws {
            let deployment = try await Deployment.start()
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "ONCE", price: "3.00", onHand: 100)
            let body = Tenant.sale([(product, 1)], total: "3.00")
            let key = UUID().uuidString
            let answers = try await inParallel(16) { number in
                // Who comes while the first still runs is told to come again: the answer to that is to do so.
                while true {
                    let answer = try await tenant.post(
                        "/v1/sales",
                        to: number.isMultiple(of: 2) ? .a : .b,
                        key: key,
                        body
                    )
                    guard answer.status == 409, answer.json["code"].string == "idempotency_in_progress" else {
                        return answer
                    }
                    #expect(answer[header: "Retry-After"] != nil)
                }
            }
            #expect(answers.allSatisfy { $0.status == 201 }, "\(answers.map(\.status))")
            #expect(Set(answers.map(\.body)).count == 1)
            #expect(Set(answers.map { $0[header: "Location"] }).count == 1)
            #expect(answers.count { $0[header: "Idempotency-Replayed"] == "true" } == 15)
            #expect(try await tenant.onHand(product) == "99")

            let other = try await tenant.post("/v1/sales", key: key, Tenant.sale([(product, 2)], total: "6.00"))
            #expect(other.status == 422)
            #expect(other.json["code"].string == "idempotency_key_reused")
            try await deployment.expectHealthy()
            try await deployment.stop()
        }
    }
}

/// Runs a body many times at once and returns what they returned, in order.
func inParallel<Value: Sendable>(
    _ count: Int,
    _ body: @escaping @Sendable (Int) async throws -> Value
) async throws -> [Value] {
    try await withThrowingTaskGroup(of: (Int, Value).self) { group in
        for number in 0..<count {
            group.addTask { (number, try await body(number)) }
        }
        var values: [Int: Value] = [:]
        for try await (number, value) in group { values[number] = value }
        return (0..<count).compactMap { values[$0] }
    }
}
