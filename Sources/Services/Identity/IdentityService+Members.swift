import Cache
import Domain
package import Kernel
import Logging
package import NIOCore
import Postgres

extension IdentityService {
    // MARK: Oneself

    /// `GET /v1/me`: who the caller is, in which tenant, and what they may do.
    package func me(_ caller: Caller) -> CachedRead {
        CachedRead(
            key: caller.key(.identity, "me") { builder in
                builder.add(caller.user?.description)
                builder.add(caller.apiKey?.description)
            },
            fill: MeFill(caller: caller)
        )
    }

    // MARK: Members

    /// `GET /v1/users`: everybody who is or was a member, by name.
    package func members(_ caller: Caller) -> CachedRead {
        CachedRead(key: caller.key(.identity, "members"), fill: .list(ListMembers()))
    }

    /// `GET /v1/colleagues`: the names of the same, for everybody, as documents say by ids who made them.
    package func colleagues(_ caller: Caller) -> CachedRead {
        CachedRead(key: caller.key(.identity, "colleagues"), fill: .list(ListColleagues()))
    }

    /// `GET /v1/users/{id}`.
    package func member(_ id: UserID, _ caller: Caller) -> CachedRead {
        caller.read(.identity, Member(id), "member")
    }

    /// Makes a member at once, with the password of the account: for the command line.
    ///
    /// An account that somebody has used, or that another tenant uses, is its person's: it is invited instead, and its password
    /// stays. So a password given here is always the one that counts.
    ///
    /// - Parameters:
    ///   - draft: Who, and as what.
    ///   - context: An operator's.
    /// - Returns: 201 with the member.
    /// - Throws: 403 `forbidden` for anybody else, 409 `duplicate` for a member and for an account in use, 422
    ///   `validation_failed` for a password.
    package func createMember(_ draft: MemberDraft, _ context: CallContext) async throws(Problem) -> Answer {
        guard context.caller.user == nil, context.caller.apiKey == nil else {
            throw Problem(.forbidden, "Members are invited.")
        }
        try Self.check(draft.password, of: draft.email, at: "/password")
        let found = try await store.query(
            FindUserByEmail(email: draft.email),
            tenant: nil,
            deadline: context.deadline
        ).first
        if let found, found.hasLoggedIn || found.tenants.contains(where: { $0 != context.tenant }) {
            let detail = "This address has an account in use, which keeps its password. Invite it instead."
            throw Problem(.duplicate, detail, errors: [FieldError("/email", .duplicate, detail)])
        }
        let hash = try await hasher.hash(draft.password)
        let id = found?.id ?? UserID.make()
        return try await store.write(context) { (unit) throws(PostgresError) -> Effect<Member> in
            try unit.add(Act(actor: AuditActor(context)))
            if let found {
                try unit.add(SetPassword(user: id, hash: hash, passwordVersion: found.passwordVersion))
            } else {
                try unit.add(InsertUser(id: id, email: draft.email, passwordHash: hash, name: draft.name))
            }
            try unit.add(InsertMembership(user: id, role: draft.role))
            return .created(Member(id))
        }
    }

    /// `PATCH /v1/users/{id}`: another role, other locations, or in and out of the tenant.
    ///
    /// - Parameters:
    ///   - id: The member.
    ///   - patch: What changes.
    ///   - expected: What `If-Match` demands.
    ///   - context: Who asks.
    /// - Returns: 200 with the member.
    /// - Throws: 403 `forbidden`, 404, 412, 409 `invalid_state` if the tenant would lose its last active owner.
    package func updateMember(
        _ id: UserID,
        _ patch: MemberPatch,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        try requireGrant(of: patch.role.newValue ?? .viewer, context)
        let answer = try await store.write(context) { (unit) throws(PostgresError) -> Effect<Member> in
            try unit.add(Act(actor: AuditActor(context)))
            try unit.add(GuardMember(user: id, expected: expected))
            if let locations = patch.locations.newValue { try unit.add(CheckMemberLocations(locations: locations)) }
            try unit.add(UpdateMember(user: id, patch: patch))
            try unit.add(GuardOwner())
            return .changed(Member(id))
        }
        log("a membership was changed", context, ["member": "\(id)"])
        return answer
    }

    /// Refuses whoever may not give a role: everybody but owners and operators.
    ///
    /// A key never may, whatever its scopes: what it gave would stay when it is revoked.
    func requireGrant(of role: Role, _ context: CallContext) throws(Problem) {
        guard context.caller.apiKey == nil, context.caller.may(.admin), context.caller.role?.mayGrant(role) != false
        else { throw Problem(.forbidden, "Only an owner may say who is a member.") }
    }

    /// A line at info about what somebody has done to accounts and keys.
    func log(_ message: Logger.Message, _ context: CallContext, _ more: Logger.Metadata = [:]) {
        var metadata = context.origin.metadata(tenant: context.tenant, user: context.caller.user).merging(more) { $1 }
        if let key = context.caller.apiKey { metadata["api_key"] = "\(key)" }
        logger.info(message, metadata: metadata)
    }

    // MARK: API keys

    /// `GET /v1/api-keys`: all keys without their secrets, the newest first.
    package func keys(_ caller: Caller) -> CachedRead {
        CachedRead(key: caller.key(.identity, "keys"), fill: .list(ListKeys()))
    }

    /// `POST /v1/api-keys`: a key whose `secret` is shown this once.
    ///
    /// - Parameters:
    ///   - draft: Its name, scopes and end.
    ///   - context: Who asks.
    /// - Returns: 201 with the key and its secret.
    /// - Throws: 403 `forbidden` for scopes the caller does not have.
    package func createKey(_ draft: APIKeyDraft, _ context: CallContext) async throws(Problem) -> Answer {
        guard context.caller.apiKey == nil, draft.scopes.isSubset(of: context.caller.scopes) else {
            throw Problem(.forbidden, "A key can not have scopes that its maker does not have, and a key makes no key.")
        }
        guard !draft.scopes.isEmpty else {
            throw Problem(
                .validationFailed,
                "A key needs a scope.",
                errors: [FieldError("/scopes", .required, "Must name at least one scope.")]
            )
        }
        if let end = draft.expiresAt, end <= clock.now() {
            throw Problem(
                .validationFailed,
                "The key would have ended already.",
                errors: [FieldError("/expires_at", .outOfRange, "Must be in the future.")]
            )
        }
        let key = APIKeyText(tenant: context.tenant, id: .make())
        var answer = try await store.write(context) { (unit) throws(PostgresError) -> Effect<APIKey> in
            try unit.add(Act(actor: AuditActor(context)))
            try unit.add(InsertKey(key: key, draft: draft, user: context.caller.user))
            return .created(APIKey(key.id))
        }
        log("an API key was made", context, ["key": "\(key.id)"])
        answer.append("secret", key.text)
        return answer
    }

    /// `DELETE /v1/api-keys/{id}`: the key ends at once, everywhere within a second.
    ///
    /// - Parameters:
    ///   - id: The key.
    ///   - context: Who asks.
    /// - Returns: 204; also for a key that had ended before.
    /// - Throws: 404 `not_found`.
    package func revokeKey(_ id: APIKeyID, _ context: CallContext) async throws(Problem) -> Answer {
        let answer = try await store.write(context) { (unit) throws(PostgresError) -> Effect<Nothing> in
            try unit.add(Act(actor: AuditActor(context)))
            try unit.add(RevokeKey(id: id))
            return .deleted
        }
        log("an API key was revoked", context, ["key": "\(id)"])
        return answer
    }

    // MARK: Operators

    /// Every tenant's body, for the command line.
    package func tenants(deadline: ContinuousClock.Instant) async throws(Problem) -> [ByteBuffer] {
        try await store.query(ListTenants(), tenant: nil, deadline: deadline).map(\.body)
    }
}

extension Answer {
    /// Adds a secret as the last member of the body, here, so that it never is a parameter that a server could log.
    ///
    /// - Parameters:
    ///   - name: The member's name.
    ///   - secret: Text that needs no escape.
    mutating func append(_ name: String, _ secret: String) {
        body.moveWriterIndex(to: max(body.writerIndex - 1, body.readerIndex))
        body.writeString(",\"\(name)\":\"\(secret)\"}")
    }
}

/// Who a caller is, with what the credential says and the database does not.
private struct MeFill: Fill {
    let caller: Caller

    var statement: ReadMe { ReadMe(user: caller.user) }

    func filled(_ row: inout ReadMe.Row) -> Filled {
        var writer = JSONWriter(capacity: 1024)
        writer.object { writer in
            writer.name("user")
            if let user = row.user { writer.raw(user) } else { writer.null() }
            writer.name("api_key")
            if let id = caller.apiKey {
                writer.object { key in
                    key.member("id", id.description)
                    key.member("name", caller.name)
                }
            } else {
                writer.null()
            }
            writer.member("role", caller.role?.rawValue)
            writer.name("scopes")
            writer.array { list in
                for scope in caller.scopes.map(\.rawValue).sorted() { list.string(scope) }
            }
            writer.name("location_ids")
            writer.array { list in
                for location in caller.workplaces.named { list.string(location.description) }
            }
            writer.name("tenant")
            writer.raw(row.tenant)
        }
        return Filled(content: .body(ByteBuffer(bytes: writer.bytes), etag: nil), snapshot: Snapshot(row.snapshot))
    }
}
