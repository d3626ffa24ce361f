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
    func make() -> [UInt8] { SecretText.random() }

    /// The one token that follows another.
    func successor(of token: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: token, using: key))
    }

    /// What is stored of a token.
    static func hash(of token: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: token)) }

    /// The text a client keeps.
    static func text(of token: [UInt8]) -> String { SecretText.text(of: token, prefix: prefix) }

    /// The bytes of what a client sent, or `nil`.
    static func parse(_ text: String) -> [UInt8]? { SecretText.parse(text, prefix: prefix) }

    private static let prefix = "rt"
}

/// 256 random bits as text, behind what tells a person and a scanner for leaked secrets what they are.
enum SecretText {
    /// Random bytes.
    static func random() -> [UInt8] { (0..<32).map { _ in UInt8.random(in: .min ... .max) } }

    /// `rt_` and the bytes in base64url.
    static func text(of secret: [UInt8], prefix: String) -> String { "\(prefix)_\(Base64URL.encode(secret))" }

    /// The bytes of such a text, or `nil`.
    static func parse(_ text: String, prefix: String) -> [UInt8]? {
        guard text.utf8.count <= 128, text.hasPrefix(prefix + "_"),
            let bytes = Base64URL.decode(text.dropFirst(prefix.count + 1)), bytes.count == 32
        else { return nil }
        return bytes
    }
}

/// The token of a password's reset: `rst_` and 256 random bits; only its SHA-256 is stored.
enum ResetToken {
    private static let prefix = "rst"

    /// The text shown once.
    static func text(of secret: [UInt8]) -> String { SecretText.text(of: secret, prefix: prefix) }

    /// What is stored of the token that a client sent; `nil` if it is none.
    static func hash(ofText text: String) -> [UInt8]? {
        SecretText.parse(text, prefix: prefix).map { hash(of: $0) }
    }

    /// What is stored of a secret.
    static func hash(of secret: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: secret)) }
}

/// A kind of row that a secret opens.
protocol SecretHolder {
    /// The beginning of its text.
    static var prefix: String { get }
}

extension Entity.APIKey: SecretHolder {
    static let prefix = "stk"
}

extension Entity.Invitation: SecretHolder {
    static let prefix = "inv"
}

/// An API key as a client sends it, `stk_<tenant>_<id>_<secret>`, or the token of an invitation, `inv_...`.
///
/// It names its tenant, so looking it up stays within the tenant's scope.
struct TenantSecret<Holder: SecretHolder>: Sendable {
    let tenant: TenantID
    let id: ID<Holder>
    let secret: [UInt8]

    /// A new secret of a row.
    init(tenant: TenantID, id: ID<Holder>) {
        self.init(tenant: tenant, id: id, secret: SecretText.random())
    }

    private init(tenant: TenantID, id: ID<Holder>, secret: [UInt8]) {
        self.tenant = tenant
        self.id = id
        self.secret = secret
    }

    init?(_ text: String) {
        let parts = text.split(separator: "_", maxSplits: 3, omittingEmptySubsequences: false)
        guard text.utf8.count <= 128, parts.count == 4, parts[0] == Holder.prefix,
            let number = Int64(parts[1]), number > 0, String(number) == parts[1],
            let bytes = Hexadecimal.bytes(parts[2]), let id = EntityID(bytes: bytes),
            let secret = Base64URL.decode(parts[3]), secret.count == 32
        else { return nil }
        self.init(tenant: TenantID(rawValue: number), id: ID(id), secret: secret)
    }

    /// The text shown once.
    var text: String {
        "\(Holder.prefix)_\(tenant)_\(Hexadecimal.text(id.entity.bytes))_\(Base64URL.encode(secret))"
    }

    /// What is stored of the secret.
    var hash: [UInt8] { Array(SHA256.hash(data: secret)) }
}

typealias APIKeyText = TenantSecret<Entity.APIKey>
typealias InvitationToken = TenantSecret<Entity.Invitation>
