import Foundation
import TestSupport

/// Text that was right once, changed as broken and hostile clients change it.
///
/// It knows where one token ends and the next begins, so that most of what it makes comes past the first check.
struct Mutator {
    var random: FaultRandom

    init(seed: UInt64) {
        self.random = FaultRandom(seed: seed)
    }

    /// Tokens that somebody forgot somewhere before.
    private static let tokens: [[UInt8]] =
        [
            "", "0", "-0", "-1", "1e999", "1.", ".5", "+1", "00", "9223372036854775807", "9223372036854775808",
            "-9223372036854775809", "999999999999.999999", "0.0000001", "1_000", "1,5", "NaN", "null", "true", "[]",
            "{}", "\"\"", "\"", "\\", "\\u0000", "\\ud800", "\\udfff\\ud800", "{\"a\":",
            "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "%", "%0", "%00", "%zz", "%ff", "+", "&", "&&", "=", "==", "?", "#",
            ";", ",", "\r\n", "\n", "\r", "\t", "\u{0}", "\u{FEFF}", "\u{2028}", "\u{202E}", "\u{DF}",
            "I\u{307}", "\u{3C2}", "e\u{301}", "\u{1F468}\u{200D}\u{1F469}", "*", "W/\"1\"", "\"1\", \"2\"",
            "-gzip", "gzip;q=0", "gzip;q=1.0001", "identity;q=0, *;q=0", "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:60Z", "2026-02-30", "2026-01-31T24:00:00Z", "1970-01-01T00:00:00+23:59",
            "2026-01-31T12:00:00.123456789Z", "' OR 1=1 --", "$1", "../..", "stk_", "Bearer ",
        ].map { Array($0.utf8) } + [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xEF, 0xBB, 0xBF]]

    /// Changes a text once or a few times.
    ///
    /// - Parameters:
    ///   - text: what was right.
    ///   - others: further texts, of which parts may be taken.
    /// - Returns: the changed text, at most 64 KiB of it.
    mutating func mutate(_ text: [UInt8], others: [[UInt8]]) -> [UInt8] {
        var bytes = text
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            switch Int.random(in: 0..<8, using: &random) {
            case 0: self.replaceToken(in: &bytes)
            case 1: self.insert(Self.tokens.randomElement(using: &random) ?? [], into: &bytes)
            case 2: self.flip(&bytes)
            case 3: bytes.removeSubrange(self.token(of: bytes))
            case 4: self.duplicate(in: &bytes)
            case 5: bytes.removeLast(Int.random(in: 0...bytes.count, using: &random))
            case 6: self.splice(others, into: &bytes)
            default: self.exchange(in: &bytes)
            }
        }
        return bytes.count > 65_536 ? Array(bytes.prefix(65_536)) : bytes
    }

    private static func isBoundary(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), 0x80...:
            false
        default: true
        }
    }

    /// Where a token of the text stands; a sign is a token by itself.
    private mutating func token(of bytes: [UInt8]) -> Range<Int> {
        guard !bytes.isEmpty else { return 0..<0 }
        let place = Int.random(in: 0..<bytes.count, using: &random)
        if Self.isBoundary(bytes[place]) { return place..<place + 1 }
        let start = bytes[..<place].lastIndex(where: Self.isBoundary).map { $0 + 1 } ?? 0
        let end = bytes[place...].firstIndex(where: Self.isBoundary) ?? bytes.count
        return start..<end
    }

    private mutating func replaceToken(in bytes: inout [UInt8]) {
        bytes.replaceSubrange(self.token(of: bytes), with: Self.tokens.randomElement(using: &random) ?? [])
    }

    private mutating func insert(_ token: [UInt8], into bytes: inout [UInt8]) {
        bytes.insert(contentsOf: token, at: Int.random(in: 0...bytes.count, using: &random))
    }

    private mutating func flip(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
    }

    private mutating func duplicate(in bytes: inout [UInt8]) {
        let token = Array(bytes[self.token(of: bytes)])
        let count = [1, 2, 10, 1000].randomElement(using: &random) ?? 1
        let place = Int.random(in: 0...bytes.count, using: &random)
        bytes.insert(contentsOf: Array(repeatElement(token, count: count).joined().prefix(65_536)), at: place)
    }

    private mutating func splice(_ others: [[UInt8]], into bytes: inout [UInt8]) {
        guard let other = others.randomElement(using: &random), !other.isEmpty else { return }
        let start = Int.random(in: 0..<other.count, using: &random)
        let end = Int.random(in: start..<other.count, using: &random)
        self.insert(Array(other[start...end]), into: &bytes)
    }

    private mutating func exchange(in bytes: inout [UInt8]) {
        let first = self.token(of: bytes)
        let second = self.token(of: bytes)
        let (left, right) = first.lowerBound < second.lowerBound ? (first, second) : (second, first)
        guard left.upperBound <= right.lowerBound else { return }
        let words = (Array(bytes[left]), Array(bytes[right]))
        bytes.replaceSubrange(right, with: words.0)
        bytes.replaceSubrange(left, with: words.1)
    }
}

/// How long is fuzzed, and from which seeds.
///
/// Each input has a seed of its own, so that one number repeats it. Seeds that found something are kept in
/// `Tests/APITests/Fuzz/seeds`, one per line behind the target's name, and are tried first in every run.
enum FuzzRun {
    /// Seconds of all targets together: `FUZZ_SECONDS`, or a taste of it.
    static let seconds = ProcessInfo.processInfo.environment["FUZZ_SECONDS"].flatMap { Double($0) } ?? 12

    /// The first seed: `FUZZ_SEED`, or another one in each run.
    static let first =
        ProcessInfo.processInfo.environment["FUZZ_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 1...(.max >> 1))

    /// Runs inputs until the time is over.
    ///
    /// - Parameters:
    ///   - target: whose seeds are meant.
    ///   - share: the part of the time it gets.
    ///   - isolation: where the inputs are tried.
    ///   - body: tries the input of a seed.
    /// - Returns: how many inputs were tried.
    /// - Throws: what an input throws; whatever kept the seeds from being read.
    static func run(
        _ target: String,
        share: Double,
        isolation: isolated (any Actor)? = #isolation,
        _ body: (UInt64) async throws -> Void
    ) async throws -> Int {
        for seed in try self.kept(target) { try await body(seed) }
        let end = ContinuousClock.now + .seconds(seconds * share)
        var tried = 0
        while ContinuousClock.now < end {
            let seed = first &+ UInt64(tried)
            // A trap leaves no message of ours: what came just before is the place to begin.
            if tried % 1000 == 0 {
                FileHandle.standardError.write(Data("fuzzing \(target) from FUZZ_SEED=\(seed)\n".utf8))
            }
            try await body(seed)
            tried += 1
        }
        return tried
    }

    private static func kept(_ target: String) throws -> [UInt64] {
        let file = SourceTree.root + "/Tests/APITests/Fuzz/seeds"
        return try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            return words.count >= 2 && words[0] == target ? UInt64(words[1]) : nil
        }
    }
}
