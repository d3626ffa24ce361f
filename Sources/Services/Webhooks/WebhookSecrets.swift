import Crypto
package import Kernel

/// The secret of an endpoint: 32 random bytes, by which the receiver knows who sends.
package struct WebhookSecret: Sendable, Equatable {
    /// The bytes that sign.
    package let bytes: [UInt8]

    /// A new one.
    static func random() -> WebhookSecret { WebhookSecret(bytes: SecretText.random()) }

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// As Standard Webhooks writes it: `whsec_` and base64.
    package var text: String { "whsec_\(Base64.encode(bytes))" }

    /// The signature of a message, as `webhook-signature` has it: `v1,` and base64 of the HMAC-SHA256 over id, time and body.
    ///
    /// - Parameters:
    ///   - id: The value of `webhook-id`.
    ///   - timestamp: The value of `webhook-timestamp`, in seconds.
    ///   - body: The body.
    /// - Returns: The signature.
    package func signature(id: String, timestamp: Int64, body: [UInt8]) -> String {
        let content = Array("\(id).\(timestamp).".utf8) + body
        return "v1,\(Base64.encode(HMAC<SHA256>.authenticationCode(for: content, using: SymmetricKey(data: bytes))))"
    }
}

/// Seals the secrets of endpoints, as they have to be known to sign and the database is not to know them.
///
/// AES-GCM, by keys that are derived from the secrets of the deployment. What is sealed is bound to its tenant and endpoint. A sealed secret
/// says by which key, so that another can take over while both are known: new ones are sealed by the first.
package struct WebhookSecrets: Sendable {
    private struct Key: Sendable {
        let key: SymmetricKey
        /// Tells it from others, and nothing of it.
        let mark: [UInt8]
    }

    private static let markLength = 4

    private let keys: [Key]

    /// Seals by the first of some secrets of the deployment, and opens by any of them.
    package init(of secrets: [[UInt8]]) {
        keys = secrets.map { secret in
            let key = HKDF<SHA256>.deriveKey(
                inputKeyMaterial: SymmetricKey(data: secret),
                info: Array("stock webhook secrets".utf8),
                outputByteCount: 32
            )
            let mark = HMAC<SHA256>.authenticationCode(for: Array("mark".utf8), using: key)
            return Key(key: key, mark: Array(mark.prefix(Self.markLength)))
        }
    }

    /// Seals a secret for an endpoint.
    ///
    /// - Throws: 500 `internal_error` if there is no key.
    func seal(_ secret: WebhookSecret, tenant: TenantID, webhook: WebhookID) throws(Problem) -> [UInt8] {
        guard let key = keys.first,
            let box = try? AES.GCM.seal(secret.bytes, using: key.key, authenticating: Self.place(tenant, webhook)),
            let sealed = box.combined
        else { throw Problem(.internalError, "A secret can not be sealed.") }
        return key.mark + Array(sealed)
    }

    /// Opens what was sealed for an endpoint; nil if it was sealed by a key that is not known here, or for another one.
    package func open(_ sealed: [UInt8], tenant: TenantID, webhook: WebhookID) -> WebhookSecret? {
        guard let key = keys.first(where: { sealed.starts(with: $0.mark) }),
            let box = try? AES.GCM.SealedBox(combined: sealed.dropFirst(Self.markLength)),
            let bytes = try? AES.GCM.open(box, using: key.key, authenticating: Self.place(tenant, webhook))
        else { return nil }
        return WebhookSecret(bytes: Array(bytes))
    }

    /// Whether what was sealed should be sealed anew, as its key is not the first any more.
    func isOutdated(_ sealed: [UInt8]) -> Bool { keys.first.map { !sealed.starts(with: $0.mark) } ?? false }

    private static func place(_ tenant: TenantID, _ webhook: WebhookID) -> [UInt8] {
        Array("\(tenant) \(webhook)".utf8)
    }
}
