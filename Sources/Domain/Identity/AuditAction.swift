/// What the audit notes, by the names that `GET /v1/audit` answers.
///
/// Changes of memberships, keys and settings are noted by triggers of their tables, the rest by the commands.
package enum AuditAction: String, CaseIterable, Sendable {
    /// Somebody opened a session: by a password, an invitation, a sign-up, or by switching tenants.
    case loginSucceeded = "login.succeeded"
    /// Somebody gave a wrong password for a member's account.
    case loginFailed = "login.failed"
    /// A refresh token was used again long after it was replaced, so that its sessions were ended.
    case sessionReused = "session.reused"
    case invitationCreated = "invitation.created"
    /// An invitation got a new token; the former is worth nothing.
    case invitationRenewed = "invitation.renewed"
    case invitationRevoked = "invitation.revoked"
    case invitationAccepted = "invitation.accepted"
    case memberAdded = "member.added"
    case memberRoleChanged = "member.role_changed"
    case memberLocationsChanged = "member.locations_changed"
    case memberActivated = "member.activated"
    case memberDeactivated = "member.deactivated"
    case memberRemoved = "member.removed"
    /// By the person, who knew the former one.
    case passwordChanged = "password.changed"
    /// An operator made a token by which a password can be set once.
    case passwordResetRequested = "password.reset_requested"
    /// By such a token, or by an operator.
    case passwordReset = "password.reset"
    case apiKeyCreated = "api_key.created"
    case apiKeyRevoked = "api_key.revoked"
    case tenantChanged = "tenant.changed"
    /// A product, a customer, a tax or another record that people edit was made.
    case recordCreated = "record.created"
    /// Many were made at once, by a batch or an import.
    case recordsCreated = "records.created"
    /// With what each field was before and is now.
    case recordChanged = "record.changed"
    /// With what it was.
    case recordDeleted = "record.deleted"
    /// A file was to be imported over HTTP.
    case importCreated = "import.created"
    case importCancelled = "import.cancelled"
    case webhookSecretRotated = "webhook.secret_rotated"
    /// An event was to be sent once more, or not at all.
    case webhookRedelivered = "webhook.redelivered"
    case webhookSkipped = "webhook.skipped"
}
