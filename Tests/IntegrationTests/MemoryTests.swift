import Foundation
import TestSupport
import Testing

extension Integration {
    /// Invariant C11.
    @Suite("Memory")
    struct MemoryTests {
        @Test("a scan of large bodies leaves L1 within its bytes, and the process within reason")
        func scan() async throws {
            let limit = 4 << 20
            let deployment = try await Deployment.start(
                instances: 1,
                withRedis: false,
                settings: ["CACHE_L1_BYTES": String(limit)]
            )
            let tenant = try await deployment.tenant()
            for batch in 0..<4 {
                let name = String(repeating: "Long name ", count: 15)
                let items = (0..<100).map { number in
                    #"{"sku":"BIG-\#(batch)-\#(number)","name":"\#(name)\#(batch) \#(number)","price":"1.00"}"#
                }
                let made = try await tenant.post(
                    "/v1/products/batch",
                    #"{"products":[\#(items.joined(separator: ","))]}"#
                )
                try #require((200..<300).contains(made.status), "\(made.status) \(made.text)")
            }
            try await deployment.settles(for: tenant, within: .seconds(20))
            let words = ["long", "name", "long%20name"]
            var sizes: [Int] = []
            var largest = 0
            var before = 0
            for number in 0..<400 {
                // A key of its own each: about a hundred bodies fill the memory, the rest has to push others out.
                let answer = try await tenant.get("/v1/products?limit=\(50 + number % 150)&q=\(words[number / 150])")
                try #require(answer.status == 200, "\(answer.text)")
                sizes.append(answer.body.count)
                let health = try await deployment.a.client.send("GET", "/health/cache").json
                let bytes = try #require(health["l1_bytes"].int)
                largest = max(largest, bytes)
                #expect(bytes <= limit, "after \(number) bodies")
                if number == 50 { before = try Self.residentBytes(deployment.a.process.processID) }
            }
            let after = try Self.residentBytes(deployment.a.process.processID)
            let served = sizes.reduce(0, +)
            #expect(served > 4 * limit, "only \(served) bytes were read")
            #expect(largest > limit / 2, "only \(largest) bytes were ever kept")
            // A debug build's allocator keeps some; what would show is a multiple of what passed through.
            #expect(after - before < 4 * limit, "\(before) -> \(after)")
            print(
                "scan: \(served) bytes in \(sizes.count) bodies, at most \(largest) kept, resident \(before) -> \(after)"
            )
            try await deployment.stop()
        }

        /// The resident bytes of a process.
        private static func residentBytes(_ process: Int32) throws -> Int {
            let text = try String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8)
            return (Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0) * 4096
        }
    }
}
