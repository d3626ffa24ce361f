import HTTPTypes

/// The fields that every answer carries, errors included.
///
/// The API serves data and no pages, so a browser that is shown an answer may load nothing, frame nothing and guess no type.
enum SecurityHeaders {
    /// Name and value.
    static let plain: [(name: String, value: String)] = [
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        ("Referrer-Policy", "no-referrer"),
    ]

    /// The same as HTTP fields, made once; and what keeps answers out of every cache on their way, as all of them are
    /// somebody's own.
    static let fields: [HTTPField] =
        [HTTPField(name: .cacheControl, value: "no-store")]
        + plain.compactMap { name, value in
            HTTPField.Name(name).map { HTTPField(name: $0, value: value) }
        }
}
