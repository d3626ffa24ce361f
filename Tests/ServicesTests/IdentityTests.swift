import Domain
import Kernel
import Synchronization
import TestSupport
import Testing

@testable import Services

@Suite("Identity", .serialized)
struct IdentityTests {
    private let login = LoginRequest(email: "Ana@Example.com ", password: LiveShop.password)

    private func caller(_ session: SignedIn, _ live: LiveShop) async throws(Problem) -> Caller {
        try await live.shop.identity.caller(
            session: session.session,
            user: session.user,
            tenant: session.tenant.id,
            deadline: live.deadline
        )
    }

    private func signIn(_ live: LiveShop) async throws -> SignedIn {
        try await live.shop.identity.logIn(
            LoginRequest(email: "ana@example.com", password: LiveShop.password),
            from: .test,
            deadline: live.deadline
        )
    }

    @Test("signing up makes tenant, owner, register and units, and lets the owner in")
    func signup() async throws {
        try await LiveShop.open { live in
            let caller = try await caller(live.owner, live)
            #expect(caller.role == .owner)
            #expect(caller.may(.admin))
            let tenant = try JSONBody(try await live.answer(live.shop.tenants.get(live.caller)))
            #expect(tenant["slug"] == "nandu")
            #expect(tenant["name"] == "Ñandú")
            #expect(tenant["currency"] == "EUR")
            let registers = live.shop.records(Register.self)
            #expect(try JSONBody(try await live.answer(registers.list(Page(), live.caller))).count("data") == 1)
            #expect(
                try JSONBody(try await live.answer(live.shop.units.list(Page(), live.caller))).count("data") == 2
            )
            let me = try JSONBody(try await live.answer(live.shop.identity.me(live.caller)))
            #expect(me["user.email"] == "ana@example.com")
            #expect(me["tenant.slug"] == "nandu")
            #expect(me.count("scopes") == Scope.allCases.count)
        }
    }

    @Test("a taken slug, a slug like a number, a zone that is none, a weak password and another's address are refused")
    func signupRefused() async throws {
        try await LiveShop.open { live in
            func code(_ change: (inout SignupRequest) throws -> Void) async throws -> Problem? {
                var request = SignupRequest(
                    tenantName: "Other",
                    slug: "other",
                    email: "bea@example.com",
                    password: LiveShop.password,
                    currency: try required(Currency(code: "USD")),
                    timezone: "UTC"
                )
                try change(&request)
                let final = request
                return await problem {
                    try await live.shop.identity.signUp(final, from: .test, deadline: live.deadline)
                }
            }
            let slug = try await code { $0.slug = "nandu" }
            #expect(slug?.errors.map(\.pointer) == ["/slug"])
            let number = try await code { $0.slug = "112" }
            #expect(number?.errors.map(\.pointer) == ["/slug"])
            for name in ["Mars/Olympus", "localtime", "Factory", "posixrules", "posix/Europe/London", "right/UTC"] {
                let zone = try await code { $0.timezone = name }
                #expect(zone?.errors.map(\.pointer) == ["/timezone"], "\(name)")
            }
            // As at a login: not that there is such an account.
            let email = try await code {
                $0.email = "ana@example.com"
                $0.password = "not the password of ana"
            }
            #expect(email?.code == .unauthenticated)
            #expect(email?.errors.isEmpty == true)
            let password = try await code { $0.password = "password" }
            #expect(password?.errors.map(\.pointer) == ["/password"])
            let fine = try await code { _ in }
            #expect(fine == nil)
        }
    }

    @Test("a time zone is what the server lists, spelled as there, without its machine's own files")
    func zones() async throws {
        let database = try await PostgresServer.shared().database(named: "zones")
        let different = try await database.psql(
            """
            WITH listed AS MATERIALIZED (SELECT z.name FROM pg_timezone_names z),
                 tried AS (SELECT f.name FROM listed l, LATERAL (VALUES
                               (l.name), (lower(l.name)), (l.name || 'x'), (l.name || '3'), (l.name || '+3'), ('/' || l.name),
                               (l.name || '/'), (replace(l.name, '/', '//'))) AS f (name)
                           UNION ALL VALUES ('Etc/GMT+13'), ('ABC'), ('PST'), ('3'), ('+03:00'), (''), ('../UTC'), ('Europe'))
            SELECT string_agg(t.name, ' ') FROM tried t
            WHERE stock.is_timezone(t.name) <> (
                t.name NOT IN ('localtime', 'Factory', 'posixrules') AND t.name !~ '^(posix|right)/'
                AND EXISTS (SELECT FROM listed l WHERE l.name = t.name))
            """
        )
        #expect(different == "")
        #expect(
            try await database.psql(
                "SELECT stock.is_timezone('Europe/Paris') AND current_setting('timezone') <> 'Europe/Paris'"
            )
                == "t"
        )
        try await database.drop()
    }

    @Test("a sign-up that makes nothing is refused alike, whether its address has an account or not")
    func signupTellsNothing() async throws {
        try await LiveShop.open { live in
            func refusal(_ email: String, slug: String = "other", timezone: String = "UTC") async throws -> Problem? {
                let request = SignupRequest(
                    tenantName: "Other",
                    slug: slug,
                    email: email,
                    password: "not the password of ana",
                    currency: try required(Currency(code: "USD")),
                    timezone: timezone
                )
                return await problem {
                    try await live.shop.identity.signUp(request, from: .test, deadline: live.deadline)
                }
            }
            for (slug, timezone, pointer) in [
                ("nandu", "UTC", "/slug"), ("112", "UTC", "/slug"), ("other", "Mars/Olympus", "/timezone"),
            ] {
                let known = try await refusal("ana@example.com", slug: slug, timezone: timezone)
                let unknown = try await refusal("bea@example.com", slug: slug, timezone: timezone)
                #expect(known == unknown)
                #expect(known?.errors.map(\.pointer) == [pointer])
            }
        }
    }

    @Test("the right password opens a session; a wrong one and an unknown address get one answer")
    func logIn() async throws {
        try await LiveShop.open { live in
            let session = try await signIn(live)
            #expect(session.tenants.map(\.slug) == ["nandu"])
            _ = try await caller(session, live)
            let identity = live.shop.identity
            let wrong = await problem {
                try await identity.logIn(
                    LoginRequest(email: "ana@example.com", password: "x"),
                    from: .test,
                    deadline: live.deadline
                )
            }
            let unknown = await problem {
                try await identity.logIn(
                    LoginRequest(email: "no@example.com", password: "x"),
                    from: .test,
                    deadline: live.deadline
                )
            }
            #expect(wrong?.code == .unauthenticated)
            #expect(wrong == unknown)
            let elsewhere = await problem {
                try await identity.logIn(
                    LoginRequest(email: "ana@example.com", password: LiveShop.password, tenant: .slug("other")),
                    from: .test,
                    deadline: live.deadline
                )
            }
            #expect(elsewhere?.code == .forbidden)
        }
    }

    @Test("a refresh token rotates; at once it gets the same successor, later it ends the family")
    func refresh() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            let session = try await signIn(live)
            let next = try await identity.refresh(session.refreshToken, from: .test, deadline: live.deadline)
            #expect(next.refreshToken != session.refreshToken)
            let again = try await identity.refresh(session.refreshToken, from: .test, deadline: live.deadline)
            #expect(again.refreshToken == next.refreshToken)
            #expect(again.session == next.session)
            _ = try await caller(next, live)
            // Eleven seconds later the old token can only be a copy.
            try await live.database.psql(
                "UPDATE stock.session SET rotated_at = rotated_at - interval '11 seconds' WHERE rotated_at IS NOT NULL"
            )
            let reused = await problem {
                try await identity.refresh(session.refreshToken, from: .test, deadline: live.deadline)
            }
            #expect(reused?.code == .unauthenticated)
            let successor = await problem {
                try await identity.refresh(next.refreshToken, from: .test, deadline: live.deadline)
            }
            #expect(successor?.code == .unauthenticated)
            #expect(await problem { try await caller(next, live) }?.code == .unauthenticated)
        }
    }

    @Test("thirty-two refreshes at once get one successor")
    func refreshStorm() async throws {
        try await LiveShop.open { live in
            let session = try await signIn(live)
            let successors = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<32 {
                    group.addTask {
                        try await live.shop.identity.refresh(session.refreshToken, from: .test, deadline: live.deadline)
                            .refreshToken
                    }
                }
                var seen = Set<String>()
                for try await token in group { seen.insert(token) }
                return seen
            }
            #expect(successors.count == 1)
        }
    }

    @Test("what is no refresh token is refused", arguments: ["", "rt_", "rt_AAAA", "x", "stk_1_2_3"])
    func badTokens(token: String) async throws {
        #expect(RefreshTokens.parse(token) == nil)
    }

    @Test("logging out ends the session, or all of the person's")
    func logOut() async throws {
        try await LiveShop.open { live in
            let one = try await signIn(live)
            let two = try await signIn(live)
            var context = live.context
            context.caller.session = one.session
            _ = try await caller(one, live)
            try await live.shop.identity.logOut(everywhere: false, context)
            #expect(await problem { try await caller(one, live) }?.code == .unauthenticated)
            _ = try await caller(two, live)
            try await live.shop.identity.logOut(everywhere: true, context)
            #expect(await problem { try await caller(two, live) }?.code == .unauthenticated)
            #expect(await problem { try await caller(live.owner, live) }?.code == .unauthenticated)
        }
    }

    @Test("a session ends by the clock, for another person and in another tenant")
    func sessionChecks() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            let deadline = live.deadline
            let owner = live.owner
            let foreign = await problem {
                try await identity.caller(
                    session: owner.session,
                    user: .make(),
                    tenant: owner.tenant.id,
                    deadline: deadline
                )
            }
            #expect(foreign?.code == .unauthenticated)
            let elsewhere = await problem {
                try await identity.caller(
                    session: owner.session,
                    user: owner.user,
                    tenant: TenantID(rawValue: owner.tenant.id.rawValue + 1),
                    deadline: deadline
                )
            }
            #expect(elsewhere?.code == .unauthenticated)
            live.clock.advance(by: .seconds(15 * 86_400))
            #expect(await problem { try await caller(owner, live) }?.code == .unauthenticated)
        }
    }

    @Test("a disabled person, a removed membership and a suspended tenant are noticed")
    func disabled() async throws {
        try await LiveShop.open { live in
            try await usable(live)
            _ = try await caller(live.owner, live)
            try await live.database.psql("UPDATE stock.tenant SET status = 'suspended'")
            try await eventually("the change is seen") {
                await problem { try await caller(live.owner, live) }?.code == .tenantSuspended
            }
            try await live.database.psql("UPDATE stock.tenant SET status = 'active'")
            try await eventually("the change is seen") { await problem { try await caller(live.owner, live) } == nil }
            try await live.database.psql("UPDATE stock.app_user SET status = 'disabled'")
            try await eventually("the change is seen") {
                await problem { try await caller(live.owner, live) }?.code == .unauthenticated
            }
            #expect(await problem { try await signIn(live) }?.code == .unauthenticated)
        }
    }

    @Test("operators make members at once; they change roles, and the last owner stays")
    func members() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            let draft = MemberDraft(email: "bea@example.com", name: "Bea", password: "another long one", role: .cashier)
            #expect(await problem { try await identity.createMember(draft, live.context) }?.code == .forbidden)
            let added = try await identity.createMember(draft, live.operators)
            #expect(added.status == 201)
            let user = try required(UserID(try required(try JSONBody(added)["id"])))
            #expect(await problem { try await identity.createMember(draft, live.operators) }?.code == .duplicate)
            let session = try await identity.logIn(
                LoginRequest(email: "bea@example.com", password: "another long one"),
                from: .test,
                deadline: live.deadline
            )
            #expect(try await caller(session, live).role == .cashier)
            var patch = MemberPatch()
            patch.role = .set(.manager)
            _ = try await identity.updateMember(user, patch, expected: .oneOf([1]), live.context)
            // The same session: a role is read at every request.
            #expect(try await caller(session, live).role == .manager)
            patch = MemberPatch()
            patch.active = .set(false)
            let last = await problem {
                try await identity.updateMember(live.owner.user, patch, expected: .any, live.context)
            }
            #expect(last?.code == .invalidState)
            _ = try await identity.updateMember(user, patch, expected: .oneOf([2]), live.context)
            #expect(await problem { try await caller(session, live) }?.code == .unauthenticated)
            #expect(try JSONBody(try await live.answer(identity.members(live.caller))).count("data") == 2)
        }
    }

    @Test("a session that ended with the membership, the person's row or the password does not come back")
    func sessionsEnd() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            try await usable(live)
            let draft = MemberDraft(email: "bea@example.com", password: "another long one", role: .cashier)
            _ = try await identity.createMember(draft, live.operators)
            func logIn() async throws(Problem) -> SignedIn {
                try await identity.logIn(
                    LoginRequest(email: draft.email, password: draft.password),
                    from: .test,
                    deadline: live.deadline
                )
            }
            // Also what is typed into psql ends them.
            for (end, begin) in [
                (
                    "UPDATE stock.membership SET active = false WHERE role = 'cashier'",
                    "UPDATE stock.membership SET active = true WHERE role = 'cashier'"
                ),
                (
                    "UPDATE stock.app_user SET status = 'disabled' WHERE email LIKE 'bea%'",
                    "UPDATE stock.app_user SET status = 'active' WHERE email LIKE 'bea%'"
                ),
                (
                    "CREATE TEMP TABLE kept AS SELECT * FROM stock.membership WHERE role = 'cashier'; "
                        + "DELETE FROM stock.membership WHERE role = 'cashier'; "
                        + "INSERT INTO stock.membership SELECT * FROM kept", "SELECT 1"
                ),
            ] {
                let session = try await logIn()
                _ = try await caller(session, live)
                try await live.database.psql(end)
                try await live.database.psql(begin)
                try await eventually("the session has ended") {
                    await problem { try await caller(session, live) }?.code == .unauthenticated
                }
                let refreshed = await problem {
                    try await identity.refresh(session.refreshToken, from: .test, deadline: live.deadline)
                }
                #expect(refreshed?.code == .unauthenticated, "\(end)")
                _ = try await caller(try await logIn(), live)
            }
        }
    }

    @Test("refreshes beside a deactivation leave no session that comes back")
    func refreshBesideDeactivation() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            let draft = MemberDraft(email: "bea@example.com", password: "another long one", role: .cashier)
            _ = try await identity.createMember(draft, live.operators)
            for _ in 0..<5 {
                let session = try await identity.logIn(
                    LoginRequest(email: draft.email, password: draft.password),
                    from: .test,
                    deadline: live.deadline
                )
                await withTaskGroup(of: Void.self) { group in
                    group.addTask {
                        var token = session.refreshToken
                        while let next = try? await identity.refresh(token, from: .test, deadline: live.deadline) {
                            token = next.refreshToken
                        }
                    }
                    group.addTask {
                        _ = try? await live.database.psql(
                            "UPDATE stock.membership SET active = false WHERE role = 'cashier'"
                        )
                    }
                    await group.waitForAll()
                }
                try await live.database.psql("UPDATE stock.membership SET active = true WHERE role = 'cashier'")
                let alive = try await live.database.psql(
                    """
                    SELECT count(*) FROM stock.session s JOIN stock.app_user u ON u.id = s.user_id
                    WHERE u.email = 'bea@example.com' AND s.revoked_at IS NULL
                    """
                )
                #expect(alive == "0")
            }
        }
    }

    @Test("each new session takes two expired ones along")
    func expiredSessions() async throws {
        try await LiveShop.open { live in
            for _ in 0..<4 { _ = try await signIn(live) }
            try await live.database.psql("UPDATE stock.session SET expires_at = now() - interval '1 minute'")
            let before = Int(try await live.database.psql("SELECT count(*) FROM stock.session")) ?? 0
            let session = try await signIn(live)
            #expect(try await live.database.psql("SELECT count(*) FROM stock.session") == "\(before - 1)")
            _ = try await live.shop.identity.refresh(session.refreshToken, from: .test, deadline: live.deadline)
            #expect(try await live.database.psql("SELECT count(*) FROM stock.session") == "\(before - 2)")
        }
    }

    @Test("an API key works until it is revoked or ends; its secret is shown once")
    func apiKeys() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            let created = try JSONBody(
                try await identity.createKey(
                    APIKeyDraft(name: "till", scopes: [.catalogRead, .salesWrite]),
                    live.context
                )
            )
            let secret = try required(created["secret"])
            #expect(secret.hasPrefix("stk_\(live.owner.tenant.id)_"))
            let caller = try await identity.caller(apiKey: secret, deadline: live.deadline)
            #expect(caller.scopes == [.catalogRead, .salesWrite])
            #expect(caller.tenant == live.owner.tenant.id)
            let last = secret.last == "A" ? "Q" : "A"
            for wrong in [secret.dropLast() + last, secret + "A", "stk_999_" + secret.dropFirst(6), "stk_", ""] {
                let refused = await problem {
                    try await identity.caller(apiKey: String(wrong), deadline: live.deadline)
                }
                #expect(refused?.code == .unauthenticated)
            }
            let listed = try JSONBody(try await live.answer(identity.keys(live.caller)))
            #expect(listed["data.0.name"] == "till")
            #expect(listed["data.0.secret"] == nil)
            let dump = try await live.database.psql("SELECT encode(secret_hash, 'hex') FROM stock.api_key")
            #expect(!secret.contains(dump.prefix(16)))
            let id = try required(APIKeyID(try required(created["id"])))
            _ = try await identity.revokeKey(id, live.context)
            #expect(
                await problem { try await identity.caller(apiKey: secret, deadline: live.deadline) }?.code
                    == .unauthenticated
            )
            #expect(await problem { try await identity.revokeKey(.make(), live.context) }?.code == .notFound)
            var limited = live.context
            limited.caller.scopes = [.catalogRead]
            let more = await problem {
                try await identity.createKey(APIKeyDraft(name: "more", scopes: [.admin]), limited)
            }
            #expect(more?.code == .forbidden)
            let past = await problem {
                try await identity.createKey(
                    APIKeyDraft(name: "late", scopes: [.catalogRead], expiresAt: live.clock.wall.now()),
                    live.context
                )
            }
            #expect(past?.errors.map(\.pointer) == ["/expires_at"])
        }
    }

    @Test("a key ends by the clock")
    func keyExpiry() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            let created = try JSONBody(
                try await identity.createKey(
                    APIKeyDraft(name: "short", scopes: [.catalogRead], expiresAt: Timestamp.now().adding(.seconds(60))),
                    live.context
                )
            )
            let secret = try required(created["secret"])
            _ = try await identity.caller(apiKey: secret, deadline: live.deadline)
            live.clock.advance(by: .seconds(61))
            #expect(
                await problem { try await identity.caller(apiKey: secret, deadline: live.deadline) }?.code
                    == .unauthenticated
            )
        }
    }

    @Test("a person of two tenants switches between them, and a slug of digits is never taken for a number")
    func switching() async throws {
        try await LiveShop.open { live in
            let identity = live.shop.identity
            // The owner of one shop opens another with the same account.
            let other = try await identity.signUp(
                SignupRequest(
                    tenantName: "Other",
                    slug: "other",
                    email: "ana@example.com",
                    password: LiveShop.password,
                    currency: try required(Currency(code: "USD")),
                    timezone: "UTC"
                ),
                from: .test,
                deadline: live.deadline
            )
            #expect(other.user == live.owner.user)
            #expect(other.tenants.map(\.slug) == ["nandu", "other"])
            let there = try await identity.switchTenant(.slug("other"), live.context)
            #expect(there.tenant.role == .owner)
            #expect(there.tenants.count == 2)
            #expect(
                await problem { try await identity.switchTenant(.slug("nowhere"), live.context) }?.code == .forbidden
            )
            #expect(try await identity.switchTenant(.id(other.tenant.id), live.context).tenant == other.tenant)
            #expect(try await identity.tenants(deadline: live.deadline).count == 2)

            // From before slugs of digits were refused.
            try await live.database.psql(
                "UPDATE stock.tenant SET slug = '\(live.owner.tenant.id)' WHERE id = \(other.tenant.id)"
            )
            func find(_ reference: TenantReference) async throws -> TenantID? {
                try await reference.find(in: live.postgres, deadline: live.deadline)
            }
            let digits = "\(live.owner.tenant.id)"
            #expect(try await find(.slug(typed: " \(digits) ")) == other.tenant.id)
            #expect(try await find(.id(live.owner.tenant.id)) == live.owner.tenant.id)
            #expect(try await find(.slug("nowhere")) == nil)
            #expect(try await identity.switchTenant(.slug(digits), live.context).tenant.id == other.tenant.id)
        }
    }
}

@Suite("Passwords")
struct PasswordHasherTests {
    private let cheap = PasswordCost(ln: 4, r: 8, p: 1)

    @Test("a hash checks its own password only, and two hashes differ")
    func verify() async throws {
        let hasher = PasswordHasher(cost: cheap)
        let hash = try await hasher.hash("s3cret secret")
        #expect(hash.hasPrefix("$scrypt$ln=4,r=8,p=1$"))
        #expect(try await hasher.verify("s3cret secret", against: hash).isMatch)
        #expect(try await !hasher.verify("s3cret secreT", against: hash).isMatch)
        #expect(try await !hasher.verify("s3cret secret", against: nil).isMatch)
        #expect(try await hasher.hash("s3cret secret") != hash)
    }

    @Test("a password typed on another device is the same password, and hashes from before that are accepted once more")
    func prepared() async throws {
        let composed = "Contrase\u{F1}a-ma\u{F1}ana-\u{E9}"
        let decomposed = "Contrasen\u{303}a-man\u{303}ana-e\u{301}"
        let hasher = PasswordHasher(cost: cheap)
        for stored in [composed, decomposed] {
            let hash = try await hasher.hash(stored)
            for typed in [composed, decomposed] {
                let verdict = try await hasher.verify(typed, against: hash)
                #expect(verdict.isMatch)
                #expect(!verdict.isWeak)
            }
        }
        #expect(
            try await hasher.verify("two\u{A0}words here", against: try await hasher.hash("two words here")).isMatch
        )
        // scrypt of the decomposed bytes themselves, as hashes once were: N=16, r=8, p=1, salt "SodiumChloride".
        let old = "$scrypt$ln=4,r=8,p=1$U29kaXVtQ2hsb3JpZGU$ltt3PxbLVgCCIOehE8ja9jjGkH9Rh5fqAaufJFmT68A"
        let verdict = try await hasher.verify(decomposed, against: old)
        #expect(verdict.isMatch)
        #expect(verdict.isWeak)
        #expect(try await !hasher.verify(composed, against: old).isMatch)
    }

    @Test("a weaker hash is to be replaced")
    func weaker() async throws {
        let hash = try await PasswordHasher(cost: cheap).hash("s3cret secret")
        let stronger = PasswordHasher(cost: PasswordCost(ln: 5, r: 8, p: 1))
        let verdict = try await stronger.verify("s3cret secret", against: hash)
        #expect(verdict.isMatch)
        #expect(verdict.isWeak)
    }

    @Test("the known vector of RFC 7914")
    func vector() async throws {
        // scrypt("pleaseletmein", "SodiumChloride", N=16384, r=8, p=1), first 32 of 64 bytes.
        let stored = PHCString(
            cost: PasswordCost(ln: 14, r: 8, p: 1),
            salt: Array("SodiumChloride".utf8),
            hash: try required(
                Hexadecimal.bytes("7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2")
            )
        )
        #expect(try await PasswordHasher(cost: cheap).verify("pleaseletmein", against: stored.text).isMatch)
    }

    @Test(
        "a planted string is refused instead of computed",
        arguments: [
            "", "$scrypt$", "$scrypt$ln=30,r=8,p=1$AAAAAAAAAAAAAAAA$AAAA", "$argon2id$v=19$m=1,t=1,p=1$AAAA$AAAA",
            "$scrypt$ln=0,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA", "plain",
        ]
    )
    func planted(text: String) {
        #expect(PHCString(text) == nil)
    }

    @Test("more at once than can be answered in time are told to come back")
    func full() async throws {
        let hasher = PasswordHasher(cost: PasswordCost(ln: 14, r: 8, p: 1))
        let refused = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<40 {
                group.addTask { await problem { try await hasher.hash("s3cret secret") }?.code == .rateLimited }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(refused > 0)
        #expect(refused <= 31, "one is hashed and eight of an address wait")
        #expect(try await hasher.hash("s3cret secret").isEmpty == false)
    }

    @Test("who gave up before its turn is not hashed for")
    func late() async throws {
        let hasher = PasswordHasher(cost: PasswordCost(ln: 16, r: 8, p: 1))
        let order = Finished()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                _ = try await hasher.hash("s3cret secret")
                order.add("first")
            }
            try await eventually("one is hashed") { hasher.running == 1 }
            group.addTask {
                let soon = ContinuousClock.now.advanced(by: .milliseconds(1))
                let refusal = await problem { try await hasher.hash("s3cret secret", until: soon) }
                #expect(refusal?.code == .overloaded)
                order.add("late")
            }
            try await eventually("one waits") { hasher.waiting == 1 || order.all.count == 2 }
            _ = try await hasher.hash("s3cret secret")
            try await group.waitForAll()
        }
        #expect(Set(order.all) == ["first", "late"])
        #expect(hasher.running == 0)
    }

    @Test("addresses take turns, so that who tries by the dozen delays another by one hash")
    func turns() async throws {
        let hasher = PasswordHasher(cost: PasswordCost(ln: 14, r: 8, p: 1))
        let order = Finished()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, address) in ["a", "a", "a", "a", "a", "a", "a", "b"].enumerated() {
                group.addTask {
                    _ = try await hasher.hash("s3cret secret", from: address)
                    order.add(address)
                }
                try await eventually("it is hashed or waits") {
                    hasher.running + hasher.waiting + order.all.count > number
                }
            }
            try await group.waitForAll()
        }
        let finished = order.all
        let place = try #require(finished.firstIndex(of: "b"))
        #expect(place <= 3, "\(finished)")
    }
}

/// Who has finished, in order.
private final class Finished: Sendable {
    private let names = Mutex<[String]>([])

    var all: [String] { names.withLock { $0 } }

    func add(_ name: String) { names.withLock { $0.append(name) } }
}
