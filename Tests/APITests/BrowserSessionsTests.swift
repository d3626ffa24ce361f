import HTTPTypes
import Kernel
import NIOCore
import TestSupport
import Testing

@testable import API

/// Sessions whose refresh token a browser keeps, over a real database.
@Suite("Sessions of browsers")
struct BrowserSessionsTests {
    private func shop(
        _ name: String = #function,
        _ body: (TestShop, String) async throws -> Void
    ) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        let shop = try await TestShop(url: database.appURL, runs: true)
        do {
            try await body(shop, try await shop.signUp())
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    /// What a page of the host itself has the browser send.
    private static let ours = ["Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"]

    private static let login = #"{"email":"ana@example.com","password":"a long enough one","cookie":true}"#

    /// The cookie of an answer, as the browser sends it back.
    private func cookie(of reply: Reply) throws -> String {
        let field = try #require(reply["set-cookie"])
        #expect(field.hasSuffix("; Path=/; Max-Age=1209600; Secure; HttpOnly; SameSite=Strict"))
        #expect(field.hasPrefix("__Host-stock-session=rt_"))
        return String(field.prefix { $0 != ";" })
    }

    @Test("a browser's token is in its cookie alone, is exchanged in it, and ends with the session")
    func cycle() async throws {
        try await self.shop { shop, _ in
            let login = await shop.send(.post, "/v1/auth/login", Self.ours, body: Self.login)
            #expect(login.status == .ok, "\(login.text)")
            #expect(!login.text.contains("refresh_token") && !login.text.contains("rt_"))
            let first = try self.cookie(of: login)

            let refresh = await shop.send(
                .post,
                "/v1/auth/refresh",
                Self.ours.merging(["Cookie": "theme=dark; \(first)"]) { $1 },
                body: #"{"cookie":true}"#
            )
            #expect(refresh.status == .ok, "\(refresh.text)")
            #expect(!refresh.text.contains("rt_"))
            let second = try self.cookie(of: refresh)
            #expect(second != first)
            let token = try #require(refresh.json["access_token"].string)

            let switched = await shop.send(
                .post,
                "/v1/auth/switch",
                token: token,
                Self.ours,
                body: #"{"tenant":"corner","cookie":true}"#
            )
            #expect(switched.status == .ok, "\(switched.text)")
            _ = try self.cookie(of: switched)
            #expect(!switched.text.contains("rt_"))

            let out = await shop.send(.post, "/v1/auth/logout", token: token, Self.ours, body: #"{"cookie":true}"#)
            #expect(out.status == .noContent)
            #expect(out["set-cookie"]?.hasPrefix("__Host-stock-session=; Path=/; Max-Age=0; Secure") == true)
            let after = await shop.send(
                .post,
                "/v1/auth/refresh",
                Self.ours.merging(["Cookie": second]) { $1 },
                body: #"{"cookie":true}"#
            )
            #expect(after.status == .unauthorized)
        }
    }

    @Test("whoever keeps the token itself is given no cookie, and a cookie beside its token says nothing")
    func apart() async throws {
        try await self.shop { shop, token in
            let login = await shop.send(
                .post,
                "/v1/auth/login",
                Self.ours,
                body: #"{"email":"ana@example.com","password":"a long enough one"}"#
            )
            #expect(login["set-cookie"] == nil)
            let refresh = try #require(login.json["refresh_token"].string)
            let again = await shop.send(
                .post,
                "/v1/auth/refresh",
                ["Cookie": "__Host-stock-session=rt_nothing"],
                body: #"{"refresh_token":"\#(refresh)"}"#
            )
            #expect(again.status == .ok && again["set-cookie"] == nil)
            #expect(again.json["refresh_token"].string != nil)
            #expect(await shop.send(.post, "/v1/auth/logout", token: token)["set-cookie"] == nil)
        }
    }

    @Test("a page of elsewhere is refused, though the browser sends the cookie along, and the session stays")
    func forgery() async throws {
        try await self.shop { shop, _ in
            let login = await shop.send(.post, "/v1/auth/login", Self.ours, body: Self.login)
            let cookie = try self.cookie(of: login)
            let token = try #require(login.json["access_token"].string)
            for fields in [
                ["Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"],
                ["Origin": "https://evil.example"],
                ["Sec-Fetch-Site": "same-site", "Origin": "http://localhost:9999"],
                [:],
            ] {
                let sent = fields.merging(["Cookie": cookie]) { $1 }
                for (path, body) in [
                    ("/v1/auth/login", Self.login), ("/v1/auth/refresh", #"{"cookie":true}"#),
                    ("/v1/auth/logout", #"{"cookie":true}"#),
                    ("/v1/auth/switch", #"{"tenant":"corner","cookie":true}"#),
                ] {
                    let reply = await shop.send(.post, path, token: token, sent, body: body)
                    #expect(reply.status == .forbidden, "\(path) \(fields)")
                    #expect(reply["set-cookie"] == nil)
                }
            }
            let refresh = await shop.send(
                .post,
                "/v1/auth/refresh",
                Self.ours.merging(["Cookie": cookie]) { $1 },
                body: #"{"cookie":true}"#
            )
            #expect(refresh.status == .ok, "\(refresh.text)")
        }
    }

    @Test("a refresh names its token in one way, and every fault of the body is said")
    func faults() async throws {
        try await self.shop { shop, _ in
            for (body, pointer, code) in [
                ("{}", "/refresh_token", "required"),
                (#"{"cookie":false}"#, "/refresh_token", "required"),
                (#"{"refresh_token":"rt_a","cookie":true}"#, "/cookie", "conflict"),
                (#"{"cookie":"yes"}"#, "/cookie", "type"),
            ] {
                let reply = await shop.send(.post, "/v1/auth/refresh", Self.ours, body: body)
                #expect(reply.status.code == 422, "\(body): \(reply.text)")
                #expect(reply.json["errors"].elements.map { $0["pointer"].string } == [pointer], "\(body)")
                #expect(reply.json["errors"].elements.map { $0["code"].string } == [code], "\(body)")
            }
            let nothing = await shop.send(.post, "/v1/auth/refresh", Self.ours, body: #"{"cookie":true}"#)
            #expect(nothing.status == .unauthorized)
        }
    }

    @Test("what a browser may keep of reads is its caller's, and asked about each time; the rest is not kept")
    func keeping() async throws {
        try await self.shop { shop, token in
            let read = await shop.send(.get, "/v1/tenant", token: token)
            #expect(read["cache-control"] == "private, no-cache")
            #expect(read["vary"]?.contains("Authorization") == true)
            let tag = try #require(read["etag"])
            let same = await shop.send(.get, "/v1/tenant", token: token, ["If-None-Match": tag])
            #expect(same.status == .notModified && same["cache-control"] == "private, no-cache")
            #expect(same["vary"]?.contains("Authorization") == true)
            #expect(await shop.send(.get, "/v1/tenant")["cache-control"] == "no-store")
            let login = await shop.send(.post, "/v1/auth/login", Self.ours, body: Self.login)
            #expect(login["cache-control"] == "no-store")
            #expect(await shop.send(.get, "/v1/audit", token: token)["cache-control"] == "no-store")
        }
    }
}
