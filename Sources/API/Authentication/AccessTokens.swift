import FoundationEssentials
import JWTKit
package import Kernel

/// Who holds an access token, as the token says it.
package struct AccessClaims: Sendable, Equatable {
    /// Whose session it is.
    package let user: UserID
    /// The session, which may have been revoked since.
    package let session: SessionID
    /// The tenant that was chosen at login or by a switch.
    package let tenant: TenantID
    /// The second since 1970 at which the token ends.
    package let expiresAt: Int64
}

/// Signs access tokens and checks them: the one place that knows JSON Web Tokens.
///
/// The signature is jwt-kit's; the rest of jwt-kit's checking is not used, because its key collection is an actor (a hop
/// for each request), takes its default key for an unknown `kid`, and does not compare `alg`, `typ` and `crit`. So the keys
/// are taken out of the collection once, into a table of our own, where signing and verifying are plain calls. There is one
/// protected header for each key, and a token must carry it byte for byte: with that `kid`, `alg`, `typ` are compared, and
/// `crit`, `jku`, `jwk`, `x5u` are refused, before any signature is looked at.
package struct AccessTokens: Sendable {
    private struct Key: Sendable {
        /// The encoded header and its dot.
        let prefix: [UInt8]
        let algorithm: any JWTAlgorithm
    }

    /// The type that tells an access token from every other token (RFC 9068).
    private static let type = "at+jwt"
    private static let issuer = "stock"
    private static let audience = "stock-api"
    /// Longest token looked at; ours have about 400 bytes.
    private static let maximumBytes = 1024

    private let keys: [Key]
    private let lifetimeSeconds: Int64
    private let leewaySeconds: Int64
    private let clock: WallClock

    /// Takes the keys: the first signs, all are accepted.
    ///
    /// - Parameters:
    ///   - keys: one, or two during a rotation.
    ///   - lifetimeSeconds: of a token.
    ///   - leewaySeconds: by which two instances' clocks may differ.
    ///   - clock: the wall clock, the only one that other instances share.
    /// - Throws: ``SigningKey/Invalid`` when there is no key.
    package init(
        keys: [SigningKey],
        lifetimeSeconds: Int64 = 900,
        leewaySeconds: Int64 = 30,
        clock: WallClock = .system
    ) async throws {
        var table: [Key] = []
        for key in keys {
            let collection = JWTKeyCollection()
            let kid = JWKIdentifier(string: key.kid)
            await collection.add(hmac: HMACKey(from: key.secret), digestAlgorithm: .sha256, kid: kid)
            let algorithm = try await collection.getKey(for: kid)
            var header = JSONWriter()
            header.object { header in
                header.member("alg", algorithm.name)
                header.member("kid", key.kid)
                header.member("typ", Self.type)
            }
            table.append(
                Key(prefix: Base64URL.characters(of: header.bytes) + [UInt8(ascii: ".")], algorithm: algorithm)
            )
        }
        guard !table.isEmpty else { throw SigningKey.Invalid(description: "no key was given") }
        self.keys = table
        self.lifetimeSeconds = lifetimeSeconds
        self.leewaySeconds = leewaySeconds
        self.clock = clock
    }

    /// Seconds for which a token is good.
    package var expiresIn: Int { Int(lifetimeSeconds) }

    /// Signs a token.
    ///
    /// - Parameters:
    ///   - user: who logged in.
    ///   - session: the session, by which the token can be revoked.
    ///   - tenant: the tenant it is good for.
    /// - Returns: the token.
    /// - Throws: what the signature's implementation throws; a defect.
    package func issue(user: UserID, session: SessionID, tenant: TenantID) throws -> String {
        let now = self.now
        var claims = JSONWriter()
        claims.object { claims in
            claims.member("iss", Self.issuer)
            claims.member("aud", Self.audience)
            claims.member("sub", user.description)
            claims.member("sid", session.description)
            claims.member("tid", Int(tenant.rawValue))
            claims.member("iat", Int(now))
            claims.member("nbf", Int(now))
            claims.member("exp", Int(now + self.lifetimeSeconds))
        }
        let key = keys[0]
        var token = key.prefix
        token += Base64URL.characters(of: claims.bytes)
        let signature = try key.algorithm.sign(token)
        token.append(UInt8(ascii: "."))
        token += Base64URL.characters(of: signature)
        return String(decoding: token, as: UTF8.self)
    }

    /// What a token says whose signature is right.
    ///
    /// Does not suspend, and asks neither for the time nor whether the session still lives: those are the next questions.
    ///
    /// - Parameter token: the text behind `Bearer`.
    /// - Returns: what it says, for ``check(_:)``.
    /// - Throws: `unauthenticated`, without telling which check failed.
    func signed(_ token: some StringProtocol) throws(Problem) -> ClaimsScanner.Claims {
        guard token.utf8.count <= Self.maximumBytes else { throw Self.refusal }
        let bytes = token.utf8.withContiguousStorageIfAvailable { Array($0) } ?? Array(token.utf8)
        guard let key = keys.first(where: { bytes.starts(with: $0.prefix) }),
            let dot = bytes[key.prefix.count...].firstIndex(of: UInt8(ascii: ".")),
            let signature = Base64URL.decode(bytes[(dot + 1)...]),
            (try? key.algorithm.verify(signature, signs: bytes[..<dot])) == true,
            let payload = Base64URL.decode(bytes[key.prefix.count..<dot]),
            let claims = ClaimsScanner.scan(payload)
        else { throw Self.refusal }
        return claims
    }

    /// Who holds a token that says this, if it is for us and of this time.
    ///
    /// - Parameter claims: what a token says whose signature is right.
    /// - Returns: who holds it, as it says.
    /// - Throws: `unauthenticated`; an expired token says so.
    func check(_ claims: ClaimsScanner.Claims) throws(Problem) -> AccessClaims {
        let now = self.now
        guard claims.issuer == Self.issuer, claims.audience == Self.audience,
            let user = claims.subject, let session = claims.session, let tenant = claims.tenant, tenant > 0,
            let expiresAt = claims.expiresAt, let notBefore = claims.notBefore,
            notBefore <= now + leewaySeconds
        else { throw Self.refusal }
        guard now < expiresAt + leewaySeconds else {
            throw Problem(.unauthenticated, "The access token has expired; ask for another with the refresh token.")
        }
        return AccessClaims(
            user: UserID(user),
            session: SessionID(session),
            tenant: TenantID(rawValue: tenant),
            expiresAt: expiresAt
        )
    }

    private var now: Int64 { clock.now().microsecondsSince1970 / 1_000_000 }

    /// One refusal for every fault, so that a forger learns nothing from it.
    static var refusal: Problem { Problem(.unauthenticated, "The access token is not valid.") }
}
