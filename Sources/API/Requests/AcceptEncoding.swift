/// Reads `Accept-Encoding` (RFC 9110, 12.5.3).
enum AcceptEncoding {
    /// Whether gzip is acceptable, and no less welcome than the plain bytes.
    ///
    /// A coding that is listed counts by its own weight, else by that of `*`. Malformed members count for nothing.
    ///
    /// - Parameter header: the value, several fields joined by commas.
    /// - Returns: whether to send gzip.
    static func prefersGzip(_ header: String) -> Bool {
        var gzip: Int?
        var identity: Int?
        var others: Int?
        for member in header.utf8.split(separator: UInt8(ascii: ",")) {
            let parts = member.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
            guard let name = parts.first.map(Weight.trimmed), !name.isEmpty, parts.count <= 2 else { continue }
            guard let weight = parts.count == 2 ? Weight.read(parts[1]) : Weight.full else { continue }
            if Weight.equal(name, "gzip".utf8) || Weight.equal(name, "x-gzip".utf8) {
                gzip = max(gzip ?? 0, weight)
            } else if Weight.equal(name, "identity".utf8) {
                identity = weight
            } else if Weight.equal(name, "*".utf8) {
                others = weight
            }
        }
        guard let weight = gzip ?? others, weight > 0 else { return false }
        // Plain bytes that nobody mentioned are acceptable, not preferred.
        return weight >= identity ?? 0
    }
}
