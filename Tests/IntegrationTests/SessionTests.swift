import Foundation
import Synchronization
import TestSupport
import Testing

extension Integration {
    /// What `Stock-Consistency` promises: invariants C2 and C3.
    @Suite("A session with its token")
    struct SessionTests {
        /// What is wrong while the token has to hold.
        enum Fault: String, CaseIterable, Sendable {
            case none, noRedis, busCut, redisFrozen
        }

        @Test(
            "a read with the token shows the write at once on another instance, whatever is broken",
            arguments: Fault.allCases
        )
        func readsItsWrites(fault: Fault) async throws {
            let deployment = try await Deployment.start(withRedis: fault != .noRedis)
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "TOKEN")
            let path = "/v1/products/\(product)"
            var fromMemory = 0
            for round in 1...40 {
                // The old value in the peer's memory is what must not be served.
                if try await tenant.get(path, from: .b)[header: "Cache-Status"]?.hasPrefix("stock-l1; hit") == true {
                    fromMemory += 1
                }
                switch fault {
                case .busCut: try await deployment.redis?.command("CLIENT", "KILL", "TYPE", "pubsub")
                case .redisFrozen where round == 1: try await deployment.redis?.pause()
                default: break
                }
                let written = try await tenant.rename(product, to: "Round \(round)")
                let token = try #require(written[header: "Stock-Consistency"])
                let read = try await tenant.get(path, from: .b, headers: ["Stock-Consistency": token])
                #expect(read.json["name"].string == "Round \(round)", "\(fault) \(read[header: "Cache-Status"] ?? "")")
                // On the writing instance without the token, too.
                #expect(try await tenant.get(path).json["name"].string == "Round \(round)", "\(fault), own write")
            }
            if fault != .redisFrozen { #expect(fromMemory > 0, "the peer had nothing in memory to be wrong with") }
            await deployment.redis?.resume()
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test("with the relay held up the peer still has the old value, and the token goes past it")
        func tokenHasSomethingToDo() async throws {
            let deployment = try await Deployment.start(withRedis: false)
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "HELD")
            let path = "/v1/products/\(product)"
            var round = 0
            var old = 0
            // The peer's lease may run out before it is asked: then there is nothing to be seen in that round.
            try await eventually(within: .seconds(60), "the peer served what was retired less than a lease ago") {
                round += 1
                try await deployment.settles(for: tenant, within: .seconds(20))
                try await tenant.warm(path, at: .b)
                let blockade = try await Blockade.ofTheRelay(on: deployment.database)
                let written = try await tenant.rename(product, to: "Round \(round)")
                let without = try await tenant.get(path, from: .b)
                let token = try #require(written[header: "Stock-Consistency"])
                let with = try await tenant.get(path, from: .b, headers: ["Stock-Consistency": token])
                #expect(with.json["name"].string == "Round \(round)", "\(with[header: "Cache-Status"] ?? "")")
                // The read that went past the old value may not have put anything older back.
                let again = try await tenant.get(path, from: .b, headers: ["Stock-Consistency": token])
                #expect(again.json["name"].string == "Round \(round)", "\(again[header: "Cache-Status"] ?? "")")
                if without.json["name"].string != "Round \(round)" { old += 1 }
                try await blockade.end()
                return old >= 3
            }
            try await deployment.stop()
        }

        @Test("a session over three instances never goes back, while they disagree", arguments: [true, false])
        func neverGoesBack(withRedis: Bool) async throws {
            let deployment = try await Deployment.start(instances: 3, withRedis: withRedis)
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "MONO")
            let path = "/v1/products/\(product)"
            let progress = Progress()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { progress.isOver.store(true, ordering: .relaxed) }
                    for round in 1...60 {
                        // Held up now and then, the instances differ for as long as the lease lets them.
                        var blockade: Blockade?
                        if round.isMultiple(of: 10) { blockade = try await .ofTheRelay(on: deployment.database) }
                        let instance = try #require(Tenant.Instance(rawValue: round % 3))
                        _ = try await tenant.rename(product, to: "Round \(round)", at: instance)
                        try await blockade?.end()
                    }
                }
                for reader in 0..<3 {
                    group.addTask {
                        var random = SplitMix(seed: UInt64(reader))
                        var token = ""
                        var last = 0
                        var reads = 0
                        while !progress.isOver.load(ordering: .relaxed) {
                            let instance = try #require(Tenant.Instance(rawValue: Int(random.next() % 3)))
                            let read = try await tenant.get(path, from: instance, headers: ["Stock-Consistency": token])
                            let version = try #require(read.json["version"].int, "\(read.status) \(read.text)")
                            #expect(version >= last, "reader \(reader) after \(reads) reads, \(instance)")
                            last = max(last, version)
                            token = try #require(read[header: "Stock-Consistency"])
                            #expect(token.utf8.count < 2048)
                            reads += 1
                        }
                        #expect(reads > 20, "reader \(reader)")
                    }
                }
                try await group.waitForAll()
            }
            try await deployment.settles(for: tenant)
            try await deployment.stop()
        }

        @Test("a token that cannot be read, or is another tenant's, reads past the caches")
        func foreignToken() async throws {
            let deployment = try await Deployment.start(instances: 1)
            let mine = try await deployment.tenant(slug: "mine")
            let theirs = try await deployment.tenant(slug: "theirs")
            let product = try await mine.product(sku: "MINE")
            let other = try await theirs.product(sku: "THEIRS")
            let path = "/v1/products/\(product)"
            let token = try #require(try await theirs.rename(other, to: "x")[header: "Stock-Consistency"])
            try await mine.warm(path)
            for garbage in [token, "AAAA", "!", String(repeating: "A", count: 4000)] {
                let read = try await mine.get(path, headers: ["Stock-Consistency": garbage])
                #expect(read.status == 200, "\(garbage.prefix(20)): \(read.text)")
                #expect(read[header: "Cache-Status"] == "stock-l1; fwd=bypass", "\(garbage.prefix(20))")
            }
            try await deployment.stop()
        }
    }
}
