import Crypto
import Kernel

/// Makes refresh tokens and their successors.
///
/// A token is 256 random bits; only its SHA-256 is stored. Its successor is derived from it by HMAC, so that a client whose answer
/// was lost, and thirty-two requests that came at once, all get the same one.
struct RefreshTokens: Sendable {
    private let key: SymmetricKey

    init(secret: [UInt8]) {
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: secret),
            info: Array("stock refresh token".utf8),
            outputByteCount: 32
        )
    }

    /// A new token.
    func make() -> [UInt8] { (0..<32).map { _ in UInt8.random(in: .min ... .max) } }

    /// The one token that follows another.
    func successor(of token: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: token, using: key))
    }

    /// What is stored of a token.
    static func hash(of token: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: token)) }

    /// The text a client keeps.
    static func text(of token: [UInt8]) -> String { "rt_" + Base64URL.encode(token) }

    /// The bytes of what a client sent, or `nil`.
    static func parse(_ text: String) -> [UInt8]? {
        guard text.hasPrefix("rt_"), let bytes = Base64URL.decode(text.dropFirst(3)), bytes.count == 32 else {
            return nil
        }
        return bytes
    }
}

/// An API key as a client sends it: `stk_<tenant>_<id>_<secret>`.
///
/// It names its tenant, so looking it up stays within the tenant's scope.
struct APIKeyText: Sendable {
    let tenant: TenantID
    let id: APIKeyID
    let secret: [UInt8]

    init(tenant: TenantID, id: APIKeyID, secret: [UInt8]) {
        self.tenant = tenant
        self.id = id
        self.secret = secret
    }

    init?(_ text: String) {
        let parts = text.split(separator: "_", maxSplits: 3, omittingEmptySubsequences: false)
        guard text.utf8.count <= 128, parts.count == 4, parts[0] == "stk",
            let number = Int64(parts[1]), number > 0, String(number) == parts[1],
            let bytes = Hexadecimal.bytes(parts[2]), let id = EntityID(bytes: bytes),
            let secret = Base64URL.decode(parts[3]), secret.count == 32
        else { return nil }
        self.init(tenant: TenantID(rawValue: number), id: APIKeyID(id), secret: secret)
    }

    /// The text shown once.
    var text: String {
        "stk_\(tenant)_\(Hexadecimal.text(id.entity.bytes))_\(Base64URL.encode(secret))"
    }

    /// What is stored of the secret.
    var hash: [UInt8] { Array(SHA256.hash(data: secret)) }
}
