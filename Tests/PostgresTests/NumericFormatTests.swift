import Testing

@testable import Postgres

@Suite
struct NumericFormatTests {
    /// The bytes as a span, for the time of a closure.
    private func decode(_ bytes: [UInt8], scale: Int) throws(PostgresError) -> Int64 {
        try NumericFormat.decode(bytes.span.bytes, scale: scale)
    }

    @Test("every fixed-point number comes back from its binary form")
    func roundTrip() throws {
        var generator = SystemRandomNumberGenerator()
        var values: [Int64] = [0, 1, -1, 9, 10, 9_999, 10_000, 10_001, -10_000, .max, .min, .max - 1, 99_999_999]
        for _ in 0..<2_000 {
            values.append(Int64(bitPattern: generator.next()) >> Int64.random(in: 0..<64))
        }
        for value in values {
            for scale in 0...18 {
                var bytes: [UInt8] = []
                try NumericFormat.encode(value, scale: scale, into: &bytes)
                #expect(try decode(bytes, scale: scale) == value, "\(value) at \(scale)")
            }
        }
    }

    @Test("a number with more decimals than wanted, NaN, the infinities and one too large are refused")
    func refusals() throws {
        var bytes: [UInt8] = []
        try NumericFormat.encode(1_234_567, scale: 6, into: &bytes)
        #expect(throws: PostgresError.self) { try decode(bytes, scale: 4) }
        for sign: UInt8 in [0xC0, 0xD0, 0xF0] {
            #expect(throws: PostgresError.self) { try decode([0, 0, 0, 0, sign, 0, 0, 0], scale: 4) }
        }
        var large: [UInt8] = []
        try NumericFormat.encode(.max, scale: 0, into: &large)
        #expect(throws: PostgresError.self) { try decode(large, scale: 1) }
        #expect(throws: PostgresError.self) { try decode([0, 1, 0x7F, 0xFF, 0, 0, 0, 0, 0, 1], scale: 0) }
    }

    @Test("truncated and random bytes are errors, never traps")
    func fuzz() {
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0..<24)).map { _ in UInt8.random(in: 0...255) }
            let scale = Int.random(in: 0...18)
            _ = try? decode(bytes, scale: scale)
            _ = try? [Int64?](decoding: bytes.span.bytes, as: .int8Array)
            _ = try? [String](decoding: bytes.span.bytes, as: .textArray)
            _ = try? PGSnapshot(decoding: bytes.span.bytes, as: .pgSnapshot)
            _ = try? PostgresUUID(decoding: bytes.span.bytes, as: .uuid)
            _ = try? Int64(decoding: bytes.span.bytes, as: .int4)
            _ = try? String(decoding: bytes.span.bytes, as: .jsonb)
        }
    }
}
