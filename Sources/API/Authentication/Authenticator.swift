import Kernel
import Services

/// Tells who a request's credential belongs to.
///
/// A token or key that is well made may have been revoked, or its owner's role changed, since: so each request asks the
/// identity service, whose answer lies in this instance's memory until one of these things happens.
struct Authenticator: Sendable {
    /// Who a session belongs to now; throws when it has ended.
    typealias OfSession = @Sendable (AccessClaims, CallDeadline) async throws -> Caller
    /// Who an API key belongs to now; throws when it is none.
    typealias OfKey = @Sendable (String, CallDeadline) async throws -> Caller
    /// Until when an answer is worth anything.
    typealias CallDeadline = ContinuousClock.Instant

    private let tokens: AccessTokens
    private let ofSession: OfSession
    private let ofKey: OfKey

    init(tokens: AccessTokens, ofSession: @escaping OfSession, ofKey: @escaping OfKey) {
        self.tokens = tokens
        self.ofSession = ofSession
        self.ofKey = ofKey
    }

    /// Reads the `Authorization` field.
    ///
    /// - Throws: `unauthenticated`; or what kept the service from knowing, which never accepts anyone.
    func caller(_ authorization: String?, deadline: CallDeadline) async throws -> Caller {
        guard let authorization else {
            throw Problem(.unauthenticated, "Send Authorization: Bearer with an access token or an API key.")
        }
        guard let space = authorization.utf8.firstIndex(of: UInt8(ascii: " ")),
            authorization[..<space].lowercased() == "bearer"
        else {
            throw Problem(.unauthenticated, "Only the Bearer scheme is understood.")
        }
        let credential = authorization[authorization.utf8.index(after: space)...]
        if credential.hasPrefix("stk_") {
            return try await self.ofKey(String(credential), deadline)
        }
        return try await self.ofSession(self.tokens.verify(credential), deadline)
    }
}
