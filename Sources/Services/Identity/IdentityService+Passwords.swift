import Domain
package import Kernel
import Logging
import NIOCore
import Postgres

extension IdentityService {
    /// `POST /v1/me/password`: another password; every other session of the person ends, in all tenants.
    ///
    /// - Parameters:
    ///   - current: The password there is.
    ///   - new: The one there shall be.
    ///   - context: Who asks: a person.
    /// - Returns: The value of `Stock-Consistency`.
    /// - Throws: 403 `forbidden` for a key, 422 `validation_failed` for a wrong or an unusable password, 409 `invalid_state` if it
    ///   was changed meanwhile.
    package func changePassword(
        from current: String,
        to new: String,
        _ context: CallContext
    ) async throws(Problem) -> String? {
        guard let id = context.caller.user, let session = context.caller.session else {
            throw Problem(.forbidden, "An API key has no password.")
        }
        guard let user = try await store.query(FindUser(id: id), tenant: nil, deadline: context.deadline).first else {
            throw Problem.notFound
        }
        try Self.check(new, of: user.email, at: "/new_password")
        let isMatch = try await hasher.verify(
            current,
            against: user.passwordHash,
            from: context.origin.network,
            until: context.deadline
        ).isMatch
        guard isMatch else {
            _ = wrongPassword(of: user, from: context.origin)
            throw Problem(
                .validationFailed,
                "The current password is wrong.",
                errors: [FieldError("/current_password", .wrong, "Is not the password of this account.")]
            )
        }
        let hash = try await hasher.hash(new, from: context.origin.network, until: context.deadline)
        let written: Written
        do throws(PostgresError) {
            written = try await store.perform(context.tenant, deadline: context.deadline) {
                (unit) throws(PostgresError) -> Slot<CurrentTenant.Row> in
                try unit.add(Act(actor: AuditActor(context)))
                try unit.add(SetPassword(user: id, hash: hash, passwordVersion: user.passwordVersion))
                try unit.add(RevokeOtherSessions(user: id, session: session))
                try unit.add(NotePerson(user: id, action: .passwordChanged))
                return try unit.add(CurrentTenant())
            }.written
        } catch {
            throw store.problem(of: error)
        }
        logger.info("a password was changed", metadata: context.origin.metadata(user: id))
        return store.consistency(written, context.token)
    }

    /// `POST /v1/auth/reset`: a new password by the token of a reset; all sessions of the person end.
    ///
    /// - Parameters:
    ///   - token: What an operator gave the person.
    ///   - password: The one there shall be.
    ///   - origin: Where the request came from.
    ///   - deadline: When the client gives up.
    /// - Throws: 401 `unauthenticated` for whatever is not the token of an open reset, 422 `validation_failed`.
    package func reset(
        _ token: String,
        to password: String,
        from origin: Origin,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) {
        let refused = Problem(
            .unauthenticated,
            "The reset is not valid any more: it was used or replaced, or has expired."
        )
        guard let hash = ResetToken.hash(ofText: Text.trimmed(token)),
            let user = try await store.query(FindReset(hash: hash), tenant: nil, deadline: deadline).first,
            user.isActive
        else { throw refused }
        try Self.check(password, of: user.email, at: "/password")
        let actor = AuditActor(user: user.id, email: user.email, origin: origin)
        try await setPassword(password, of: user, by: actor, taking: hash, deadline: deadline)
    }

    /// Sets the password of an account, for the command line; all sessions of the person end.
    ///
    /// - Parameters:
    ///   - email: Folded by `Text.email`.
    ///   - password: The one there shall be.
    ///   - origin: Of the command.
    ///   - deadline: When the caller gives up.
    /// - Throws: 404 `not_found`, 422 `validation_failed`.
    package func setPassword(
        of email: String,
        to password: String,
        from origin: Origin,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) {
        let user = try await account(of: email, deadline: deadline)
        try Self.check(password, of: user.email, at: "/password")
        try await setPassword(password, of: user, by: .administrator(origin), taking: nil, deadline: deadline)
    }

    /// Opens a reset of an account's password for a day, for the command line; an earlier one ends.
    ///
    /// - Parameters:
    ///   - email: Folded by `Text.email`.
    ///   - origin: Of the command.
    ///   - deadline: When the caller gives up.
    /// - Returns: The token, shown this once.
    /// - Throws: 404 `not_found`.
    package func openReset(
        of email: String,
        from origin: Origin,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> String {
        let user = try await account(of: email, deadline: deadline)
        let secret = SecretText.random()
        do throws(PostgresError) {
            _ = try await store.transact(nil, deadline: deadline) {
                (unit) throws(PostgresError) -> Slot<CurrentTenant.Row> in
                try unit.add(Act(actor: .administrator(origin)))
                try unit.add(SetReset(user: user.id, hash: ResetToken.hash(of: secret)))
                try unit.add(NotePerson(user: user.id, action: .passwordResetRequested))
                return try unit.add(CurrentTenant())
            }
        } catch {
            throw store.problem(of: error)
        }
        return ResetToken.text(of: secret)
    }

    private func account(of email: String, deadline: ContinuousClock.Instant) async throws(Problem) -> UserRow {
        let found = try await store.query(FindUserByEmail(email: email), tenant: nil, deadline: deadline).first
        guard let found else { throw Problem(.notFound, "There is no account with the address \(email).") }
        return found
    }

    private func setPassword(
        _ password: String,
        of user: UserRow,
        by actor: AuditActor,
        taking reset: [UInt8]?,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) {
        let hash = try await hasher.hash(password)
        do throws(PostgresError) {
            _ = try await store.transact(nil, deadline: deadline) {
                (unit) throws(PostgresError) -> Slot<CurrentTenant.Row> in
                try unit.add(Act(actor: actor))
                if let reset { try unit.add(TakeReset(user: user.id, hash: reset)) }
                try unit.add(SetPassword(user: user.id, hash: hash, passwordVersion: user.passwordVersion))
                try unit.add(RevokeAllSessions(user: user.id))
                try unit.add(NotePerson(user: user.id, action: .passwordReset))
                return try unit.add(CurrentTenant())
            }
        } catch {
            throw store.problem(of: error)
        }
        logger.info("a password was reset", metadata: actor.origin.metadata(user: user.id))
    }

    static func check(_ password: String, of email: String, at pointer: String) throws(Problem) {
        guard let error = PasswordRules.error(of: password, email: email, at: pointer) else { return }
        throw Problem(.validationFailed, "The password \(error.detail)", errors: [error])
    }
}
