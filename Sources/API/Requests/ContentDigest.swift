import Kernel

/// What `Content-Digest` says of a body (RFC 9530): a dictionary of digests, of which the one by SHA-256 counts.
struct ContentDigest: Sendable, Equatable {
    /// 32 bytes.
    let sha256: [UInt8]

    /// Reads the field.
    ///
    /// - Parameter field: Its value; nil if there is none.
    /// - Throws: `invalid_request` if the digest by SHA-256 can not be read; nothing is returned where there is none.
    init?(_ field: String?) throws(Problem) {
        for member in field?.split(separator: ",") ?? [] {
            let parts = member.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, Self.trimmed(parts[0]).lowercased() == "sha-256" else { continue }
            let value = Self.trimmed(parts[1].prefix { $0 != ";" })
            guard value.count >= 2, value.first == ":", value.last == ":",
                let bytes = Self.base64(value.dropFirst().dropLast()), bytes.count == 32
            else {
                throw Problem(.invalidRequest, "Content-Digest must be like sha-256=:...:, the digest in Base64.")
            }
            sha256 = bytes
            return
        }
        return nil
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }

    /// Base64 of RFC 4648, section 4; the alphabet for URLs is none of it.
    private static func base64(_ text: Substring) -> [UInt8]? {
        guard !text.contains(where: { $0 == "-" || $0 == "_" }) else { return nil }
        var letters = text
        while letters.last == "=" { letters.removeLast() }
        return Base64URL.decode(String(letters.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }))
    }
}
