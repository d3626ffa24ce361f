import Domain
import HTTPTypes
import Kernel
import Services

/// People, their sessions, and API keys.
struct IdentityRoutes {
    let shop: Shop
    let tokens: AccessTokens
    let rates: RateLimits
    /// The pages of other origins that may use the cookie of a session.
    let origins: CrossOrigin

    init(shop: Shop, tokens: AccessTokens, rates: RateLimits, origins: CrossOrigin) {
        self.shop = shop
        self.tokens = tokens
        self.rates = rates
        self.origins = origins
    }

    var routes: [Route] {
        sessions + passwords + people + invitations + keys + audit
    }

    // MARK: Sessions

    private var sessions: [Route] {
        let shop = self.shop
        return [
            .post(
                "/v1/signup",
                "signUp",
                "Open a shop: a tenant, its owner and a session",
                area: "identity",
                access: .open,
                throttle: .signUp,
                body: Body("SignupRequest") { SignupRequest.read(&$0) },
                status: .created,
                answer: .reference("Tokens"),
                namesResource: false,
                problems: [.duplicate, .forbidden, .unauthenticated, .rateLimited]
            ) { call, draft in
                guard let request = draft else { throw Problem(.validationFailed, "The body is not valid.") }
                // With a known address it takes that account's password, so it is a try at one.
                let session = try await self.rates.logIn(to: request.email, from: call.client.limited) {
                    try await shop.identity.signUp(request, from: call.origin, deadline: call.deadline)
                }
                return try self.reply(.created, session)
            },
            .post(
                "/v1/auth/login",
                "logIn",
                "Open a session",
                area: "identity",
                access: .open,
                throttle: .logIn,
                body: Body("LoginRequest") { (LoginRequest.read(&$0), $0.usesCookie()) },
                answer: .reference("Tokens"),
                setsCookie: true,
                problems: [.unauthenticated, .forbidden, .tenantSuspended, .rateLimited]
            ) { call, asked in
                let (request, usesCookie) = asked
                if usesCookie { try call.checkPage(self.origins) }
                let session = try await self.rates.logIn(to: request.email, from: call.client.limited) {
                    try await shop.identity.logIn(request, from: call.origin, deadline: call.deadline)
                }
                return try self.reply(.ok, session, inCookie: usesCookie)
            },
            .post(
                "/v1/auth/refresh",
                "refresh",
                "Exchange a refresh token for a new pair",
                area: "identity",
                access: .open,
                throttle: .credential,
                body: Body { RefreshRequest.read(&$0) },
                answer: .reference("Tokens"),
                setsCookie: true,
                problems: [.unauthenticated, .forbidden, .tenantSuspended, .rateLimited]
            ) { call, request in
                if request.usesCookie { try call.checkPage(self.origins) }
                guard let token = request.usesCookie ? call.exchange.page.sessionToken : request.token else {
                    throw Problem(.unauthenticated, "The browser keeps no session. Log in.")
                }
                return try self.reply(
                    .ok,
                    await shop.identity.refresh(token, from: call.origin, deadline: call.deadline),
                    inCookie: request.usesCookie
                )
            },
            .post(
                "/v1/auth/logout",
                "logOut",
                "End this session, or all of the user's",
                area: "identity",
                access: .authenticated,
                body: Body(isOptional: true) { ($0.optionalBool("everywhere") ?? false, $0.usesCookie()) },
                status: .noContent,
                setsCookie: true,
                problems: [.forbidden]
            ) { call, asked in
                let (everywhere, usesCookie) = asked
                if usesCookie { try call.checkPage(self.origins) }
                let consistency = try await shop.identity.logOut(everywhere: everywhere, call.context())
                var reply = Reply(.noContent)
                if usesCookie { reply.fields.append(SessionCookie.removal) }
                return reply.with(consistency: consistency)
            },
            .post(
                "/v1/auth/switch",
                "switchTenant",
                "Open a session in another tenant of the user's",
                area: "identity",
                access: .authenticated,
                body: Body { (TenantReference.required(&$0), $0.usesCookie()) },
                answer: .reference("Tokens"),
                setsCookie: true,
                problems: [.notFound, .forbidden, .tenantSuspended]
            ) { call, asked in
                let (named, usesCookie) = asked
                guard let tenant = named else { throw Problem(.validationFailed, "The body names no tenant.") }
                if usesCookie { try call.checkPage(self.origins) }
                return try self.reply(
                    .ok,
                    await shop.identity.switchTenant(tenant, call.context()),
                    inCookie: usesCookie
                )
            },
            .read(
                "/v1/me",
                "readMe",
                "Who the credential belongs to",
                area: "identity",
                access: .authenticated,
                answer: .reference("Me")
            ) { _, caller in
                shop.identity.me(caller)
            },
        ]
    }

    // MARK: Passwords

    private var passwords: [Route] {
        let shop = self.shop
        return [
            .post(
                "/v1/auth/reset",
                "resetPassword",
                "Set a new password by the token of a reset; all sessions of the person end",
                area: "identity",
                access: .open,
                throttle: .credential,
                body: Body { ResetRequest.read(&$0) },
                status: .noContent,
                problems: [.unauthenticated, .rateLimited]
            ) { call, request in
                try await shop.identity.reset(
                    request.token,
                    to: request.password,
                    from: call.origin,
                    deadline: call.deadline
                )
                return Reply(.noContent)
            },
            .post(
                "/v1/me/password",
                "changePassword",
                "Change the password; all other sessions of the person end",
                area: "identity",
                access: .authenticated,
                body: Body { PasswordChange.read(&$0) },
                status: .noContent,
                problems: [.forbidden, .invalidState]
            ) { call, request in
                let context = try call.context()
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
            .read(
                "/v1/users",
                "listUsers",
                "Members of the tenant",
                area: "identity",
                access: .scope(.admin),
                answer: .page(.reference("Member"))
            ) { _, caller in
                shop.identity.members(caller)
            },
            .read(
                "/v1/colleagues",
                "listColleagues",
                "What everybody is called who works or worked here, by the ids that documents name them by",
                area: "identity",
                access: .authenticated,
                answer: .page(.reference("Named"))
            ) { _, caller in
                shop.identity.colleagues(caller)
            },
            .post(
                "/v1/users",
                "inviteUser",
                "Invite somebody to be a member; the token is shown this once",
                area: "identity",
                access: .roles(.owner),
                body: Body("InvitationRequest") { InvitationDraft.read(&$0) },
                status: .created,
                answer: .reference("NewInvitation"),
                problems: [.duplicate]
            ) { call, draft in
                try call.reply(await shop.identity.invite(draft, call.context()))
            },
            .read(
                "/v1/users/{id}",
                "readUser",
                "One member",
                area: "identity",
                access: .scope(.admin),
                answer: .reference("Member")
            ) { call, caller in
                try shop.identity.member(call.id(), caller)
            },
            .change(
                "/v1/users/{id}",
                "changeUser",
                "Change a member's role or where they work, or end a membership and its sessions",
                area: "identity",
                access: .roles(.owner),
                body: Body("MemberPatch") { MemberPatch.read(&$0) },
                answer: .reference("Member"),
                problems: [.invalidState]
            ) { (id, patch, expected, context) throws(Problem) in
                try await shop.identity.updateMember(id, patch, expected: expected, context)
            },
        ]
    }

    // MARK: Invitations

    private var invitations: [Route] {
        let shop = self.shop
        return [
            .read(
                "/v1/invitations",
                "listInvitations",
                "Invitations nobody has accepted yet, without their tokens",
                area: "identity",
                access: .scope(.admin),
                answer: .page(.reference("Invitation"))
            ) { _, caller in
                shop.identity.invitations(caller)
            },
            .read(
                "/v1/invitations/{id}",
                "readInvitation",
                "One invitation",
                area: "identity",
                access: .scope(.admin),
                answer: .reference("Invitation")
            ) { call, caller in
                try shop.identity.invitation(call.id(), caller)
            },
            Route(
                .post,
                "/v1/invitations/{id}/renew",
                "renewInvitation",
                "Give an invitation another token and another week; the former token ends",
                area: "identity",
                access: .roles(.owner),
                gives: Route.Output(answer: .reference("NewInvitation"), givesTag: true)
            ) { call in
                try call.reply(await shop.identity.renew(call.id(), call.context()))
            },
            Route(
                .delete,
                "/v1/invitations/{id}",
                "revokeInvitation",
                "Take an invitation back",
                area: "identity",
                access: .roles(.owner),
                gives: Route.Output(status: .noContent)
            ) { call in
                try call.reply(await shop.identity.revoke(call.id(), call.context()))
            },
            .post(
                "/v1/invitations/accept",
                "acceptInvitation",
                "Accept an invitation by its token and the account's password, which makes the account if there is none",
                area: "identity",
                access: .open,
                throttle: .logIn,
                body: Body("AcceptRequest") { AcceptRequest.read(&$0) },
                status: .created,
                answer: .reference("Tokens"),
                namesResource: false,
                problems: [.unauthenticated, .tenantSuspended, .rateLimited, .duplicate]
            ) { call, request in
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
            .post(
                "/v1/me/invitations",
                "acceptMyInvitation",
                "Accept an invitation by its token, as the person who is logged in",
                area: "identity",
                access: .authenticated,
                body: Body { $0.text("token", .token) },
                status: .created,
                answer: .reference("Tokens"),
                namesResource: false,
                problems: [.forbidden, .tenantSuspended, .duplicate]
            ) { call, token in
                let context = try call.context()
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
                "What happened to accounts, keys, settings and records, the newest first",
                area: "identity",
                access: .roles(.owner),
                takes: Route.Input(parameters: Query.parameters(of: Self.audited)),
                gives: Route.Output(
                    answer: .page(.reference("AuditEntry")),
                    problems: [.cursorMismatch, .validationFailed]
                )
            ) { call in
                let (filter, page) = try call.query(Self.audited)
                let list = try await shop.identity.audit(filter, page, call.context())
                return Reply(.ok, body: list.body).with(eventSequence: list.eventSequence)
            }
        ]
    }

    @Sendable private static func audited(_ query: inout Query) -> (AuditFilter, Page) {
        var filter = AuditFilter()
        filter.actor = (query.id("actor", "By this member or API key only.") as UserID?)?.entity
        filter.subject =
            (query.id("subject", "What happened to this member, record or other thing only.") as UserID?)?.entity
        filter.action = query.choice("action", "Of this kind only.")
        filter.days = query.days()
        return (filter, query.page())
    }

    // MARK: API keys

    private var keys: [Route] {
        let shop = self.shop
        return [
            .read(
                "/v1/api-keys",
                "listAPIKeys",
                "API keys, without their secrets",
                area: "identity",
                access: .scope(.admin),
                answer: .page(.reference("APIKey"))
            ) { _, caller in
                shop.identity.keys(caller)
            },
            .post(
                "/v1/api-keys",
                "createAPIKey",
                "Make an API key; its secret is shown this once",
                area: "identity",
                access: .roles(.owner),
                body: Body("APIKeyRequest") { APIKeyDraft.read(&$0) },
                status: .created,
                answer: .reference("NewAPIKey"),
                problems: [.duplicate]
            ) { call, draft in
                try call.reply(await shop.identity.createKey(draft, call.context()))
            },
            Route(
                .delete,
                "/v1/api-keys/{id}",
                "revokeAPIKey",
                "Revoke an API key",
                area: "identity",
                access: .roles(.owner),
                gives: Route.Output(status: .noContent)
            ) { call in
                try call.reply(await shop.identity.revokeKey(call.id(), call.context()))
            },
        ]
    }

    // MARK: Answers

    private func reply(
        _ status: HTTPResponse.Status,
        _ session: SignedIn,
        inCookie: Bool = false
    ) throws -> Reply {
        let token = try tokens.issue(user: session.user, session: session.session, tenant: session.tenant.id)
        var reply = Reply.json(status) { writer in
            writer.object { writer in
                writer.member("access_token", token)
                writer.member("token_type", "Bearer")
                writer.member("expires_in", self.tokens.expiresIn)
                if !inCookie { writer.member("refresh_token", session.refreshToken) }
                writer.name("tenant")
                Self.write(session.tenant, to: &writer)
                writer.name("tenants")
                writer.array { writer in
                    for tenant in session.tenants { Self.write(tenant, to: &writer) }
                }
            }
        }
        if inCookie { reply.fields.append(SessionCookie.field(session)) }
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
