import Cache
import HTTPTypes
import HummingbirdCore
import NIOCore
import TestSupport
import Testing

@testable import API

@Suite("Bodies compressed by gzip", .serialized)
struct CompressionTests {
    private func open(_ name: String = #function, _ body: (TestShop, String) async throws -> Void) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        let shop = try await TestShop(url: database.appURL, runs: true)
        do {
            try await eventually("the cache is in use") { shop.cache.isUsable }
            let token = try await shop.signUp()
            let products = (0..<60).map { #"{"sku":"S\#($0)","name":"Product number \#($0)","price":"1.00"}"# }
            let batch = await shop.send(
                .post,
                "/v1/products/batch",
                token: token,
                ["Idempotency-Key": "batch"],
                body: "{\"products\":[\(products.joined(separator: ","))]}"
            )
            #expect(batch.status.code < 300, "\(batch.text)")
            try await body(shop, token)
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    private let path = "/v1/products?limit=60"
    private let gzip = ["Accept-Encoding": "gzip"]

    @Test("who accepts gzip gets the same bytes whether they were cached or not; who does not gets the plain ones")
    func representations() async throws {
        try await self.open { shop, token in
            for accepting in [[:], self.gzip] {
                let miss = await shop.send(.get, self.path, token: token, accepting)
                var past = accepting
                past["Cache-Control"] = "no-cache"
                let bypass = await shop.send(.get, self.path, token: token, past)
                let hit = try await shop.hit(token, self.path, accepting)
                for reply in [miss, bypass, hit] {
                    #expect(reply.status == .ok)
                    #expect(reply.body == hit.body, "\(reply["cache-status"] ?? "")")
                    #expect(reply["etag"] == hit["etag"])
                    #expect(reply["vary"] == "Accept-Encoding, Authorization")
                    #expect(reply["content-encoding"] == accepting["Accept-Encoding"])
                    #expect(reply["content-length"] == String(reply.body.readableBytes))
                }
            }
            let plain = try await shop.hit(token, self.path)
            let compressed = try await shop.hit(token, self.path, self.gzip)
            #expect(plain.body.readableBytes > 4096)
            #expect(compressed.body.readableBytes < plain.body.readableBytes / 4)
            #expect(plain["etag"] != compressed["etag"])
            #expect(try Gzip.describes(compressed.body, plain.body))
            for refusing in ["identity", "gzip;q=0", "br", "*;q=0"] {
                let reply = await shop.send(.get, self.path, token: token, ["Accept-Encoding": refusing])
                #expect(reply.body == plain.body, "\(refusing)")
                #expect(reply["content-encoding"] == nil)
            }
            let head = await shop.send(.head, self.path, token: token, self.gzip)
            #expect(head["content-length"] == compressed["content-length"])
            #expect(head.body.readableBytes == 0)
        }
    }

    @Test("conditions accept the tags of both representations, and 304 names the one the client has")
    func conditions() async throws {
        try await self.open { shop, token in
            let plain = try #require(await shop.send(.get, self.path, token: token)["etag"])
            let compressed = try #require(await shop.send(.get, self.path, token: token, self.gzip)["etag"])
            for accepting in [[:], self.gzip] {
                for (tag, named) in [
                    (plain, plain), (compressed, compressed), ("W/\(plain)", plain), ("W/\(compressed)", compressed),
                    ("\"x\", \(compressed)", compressed),
                ] {
                    var fields = accepting
                    fields["If-None-Match"] = tag
                    let reply = await shop.send(.get, self.path, token: token, fields)
                    #expect(reply.status == .notModified, "\(tag)")
                    #expect(reply["etag"] == named)
                    #expect(reply["vary"] == "Accept-Encoding, Authorization")
                    #expect(reply.body.readableBytes == 0)
                }
                var fields = accepting
                fields["If-None-Match"] = "\"other-gzip\""
                #expect(await shop.send(.get, self.path, token: token, fields).status == .ok)
            }
        }
    }

    @Test("a short body is sent plain, and its tag with the suffix is still a version for If-Match")
    func short() async throws {
        try await self.open { shop, token in
            let list = await shop.send(.get, "/v1/products?limit=1", token: token, self.gzip)
            let id = try #require(list.json["data"].elements.first?["id"].string)
            let product = await shop.send(.get, "/v1/products/\(id)", token: token, self.gzip)
            #expect(product["content-encoding"] == nil)
            #expect(product["vary"] == "Authorization")
            let etag = try #require(product["etag"])
            let changed = await shop.send(
                .patch,
                "/v1/products/\(id)",
                token: token,
                ["If-Match": etag.dropLast() + "-gzip\""],
                body: #"{"name":"Other"}"#
            )
            #expect(changed.status == .ok, "\(changed.text)")
        }
    }
}

/// Reads as much of a gzip file as says what it holds (RFC 1952).
private enum Gzip {
    /// Whether the file is of these bytes, by their length and checksum.
    static func describes(_ file: ByteBuffer, _ plain: ByteBuffer) throws -> Bool {
        let bytes = Array(file.readableBytesView)
        let trailer = bytes.suffix(8).reversed().map { UInt32($0) }
        let length = trailer[0] << 24 | trailer[1] << 16 | trailer[2] << 8 | trailer[3]
        let checksum = trailer[4] << 24 | trailer[5] << 16 | trailer[6] << 8 | trailer[7]
        return bytes.starts(with: [0x1F, 0x8B, 0x08]) && length == UInt32(plain.readableBytes)
            && checksum == self.checksum(plain.readableBytesView)
    }

    private static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
        ~bytes.reduce(~0) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
        }
    }
}
