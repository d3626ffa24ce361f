import HTTPTypes
import Kernel
import Services

/// People, their sessions, and API keys.
struct IdentityRoutes {
    let shop: Shop
    let tokens: AccessTokens
    let rates: RateLimits
    private let start = ContinuousClock.now

    init(shop: Shop, tokens: AccessTokens, rates: RateLimits) {
        self.shop = shop
        self.tokens = tokens
        self.rates = rates
    }

    var routes: [Route] { self.sessions + self.people + self.keys }

    // MARK: Sessions

    private var sessions: [Route] {
        let shop = self.shop
        return [
            Route(
                .post,
                "/v1/signup",
                "signUp",
                "Open a shop: a tenant, its owner and a session",
                area: "identity",
                access: .open,
                body: .reference("SignupRequest"),
                status: .created,
                answer: .reference("Tokens"),
                namesResource: false,
                problems: [.duplicate, .forbidden, .rateLimited]
            ) { call in
                try call.noQuery()
                try self.rates.attempt(address: call.address, now: self.nanoseconds)
                guard let request = try await call.body({ SignupRequest.read(&$0) }) else {
                    throw Problem(.validationFailed, "The body is not valid.")
                }
                return try self.reply(
                    .created,
                    await shop.identity.signUp(request, deadline: call.deadline)
                )
            },
            Route(
                .post,
                "/v1/auth/login",
                "logIn",
                "Open a session",
                area: "identity",
                access: .open,
                body: .reference("LoginRequest"),
                answer: .reference("Tokens"),
                problems: [.unauthenticated, .tenantSuspended, .rateLimited]
            ) { call in
                try call.noQuery()
                try self.rates.attempt(address: call.address, now: self.nanoseconds)
                let request = try await call.body { LoginRequest.read(&$0) }
                try self.rates.attempt(account: request.email, now: self.nanoseconds)
                return try self.reply(.ok, await shop.identity.logIn(request, deadline: call.deadline))
            },
            Route(
                .post,
                "/v1/auth/refresh",
                "refresh",
                "Exchange a refresh token for a new pair",
                area: "identity",
                access: .open,
                body: .object([.required("refresh_token", .text)]),
                answer: .reference("Tokens"),
                problems: [.unauthenticated, .tenantSuspended, .rateLimited]
            ) { call in
                try call.noQuery()
                let token = try await call.body { $0.text("refresh_token", maximum: 500) }
                return try self.reply(.ok, await shop.identity.refresh(token, deadline: call.deadline))
            },
            Route(
                .post,
                "/v1/auth/logout",
                "logOut",
                "End this session, or all of the user's",
                area: "identity",
                access: .authenticated,
                body: .object([.optional("everywhere", .boolean)]),
                isBodyOptional: true,
                status: .noContent,
                problems: [.forbidden]
            ) { call in
                try call.noQuery()
                let everywhere = try await call.optionalBody { $0.optionalBool("everywhere") ?? false }
                let consistency = try await shop.identity.logOut(everywhere: everywhere, call.context())
                return Reply(.noContent).with(consistency: consistency)
            },
            Route(
                .post,
                "/v1/auth/switch",
                "switchTenant",
                "Open a session in another tenant of the user's",
                area: "identity",
                access: .authenticated,
                body: .object([.required("tenant", .string(description: "Its slug or number."))]),
                answer: .reference("Tokens"),
                problems: [.notFound, .forbidden, .tenantSuspended]
            ) { call in
                try call.noQuery()
                let tenant = try await call.body { $0.text("tenant") }
                return try self.reply(.ok, await shop.identity.switchTenant(tenant, call.context()))
            },
            Route(
                .get,
                "/v1/me",
                "readMe",
                "Who the credential belongs to",
                area: "identity",
                access: .authenticated,
                isCached: true,
                answer: .reference("Me")
            ) { call in
                try call.noQuery()
                return try call.reply(await shop.identity.me(call.context()))
            },
        ]
    }

    // MARK: People

    private var people: [Route] {
        let shop = self.shop
        return [
            Route(
                .get,
                "/v1/users",
                "listUsers",
                "Members of the tenant",
                area: "identity",
                access: .scope(.admin),
                isCached: true,
                answer: .page("Member")
            ) { call in
                try call.noQuery()
                return try call.reply(await shop.identity.members(call.context()))
            },
            Route(
                .post,
                "/v1/users",
                "addUser",
                "Make somebody a member",
                area: "identity",
                access: .scope(.admin),
                body: .reference("MemberRequest"),
                status: .created,
                answer: .reference("Member"),
                problems: [.duplicate]
            ) { call in
                try call.noQuery()
                let draft = try await call.body { MemberDraft.read(&$0) }
                return try call.reply(await shop.identity.addMember(draft, call.context()))
            },
            Route(
                .get,
                "/v1/users/{id}",
                "readUser",
                "One member",
                area: "identity",
                access: .scope(.admin),
                isCached: true,
                answer: .reference("Member")
            ) { call in
                try call.noQuery()
                return try call.reply(await shop.identity.member(call.id(), call.context()))
            },
            Route(
                .patch,
                "/v1/users/{id}",
                "changeUser",
                "Change a member's role, or end a membership",
                area: "identity",
                access: .scope(.admin),
                needsMatch: true,
                body: .object([
                    .optional("role", .choice(Role.allCases.map(\.rawValue))), .optional("active", .boolean),
                ]),
                answer: .reference("Member"),
                problems: [.invalidState]
            ) { call in
                try call.noQuery()
                let expected = try call.expectedVersion()
                let patch = try await call.body { MemberPatch.read(&$0) }
                return try call.reply(
                    await shop.identity.updateMember(call.id(), patch, expected: expected, call.context())
                )
            },
        ]
    }

    // MARK: API keys

    private var keys: [Route] {
        let shop = self.shop
        return [
            Route(
                .get,
                "/v1/api-keys",
                "listAPIKeys",
                "API keys, without their secrets",
                area: "identity",
                access: .scope(.admin),
                isCached: true,
                answer: .page("APIKey")
            ) { call in
                try call.noQuery()
                return try call.reply(await shop.identity.keys(call.context()))
            },
            Route(
                .post,
                "/v1/api-keys",
                "createAPIKey",
                "Make an API key; its secret is shown this once",
                area: "identity",
                access: .roles(.owner),
                body: .reference("APIKeyRequest"),
                status: .created,
                answer: .reference("NewAPIKey"),
                problems: [.duplicate]
            ) { call in
                try call.noQuery()
                let draft = try await call.body { APIKeyDraft.read(&$0) }
                return try call.reply(await shop.identity.createKey(draft, call.context()))
            },
            Route(
                .delete,
                "/v1/api-keys/{id}",
                "revokeAPIKey",
                "Revoke an API key",
                area: "identity",
                access: .roles(.owner),
                status: .noContent
            ) { call in
                try call.noQuery()
                return try call.reply(await shop.identity.revokeKey(call.id(), call.context()))
            },
        ]
    }

    // MARK: Answers

    private func reply(_ status: HTTPResponse.Status, _ session: SignedIn) throws -> Reply {
        let token = try self.tokens.issue(user: session.user, session: session.session, tenant: session.tenant.id)
        let reply = Reply.json(status) { writer in
            writer.object { writer in
                writer.member("access_token", token)
                writer.member("token_type", "Bearer")
                writer.member("expires_in", self.tokens.expiresIn)
                writer.member("refresh_token", session.refreshToken)
                writer.name("tenant")
                Self.write(session.tenant, to: &writer)
                writer.name("tenants")
                writer.array { writer in
                    for tenant in session.tenants { Self.write(tenant, to: &writer) }
                }
            }
        }
        return reply.with(consistency: session.consistency)
    }

    private static func write(_ tenant: TenantSummary, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("id", Int(tenant.id.rawValue))
            writer.member("slug", tenant.slug)
            writer.member("name", tenant.name)
            writer.member("role", tenant.role.rawValue)
        }
    }

    /// Monotonic nanoseconds since the start, for throttles.
    private var nanoseconds: Int64 {
        let parts = (ContinuousClock.now - self.start).components
        return parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000
    }
}
