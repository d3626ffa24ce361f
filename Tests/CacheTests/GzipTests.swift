import NIOCore
import Testing

@testable import Cache

@Suite struct GzipTests {
    private static func text(_ count: Int) -> ByteBuffer {
        ByteBuffer(string: (0..<count).map { "{\"id\":\($0),\"name\":\"product \($0 % 17)\"}" }.joined(separator: ","))
    }

    @Test("what is compressed comes back, as what gzip writes", arguments: [100, 1000, 20_000])
    func roundTrip(_ count: Int) throws {
        let body = Self.text(count)
        let deflated = try #require(Gzip.deflate(body))
        #expect(deflated.readableBytes * 3 < body.readableBytes)
        #expect(deflated.getBytes(at: deflated.readerIndex, length: 3) == [0x1F, 0x8B, 8])
        #expect(deflated.storageCapacity < deflated.readableBytes * 2 + 64, "no room for the worst case is kept")
        #expect(Gzip.inflate(deflated, length: body.readableBytes) == body)
    }

    @Test("what does not become smaller is left alone")
    func random() {
        var generator = Seeded(3)
        let body = ByteBuffer(bytes: (0..<10_000).map { _ in UInt8.random(in: 0...255, using: &generator) })
        #expect(Gzip.deflate(body) == nil)
    }

    @Test("another length, a cut, or garbage is nothing")
    func garbage() throws {
        let body = Self.text(1000)
        let length = body.readableBytes
        var deflated = try #require(Gzip.deflate(body))
        #expect(Gzip.inflate(deflated, length: length - 1) == nil)
        #expect(Gzip.inflate(deflated, length: length + 1) == nil)
        let cut = try #require(deflated.getSlice(at: 0, length: deflated.readableBytes / 2))
        #expect(Gzip.inflate(cut, length: length) == nil)
        deflated.setInteger(0xFF as UInt8, at: 1)
        #expect(Gzip.inflate(deflated, length: length) == nil)
        var generator = Seeded(5)
        for _ in 0..<200 {
            let index = Int.random(in: 10..<deflated.readableBytes, using: &generator)
            deflated.setInteger(UInt8.random(in: 0...255, using: &generator), at: index)
            _ = Gzip.inflate(deflated, length: length)
        }
    }
}
