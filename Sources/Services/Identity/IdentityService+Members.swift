package import Cache
import Domain
package import Kernel
package import NIOCore
import Postgres

extension IdentityService {
    // MARK: Oneself

    /// `GET /v1/me`: who the caller is, in which tenant, and what they may do.
    package func me(_ context: CallContext) async throws(Problem) -> CachedAnswer {
        let caller = context.caller
        var builder = KeyBuilder("me")
        builder.add(caller.user?.description)
        builder.add(caller.apiKey?.description)
        let postgres = store.postgres
        let key = builder.key(tenant: context.tenant.rawValue, module: .identity)
        return try await store.read(key, context) {
            let rows = try await postgres.query(
                ReadMe(user: caller.user),
                tenant: context.tenant.rawValue,
                on: .shared,
                deadline: context.deadline
            )
            guard let row = rows.first else { throw Problem.notFound }
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
                writer.name("tenant")
                writer.raw(row.tenant)
            }
            return Filled(
                content: .body(ByteBuffer(bytes: writer.bytes), etag: nil),
                snapshot: Snapshot(row.snapshot)
            )
        }
    }

    // MARK: Members

    /// `GET /v1/users`: everybody who is or was a member, by name.
    package func members(_ context: CallContext) async throws(Problem) -> CachedAnswer {
        let key = KeyBuilder("members").key(tenant: context.tenant.rawValue, module: .identity)
        return try await store.read(key, context, fill: ListMembers())
    }

    /// `GET /v1/users/{id}`.
    package func member(_ id: UserID, _ context: CallContext) async throws(Problem) -> CachedAnswer {
        let key = KeyBuilder("member").adding(id.description)
            .key(tenant: context.tenant.rawValue, module: .identity)
        return try await store.read(key, context, fill: ReadMember(user: id))
    }

    /// `POST /v1/users`: a new member; a person without an account gets one with the password given.
    ///
    /// - Parameters:
    ///   - draft: Who, and as what.
    ///   - context: Who asks; an API key, or a member whose role may grant the role.
    /// - Returns: 201 with the member.
    /// - Throws: 403 `forbidden`, 409 `duplicate` for a member, 422 `validation_failed` for a password.
    package func addMember(_ draft: MemberDraft, _ context: CallContext) async throws(Problem) -> Answer {
        try requireGrant(of: draft.role, context)
        let found = try await store.query(
            FindUserByEmail(email: draft.email),
            tenant: nil,
            deadline: context.deadline
        ).first
        let id = found?.id ?? UserID.make()
        var hash: String?
        if found == nil {
            let password = draft.password ?? ""
            if let error = PasswordRules.error(of: password, email: draft.email, at: "/password") {
                throw Problem(.validationFailed, "The password \(error.detail)", errors: [error])
            }
            hash = try await hasher.hash(password)
        }
        return try await store.write(context) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            if let hash {
                try unit.add(InsertUser(id: id, email: draft.email, passwordHash: hash, name: draft.name))
            }
            try unit.add(InsertMembership(user: id, role: draft.role))
            return try unit.add(AnswerMember(user: id, status: 201))
        }
    }

    /// `PATCH /v1/users/{id}`: another role, or in and out of the tenant.
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
        return try await store.write(context) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            try unit.add(GuardMember(user: id, expected: expected))
            try unit.add(UpdateMember(user: id, patch: patch))
            try unit.add(GuardOwner())
            return try unit.add(AnswerMember(user: id, status: 200))
        }
    }

    private func requireGrant(of role: Role, _ context: CallContext) throws(Problem) {
        guard context.caller.may(.admin), context.caller.role?.mayGrant(role) != false else {
            throw Problem(.forbidden, "Only an owner may say who is a member.")
        }
    }

    // MARK: API keys

    /// `GET /v1/api-keys`: all keys without their secrets, the newest first.
    package func keys(_ context: CallContext) async throws(Problem) -> CachedAnswer {
        let key = KeyBuilder("keys").key(tenant: context.tenant.rawValue, module: .identity)
        return try await store.read(key, context, fill: ListKeys())
    }

    /// `POST /v1/api-keys`: a key whose `secret` is shown this once.
    ///
    /// - Parameters:
    ///   - draft: Its name, scopes and end.
    ///   - context: Who asks.
    /// - Returns: 201 with the key and its secret.
    /// - Throws: 403 `forbidden` for scopes the caller does not have.
    package func createKey(_ draft: APIKeyDraft, _ context: CallContext) async throws(Problem) -> Answer {
        guard draft.scopes.isSubset(of: context.caller.scopes) else {
            throw Problem(.forbidden, "A key can not have scopes that its maker does not have.")
        }
        guard !draft.scopes.isEmpty else {
            throw Problem(
                .validationFailed,
                "A key needs a scope.",
                errors: [FieldError("/scopes", "required", "Must name at least one scope.")]
            )
        }
        let key = APIKeyText(
            tenant: context.tenant,
            id: .make(),
            secret: (0..<32).map { _ in UInt8.random(in: .min ... .max) }
        )
        var answer = try await store.write(context) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            try unit.add(InsertKey(key: key, draft: draft, user: context.caller.user))
            return try unit.add(AnswerKey(id: key.id, status: 201))
        }
        // Added here, so that the secret never is a parameter that a server could log.
        answer.body.moveWriterIndex(to: max(answer.body.writerIndex - 1, answer.body.readerIndex))
        answer.body.writeString(",\"secret\":\"\(key.text)\"}")
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
        try await store.write(context) { (unit) throws(PostgresError) -> Slot<AnswerRow> in
            try unit.add(RevokeKey(id: id))
            return try unit.add(AnswerDeleted())
        }
    }

    // MARK: Operators

    /// The tenant of a slug or number, for the command line.
    package func tenant(
        _ name: String,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> TenantID? {
        try await store.query(FindTenant(name: name), tenant: nil, deadline: deadline).first?.tenant
    }

    /// Every tenant's body, for the command line.
    package func tenants(deadline: ContinuousClock.Instant) async throws(Problem) -> [ByteBuffer] {
        try await store.query(ListTenants(), tenant: nil, deadline: deadline).map(\.body)
    }
}
