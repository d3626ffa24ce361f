import Cache
import CacheAtHand
import Foundation

/// What a full L1 of small bodies really occupies: resident bytes of the process against the bytes L1 counts.
///
/// usage: l1-memory BODY-BYTES
@main
struct L1Memory {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 2, let size = Int(arguments[1]) else {
            throw Failure(text: "usage: l1-memory BODY-BYTES")
        }
        let limit = 64 << 20
        let cache = CacheAtHand.make(l1Bytes: limit)
        let before = residentBytes()
        // Twice over, so that memory has been turned over.
        var number = 0
        while number < 2_000_000 {
            let bytes = cache.health().l1Bytes
            if bytes > limit * 98 / 100, number > 2 * cache.health().l1Entries { break }
            _ = try await CacheAtHand.fill(cache, keys: number..<number + 2000, tenants: 10, bodyBytes: size)
            number += 2000
        }
        let counted = cache.health().l1Bytes
        let resident = residentBytes() - before
        print(
            "L1 of \(limit >> 20) MiB, bodies of \(size) bytes: \(cache.health().l1Entries) entries, "
                + "\(counted) bytes counted, \(resident) resident, "
                + String(format: "%.2f", Double(resident) / Double(counted))
        )
    }

    private static func residentBytes() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return (Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0) * 4096
    }
}

/// Why there is no figure.
private struct Failure: Error, CustomStringConvertible {
    let text: String
    var description: String { text }
}
