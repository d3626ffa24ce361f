import Cache
import Crypto
import Domain
package import Kernel
import Logging
import NIOCore
import Postgres

/// People, sessions and API keys: who may come in, and as what.
package struct IdentityService: Sendable {
    let store: Store
    /// Hashes passwords, by turns.
    package let hasher: PasswordHasher
    let tokens: RefreshTokens
    let cursors: PageCursors
    let clock: WallClock
    let logger: Logger
    let lateNotes = LateNotes()
    private let isSignupEnabled: Bool

    /// Known to this process alone: what is kept in memory of an API key is worthless elsewhere.
    private let processKey = SymmetricKey(size: .bits256)

    init(store: Store, cursors: PageCursors, settings: ShopSettings, logger: Logger) {
        self.store = store
        self.cursors = cursors
        self.logger = logger
        hasher = PasswordHasher(cost: settings.passwordCost)
        tokens = RefreshTokens(secret: settings.secret)
        clock = settings.clock
        isSignupEnabled = settings.isSignupEnabled
    }

    static let statements: [any Statement.Type] = [
        FindUserByEmail.self, FindUser.self, FindMembership.self, FindTenant.self, ListTenants.self, CheckTenant.self,
        CreateTenant.self,
        InsertUser.self, InsertMembership.self, InsertDefaultUnits.self, HoldUser.self, HoldUserOfSession.self,
        MarkLogin.self, InsertSession.self, CurrentTenant.self, RehashPassword.self, RotateSession.self,
        RevokeFamily.self, RevokeAllSessions.self, CheckSession.self, CheckKey.self, TouchKey.self, ReadMe.self,
        ListMembers.self, ListColleagues.self, ReadDocument<Member>.self, GuardMember.self, CheckMemberLocations.self,
        UpdateMember.self,
        GuardOwner.self,
        Conclude<Member>.self,
        ListKeys.self, InsertKey.self, RevokeKey.self, Conclude<APIKey>.self, Act.self, Note.self, NotePerson.self,
        ListAudit.self, ListInvitations.self, ReadDocument<Invitation>.self, FindInvitation.self, GuardInvitation.self,
        InsertInvitation.self, RenewInvitation.self, RevokeInvitation.self, TakeInvitation.self,
        Conclude<Invitation>.self, SetPassword.self, RevokeOtherSessions.self, SetReset.self, FindReset.self,
        TakeReset.self,
    ]

    // MARK: Coming in

    /// `POST /v1/signup`: a tenant with its owner, default register and units, and the owner's first session.
    ///
    /// An address that has an account needs that account's password, so that a person has one account for all of their shops, and
    /// a wrong one is refused as at a login.
    ///
    /// - Parameters:
    ///   - request: The shop and its owner.
    ///   - origin: Where the request came from.
    ///   - deadline: When the client gives up.
    /// - Returns: The session.
    /// - Throws: 403 `forbidden` if signing up is switched off, 401 `unauthenticated` for the wrong password of an account, 409
    ///   `duplicate` for a slug that is taken, 422 `validation_failed` for a password, slug or time zone.
    package func signUp(
        _ request: SignupRequest,
        from origin: Origin,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> SignedIn {
        guard isSignupEnabled else {
            throw Problem(.forbidden, "Signing up is switched off here. Ask whoever runs this service.")
        }
        let session = NewSession(tokens: tokens)
        let made = try await makeTenant(request, session: session, from: origin, deadline: deadline)
        let summary = TenantSummary(id: made.tenant, slug: request.slug, name: request.tenantName, role: .owner)
        var others: [TenantSummary] = []
        if case .known(let user) = made.owner {
            others = try await memberships(of: user, deadline: deadline).map(\.summary)
        }
        return SignedIn(
            user: made.owner.id,
            email: made.owner.email,
            name: made.owner.name,
            tenant: summary,
            session: session.id,
            refreshToken: session.text,
            tenants: others + [summary],
            consistency: store.consistency(made.written, nil)
        )
    }

    /// Makes a tenant with its owner, default register and units; operators may where nobody may sign up.
    ///
    /// - Parameters:
    ///   - request: The shop and its owner.
    ///   - origin: Where the request came from.
    ///   - deadline: When the caller gives up.
    /// - Returns: The tenant's number.
    /// - Throws: As signing up.
    package func createTenant(
        _ request: SignupRequest,
        from origin: Origin,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> TenantID {
        try await makeTenant(request, session: nil, from: origin, deadline: deadline).tenant
    }

    private func makeTenant(
        _ request: SignupRequest,
        session: NewSession?,
        from origin: Origin,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> (owner: Account, tenant: TenantID, written: Written) {
        // Before anything is asked of the account: behind it, what is wrong with the shop would be said to whoever has no account
        // and to nobody else, so that a request that makes nothing told of any address whether it has one.
        _ = try await store.query(
            CheckTenant(slug: request.slug, timezone: request.timezone),
            tenant: nil,
            deadline: deadline
        )
        return try await withAccount(
            of: request.email,
            name: request.name,
            password: request.password,
            from: origin,
            deadline: deadline
        ) { (owner) throws(PostgresError) in
            let made = try await store.perform(
                nil,
                deadline: deadline,
                retired: { (row: CurrentTenant.Row) in row.tenant }
            ) { (unit) throws(PostgresError) -> Slot<CurrentTenant.Row> in
                let actor =
                    session == nil
                    ? AuditActor.administrator(origin) : AuditActor(user: owner.id, email: owner.email, origin: origin)
                try unit.add(Act(actor: actor))
                try unit.add(CreateTenant(request: request, register: .make()))
                try owner.add(to: &unit)
                try unit.add(InsertMembership(user: owner.id, role: .owner))
                try unit.add(InsertDefaultUnits(piece: .make(), kilogram: .make()))
                if let session {
                    try Self.open(session, of: owner.id, owner.passwordVersion, by: "sign-up", in: &unit)
                } else {
                    try unit.add(HoldUser(user: owner.id, passwordVersion: owner.passwordVersion))
                }
                return try unit.add(CurrentTenant())
            }
            return (owner, made.row.tenant, made.written)
        }
    }

    /// `POST /v1/auth/login`.
    ///
    /// An unknown address takes as long as a wrong password and gets the same answer.
    ///
    /// - Parameters:
    ///   - request: Who wants in, and where.
    ///   - origin: Where the request came from.
    ///   - deadline: When the client gives up.
    /// - Returns: A new session.
    /// - Throws: 401 `unauthenticated`, 403 `forbidden` or `tenant_suspended`, 429 `rate_limited`.
    package func logIn(
        _ request: LoginRequest,
        from origin: Origin,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> SignedIn {
        let found = try await store.query(FindUserByEmail(email: request.email), tenant: nil, deadline: deadline).first
        let (isMatch, isWeak) = try await hasher.verify(
            request.password,
            against: found?.passwordHash,
            from: origin.network,
            until: deadline
        )
        guard isMatch, let user = found, user.isActive else {
            throw wrongPassword(of: found, from: origin)
        }
        if isWeak {
            let hash = try await hasher.hash(request.password, from: origin.network, until: deadline)
            _ = try? await store.transact(nil, deadline: deadline) {
                (unit) throws(PostgresError) -> Slot<CurrentTenant.Row> in
                try unit.add(RehashPassword(user: user.id, hash: hash, passwordVersion: user.passwordVersion))
                return try unit.add(CurrentTenant())
            }
        }
        let memberships = try await memberships(of: user, deadline: deadline)
        let chosen: FindMembership.Row?
        if let wanted = request.tenant {
            chosen = memberships.first { wanted.names($0.summary) }
        } else {
            chosen = memberships.first { $0.isTenantActive } ?? memberships.first
        }
        return try await open(user, in: chosen, among: memberships, by: "password", from: origin, deadline: deadline)
    }

    /// `POST /v1/auth/switch`: a session in another tenant of the same person.
    package func switchTenant(_ tenant: TenantReference, _ context: CallContext) async throws(Problem) -> SignedIn {
        guard let id = context.caller.user,
            let user = try await store.query(FindUser(id: id), tenant: nil, deadline: context.deadline).first,
            user.isActive
        else { throw Problem(.forbidden, "Only a person can switch to another tenant.") }
        let memberships = try await memberships(of: user, deadline: context.deadline)
        return try await open(
            user,
            in: memberships.first { tenant.names($0.summary) },
            among: memberships,
            by: "switch",
            from: context.origin,
            deadline: context.deadline
        )
    }

    /// `POST /v1/auth/refresh`: rotates the token.
    ///
    /// Within ten seconds the old token gets the same successor again; used later it ends its whole family, as somebody has a
    /// copy.
    ///
    /// - Parameters:
    ///   - token: What the client kept.
    ///   - origin: Where the request came from.
    ///   - deadline: When the client gives up.
    /// - Returns: The successor session.
    /// - Throws: 401 `unauthenticated`.
    package func refresh(
        _ token: String,
        from origin: Origin,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> SignedIn {
        let refused = Problem(.unauthenticated, "The refresh token is not valid any more. Log in again.")
        guard let bytes = RefreshTokens.parse(token) else { throw refused }
        let hash = RefreshTokens.hash(of: bytes)
        let successor = tokens.successor(of: bytes)
        let rotation: RotateSession.Row
        do throws(PostgresError) {
            rotation = try await store.transact(
                nil,
                deadline: deadline,
                repeatsLost: true,
                retired: { (row: RotateSession.Row) in row.tenant }
            ) { (unit) throws(PostgresError) -> Slot<RotateSession.Row> in
                try unit.add(HoldUserOfSession(hash: hash))
                return try unit.add(
                    RotateSession(
                        hash: hash,
                        successor: .make(),
                        successorHash: RefreshTokens.hash(of: successor)
                    )
                )
            }
        } catch {
            throw error.code == .unexpectedRowCount ? refused : store.problem(of: error)
        }
        if rotation.outcome == .reused {
            logger.notice(
                "a replaced refresh token was used again, its sessions are ended",
                metadata: origin.metadata(user: rotation.user)
            )
            lateNotes.continuation.yield(
                LateNotes.Entry(user: rotation.user, action: .sessionReused, details: AuditDetails(), origin: origin)
            )
        }
        guard let session = rotation.session, rotation.outcome.isValid,
            let user = try await store.query(FindUser(id: rotation.user), tenant: nil, deadline: deadline).first,
            user.isActive
        else { throw refused }
        let memberships = try await memberships(of: user, deadline: deadline)
        guard let membership = memberships.first(where: { $0.summary.id == rotation.tenant }) else { throw refused }
        guard membership.isTenantActive else { throw Self.suspended }
        return SignedIn(
            user: user.id,
            email: user.email,
            name: user.name,
            tenant: membership.summary,
            session: session,
            refreshToken: RefreshTokens.text(of: successor),
            tenants: memberships.map(\.summary)
        )
    }

    /// `POST /v1/auth/logout`: ends the caller's session with its family, or all sessions of the person.
    ///
    /// - Returns: The value of `Stock-Consistency`.
    @discardableResult
    package func logOut(everywhere: Bool, _ context: CallContext) async throws(Problem) -> String? {
        guard let user = context.caller.user, let session = context.caller.session else {
            throw Problem(.forbidden, "An API key has no session to end; revoke the key instead.")
        }
        do throws(PostgresError) {
            let written = try await store.perform(context.tenant, deadline: context.deadline, repeatsLost: true) {
                (unit) throws(PostgresError) -> Slot<CurrentTenant.Row> in
                if everywhere {
                    try unit.add(RevokeAllSessions(user: user))
                } else {
                    try unit.add(RevokeFamily(session: session, user: user))
                }
                return try unit.add(CurrentTenant())
            }.written
            return store.consistency(written, context.token)
        } catch {
            throw store.problem(of: error)
        }
    }

    // MARK: Accounts

    /// Runs a unit with the account of an address, which its password opens; an address without one gets an account with that
    /// password.
    ///
    /// Both take one hashing, and what the rules of new passwords say is said before anything is looked up: how long it takes and
    /// what is refused tell nothing of who has an account.
    ///
    /// - Parameters:
    ///   - email: Folded by `Text.email`.
    ///   - name: The name of a new account.
    ///   - password: As typed.
    ///   - origin: Where the request came from.
    ///   - deadline: When the client gives up.
    ///   - perform: Runs the unit; again if somebody made the account meanwhile.
    /// - Returns: What `perform` returns.
    /// - Throws: 401 `unauthenticated`, 422 `validation_failed`, or what the unit was refused with.
    func withAccount<Value>(
        of email: String,
        name: String,
        password: String,
        from origin: Origin,
        deadline: ContinuousClock.Instant,
        _ perform: (Account) async throws(PostgresError) -> Value
    ) async throws(Problem) -> Value {
        if let error = PasswordRules.error(of: password, email: email, at: "/password") {
            throw Problem(.validationFailed, "The password \(error.detail)", errors: [error])
        }
        var mayRepeat = true
        while true {
            let found = try await store.query(FindUserByEmail(email: email), tenant: nil, deadline: deadline).first
            let account: Account
            if let found {
                let isMatch = try await hasher.verify(
                    password,
                    against: found.passwordHash,
                    from: origin.network,
                    until: deadline
                ).isMatch
                guard isMatch, found.isActive else {
                    throw wrongPassword(of: found, from: origin)
                }
                account = .known(found)
            } else {
                let hash = try await hasher.hash(password, from: origin.network, until: deadline)
                account = .new(id: .make(), email: email, name: name, hash: hash)
            }
            do throws(PostgresError) {
                return try await perform(account)
            } catch {
                let isTaken = error.sqlState == .uniqueViolation && error.constraint == "app_user_email_key_key"
                guard isTaken, mayRepeat else { throw store.problem(of: error) }
                mayRepeat = false
            }
        }
    }

    /// Notes a failed attempt, after the answer, and tells how it is refused.
    func wrongPassword(of user: UserRow?, from origin: Origin) -> Problem {
        // What was typed as the address of nobody may well be a password: it is not repeated.
        logger.info("a log-in failed", metadata: origin.metadata(user: user?.id))
        if let user {
            lateNotes.continuation.yield(
                LateNotes.Entry(
                    user: user.id,
                    action: .loginFailed,
                    details: AuditDetails(["reason": user.isActive ? "password" : "disabled"]),
                    origin: origin
                )
            )
        }
        return Problem(.unauthenticated, "The e-mail address or the password is wrong.")
    }

    private func open(
        _ user: UserRow,
        in membership: FindMembership.Row?,
        among memberships: [FindMembership.Row],
        by means: String,
        from origin: Origin,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> SignedIn {
        guard let membership else { throw Problem(.forbidden, "You are not a member of this tenant.") }
        guard membership.isTenantActive else { throw Self.suspended }
        let session = NewSession(tokens: tokens)
        do throws(PostgresError) {
            _ = try await store.transact(membership.summary.id, deadline: deadline) {
                (unit) throws(PostgresError) -> Slot<CurrentTenant.Row> in
                try unit.add(Act(actor: AuditActor(user: user.id, email: user.email, origin: origin)))
                try Self.open(session, of: user.id, user.passwordVersion, by: means, in: &unit)
                return try unit.add(CurrentTenant())
            }
        } catch {
            throw store.problem(of: error)
        }
        return SignedIn(
            user: user.id,
            email: user.email,
            name: user.name,
            tenant: membership.summary,
            session: session.id,
            refreshToken: session.text,
            tenants: memberships.map(\.summary)
        )
    }

    /// Opens a session in the unit's tenant, for a person whose password of that version was shown.
    static func open(
        _ session: NewSession,
        of user: UserID,
        _ passwordVersion: Int64?,
        by means: String,
        in unit: inout UnitOfWork
    ) throws(PostgresError) {
        // In this order: a row that is held shared and then written would wait for another that does the same.
        try unit.add(MarkLogin(user: user))
        try unit.add(HoldUser(user: user, passwordVersion: passwordVersion))
        try unit.add(InsertSession(session: session, user: user))
        try unit.add(Note(.loginSucceeded, user: user, AuditDetails(["by": means])))
    }

    /// The active memberships of a person, each read within its tenant.
    func memberships(
        of user: UserRow,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> [FindMembership.Row] {
        var memberships: [FindMembership.Row] = []
        for tenant in user.tenants {
            memberships += try await store.query(FindMembership(user: user.id), tenant: tenant, deadline: deadline)
        }
        return memberships
    }

    static let suspended = Problem(.tenantSuspended, "This tenant is suspended. Ask whoever runs this service.")

    // MARK: Checks of every request

    /// Who a session belongs to now, found in memory without suspending.
    ///
    /// - Parameters:
    ///   - session: The session an access token names.
    ///   - user: The person it names.
    ///   - tenant: The tenant it names.
    ///   - deadline: When the client gives up.
    /// - Returns: The caller.
    /// - Throws: 401 `unauthenticated` once the session, the person or the membership has ended, 403 `tenant_suspended`; what
    ///   kept the database from answering accepts nobody.
    package func caller(
        session: SessionID,
        user: UserID,
        tenant: TenantID,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> Caller {
        guard let entry = try await store.value(Self.read(session, of: tenant), deadline: deadline) else {
            throw Self.ended
        }
        return try caller(session, user, tenant, entry)
    }

    /// Who a session belongs to, if memory knows the session; never suspends.
    ///
    /// - Parameters:
    ///   - session: The session an access token names.
    ///   - user: The person it names.
    ///   - tenant: The tenant it names.
    /// - Returns: The caller; nil if the database has to be asked.
    /// - Throws: As ``caller(session:user:tenant:deadline:)``.
    package func knownCaller(session: SessionID, user: UserID, tenant: TenantID) throws(Problem) -> Caller? {
        guard let entry = store.known(Self.read(session, of: tenant)) else { return nil }
        return try caller(session, user, tenant, entry)
    }

    private static func read(_ session: SessionID, of tenant: TenantID) -> CachedValue<SessionEntry> {
        CachedValue(
            key: KeyBuilder("session").adding(session.description).key(tenant: tenant.rawValue, module: .identity),
            fill: SessionFill(statement: CheckSession(session: session))
        )
    }

    private func caller(
        _ session: SessionID,
        _ user: UserID,
        _ tenant: TenantID,
        _ entry: SessionEntry
    ) throws(Problem) -> Caller {
        guard entry.user == user, entry.expiresAt > clock.now() else { throw Self.ended }
        guard entry.isTenantActive else { throw Self.suspended }
        return Caller(
            tenant: tenant,
            user: user,
            session: session,
            role: entry.role,
            scopes: entry.role.scopes,
            workplaces: entry.workplaces,
            name: entry.email
        )
    }

    /// Who an API key belongs to now, found in memory without suspending.
    ///
    /// The memory holds an HMAC of the stored hash under a key of this process, never the hash.
    ///
    /// - Parameters:
    ///   - text: The key as it was sent.
    ///   - deadline: When the client gives up.
    /// - Returns: The caller.
    /// - Throws: 401 `unauthenticated` for a key that is unknown, wrong, revoked or expired, 403 `tenant_suspended`.
    package func caller(apiKey text: String, deadline: ContinuousClock.Instant) async throws(Problem) -> Caller {
        guard let presented = APIKeyText(text) else { throw Self.noKey }
        let key = read(presented)
        if let entry = store.known(key) { return try caller(presented, entry) }
        guard let entry = try await store.value(key, deadline: deadline) else { throw Self.noKey }
        if entry.isUseUnnoted, entry.fits(presented.hash, processKey: processKey) {
            // Hourly at most; a failure only leaves the older time.
            _ = try? await store.transact(presented.tenant, deadline: deadline) {
                (unit) throws(PostgresError) -> Slot<CurrentTenant.Row> in
                try unit.add(TouchKey(id: presented.id))
                return try unit.add(CurrentTenant())
            }
        }
        return try caller(presented, entry)
    }

    /// Who an API key belongs to, if memory knows the key; never suspends.
    ///
    /// - Parameter text: The key as it was sent.
    /// - Returns: The caller; nil if the database has to be asked, which costs something.
    /// - Throws: As ``caller(apiKey:deadline:)``.
    package func knownCaller(apiKey text: String) throws(Problem) -> Caller? {
        guard let presented = APIKeyText(text) else { throw Self.noKey }
        guard let entry = store.known(read(presented)) else { return nil }
        return try caller(presented, entry)
    }

    private func read(_ presented: APIKeyText) -> CachedValue<KeyEntry> {
        CachedValue(
            key: KeyBuilder("key").adding(presented.id.description)
                .key(tenant: presented.tenant.rawValue, module: .identity),
            fill: KeyFill(statement: CheckKey(id: presented.id), processKey: processKey)
        )
    }

    private func caller(_ presented: APIKeyText, _ entry: KeyEntry) throws(Problem) -> Caller {
        guard entry.fits(presented.hash, processKey: processKey) else { throw Self.noKey }
        if let expiresAt = entry.expiresAt, expiresAt <= clock.now() { throw Self.noKey }
        guard entry.isTenantActive else { throw Self.suspended }
        return Caller(
            tenant: presented.tenant,
            apiKey: presented.id,
            scopes: entry.scopes,
            name: entry.name,
            expiresAt: entry.expiresAt
        )
    }

    private static let noKey = Problem(.unauthenticated, "The API key is not valid.")
    private static let ended = Problem(.unauthenticated, "The session has ended. Log in again.")
}

/// What is kept in memory of a session.
struct SessionEntry: Sendable {
    let user: UserID
    let email: String
    let role: Role
    /// Where they work.
    let workplaces: Workplaces
    let expiresAt: Timestamp
    let isTenantActive: Bool
}

/// A session as it is kept in memory; one that has ended is kept as absent.
private struct SessionFill: Fill {
    let statement: CheckSession

    func filled(_ row: inout CheckSession.Row) -> Filled {
        Filled(content: row.entry.map { .value($0) } ?? .absent, snapshot: Snapshot(row.snapshot))
    }
}

/// What is kept in memory of an API key.
struct KeyEntry: Sendable {
    let name: String
    let scopes: Set<Scope>
    let expiresAt: Timestamp?
    let isTenantActive: Bool
    let isUseUnnoted: Bool
    let tag: [UInt8]

    /// Whether a presented secret's hash is the stored one.
    func fits(_ hash: [UInt8], processKey: SymmetricKey) -> Bool {
        ConstantTime.equal(tag, Array(HMAC<SHA256>.authenticationCode(for: hash, using: processKey)))
    }
}

/// An API key as it is kept in memory; one that is none any more is kept as absent.
private struct KeyFill: Fill {
    let statement: CheckKey
    let processKey: SymmetricKey

    func filled(_ row: inout CheckKey.Row) -> Filled {
        Filled(
            content: row.key.map { .value($0.entry(processKey: processKey)) } ?? .absent,
            snapshot: Snapshot(row.snapshot)
        )
    }
}

/// A session about to be inserted.
struct NewSession: Sendable {
    let id = SessionID.make()
    let family = EntityIDFamily.make()
    let hash: [UInt8]
    let text: String

    init(tokens: RefreshTokens) {
        let token = tokens.make()
        hash = RefreshTokens.hash(of: token)
        text = RefreshTokens.text(of: token)
    }
}

/// The id of a family of sessions: those that came from one login.
typealias EntityIDFamily = ID<Entity.Session>

/// The account a password opened, or the one that is about to be made with it.
enum Account: Sendable {
    case known(UserRow)
    case new(id: UserID, email: String, name: String, hash: String)

    var id: UserID {
        switch self {
        case .known(let user): user.id
        case .new(let id, _, _, _): id
        }
    }

    var email: String {
        switch self {
        case .known(let user): user.email
        case .new(_, let email, _, _): email
        }
    }

    var name: String {
        switch self {
        case .known(let user): user.name
        case .new(_, _, let name, _): name
        }
    }

    /// The password that was shown; `nil` for one that is made in the same unit.
    var passwordVersion: Int64? {
        switch self {
        case .known(let user): user.passwordVersion
        case .new: nil
        }
    }

    /// Adds what makes a new one.
    func add(to unit: inout UnitOfWork) throws(PostgresError) {
        guard case .new(let id, let email, let name, let hash) = self else { return }
        try unit.add(InsertUser(id: id, email: email, passwordHash: hash, name: name))
    }
}

extension Origin {
    /// What log lines tell of a request.
    func metadata(tenant: TenantID? = nil, user: UserID? = nil) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["request_id": "\(requestID)"]
        if let address { metadata["address"] = "\(address)" }
        if let tenant { metadata["tenant"] = "\(tenant)" }
        if let user { metadata["user"] = "\(user)" }
        return metadata
    }
}
