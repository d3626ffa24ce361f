import Crypto
import Kernel
import Testing

@testable import API

@Suite("AccessTokens")
struct AccessTokensTests {
    private let secret = Array("a secret of thirty-two bytes, so!".utf8)
    private let other = Array("another secret of thirty-two bytes".utf8)
    private let user = UserID.make()
    private let session = SessionID.make()
    private let tenant = TenantID(rawValue: 12)

    private func clock(_ second: Int64) -> WallClock {
        WallClock(now: { Timestamp(microsecondsSince1970: second * 1_000_000) })
    }

    private func tokens(_ keys: [SigningKey], at second: Int64 = 1_800_000_000) async throws -> AccessTokens {
        try await AccessTokens(keys: keys, clock: self.clock(second))
    }

    private func issue(_ tokens: AccessTokens) throws -> String {
        try tokens.issue(user: self.user, session: self.session, tenant: self.tenant)
    }

    /// A token of any header and payload, signed rightly.
    private func forge(header: String, payload: String, secret: [UInt8]) -> String {
        let text =
            Base64URL.characters(of: Array(header.utf8)) + [UInt8(ascii: ".")]
            + Base64URL.characters(of: Array(payload.utf8))
        let signature = HMAC<SHA256>.authenticationCode(for: text, using: SymmetricKey(data: secret))
        return String(decoding: text + [UInt8(ascii: ".")] + Base64URL.characters(of: Array(signature)), as: UTF8.self)
    }

    private func payload(_ changes: [String: String?] = [:]) -> String {
        var claims: [(String, String)] = [
            ("iss", "\"stock\""), ("aud", "\"stock-api\""), ("sub", "\"\(self.user)\""), ("sid", "\"\(self.session)\""),
            ("tid", "12"), ("iat", "1800000000"), ("nbf", "1800000000"), ("exp", "1800000900"),
        ]
        for (name, value) in changes {
            claims.removeAll { $0.0 == name }
            if let value { claims.append((name, value)) }
        }
        return "{" + claims.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }

    @Test("what was issued is accepted, with its user, session and tenant")
    func roundTrip() async throws {
        let tokens = try await self.tokens([SigningKey(secret: self.secret)])
        let claims = try tokens.verify(self.issue(tokens))
        #expect(claims.user == self.user)
        #expect(claims.session == self.session)
        #expect(claims.tenant == self.tenant)
        #expect(claims.expiresAt == 1_800_000_900)
    }

    @Test("during a rotation the old key's tokens are accepted, and the new key signs")
    func rotation() async throws {
        let old = try SigningKey(kid: "old", secret: self.secret)
        let new = try SigningKey(kid: "new", secret: self.other)
        let before = try await self.tokens([old])
        let during = try await self.tokens([new, old])
        let after = try await self.tokens([new])
        _ = try during.verify(self.issue(before))
        _ = try after.verify(self.issue(during))
        #expect(throws: Problem.self) { try after.verify(self.issue(before)) }
    }

    @Test("a token lasts fifteen minutes and thirty seconds of leeway")
    func expiry() async throws {
        let key = try SigningKey(secret: self.secret)
        let token = try self.issue(try await self.tokens([key]))
        _ = try await self.tokens([key], at: 1_800_000_929).verify(token)
        let late = try await self.tokens([key], at: 1_800_000_930)
        #expect(throws: Problem.self) { try late.verify(token) }
        _ = try await self.tokens([key], at: 1_799_999_970).verify(token)
        let early = try await self.tokens([key], at: 1_799_999_969)
        #expect(throws: Problem.self) { try early.verify(token) }
    }

    @Test("a header that is not byte for byte ours is refused although it is signed rightly")
    func headers() async throws {
        let tokens = try await self.tokens([SigningKey(kid: "k1", secret: self.secret)])
        let good = self.forge(
            header: #"{"alg":"HS256","kid":"k1","typ":"at+jwt"}"#,
            payload: self.payload(),
            secret: self.secret
        )
        _ = try tokens.verify(good)
        for header in [
            #"{"alg":"HS256","typ":"at+jwt"}"#, #"{"alg":"HS256","kid":"k2","typ":"at+jwt"}"#,
            #"{"alg":"none","kid":"k1","typ":"at+jwt"}"#, #"{"alg":"HS512","kid":"k1","typ":"at+jwt"}"#,
            #"{"alg":"HS256","kid":"k1","typ":"JWT"}"#, #"{"alg":"HS256","kid":"k1","typ":"rt+jwt"}"#,
            #"{"alg":"HS256","crit":["exp"],"kid":"k1","typ":"at+jwt"}"#,
            #"{"alg":"HS256","jku":"https://example.com","kid":"k1","typ":"at+jwt"}"#, #"{}"#, "",
        ] {
            let token = self.forge(header: header, payload: self.payload(), secret: self.secret)
            #expect(throws: Problem.self, "\(header)") { try tokens.verify(token) }
        }
    }

    @Test("a claim that is missing, doubled, foreign or of another type is refused although it is signed rightly")
    func claims() async throws {
        let tokens = try await self.tokens([SigningKey(kid: "k1", secret: self.secret)])
        let header = #"{"alg":"HS256","kid":"k1","typ":"at+jwt"}"#
        var payloads = ["iss", "aud", "sub", "sid", "tid", "nbf", "exp"].map { self.payload([$0: String?.none]) }
        payloads += [
            self.payload(["iss": "\"other\""]), self.payload(["aud": "\"other\""]), self.payload(["sub": "\"12\""]),
            self.payload(["tid": "\"12\""]), self.payload(["tid": "0"]), self.payload(["tid": "-1"]),
            self.payload(["tid": "1e3"]), self.payload(["tid": "99999999999999999999"]),
            self.payload(["exp": "1800000900.5"]),
            self.payload().dropLast() + ",\"tid\":13}", "{}", "[]", "", self.payload() + " ",
        ]
        for payload in payloads {
            let token = self.forge(header: header, payload: payload, secret: self.secret)
            #expect(throws: Problem.self, "\(payload)") { try tokens.verify(token) }
        }
    }

    @Test("every single changed character of a token is noticed")
    func mutations() async throws {
        let tokens = try await self.tokens([SigningKey(secret: self.secret)])
        let token = Array(try self.issue(tokens).utf8)
        for index in token.indices {
            var changed = token
            changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(throws: Problem.self) { try tokens.verify(String(decoding: changed, as: UTF8.self)) }
        }
        for text in ["", ".", "..", "...", "stk_abc", String(decoding: token, as: UTF8.self) + "."] {
            #expect(throws: Problem.self) { try tokens.verify(text) }
        }
    }

    @Test("a token has one spelling")
    func spelling() async throws {
        let tokens = try await self.tokens([SigningKey(secret: self.secret)])
        for _ in 0..<50 {
            let token = try tokens.issue(user: .make(), session: .make(), tenant: self.tenant)
            let plain = token.split(separator: ".").last.map { $0.contains("-") || $0.contains("_") } ?? false
            guard plain else { continue }
            let respelled = String(token.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
            #expect(throws: Problem.self) { try tokens.verify(respelled) }
        }
        #expect(throws: Problem.self) { try tokens.verify(self.issue(tokens) + "=") }
    }

    @Test("a secret shorter than 32 bytes is refused")
    func shortSecret() {
        #expect(throws: SigningKey.Invalid.self) { try SigningKey(secret: Array(repeating: 1, count: 31)) }
        #expect(throws: SigningKey.Invalid.self) { try SigningKey.parse(keyFile: "k1:short") }
        #expect(throws: SigningKey.Invalid.self) { try SigningKey.parse(keyFile: "\n# nothing\n") }
    }

    @Test("a key file names one or two keys")
    func keyFile() throws {
        let secret = String(repeating: "secret: ", count: 5)
        #expect(try SigningKey.parse(keyFile: "\u{FEFF}k2:\(secret)2").map(\.kid) == ["k2"])
        let keys = try SigningKey.parse(keyFile: "# new first\nk2:\(secret)2\n\nk1:\(secret)1\n")
        #expect(keys.map(\.kid) == ["k2", "k1"])
        #expect(throws: SigningKey.Invalid.self) {
            try SigningKey.parse(keyFile: "a:\(secret)\nb:\(secret)\nc:\(secret)\n")
        }
        #expect(throws: SigningKey.Invalid.self) { try SigningKey.parse(keyFile: "a:\(secret)\na:\(secret)\n") }
    }
}

extension AccessTokens {
    /// Checks all of a token.
    fileprivate func verify(_ token: String) throws(Problem) -> AccessClaims { try self.check(self.signed(token)) }
}
