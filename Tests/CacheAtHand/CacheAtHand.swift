package import Cache
import Dispatch
import NIOCore
import Synchronization

/// A cache that is in use without a database: its lane has seen the probes that prove it up to date, and its lease lasts an hour.
package enum CacheAtHand {
    /// The namespace of the lane.
    package static let ns = String(repeating: "a", count: 32)
    /// A snapshot that sees every transaction below 1,000,000.
    package static let snapshot = Snapshot(xmin: 1_000_000, xmax: 1_000_000, xip: [])

    /// Makes one.
    ///
    /// - Parameter l1Bytes: Of its memory.
    /// - Returns: The cache.
    package static func make(l1Bytes: Int = 64 << 20) -> TenantCache {
        var settings = CacheSettings()
        settings.lease = .seconds(3600)
        settings.defaultTTL = .seconds(3600)
        settings.moduleTTL = [:]
        settings.l1Bytes = l1Bytes
        let cache = TenantCache(settings: settings)
        for drains in [0, 2, 4] as [Int64] {
            cache.lane.probeEnded(
                cache.lane.probeBegins(at: cache.clock.now),
                FollowAnswer(
                    ns: ns,
                    head: 0,
                    drains: drains,
                    rows: [LogRow(sequence: 0, tag: 7, tenant: nil, module: "", xids: [])],
                    xmin: 10
                )
            )
        }
        return cache
    }

    /// Fills keys spread over tenants, `key % tenants` each, with bodies of so many bytes; returns the keys.
    package static func fill(
        _ cache: TenantCache,
        keys numbers: Range<Int>,
        tenants: Int,
        bodyBytes: Int
    ) async throws -> [CacheKey] {
        var keys: [CacheKey] = []
        keys.reserveCapacity(numbers.count)
        for number in numbers {
            let key = KeyBuilder("id").adding("00000000-0000-7000-8000-\(String(number, radix: 16))")
                .key(tenant: Int64(1 + number % tenants), module: .products)
            // A buffer of its own each, as fills make them.
            _ = try await cache.read(key, deadline: .now + .seconds(60)) {
                var body = ByteBufferAllocator().buffer(capacity: bodyBytes)
                body.writeRepeatingByte(UInt8(ascii: "x"), count: bodyBytes)
                return Filled(content: .body(body, etag: "\"\(number).1\""), snapshot: snapshot)
            }
            keys.append(key)
        }
        return keys
    }
}

/// The value below which a share of the sorted numbers lies.
package func percentile(_ share: Double, of sorted: [Double]) -> Double {
    sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
}

/// Runs an asynchronous body and blocks this thread until it has ended.
///
/// The main function of these programs is not asynchronous: valgrind does not survive what libdispatch does to the main thread then.
package func blocking<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) throws -> Value {
    let outcome = Outcome<Value>()
    Task {
        do {
            outcome.set(.success(try await body()))
        } catch {
            outcome.set(.failure(error))
        }
    }
    return try outcome.wait().get()
}

private final class Outcome<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)
    private let semaphore = DispatchSemaphore(value: 0)

    func set(_ value: Result<Value, any Error>) {
        result.withLock { $0 = value }
        semaphore.signal()
    }

    func wait() -> Result<Value, any Error> {
        semaphore.wait()
        return result.withLock { $0 } ?? .failure(CancellationError())
    }
}
