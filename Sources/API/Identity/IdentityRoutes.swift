import Domain
import HTTPTypes
import Kernel
import Services

/// People, their sessions, and API keys.
struct IdentityRoutes {
    let shop: Shop
    let tokens: AccessTokens
    let rates: RateLimits

    init(shop: Shop, tokens: AccessTokens, rates: RateLimits) {
        self.shop = shop
        self.tokens = tokens
        self.rates = rates
    }

    var routes: [Route] {
        self.sessions + self.passwords + self.people + self.invitations + self.keys + self.audit
    }

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
                throttle: .signUp,
                body: .reference("SignupRequest"),
                status: .created,
                answer: .reference("Tokens"),
                namesResource: false,
                problems: [.duplicate, .forbidden, .unauthenticated, .rateLimited]
            ) { call in
                try call.noQuery()
                guard let request = try await call.body({ SignupRequest.read(&$0) }) else {
                    throw Problem(.validationFailed, "The body is not valid.")
                }
                // With a known address it takes that account's password, so it is a try at one.
                let session = try await self.rates.logIn(to: request.email, from: call.client.limited) {
                    try await shop.identity.signUp(request, from: call.origin, deadline: call.deadline)
                }
                return try self.reply(.created, session)
            },
            Route(
                .post,
                "/v1/auth/login",
                "logIn",
                "Open a session",
                area: "identity",
                access: .open,
                throttle: .logIn,
                body: .reference("LoginRequest"),
                answer: .reference("Tokens"),
                problems: [.unauthenticated, .forbidden, .tenantSuspended, .rateLimited]
            ) { call in
                try call.noQuery()
                let request = try await call.body { LoginRequest.read(&$0) }
                let session = try await self.rates.logIn(to: request.email, from: call.client.limited) {
                    try await shop.identity.logIn(request, from: call.origin, deadline: call.deadline)
                }
                return try self.reply(.ok, session)
            },
            Route(
                .post,
                "/v1/auth/refresh",
                "refresh",
                "Exchange a refresh token for a new pair",
                area: "identity",
                access: .open,
                throttle: .credential,
                body: .object([.required("refresh_token", .text)]),
                answer: .reference("Tokens"),
                problems: [.unauthenticated, .tenantSuspended, .rateLimited]
            ) { call in
                try call.noQuery()
                let token = try await call.body { $0.text("refresh_token", .token) }
                return try self.reply(
                    .ok,
                    await shop.identity.refresh(token, from: call.origin, deadline: call.deadline)
                )
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
                body: .object(Self.tenantMembers),
                answer: .reference("Tokens"),
                problems: [.notFound, .forbidden, .tenantSuspended]
            ) { call in
                try call.noQuery()
                let tenant = try await call.body { reader in
                    let before = reader.errors.list.count
                    let reference = TenantReference.read(&reader)
                    // Refused, it is not missing.
                    if reference == nil, reader.errors.list.count == before {
                        reader.fail("tenant", "required", "Give a slug, or tenant_id.")
                    }
                    return reference
                }
                guard let tenant else { throw Problem(.validationFailed, "The body names no tenant.") }
                return try self.reply(.ok, await shop.identity.switchTenant(tenant, call.context()))
            },
            Route.read(
                "/v1/me",
                "readMe",
                "Who the credential belongs to",
                area: "identity",
                access: .authenticated,
                answer: .reference("Me")
            ) { call, caller in
                try call.noQuery()
                return shop.identity.me(caller)
            },
        ]
    }

    /// Which tenant is meant, in the bodies that name one.
    static let tenantMembers: [Schema.Member] = [
        .optional("tenant", .string(description: "Its slug.")),
        .optional("tenant_id", .integer(minimum: 1), isShown: false),
    ]

    // MARK: Passwords

    private var passwords: [Route] {
        let shop = self.shop
        return [
            Route(
                .post,
                "/v1/auth/reset",
                "resetPassword",
                "Set a new password by the token of a reset; all sessions of the person end",
                area: "identity",
                access: .open,
                throttle: .credential,
                body: .object([.required("token", .text), .required("password", .text)]),
                status: .noContent,
                problems: [.unauthenticated, .rateLimited]
            ) { call in
                try call.noQuery()
                let request = try await call.body { ResetRequest.read(&$0) }
                try await shop.identity.reset(
                    request.token,
                    to: request.password,
                    from: call.origin,
                    deadline: call.deadline
                )
                return Reply(.noContent)
            },
            Route(
                .post,
                "/v1/me/password",
                "changePassword",
                "Change the password; all other sessions of the person end",
                area: "identity",
                access: .authenticated,
                body: .object([.required("current_password", .text), .required("new_password", .text)]),
                status: .noContent,
                problems: [.forbidden, .invalidState]
            ) { call in
                try call.noQuery()
                let context = try call.context()
                let request = try await call.body { PasswordChange.read(&$0) }
                let consistency = try await self.rates.logIn(to: context.caller.name, from: call.client.limited) {
                    try await shop.identity.changePassword(from: request.current, to: request.new, context)
                }
                return Reply(.noContent).with(consistency: consistency)
            },
        ]
    }

    // MARK: People

    private var people: [Route] {
        let shop = self.shop
        return [
            Route.read(
                "/v1/users",
                "listUsers",
                "Members of the tenant",
                area: "identity",
                access: .scope(.admin),
                answer: .page("Member")
            ) { call, caller in
                try call.noQuery()
                return shop.identity.members(caller)
            },
            Route(
                .post,
                "/v1/users",
                "inviteUser",
                "Invite somebody to be a member; the token is shown this once",
                area: "identity",
                access: .roles(.owner),
                body: .reference("InvitationRequest"),
                status: .created,
                answer: .reference("NewInvitation"),
                problems: [.duplicate]
            ) { call in
                try call.noQuery()
                let draft = try await call.body { InvitationDraft.read(&$0) }
                return try call.reply(await shop.identity.invite(draft, call.context()))
            },
            Route.read(
                "/v1/users/{id}",
                "readUser",
                "One member",
                area: "identity",
                access: .scope(.admin),
                answer: .reference("Member")
            ) { call, caller in
                try call.noQuery()
                return try shop.identity.member(call.id(), caller)
            },
            Route(
                .patch,
                "/v1/users/{id}",
                "changeUser",
                "Change a member's role, or end a membership and its sessions",
                area: "identity",
                access: .roles(.owner),
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

    // MARK: Invitations

    private var invitations: [Route] {
        let shop = self.shop
        return [
            Route.read(
                "/v1/invitations",
                "listInvitations",
                "Invitations nobody has accepted yet, without their tokens",
                area: "identity",
                access: .scope(.admin),
                answer: .page("Invitation")
            ) { call, caller in
                try call.noQuery()
                return shop.identity.invitations(caller)
            },
            Route.read(
                "/v1/invitations/{id}",
                "readInvitation",
                "One invitation",
                area: "identity",
                access: .scope(.admin),
                answer: .reference("Invitation")
            ) { call, caller in
                try call.noQuery()
                return try shop.identity.invitation(call.id(), caller)
            },
            Route(
                .post,
                "/v1/invitations/{id}/renew",
                "renewInvitation",
                "Give an invitation another token and another week; the former token ends",
                area: "identity",
                access: .roles(.owner),
                answer: .reference("NewInvitation"),
                givesTag: true
            ) { call in
                try call.noQuery()
                return try call.reply(await shop.identity.renew(call.id(), call.context()))
            },
            Route(
                .delete,
                "/v1/invitations/{id}",
                "revokeInvitation",
                "Take an invitation back",
                area: "identity",
                access: .roles(.owner),
                status: .noContent
            ) { call in
                try call.noQuery()
                return try call.reply(await shop.identity.revoke(call.id(), call.context()))
            },
            Route(
                .post,
                "/v1/invitations/accept",
                "acceptInvitation",
                "Accept an invitation by its token and the account's password, which makes the account if there is none",
                area: "identity",
                access: .open,
                throttle: .logIn,
                body: .reference("AcceptRequest"),
                status: .created,
                answer: .reference("Tokens"),
                namesResource: false,
                problems: [.unauthenticated, .tenantSuspended, .rateLimited, .duplicate]
            ) { call in
                try call.noQuery()
                let request = try await call.body { AcceptRequest.read(&$0) }
                let invitation = try await shop.identity.shown(request.token, deadline: call.deadline)
                // Whoever invited holds the token, too: it must not be a way to try passwords.
                let session = try await self.rates.logIn(to: invitation.email, from: call.client.limited) {
                    try await shop.identity.accept(
                        invitation,
                        password: request.password,
                        name: request.name,
                        from: call.origin,
                        deadline: call.deadline
                    )
                }
                return try self.reply(.created, session)
            },
            Route(
                .post,
                "/v1/me/invitations",
                "acceptMyInvitation",
                "Accept an invitation by its token, as the person who is logged in",
                area: "identity",
                access: .authenticated,
                body: .object([.required("token", .text)]),
                status: .created,
                answer: .reference("Tokens"),
                namesResource: false,
                problems: [.forbidden, .tenantSuspended, .duplicate]
            ) { call in
                try call.noQuery()
                let context = try call.context()
                let token = try await call.body { $0.text("token", .token) }
                return try self.reply(.created, await shop.identity.accept(token, context))
            },
        ]
    }

    // MARK: Audit

    private var audit: [Route] {
        let shop = self.shop
        return [
            Route(
                .get,
                "/v1/audit",
                "listAudit",
                "What happened to accounts, keys and settings, the newest first",
                area: "identity",
                access: .roles(.owner),
                parameters: [
                    .init("actor", .id, "By this member or API key only."),
                    .choice("action", AuditAction.self, "Of this kind only."),
                ] + Route.Parameter.days + Route.Parameter.page,
                answer: .page("AuditEntry"),
                problems: [.cursorMismatch, .validationFailed]
            ) { call in
                let (filter, page) = try call.query { (query) throws(Problem) in
                    var filter = AuditFilter()
                    filter.actor = (query.id("actor") as UserID?)?.entity
                    filter.action = query.choice("action")
                    filter.days = query.days()
                    return (filter, query.page())
                }
                return Reply(.ok, body: try await shop.identity.audit(filter, page, call.context()))
            }
        ]
    }

    // MARK: API keys

    private var keys: [Route] {
        let shop = self.shop
        return [
            Route.read(
                "/v1/api-keys",
                "listAPIKeys",
                "API keys, without their secrets",
                area: "identity",
                access: .scope(.admin),
                answer: .page("APIKey")
            ) { call, caller in
                try call.noQuery()
                return shop.identity.keys(caller)
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
}
