import Crypto
package import Kernel

/// Turns the place where a page ends into an opaque text and back, bound to the query it was made for.
///
/// The text carries the sort values of the last row and an HMAC over tenant, query and values: a cursor that was changed, or that
/// is used with another filter, sort order or tenant, is refused instead of answering something else.
package struct PageCursors: Sendable {
    private let key: SymmetricKey

    /// Makes a codec.
    ///
    /// - Parameter secret: The same on every instance; at least 32 bytes.
    package init(secret: [UInt8]) {
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: secret),
            info: Array("stock page cursor".utf8),
            outputByteCount: 32
        )
    }

    /// The text of a place.
    package func encode(_ values: [String], tenant: TenantID, query: String) -> String {
        var writer = JSONWriter()
        writer.array { writer in
            for value in values { writer.string(value) }
        }
        return Base64URL.encode(signature(of: writer.bytes, tenant, query) + writer.bytes)
    }

    /// The sort values of a place.
    ///
    /// - Parameters:
    ///   - text: What a client sent; `nil` is the first page.
    ///   - count: How many values the query sorts by.
    ///   - tenant: The caller's.
    ///   - query: The filters and order, as at encoding.
    /// - Returns: The values, `nil` for the first page.
    /// - Throws: 400 `cursor_mismatch`.
    package func decode(_ text: String?, count: Int, tenant: TenantID, query: String) throws(Problem) -> [String]? {
        guard let text else { return nil }
        let mismatch = Problem(
            .cursorMismatch,
            "The cursor belongs to another query. Use it with the parameters of the page that answered it.",
            errors: [FieldError("?cursor", .cursorMismatch, "Does not belong to this query.")]
        )
        guard text.utf8.count <= 4096, let bytes = Base64URL.decode(text), bytes.count > Self.signatureLength else {
            throw mismatch
        }
        let payload = Array(bytes.dropFirst(Self.signatureLength))
        let isValid = ConstantTime.equal(bytes.prefix(Self.signatureLength), signature(of: payload, tenant, query))
        guard isValid, case .array(let members)? = try? JSONValue.parse(payload), members.count == count else {
            throw mismatch
        }
        return try members.map { (member) throws(Problem) -> String in
            guard case .string(let value) = member else { throw mismatch }
            return value
        }
    }

    private static let signatureLength = 16

    private func signature(of payload: [UInt8], _ tenant: TenantID, _ query: String) -> [UInt8] {
        var hash = HMAC<SHA256>(key: key)
        hash.update(data: Array("\(tenant)\n\(query)\n".utf8))
        hash.update(data: payload)
        return Array(hash.finalize().prefix(Self.signatureLength))
    }
}

/// Comparison that takes as long for the first differing byte as for the last.
enum ConstantTime {
    static func equal(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for (a, b) in zip(left, right) { difference |= a ^ b }
        return difference == 0
    }
}
