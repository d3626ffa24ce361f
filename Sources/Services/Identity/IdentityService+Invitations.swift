import Cache
import Domain
package import Kernel
import Logging
import NIOCore
import Postgres

extension IdentityService {
    // MARK: Inviting

    /// `GET /v1/invitations`: the open ones and those that expired within a month, the newest first.
    package func invitations(_ caller: Caller) -> CachedRead {
        CachedRead(key: caller.key(.identity, "invitations"), fill: .list(ListInvitations()))
    }

    /// `GET /v1/invitations/{id}`.
    package func invitation(_ id: InvitationID, _ caller: Caller) -> CachedRead {
        caller.read(.identity, Invitation(id), "invitation")
    }

    /// `POST /v1/users`: offers an address a membership, for a week.
    ///
    /// The answer is the same whether the address has an account or not. Its token is shown this once; bringing it to the person
    /// is the caller's.
    ///
    /// - Parameters:
    ///   - draft: Who, and as what.
    ///   - context: Who asks: an owner or an operator, never a key.
    /// - Returns: 201 with the invitation and its token.
    /// - Throws: 403 `forbidden`, 409 `duplicate` for a member of this tenant and for an address that is invited already.
    package func invite(_ draft: InvitationDraft, _ context: CallContext) async throws(Problem) -> Answer {
        try requireGrant(of: draft.role, context)
        let token = InvitationToken(tenant: context.tenant, id: .make())
        let details = AuditDetails(["email": draft.email, "role": draft.role.rawValue])
        var answer = try await store.write(context) { (unit) throws(PostgresError) -> Effect<Invitation> in
            try unit.add(Act(actor: AuditActor(context)))
            try unit.add(GuardInvitation(email: draft.email))
            try unit.add(InsertInvitation(token: token, draft: draft, user: context.caller.user))
            try unit.add(Note(.invitationCreated, invitation: token.id, details))
            return .created(Invitation(token.id))
        }
        log("an invitation was made", context)
        answer.append("invitation_token", token.text)
        return answer
    }

    /// `POST /v1/invitations/{id}/renew`: another token and another week; the former token is worth nothing.
    ///
    /// - Parameters:
    ///   - id: The invitation.
    ///   - context: Who asks: an owner or an operator, never a key.
    /// - Returns: 200 with the invitation and its token.
    /// - Throws: 403 `forbidden`, 404 `not_found`.
    package func renew(_ id: InvitationID, _ context: CallContext) async throws(Problem) -> Answer {
        try requireGrant(of: .viewer, context)
        let token = InvitationToken(tenant: context.tenant, id: id)
        var answer = try await store.write(context) { (unit) throws(PostgresError) -> Effect<Invitation> in
            try unit.add(Act(actor: AuditActor(context)))
            try unit.add(RenewInvitation(token: token))
            try unit.add(Note(.invitationRenewed, invitation: id))
            return .changed(Invitation(id))
        }
        answer.append("invitation_token", token.text)
        return answer
    }

    /// `DELETE /v1/invitations/{id}`: takes an invitation back.
    ///
    /// - Parameters:
    ///   - id: The invitation.
    ///   - context: Who asks: an owner or an operator, never a key.
    /// - Returns: 204.
    /// - Throws: 403 `forbidden`, 404 `not_found`; also for one that was accepted.
    package func revoke(_ id: InvitationID, _ context: CallContext) async throws(Problem) -> Answer {
        try requireGrant(of: .viewer, context)
        let answer = try await store.write(context) { (unit) throws(PostgresError) -> Effect<Nothing> in
            try unit.add(Act(actor: AuditActor(context)))
            try unit.add(RevokeInvitation(id: id))
            try unit.add(Note(.invitationRevoked, invitation: id))
            return .deleted
        }
        log("an invitation was revoked", context)
        return answer
    }

    // MARK: Accepting

    /// The open invitation of a token, before anything is decided.
    ///
    /// - Parameters:
    ///   - token: What the person was given.
    ///   - deadline: When the client gives up.
    /// - Returns: The invitation.
    /// - Throws: 401 `unauthenticated` for whatever is not the token of an open one, 403 `tenant_suspended`.
    package func shown(_ token: String, deadline: ContinuousClock.Instant) async throws(Problem) -> ShownInvitation {
        let refused = Problem(
            .unauthenticated,
            "The invitation is not valid any more: it was used or taken back, or has expired."
        )
        guard let token = InvitationToken(Text.trimmed(token)) else { throw refused }
        let found = try await store.query(FindInvitation(id: token.id), tenant: token.tenant, deadline: deadline).first
        guard let found, ConstantTime.equal(found.hash, token.hash) else { throw refused }
        guard found.isTenantActive else { throw Self.suspended }
        return ShownInvitation(
            tenant: token.tenant,
            id: token.id,
            hash: token.hash,
            role: found.role,
            email: found.email
        )
    }

    /// `POST /v1/invitations/accept`: the person becomes a member and is let in.
    ///
    /// The token alone opens no account, as whoever invited has it, too: an account that exists is shown to be the caller's by its
    /// password. An address without one gets an account with the password given.
    ///
    /// - Parameters:
    ///   - invitation: Of the token that was shown.
    ///   - password: The account's, or that of a new one.
    ///   - name: The person's name, if this makes the account.
    ///   - origin: Where the request came from.
    ///   - deadline: When the client gives up.
    /// - Returns: A session in the tenant.
    /// - Throws: 401 `unauthenticated`, 422 `validation_failed` for a password that cannot be one.
    package func accept(
        _ invitation: ShownInvitation,
        password: String,
        name: String,
        from origin: Origin,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> SignedIn {
        let session = NewSession(tokens: tokens)
        let (account, written) = try await withAccount(
            of: invitation.email,
            name: name,
            password: password,
            from: origin,
            deadline: deadline
        ) { (account) throws(PostgresError) -> (Account, Written) in
            let made = try await store.perform(invitation.tenant, deadline: deadline) {
                (unit) throws(PostgresError) -> Slot<CurrentTenant.Row> in
                try unit.add(Act(actor: AuditActor(user: account.id, email: account.email, origin: origin)))
                try unit.add(TakeInvitation(invitation: invitation))
                try account.add(to: &unit)
                try unit.add(InsertMembership(user: account.id, role: invitation.role))
                try unit.add(Note(.invitationAccepted, invitation: invitation.id))
                try Self.open(session, of: account.id, account.passwordVersion, by: "invitation", in: &unit)
                return try unit.add(CurrentTenant())
            }
            return (account, made.written)
        }
        logger.info(
            "an invitation was accepted",
            metadata: origin.metadata(tenant: invitation.tenant, user: account.id)
        )
        return try await signedIn(account.id, in: invitation.tenant, session, written, nil, deadline: deadline)
    }

    /// `POST /v1/me/invitations`: as accepting by a password, for somebody who is logged in.
    ///
    /// - Parameters:
    ///   - token: What the person was given.
    ///   - context: Who asks: a person with the address that was invited.
    /// - Returns: A session in the tenant that invited.
    /// - Throws: 403 `forbidden`, also for whatever is not the token of an open invitation; the session itself is fine.
    package func accept(_ token: String, _ context: CallContext) async throws(Problem) -> SignedIn {
        guard let user = context.caller.user else {
            throw Problem(.forbidden, "Only a person can accept an invitation.")
        }
        let invitation: ShownInvitation
        do throws(Problem) {
            invitation = try await shown(token, deadline: context.deadline)
        } catch {
            throw error.code == .unauthenticated ? Problem(.forbidden, error.detail) : error
        }
        let session = NewSession(tokens: tokens)
        let written: Written
        do throws(PostgresError) {
            written = try await store.perform(invitation.tenant, deadline: context.deadline) {
                (unit) throws(PostgresError) -> Slot<CurrentTenant.Row> in
                try unit.add(Act(actor: AuditActor(context)))
                try unit.add(TakeInvitation(invitation: invitation, user: user))
                try unit.add(InsertMembership(user: user, role: invitation.role))
                try unit.add(Note(.invitationAccepted, invitation: invitation.id))
                try Self.open(session, of: user, nil, by: "invitation", in: &unit)
                return try unit.add(CurrentTenant())
            }.written
        } catch {
            throw store.problem(of: error)
        }
        logger.info(
            "an invitation was accepted",
            metadata: context.origin.metadata(tenant: invitation.tenant, user: user)
        )
        return try await signedIn(
            user,
            in: invitation.tenant,
            session,
            written,
            context.token,
            deadline: context.deadline
        )
    }

    private func signedIn(
        _ id: UserID,
        in tenant: TenantID,
        _ session: NewSession,
        _ written: Written,
        _ token: ConsistencyToken?,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> SignedIn {
        guard let user = try await store.query(FindUser(id: id), tenant: nil, deadline: deadline).first else {
            throw Problem.notFound
        }
        let memberships = try await memberships(of: user, deadline: deadline)
        guard let membership = memberships.first(where: { $0.summary.id == tenant }) else { throw Problem.notFound }
        return SignedIn(
            user: user.id,
            email: user.email,
            name: user.name,
            tenant: membership.summary,
            session: session.id,
            refreshToken: session.text,
            tenants: memberships.map(\.summary),
            consistency: store.consistency(written, token)
        )
    }
}
