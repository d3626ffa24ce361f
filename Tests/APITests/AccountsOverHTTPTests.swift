import Cache
import HTTPTypes
import Kernel
import TestSupport
import Testing

@testable import API

@Suite("Who gets in, over HTTP")
struct AccountsOverHTTPTests {
    private func shop(
        _ name: String = #function,
        rates: RateLimitSettings = .unlimited,
        _ body: (TestShop, String) async throws -> Void
    ) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        let shop = try await TestShop(url: database.appURL, runs: true, rates: rates)
        do {
            try await eventually("the cache is in use") { shop.cache.isUsable }
            try await body(shop, try await shop.signUp())
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    private func invite(_ shop: TestShop, _ token: String, _ email: String, _ role: Role) async throws -> JSON {
        let made = await shop.send(
            .post,
            "/v1/users",
            token: token,
            body: #"{"email":"\#(email)","role":"\#(role.rawValue)"}"#
        )
        try #require(made.status == .created, "\(made.text)")
        #expect(made["location"] == "/v1/invitations/\(made.json["id"].string ?? "")")
        return made.json
    }

    private func accept(_ shop: TestShop, _ token: String?, password: String = "a long enough one") async -> Reply {
        await shop.send(
            .post,
            "/v1/invitations/accept",
            body: #"{"token":"\#(token ?? "")","password":"\#(password)","name":"Somebody"}"#
        )
    }

    @Test("of all roles and of keys with every scope, an owner alone gives rights; admin keys may look")
    func roles() async throws {
        try await self.shop { shop, owner in
            var credentials: [(Role?, String)] = [(.owner, owner)]
            for role in Role.allCases where role != .owner {
                let invitation = try await self.invite(shop, owner, "\(role.rawValue)@example.com", role)
                let accepted = await self.accept(shop, invitation["invitation_token"].string)
                try #require(accepted.status == .created, "\(accepted.text)")
                #expect(accepted.json["tenant"]["role"].string == role.rawValue)
                credentials.append((role, try #require(accepted.json["access_token"].string)))
            }
            let scopes = Scope.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ",")
            let key = await shop.send(
                .post,
                "/v1/api-keys",
                token: owner,
                body: #"{"name":"all","scopes":[\#(scopes)]}"#
            )
            let secret = try #require(key.json["secret"].string, "\(key.text)")
            credentials.append((nil, secret))
            let open = try await self.invite(shop, owner, "open@example.com", .viewer)
            let invitation = "/v1/invitations/\(try #require(open["id"].string))"
            let me = await shop.send(.get, "/v1/me", token: owner)
            let user = "/v1/users/\(try #require(me.json["user"]["id"].string))"

            let looks: [(HTTPRequest.Method, String)] = [
                (.get, "/v1/users"), (.get, user), (.get, "/v1/api-keys"), (.get, "/v1/invitations"),
                (.get, invitation),
            ]
            let grants: [(HTTPRequest.Method, String, String?)] = [
                (.get, "/v1/audit", nil), (.post, "/v1/users", #"{"email":"new@example.com","role":"viewer"}"#),
                (.patch, user, #"{"role":"owner"}"#), (.post, "\(invitation)/renew", nil),
                (.post, "/v1/api-keys", #"{"name":"more","scopes":["catalog:read"]}"#),
                (.delete, "/v1/api-keys/\(APIKeyID.make())", nil), (.delete, invitation, nil),
            ]
            for (role, token) in credentials {
                let what = role?.rawValue ?? "key"
                for (method, path) in looks {
                    let reply = await shop.send(method, path, token: token)
                    #expect((reply.status == .ok) == (role == .owner || role == nil), "\(what) \(method) \(path)")
                    if reply.status != .ok { #expect(reply.status == .forbidden) }
                }
                guard role != .owner else { continue }
                for (method, path, body) in grants {
                    let reply = await shop.send(method, path, token: token, ["If-Match": "*"], body: body)
                    #expect(reply.status == .forbidden, "\(what) \(method) \(path): \(reply.text)")
                }
            }
            for (method, path, body) in grants {
                let reply = await shop.send(method, path, token: owner, ["If-Match": "*"], body: body)
                #expect(reply.status != .forbidden, "\(method) \(path): \(reply.text)")
            }
            // What belongs to a person is none of a key's.
            let changed = await shop.send(
                .post,
                "/v1/me/password",
                token: secret,
                body: #"{"current_password":"a long enough one","new_password":"another long one"}"#
            )
            #expect(changed.status == .forbidden)
            let joined = await shop.send(.post, "/v1/me/invitations", token: secret, body: #"{"token":"inv_x"}"#)
            #expect(joined.status == .forbidden)
        }
    }

    @Test("a password in an invitation is refused, not ignored")
    func passwordOfSomebodyElse() async throws {
        try await self.shop { shop, owner in
            let body = #"{"email":"bea@example.com","role":"viewer","password":"a long enough one"}"#
            let reply = await shop.send(.post, "/v1/users", token: owner, body: body)
            #expect(reply.status == .badRequest)
            #expect(reply.json["errors"][0]["pointer"].string == "/password")
        }
    }

    @Test("a foreign invitation's id is one that does not exist")
    func foreign() async throws {
        try await self.shop { shop, owner in
            let signup = await shop.send(
                .post,
                "/v1/signup",
                body: """
                    {"tenant_name":"Other","slug":"other","email":"bo@example.com","password":"a long enough one",\
                    "currency":"GBP","timezone":"Europe/London"}
                    """
            )
            let other = try #require(signup.json["access_token"].string)
            let mine = try await self.invite(shop, owner, "bea@example.com", .viewer)
            let id = try #require(mine["id"].string)
            for (method, path) in [
                (.get, "/v1/invitations/"), (.delete, "/v1/invitations/"), (.post, "/v1/invitations/"),
            ] as [(HTTPRequest.Method, String)] {
                let end = method == .post ? "/renew" : ""
                let fields = ["X-Request-Id": "same"]
                let foreign = await shop.send(method, path + id + end, token: other, fields)
                let unknown = await shop.send(method, path + "\(InvitationID.make())" + end, token: other, fields)
                #expect(foreign.status == .notFound)
                #expect(unknown.status == .notFound)
                #expect(foreign.json["detail"] == unknown.json["detail"])
            }
            #expect(await self.accept(shop, mine["invitation_token"].string).status == .created)
        }
    }

    @Test("log-in, sign-up and acceptance share the attempts of an account; those of an address end for all of them")
    func limits() async throws {
        var rates = RateLimitSettings.unlimited
        rates.loginAccount = Rate(perSecond: 0.000_1, burst: 3)
        try await self.shop(rates: rates) { shop, owner in
            let signup = """
                {"tenant_name":"B","slug":"bees","email":"bea@example.com","password":"a long enough one",\
                "currency":"EUR","timezone":"Europe/Berlin"}
                """
            // What is right costs nothing.
            #expect(await shop.send(.post, "/v1/signup", body: signup).status == .created)
            let invitation = try await self.invite(shop, owner, "bea@example.com", .viewer)
            let token = invitation["invitation_token"].string
            #expect(await self.accept(shop, token, password: "a guess at her password").status == .unauthorized)
            let login = #"{"email":"bea@example.com","password":"another guess"}"#
            #expect(await shop.send(.post, "/v1/auth/login", body: login).status == .unauthorized)
            let again = signup.replacing("bees", with: "wasps").replacing("a long enough", with: "not her long")
            #expect(await shop.send(.post, "/v1/signup", body: again).status == .unauthorized)
            for reply in [
                await self.accept(shop, token), await shop.send(.post, "/v1/auth/login", body: login),
                await shop.send(.post, "/v1/signup", body: again),
            ] { #expect(reply.status == .tooManyRequests) }
        }
        rates.loginAccount = nil
        // One of them is the sign-up of the shop.
        rates.loginAddress = Rate(perSecond: 0.000_1, burst: 3)
        rates.credentials = Rate(perSecond: 0.000_1, burst: 1)
        try await self.shop("limits_address", rates: rates) { shop, _ in
            #expect(await self.accept(shop, "inv_x").status == .unauthorized)
            #expect(await self.accept(shop, "inv_x").status == .unauthorized)
            #expect(await self.accept(shop, "inv_x").status == .tooManyRequests)
            let reset = #"{"token":"rst_x","password":"a long enough one"}"#
            #expect(await shop.send(.post, "/v1/auth/reset", body: reset).status == .unauthorized)
            #expect(await shop.send(.post, "/v1/auth/reset", body: reset).status == .tooManyRequests)
        }
    }

    @Test("a member changes the password, and the other sessions end; the tenant is chosen by slug or by number")
    func password() async throws {
        try await self.shop { shop, owner in
            func login(_ password: String, _ more: String = "") async -> Reply {
                await shop.send(
                    .post,
                    "/v1/auth/login",
                    body: #"{"email":"ana@example.com","password":"\#(password)"\#(more)}"#
                )
            }
            let second = await login("a long enough one")
            let phone = try #require(second.json["access_token"].string)
            let changed = await shop.send(
                .post,
                "/v1/me/password",
                token: owner,
                body: #"{"current_password":"a long enough one","new_password":"another long one"}"#
            )
            #expect(changed.status == .noContent, "\(changed.text)")
            #expect(await shop.send(.get, "/v1/me", token: owner).status == .ok)
            #expect(await shop.send(.get, "/v1/me", token: phone).status == .unauthorized)
            #expect(await login("a long enough one").status == .unauthorized)
            let id = try #require(second.json["tenant"]["id"].int)
            #expect(await login("another long one", #","tenant":"corner""#).status == .ok)
            #expect(await login("another long one", #","tenant_id":\#(id)"#).status == .ok)
            // A slug alone means a slug.
            #expect(await login("another long one", #","tenant":"\#(id)""#).status == .forbidden)
            let both = await login("another long one", #","tenant":"corner","tenant_id":\#(id)"#)
            #expect(both.status.code == 422)
            let switched = await shop.send(.post, "/v1/auth/switch", token: owner, body: #"{"tenant_id":\#(id)}"#)
            #expect(switched.status == .ok, "\(switched.text)")
            #expect(await shop.send(.post, "/v1/auth/switch", token: owner, body: "{}").status.code == 422)
        }
    }

    @Test("the audit is a page for owners, by action, actor and day")
    func audit() async throws {
        try await self.shop { shop, owner in
            _ = try await self.invite(shop, owner, "bea@example.com", .viewer)
            let all = await shop.send(.get, "/v1/audit", token: owner)
            #expect(all.status == .ok)
            let actions = all.json["data"].elements.map { $0["action"].string }
            // Beside the records that every shop begins with.
            let ofPeople = actions.compactMap { $0 }.filter { !$0.hasPrefix("record") }
            #expect(ofPeople == ["invitation.created", "login.succeeded", "member.added"])
            #expect(actions.contains("record.created"))
            let user = try #require(all.json["data"][0]["actor"]["id"].string)
            for query in ["actor=\(user)", "action=invitation.created", "from=2020-01-01", "limit=1"] {
                let page = await shop.send(.get, "/v1/audit?\(query)", token: owner)
                #expect(page.json["data"][0]["action"].string == "invitation.created", "\(query): \(page.text)")
            }
            #expect(await shop.send(.get, "/v1/audit?to=2020-01-01", token: owner).json["data"].elements.isEmpty)
            #expect(await shop.send(.get, "/v1/audit?action=nonsense", token: owner).status == .badRequest)
            #expect(await shop.send(.get, "/v1/audit?from=2026-02-01&to=2026-01-01", token: owner).status.code == 422)
        }
    }

    @Test(
        "locale and time zone are what they say they are",
        arguments: [
            (#"{"locale":"es-UY"}"#, 200), (#"{"locale":"<script>"}"#, 422), (#"{"locale":"e"}"#, 422),
            (#"{"timezone":"Europe/Berlin"}"#, 200), (#"{"timezone":"localtime"}"#, 422),
            (#"{"timezone":"posix/Europe/Berlin"}"#, 422),
        ]
    )
    func settings(body: String, status: Int) async throws {
        try await self.shop("settings_\(body.count)_\(status)") { shop, owner in
            let reply = await shop.send(.patch, "/v1/tenant", token: owner, ["If-Match": "*"], body: body)
            #expect(reply.status.code == status, "\(reply.text)")
        }
    }
}
