import Cache
import CacheAtHand
import Foundation

/// What a hit in the memory of the instance costs: key in hand, lease, look-up, version, expiry, and the token's question to the snapshot.
///
/// usage: l1-look-up [COUNT WITH-TOKEN]; without arguments it prints percentiles over batches, in nanoseconds for one hit; with them it makes
/// COUNT hits and prints nothing, for counting instructions. `TenantCache.hit` is synchronous: called here from a plain function, on a thread
/// that no executor knows, it has nowhere to hop to.
@main
struct L1LookUp {
    static let batch = 1000

    static func main() throws {
        let cache = CacheAtHand.make(l1Bytes: 64 << 20)
        let keys = try blocking { try await CacheAtHand.fill(cache, keys: 0..<2000, tenants: 10, bodyBytes: 2048) }
        let arguments = CommandLine.arguments
        if arguments.count == 3, let count = Int(arguments[1]) {
            let token = arguments[2] == "yes" ? Self.token(tenant: 1, writes: 1, reads: 0) : nil
            let key = keys[0]
            guard Self.hits(cache, [key], token, count: count) == count else { throw Failure(text: "a miss") }
            return
        }
        print("hits in L1, ns each, over batches of \(batch):")
        for (name, writes, reads) in [
            ("no token", -1, 0), ("token of one write", 1, 0), ("token of eight writes and a read", 8, 1),
        ] {
            // A token belongs to one tenant; the keys of the first are enough to miss the processor's nearest cache.
            let own = writes < 0 ? keys : keys.filter { $0.tenant == 1 }
            let token = writes < 0 ? nil : Self.token(tenant: 1, writes: writes, reads: reads)
            let shuffled = own.shuffled()
            for _ in 0..<200 { _ = Self.hits(cache, shuffled, token, count: batch) }
            var times: [Double] = []
            for _ in 0..<20_000 {
                let start = cache.clock.now
                guard Self.hits(cache, shuffled, token, count: batch) == batch else { throw Failure(text: "a miss") }
                times.append(Double(cache.clock.now - start) / Double(batch))
            }
            times.sort()
            let shares = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)]
                .map { "\($0) \(String(format: "%.1f", percentile($1, of: times)))" }
            print("  \(name): \(shares.joined(separator: ", "))")
        }
        let text = Self.token(tenant: 1, writes: 8, reads: 1).text
        let start = cache.clock.now
        var items = 0
        for _ in 0..<100_000 where ConsistencyToken(parsing: text, tenant: 1) != nil { items += 1 }
        print(
            "  reading the header of eight writes and a read, once a request: "
                + String(format: "%.0f ns", Double(cache.clock.now - start) / Double(items))
        )
        print("goal: p50 200 ns")
    }

    @inline(never)
    private static func hits(
        _ cache: TenantCache,
        _ keys: [CacheKey],
        _ token: ConsistencyToken?,
        count: Int
    ) -> Int {
        var found = 0
        var index = 0
        for _ in 0..<count {
            if cache.hit(keys[index], token: token) != nil { found += 1 }
            index += 1
            if index == keys.count { index = 0 }
        }
        return found
    }

    private static func token(tenant: Int64, writes: Int, reads: Int) -> ConsistencyToken {
        var token = ConsistencyToken(tenant: tenant, namespace: 0xaaaa_aaaa_aaaa_aaaa)
        for number in 0..<writes { token.add(write: UInt64(1000 + number), modules: [.products]) }
        if reads > 0 { token.add(read: .products, snapshot: Snapshot(xmin: 2000, xmax: 2003, xip: [2001])) }
        return token
    }
}

/// Why there is no figure.
private struct Failure: Error, CustomStringConvertible {
    let text: String
    var description: String { text }
}
