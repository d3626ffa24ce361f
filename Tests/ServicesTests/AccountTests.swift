import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

/// Invitations, passwords, and what the audit says of them.
@Suite("Accounts", .serialized)
struct AccountTests {
    private let strangerPassword = "a stranger's own password"

    /// Another tenant, with an owner of its own.
    private func other(_ live: LiveShop, email: String = "vic@example.com") async throws -> (SignedIn, CallContext) {
        let owner = try await live.shop.identity.signUp(
            SignupRequest(
                tenantName: "Other",
                slug: "other",
                email: email,
                password: strangerPassword,
                currency: try required(Currency(code: "USD")),
                timezone: "UTC",
                name: "Victoria"
            ),
            from: .test,
            deadline: live.deadline
        )
        var context = live.context
        context.caller = try await live.shop.identity.caller(
            session: owner.session,
            user: owner.user,
            tenant: owner.tenant.id,
            deadline: live.deadline
        )
        return (owner, context)
    }

    private func invite(
        _ email: String,
        as role: Role,
        _ context: CallContext,
        _ live: LiveShop
    ) async throws -> JSONBody {
        try JSONBody(try await live.shop.identity.invite(InvitationDraft(email: email, role: role), context))
    }

    private func accept(
        _ token: String,
        _ password: String,
        name: String = "",
        _ live: LiveShop
    ) async throws(Problem) -> SignedIn {
        let identity = live.shop.identity
        let invitation = try await identity.shown(token, deadline: live.deadline)
        return try await identity.accept(
            invitation,
            password: password,
            name: name,
            from: .test,
            deadline: live.deadline
        )
    }

    private func logIn(_ email: String, _ password: String, _ live: LiveShop) async throws(Problem) -> SignedIn {
        try await live.shop.identity.logIn(
            LoginRequest(email: email, password: password),
            from: .test,
            deadline: live.deadline
        )
    }

    private func actions(_ live: LiveShop, _ filter: AuditFilter = AuditFilter()) async throws -> [String?] {
        let body = try await live.shop.identity.audit(filter, Page(limit: 200), live.context).body
        return try JSONBody(body).texts("data", "action")
    }

    // MARK: Invitations

    @Test("an invitation is answered alike for a known and an unknown address, and makes neither account nor member")
    func alike() async throws {
        try await LiveShop.open { live in
            _ = try await other(live)
            let accounts = try await live.database.psql("SELECT count(*) FROM stock.app_user")
            let known = try await invite("vic@example.com", as: .viewer, live.context, live)
            let unknown = try await invite("nobody@example.com", as: .viewer, live.context, live)
            for body in [known, unknown] {
                guard case .object(let object) = body.value else {
                    Issue.record("no object")
                    continue
                }
                #expect(
                    object.members.map(\.name) == [
                        "id", "email", "role", "invited_by", "expires_at", "version", "created_at", "invitation_token",
                    ]
                )
                #expect(body["invitation_token"]?.hasPrefix("inv_\(live.owner.tenant.id)_") == true)
            }
            let members = try JSONBody(try await live.answer(live.shop.identity.members(live.caller)))
            #expect(members.texts("data", "email") == ["ana@example.com"])
            #expect(try await live.database.psql("SELECT count(*) FROM stock.app_user") == accounts)
            // Neither list nor database holds what opens it.
            let listed = try JSONBody(try await live.answer(live.shop.identity.invitations(live.caller)))
            #expect(listed.count("data") == 2)
            #expect(listed["data.0.invitation_token"] == nil)
        }
    }

    @Test("whoever made an account of somebody's address gets nowhere by another tenant's invitation of it")
    func squatter() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            // The owner of one tenant invites the address of somebody, and takes the invitation with a password of their own.
            let first = try await invite("victim@example.com", as: .viewer, live.context, live)
            _ = try await accept(try required(first["invitation_token"]), "the attacker's choice", live)
            // The owner of another invites the same address as manager.
            let (owner, context) = try await other(live)
            let second = try await invite("victim@example.com", as: .manager, context, live)
            let inside = try await logIn("victim@example.com", "the attacker's choice", live)
            #expect(inside.tenants.map(\.slug) == ["nandu"])
            // The second owner has the token, but not the account; the token of one tenant opens nothing in another.
            let refused = await problem {
                try await accept(try required(second["invitation_token"]), "the second owner's choice", live)
            }
            #expect(refused?.code == .unauthenticated)
            #expect(
                try await live.database.psql(
                    "SELECT count(*) FROM stock.membership WHERE tenant_id = \(owner.tenant.id)"
                ) == "1"
            )
            // Both together are the person's.
            let there = try await accept(try required(second["invitation_token"]), "the attacker's choice", live)
            #expect(there.tenant.role == .manager)
            #expect(try JSONBody(try await live.answer(identity.members(context.caller), context)).count("data") == 2)
        }
    }

    @Test("a new person gets an account by accepting; the token is good once")
    func accepted() async throws {
        try await LiveShop.open { live in
            let invitation = try await invite("bea@example.com", as: .cashier, live.context, live)
            let token = try required(invitation["invitation_token"])
            let weak = await problem { try await accept(token, "password", live) }
            #expect(weak?.errors.map(\.pointer) == ["/password"])
            let session = try await accept(token, "another long one", name: "Bea", live)
            #expect(session.tenant.role == .cashier)
            #expect(session.name == "Bea")
            let again = await problem { try await accept(token, "another long one", live) }
            #expect(again?.code == .unauthenticated)
            #expect(try await logIn("bea@example.com", "another long one", live).tenant.role == .cashier)
            let second = await problem {
                try await invite("BEA@example.com".lowercased(), as: .viewer, live.context, live)
            }
            #expect(second?.code == .duplicate)
            #expect(try JSONBody(try await live.answer(live.shop.identity.invitations(live.caller))).count("data") == 0)
        }
    }

    @Test("of two acceptances at once one is let in", arguments: [true, false])
    func twice(isKnown: Bool) async throws {
        try await LiveShop.open { live in
            if isKnown { _ = try await other(live, email: "bea@example.com") }
            let invitation = try await invite("bea@example.com", as: .cashier, live.context, live)
            let token = try required(invitation["invitation_token"])
            let outcomes = await withTaskGroup(of: Problem?.self) { group in
                for _ in 0..<4 {
                    group.addTask { await problem { try await accept(token, strangerPassword, live) } }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.filter { $0 == nil }.count == 1)
            #expect(outcomes.compactMap { $0?.code }.allSatisfy { $0 == .unauthenticated })
            #expect(try await live.database.psql("SELECT count(*) FROM stock.membership WHERE role = 'cashier'") == "1")
        }
    }

    @Test("two tenants' invitations of a new address accepted at once make one account, which both let in")
    func twoTenants() async throws {
        try await LiveShop.open { live in
            let (_, context) = try await other(live)
            let tokens = [
                try required(try await invite("bea@example.com", as: .cashier, live.context, live)["invitation_token"]),
                try required(try await invite("bea@example.com", as: .viewer, context, live)["invitation_token"]),
            ]
            let outcomes = await withTaskGroup(of: Problem?.self) { group in
                for token in tokens {
                    group.addTask { await problem { try await accept(token, "another long one", live) } }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes == [nil, nil])
            #expect(try await logIn("bea@example.com", "another long one", live).tenants.count == 2)
        }
    }

    @Test("renewing replaces the token; what was revoked, has expired, is garbage or another tenant's opens nothing")
    func ends() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            let (_, foreign) = try await other(live)
            let made = try await invite("bea@example.com", as: .cashier, live.context, live)
            let id = try required(InvitationID(try required(made["id"])))
            let first = try required(made["invitation_token"])
            #expect(await problem { try await identity.renew(id, foreign) }?.code == .notFound)
            #expect(await problem { try await identity.revoke(id, foreign) }?.code == .notFound)
            #expect(
                await problem { try await live.answer(identity.invitation(id, foreign.caller), foreign) }?.code
                    == .notFound
            )
            let renewed = try JSONBody(try await identity.renew(id, live.context))
            let second = try required(renewed["invitation_token"])
            #expect(renewed["version"] == "2")
            for token in [
                first, second.dropLast() + "!",
                "inv_\(foreign.tenant)_"
                    + second.split(separator: "_").dropFirst(2)
                    .joined(separator: "_"), "inv_", "", "rst_AAAA",
            ] {
                let refused = await problem { try await identity.shown(String(token), deadline: live.deadline) }
                #expect(refused?.code == .unauthenticated, "\(token.prefix(8))")
            }
            _ = try await identity.shown(second, deadline: live.deadline)
            try await live.database.psql("UPDATE stock.invitation SET expires_at = now() - interval '1 second'")
            #expect(await problem { try await accept(second, "another long one", live) }?.code == .unauthenticated)
            // An expired one does not stand in the way of the next.
            let next = try await invite("bea@example.com", as: .viewer, live.context, live)
            let twice = await problem { try await invite("bea@example.com", as: .viewer, live.context, live) }
            #expect(twice?.errors.map(\.pointer) == ["/email"])
            _ = try await identity.revoke(try required(InvitationID(try required(next["id"]))), live.context)
            let revoked = await problem {
                try await accept(try required(next["invitation_token"]), "another long one", live)
            }
            #expect(revoked?.code == .unauthenticated)
        }
    }

    @Test("an invitation ends with the right of whoever made it", arguments: ["active = false", "role = 'manager'"])
    func inviter(_ change: String) async throws {
        try await LiveShop.open { live in
            let made = try await invite("bea@example.com", as: .owner, live.context, live)
            let token = try required(made["invitation_token"])
            _ = try await live.shop.identity.shown(token, deadline: live.deadline)
            try await live.database.psql("UPDATE stock.membership SET \(change) WHERE role = 'owner'")
            #expect(await problem { try await accept(token, "another long one", live) }?.code == .unauthenticated)
            #expect(try await live.database.psql("SELECT count(*) FROM stock.invitation") == "0")
        }
    }

    @Test("who is logged in accepts by the token alone, if the invitation is for that address")
    func loggedIn() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            let (_, context) = try await other(live)
            let mine = try await invite("vic@example.com", as: .stockKeeper, live.context, live)
            let foreign = try await invite("bea@example.com", as: .owner, live.context, live)
            let wrong = await problem {
                try await identity.accept(try required(foreign["invitation_token"]), context)
            }
            #expect(wrong?.code == .forbidden)
            #expect(await problem { try await identity.accept("inv_garbage", context) }?.code == .forbidden)
            let session = try await identity.accept(try required(mine["invitation_token"]), context)
            #expect(session.tenant.role == .stockKeeper)
            #expect(session.tenants.count == 2)
            let again = await problem { try await identity.accept(try required(mine["invitation_token"]), context) }
            #expect(again?.code == .forbidden)
        }
    }

    @Test("no key and nobody but an owner gives memberships or keys, whatever the scopes")
    func grants() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            let invitation = try await invite("bea@example.com", as: .cashier, live.context, live)
            let id = try required(InvitationID(try required(invitation["id"])))
            func asking(_ change: (inout Caller) -> Void) -> CallContext {
                var context = live.context
                change(&context.caller)
                return context
            }
            let members = Role.allCases.filter { $0 != .owner }.map { role in
                asking {
                    $0.role = role
                    $0.scopes = role.scopes
                }
            }
            let key = asking {
                $0.user = nil
                $0.session = nil
                $0.role = nil
                $0.apiKey = .make()
            }
            for context in members + [key] {
                let draft = InvitationDraft(email: "cleo@example.com", role: .viewer)
                #expect(await problem { try await identity.invite(draft, context) }?.code == .forbidden)
                #expect(await problem { try await identity.renew(id, context) }?.code == .forbidden)
                #expect(await problem { try await identity.revoke(id, context) }?.code == .forbidden)
                var patch = MemberPatch()
                patch.role = .set(.viewer)
                let changed = await problem {
                    try await identity.updateMember(live.owner.user, patch, expected: .any, context)
                }
                #expect(changed?.code == .forbidden)
                let member = MemberDraft(email: "cleo@example.com", password: "another long one", role: .viewer)
                #expect(await problem { try await identity.createMember(member, context) }?.code == .forbidden)
            }
            let more = await problem {
                try await identity.createKey(APIKeyDraft(name: "more", scopes: [.catalogRead]), key)
            }
            #expect(more?.code == .forbidden)
        }
    }

    // MARK: Passwords

    @Test("an operator sets the password of an account only while nobody has used it and no other tenant does")
    func operatorsMember() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            let (_, context) = try await other(live)
            var foreign = live.operators
            foreign.caller.tenant = context.tenant
            let elsewhere = foreign
            let known = MemberDraft(email: "vic@example.com", password: "an operator's choice", role: .manager)
            #expect(await problem { try await identity.createMember(known, live.operators) }?.code == .duplicate)
            _ = try await logIn("vic@example.com", strangerPassword, live)
            let fresh = MemberDraft(email: "bea@example.com", password: "an operator's choice", role: .cashier)
            _ = try await identity.createMember(fresh, live.operators)
            // Never used, but another tenant's.
            let second = MemberDraft(email: "bea@example.com", password: "another operator's", role: .owner)
            #expect(await problem { try await identity.createMember(second, elsewhere) }?.code == .duplicate)
            // Removed before it was ever used: it is nobody's.
            try await live.database.psql("DELETE FROM stock.membership WHERE role = 'cashier'")
            _ = try await identity.createMember(second, elsewhere)
            #expect(await problem { try await logIn("bea@example.com", "an operator's choice", live) } != nil)
            #expect(try await logIn("bea@example.com", "another operator's", live).tenant.slug == "other")
        }
    }

    @Test("changing the password ends the other sessions and needs the former one")
    func change() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            let phone = try await logIn("ana@example.com", LiveShop.password, live)
            let wrong = await problem {
                try await identity.changePassword(from: "not it", to: "a much better one", live.context)
            }
            #expect(wrong?.errors.map(\.pointer) == ["/current_password"])
            let weak = await problem {
                try await identity.changePassword(from: LiveShop.password, to: "short", live.context)
            }
            #expect(weak?.errors.map(\.pointer) == ["/new_password"])
            _ = try await identity.changePassword(from: LiveShop.password, to: "a much better one", live.context)
            func check(_ session: SignedIn) async -> Problem? {
                await problem {
                    try await identity.caller(
                        session: session.session,
                        user: session.user,
                        tenant: session.tenant.id,
                        deadline: live.deadline
                    )
                }
            }
            #expect(await check(phone)?.code == .unauthenticated)
            #expect(await check(live.owner) == nil)
            #expect(
                await problem { try await logIn("ana@example.com", LiveShop.password, live) }?.code == .unauthenticated
            )
            _ = try await logIn("ana@example.com", "a much better one", live)
            var key = live.context
            key.caller.user = nil
            key.caller.session = nil
            let keyed = key
            #expect(
                await problem { try await identity.changePassword(from: "x", to: "y", keyed) }?.code == .forbidden
            )
        }
    }

    @Test("a reset token sets a password once, and ends every session; a second token ends the first")
    func reset() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            let first = try await identity.openReset(of: "ana@example.com", from: .test, deadline: live.deadline)
            let token = try await identity.openReset(of: "ana@example.com", from: .test, deadline: live.deadline)
            func reset(_ token: String, _ password: String = "a much better one") async -> Problem? {
                await problem { try await identity.reset(token, to: password, from: .test, deadline: live.deadline) }
            }
            for bad in [first, "rst_", "rst_" + String(repeating: "A", count: 43), "", live.owner.refreshToken] {
                #expect(await reset(bad)?.code == .unauthenticated)
            }
            #expect(await reset(token, "short")?.errors.map(\.pointer) == ["/password"])
            let outcomes = await withTaskGroup(of: Problem?.self) { group in
                for _ in 0..<3 { group.addTask { await reset(token) } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.filter { $0 == nil }.count == 1)
            #expect(await reset(token)?.code == .unauthenticated)
            let ended = await problem {
                try await identity.refresh(live.owner.refreshToken, from: .test, deadline: live.deadline)
            }
            #expect(ended?.code == .unauthenticated)
            _ = try await logIn("ana@example.com", "a much better one", live)
            let late = try await identity.openReset(of: "ana@example.com", from: .test, deadline: live.deadline)
            try await live.database.psql("UPDATE stock.app_user SET reset_expires_at = now() - interval '1 second'")
            #expect(await reset(late)?.code == .unauthenticated)
            let nobody = await problem {
                try await identity.openReset(of: "no@example.com", from: .test, deadline: live.deadline)
            }
            #expect(nobody?.code == .notFound)
        }
    }

    @Test("a log-in that has shown a password gets no session once the password is another")
    func loginBesideReset() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            for round in 0..<5 {
                let before = round == 0 ? LiveShop.password : "password number \(round - 1)"
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<4 {
                        group.addTask { _ = try? await logIn("ana@example.com", before, live) }
                    }
                    group.addTask {
                        try? await identity.setPassword(
                            of: "ana@example.com",
                            to: "password number \(round)",
                            from: .test,
                            deadline: live.deadline
                        )
                    }
                    await group.waitForAll()
                }
                let open = try await live.database.psql(
                    "SELECT count(*) FROM stock.session WHERE revoked_at IS NULL"
                )
                #expect(open == "0")
                #expect(await problem { try await logIn("ana@example.com", before, live) }?.code == .unauthenticated)
            }
        }
    }

    // MARK: The audit

    @Test("everything that gives or takes rights is in the audit, with who did it and from where")
    func audited() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            let made = try await invite("bea@example.com", as: .cashier, live.context, live)
            let id = try required(InvitationID(try required(made["id"])))
            let renewed = try JSONBody(try await identity.renew(id, live.context))
            let bea = try await accept(try required(renewed["invitation_token"]), "another long one", live)
            let gone = try await invite("cleo@example.com", as: .viewer, live.context, live)
            _ = try await identity.revoke(try required(InvitationID(try required(gone["id"]))), live.context)
            var patch = MemberPatch()
            patch.role = .set(.manager)
            patch.locations = .set([try TestShop.main()])
            _ = try await identity.updateMember(bea.user, patch, expected: .any, live.context)
            patch = MemberPatch()
            for active in [false, true] {
                patch.active = .set(active)
                _ = try await identity.updateMember(bea.user, patch, expected: .any, live.context)
            }
            let key = try JSONBody(
                try await identity.createKey(APIKeyDraft(name: "till", scopes: [.catalogRead]), live.context)
            )
            _ = try await identity.revokeKey(try required(APIKeyID(try required(key["id"]))), live.context)
            var settings = TenantPatch()
            settings.name = .set("Renamed")
            _ = try await live.shop.tenants.update(settings, expected: .any, live.context)
            _ = await problem { try await logIn("bea@example.com", "wrong", live) }
            _ = try await logIn("bea@example.com", "another long one", live)
            _ = try await identity.changePassword(from: LiveShop.password, to: "a much better one", live.context)
            let reset = try await identity.openReset(of: "bea@example.com", from: .test, deadline: live.deadline)
            try await identity.reset(reset, to: "yet another one", from: .test, deadline: live.deadline)
            let session = try await logIn("bea@example.com", "yet another one", live)
            _ = try await identity.refresh(session.refreshToken, from: .test, deadline: live.deadline)
            try await live.database.psql("UPDATE stock.session SET rotated_at = rotated_at - interval '1 minute'")
            _ = await problem {
                try await identity.refresh(session.refreshToken, from: .test, deadline: live.deadline)
            }
            try await eventually("what is noted late is there") {
                try await Set(actions(live)).isSuperset(of: ["login.failed", "session.reused"])
            }
            try await live.database.psql("DELETE FROM stock.membership WHERE role = 'manager'")
            let seen = Set(try await actions(live).compactMap { $0 })
            // What is told of records, imports and webhooks has tests of its own; the shop began with some.
            let records: Set<String> = [
                "record.created", "records.created", "record.changed", "record.deleted", "import.created",
                "import.cancelled", "webhook.secret_rotated", "webhook.redelivered", "webhook.skipped",
            ]
            #expect(seen.union(records) == Set(AuditAction.allCases.map(\.rawValue)))

            func one(_ action: AuditAction) async throws -> JSONBody {
                var filter = AuditFilter()
                filter.action = action
                return try JSONBody(try await identity.audit(filter, Page(limit: 1), live.context).body)
            }
            let role = try await one(.memberRoleChanged)
            #expect(role["data.0.actor.name"] == "ana@example.com")
            #expect(role["data.0.actor.id"] == live.owner.user.description)
            #expect(role["data.0.subject.id"] == bea.user.description)
            #expect(role["data.0.details.from"] == "cashier")
            #expect(role["data.0.details.to"] == "manager")
            #expect(role["data.0.request_id"] == "test")
            let failed = try await one(.loginFailed)
            #expect(failed["data.0.actor.type"] == "anybody")
            #expect(failed["data.0.address"] == "192.0.2.1")
            #expect(try await one(.tenantChanged)["data.0.details.name.to"] == "Renamed")
            // Typed into psql: the role of the database is who did it.
            #expect(try await one(.memberRemoved)["data.0.actor.type"] == "operator")
            let all = try await live.database.psql("SELECT string_agg(a::text, ' ') FROM stock.audit_log a")
            let lines = live.log.all
            for message in [
                "info a log-in failed", "info an invitation was made", "info an invitation was accepted",
                "info an invitation was revoked", "info a membership was changed", "info an API key was made",
                "info an API key was revoked", "info a password was changed", "info a password was reset",
                "notice a replaced refresh token was used again",
            ] {
                let found = lines.first { $0.hasPrefix(message) }
                #expect(found?.contains("request_id=test") == true, "\(message): \(found ?? "not there")")
                #expect(found?.contains("address=192.0.2.1") == true, "\(message)")
            }
            for line in lines {
                for secret in ["another long one", "yet another one", "_", "@", LiveShop.password, "scrypt"]
                where line.replacing("request_id", with: "").replacing("api_key=", with: "").contains(secret) {
                    Issue.record("\(secret) in \(line)")
                }
            }
            for secret in [
                "another long one", "yet another one", "inv_", "rst_", "stk_", LiveShop.password, "scrypt",
            ] {
                #expect(!all.contains(secret), "\(secret)")
            }
        }
    }

    @Test("the audit is paged, filtered, the tenant's own, and can only be added to")
    func auditPages() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            let (_, foreign) = try await other(live)
            for number in 0..<5 {
                _ = try await identity.createKey(APIKeyDraft(name: "k\(number)", scopes: [.catalogRead]), live.context)
            }
            let all = try await actions(live)
            var paged: [String?] = []
            var cursor: String?
            repeat {
                let page = try JSONBody(
                    try await identity.audit(AuditFilter(), Page(limit: 2, cursor: cursor), live.context).body
                )
                paged += page.texts("data", "action")
                cursor = page["next_cursor"]
            } while cursor != nil && paged.count < 50
            #expect(paged == all)
            let first = try JSONBody(try await identity.audit(AuditFilter(), Page(limit: 2), live.context).body)
            var filter = AuditFilter()
            filter.action = .apiKeyCreated
            let narrow = filter
            #expect(try await actions(live, filter).count == 5)
            let mismatch = await problem {
                try await identity.audit(narrow, Page(limit: 2, cursor: first["next_cursor"]), live.context).body
            }
            #expect(mismatch?.code == .cursorMismatch)
            filter.actor = live.owner.user.entity
            #expect(try await actions(live, filter).count == 5)
            filter.actor = foreign.caller.user?.entity
            #expect(try await actions(live, filter).isEmpty)
            filter = AuditFilter()
            filter.days = try DayRange(from: BusinessDay("2020-01-02"), to: nil)
            #expect(try await actions(live, filter) == all)
            filter.days = try DayRange(from: nil, to: BusinessDay("2020-01-01"))
            #expect(try await actions(live, filter).isEmpty)

            let theirs = try JSONBody(try await identity.audit(AuditFilter(), Page(limit: 200), foreign).body)
            #expect(!theirs.texts("data", "action").contains("api_key.created"))
            let rights = try await live.database.psql(
                """
                SELECT string_agg(privilege_type, ',' ORDER BY privilege_type)
                FROM information_schema.role_table_grants WHERE grantee = 'stock_app' AND table_name = 'audit_log'
                """
            )
            #expect(rights == "INSERT,SELECT")
        }
    }
}
