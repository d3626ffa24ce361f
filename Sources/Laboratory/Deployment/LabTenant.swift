/// A tenant of a laboratory, and a key that may do everything in its name.
package struct LabTenant: Sendable {
    /// Its short name.
    package let slug: String
    /// Its number.
    package let id: Int
    /// The secret of an API key with every scope, for `Authorization: Bearer`.
    package let key: String

    /// The header field that makes a request in its name.
    package var authorization: [String: String] { ["Authorization": "Bearer \(key)"] }
}
