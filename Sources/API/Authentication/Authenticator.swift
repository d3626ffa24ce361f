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
    typealias OfKnownSession = @Sendable (AccessClaims) throws -> Caller?
    /// The same, if memory knows; nil if it does not.
    typealias OfKnownKey = @Sendable (String) throws -> Caller?
    /// Until when an answer is worth anything.
    typealias CallDeadline = ContinuousClock.Instant

    /// What a request shows of itself: well made, and not yet known to be anybody's.
    enum Credential: Sendable {
        /// An access token, with what it says.
        case session(AccessClaims)
        /// An API key, as it was sent.
        case key(String)
    }

    private let tokens: AccessTokens
    private let ofSession: OfSession
    private let ofKey: OfKey
    private let ofKnownSession: OfKnownSession
    private let ofKnownKey: OfKnownKey
    private let rates: RateLimits

    init(
        tokens: AccessTokens,
        rates: RateLimits,
        ofSession: @escaping OfSession,
        ofKey: @escaping OfKey,
        ofKnownSession: @escaping OfKnownSession = { _ in nil },
        ofKnownKey: @escaping OfKnownKey = { _ in nil }
    ) {
        self.tokens = tokens
        self.rates = rates
        self.ofSession = ofSession
        self.ofKey = ofKey
        self.ofKnownSession = ofKnownSession
        self.ofKnownKey = ofKnownKey
    }

    /// The last token of a connection whose signature was right: clients send the same one with each request.
    ///
    /// A signature stays right. Whether the token is of this time, and who its session belongs to, is asked each time.
    struct SeenToken {
        fileprivate var authorization: String?
        fileprivate var claims: ClaimsScanner.Claims?
    }

    /// Reads the `Authorization` field.
    ///
    /// A token that is made up costs nothing, as its signature tells.
    ///
    /// - Parameters:
    ///   - authorization: the field.
    ///   - seen: the token that came before on this connection.
    /// - Returns: the credential.
    /// - Throws: `unauthenticated`.
    func credential(_ authorization: String?, _ seen: inout SeenToken) throws(Problem) -> Credential {
        if let claims = seen.claims, authorization == seen.authorization {
            return .session(try tokens.check(claims))
        }
        guard let authorization else {
            throw Problem(.unauthenticated, "Send Authorization: Bearer with an access token or an API key.")
        }
        guard let space = authorization.utf8.firstIndex(of: UInt8(ascii: " ")),
            authorization[..<space].lowercased() == "bearer"
        else {
            throw Problem(.unauthenticated, "Only the Bearer scheme is understood.")
        }
        let credential = authorization[authorization.utf8.index(after: space)...]
        if credential.hasPrefix("stk_") { return .key(String(credential)) }
        let claims = try tokens.signed(credential)
        seen = SeenToken(authorization: authorization, claims: claims)
        return .session(try tokens.check(claims))
    }

    /// Who asks, if memory knows; never suspends.
    ///
    /// - Parameter credential: what the request showed.
    /// - Returns: who asks; nil if the service has to be asked.
    /// - Throws: `unauthenticated`.
    func known(_ credential: Credential) throws -> Caller? {
        switch credential {
        case .session(let claims): try ofKnownSession(claims)
        case .key(let key): try ofKnownKey(key)
        }
    }

    /// Who asks.
    ///
    /// A key that memory does not know costs a query, whoever made it up: an address may have so many that are none.
    ///
    /// - Parameters:
    ///   - credential: what the request showed.
    ///   - address: where it comes from, as limits count it.
    ///   - deadline: until when the answer is worth anything.
    /// - Returns: who asks.
    /// - Throws: `unauthenticated`; or what kept the service from knowing, which never accepts anyone.
    func caller(
        _ credential: Credential,
        from address: @autoclosure () -> String,
        deadline: CallDeadline
    ) async throws -> Caller {
        if let caller = try known(credential) { return caller }
        guard case .key(let key) = credential else { return try await callerByNow(credential, deadline: deadline) }
        return try await rates.attempt(key: key, from: address()) { try await self.ofKey(key, deadline) }
    }

    /// Who asks by now, whose credential was right when they came.
    ///
    /// However often their address is wrong about others: what cannot be asked would be taken for right.
    ///
    /// - Parameters:
    ///   - credential: what the request showed.
    ///   - deadline: until when the answer is worth anything.
    /// - Returns: who asks.
    /// - Throws: As ``caller(_:from:deadline:)``, but for limits.
    func callerByNow(_ credential: Credential, deadline: CallDeadline) async throws -> Caller {
        if let caller = try known(credential) { return caller }
        switch credential {
        case .session(let claims): return try await ofSession(claims, deadline)
        case .key(let key): return try await ofKey(key, deadline)
        }
    }
}
