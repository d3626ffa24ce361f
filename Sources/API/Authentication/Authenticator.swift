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
    /// The same, if memory knows; nil if it does not.
    typealias OfKnownKey = @Sendable (String) throws -> Caller?
    /// Until when an answer is worth anything.
    typealias CallDeadline = ContinuousClock.Instant

    private let tokens: AccessTokens
    private let ofSession: OfSession
    private let ofKey: OfKey
    private let ofKnownKey: OfKnownKey
    private let rates: RateLimits

    init(
        tokens: AccessTokens,
        rates: RateLimits,
        ofSession: @escaping OfSession,
        ofKey: @escaping OfKey,
        ofKnownKey: @escaping OfKnownKey = { _ in nil }
    ) {
        self.tokens = tokens
        self.rates = rates
        self.ofSession = ofSession
        self.ofKey = ofKey
        self.ofKnownKey = ofKnownKey
    }

    /// Reads the `Authorization` field.
    ///
    /// A key that memory does not know costs a query, whoever made it up: an address may have so many that are none. A token that is
    /// made up costs nothing, as its signature tells.
    ///
    /// - Parameters:
    ///   - authorization: the field.
    ///   - address: where it comes from, as limits count it.
    ///   - deadline: until when the answer is worth anything.
    /// - Returns: who asks.
    /// - Throws: `unauthenticated`; or what kept the service from knowing, which never accepts anyone.
    func caller(
        _ authorization: String?,
        from address: @autoclosure () -> String,
        deadline: CallDeadline
    ) async throws -> Caller {
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
            let key = String(credential)
            if let caller = try self.ofKnownKey(key) { return caller }
            return try await self.rates.attempt(.credential, from: address()) { try await self.ofKey(key, deadline) }
        }
        return try await self.ofSession(self.tokens.verify(credential), deadline)
    }
}
