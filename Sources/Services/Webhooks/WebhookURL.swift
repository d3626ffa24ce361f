package import Kernel

/// Where an endpoint is, read strictly: what is checked, what is connected to and what the server is called are the same text.
///
/// A reader that is kinder than the client behind it, or stricter, would check one host and have another connected to. So a host is a
/// plain name of letters, digits and hyphens or an address in its usual form, nothing stands before it, and all of it is ASCII.
package struct WebhookURL: Sendable, Equatable {
    /// Whether the server is to prove its name.
    package let isSecure: Bool
    /// The server's name in lower case, or its address, which stands without brackets.
    package let host: String
    /// The port, 1 to 65535.
    package let port: Int
    /// Path and query, as they are asked for; begins with a slash.
    package let target: String

    /// Reads a URL.
    ///
    /// - Parameter text: Such as `https://example.com/hooks?shop=1`.
    /// - Throws: `format` for what is none, `not_allowed` for what none may have: another scheme, a name or password, a fragment.
    package init(_ text: String) throws(ReadingFault) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else {
            throw ReadingFault(.format, "Must be ASCII without spaces; a name in other letters is written as xn--...")
        }
        guard let colon = text.firstRange(of: "://") else { throw Self.form }
        switch text[..<colon.lowerBound].lowercased() {
        case "https": isSecure = true
        case "http": isSecure = false
        default: throw ReadingFault(.notAllowed, "Must begin with https://.")
        }
        guard !text.contains("#") else { throw ReadingFault(.notAllowed, "Must have no fragment.") }
        let rest = text[colon.upperBound...]
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<end]
        guard !authority.contains("@") else {
            throw ReadingFault(.notAllowed, "Must have no name or password; the signature says who sends.")
        }
        let (host, port) = try Self.split(authority)
        self.host = host
        if let port {
            guard !port.isEmpty, port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), port.count <= 5,
                let number = Int(port), (1...65_535).contains(number)
            else { throw ReadingFault(.format, "The port must be from 1 to 65535.") }
            self.port = number
        } else {
            self.port = isSecure ? 443 : 80
        }
        target = rest[end...].hasPrefix("/") ? String(rest[end...]) : "/\(rest[end...])"
    }

    private static let form = ReadingFault(.format, "Must be a URL like \"https://example.com/hooks\".")

    private static func split(_ authority: Substring) throws(ReadingFault) -> (host: String, port: Substring?) {
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]"),
                let address = IPAddress(authority[authority.index(after: authority.startIndex)..<end])
            else { throw Self.form }
            let rest = authority[authority.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw Self.form }
            return (address.description, rest.isEmpty ? nil : rest.dropFirst())
        }
        let colon = authority.firstIndex(of: ":")
        let host = authority[..<(colon ?? authority.endIndex)].lowercased()
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        guard host.utf8.count <= 253, labels.allSatisfy(Self.isLabel) else { throw Self.form }
        // A name whose last part is a number is read as an address by some, in forms that others do not know.
        if let last = labels.last, last.hasPrefix("0x") || last.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            guard let address = IPAddress(host), address.isV4, address.description == host else { throw Self.form }
        }
        return (host, colon.map { authority[authority.index(after: $0)...] })
    }

    private static func isLabel(_ label: Substring) -> Bool {
        (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
            && label.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                    UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    /// The address, if the host is none that has to be looked up.
    package var address: IPAddress? { IPAddress(host) }

    /// The URL in its one form.
    package var text: String {
        let name = host.contains(":") ? "[\(host)]" : host
        let isUsual = port == (isSecure ? 443 : 80)
        return "\(isSecure ? "https" : "http")://\(name)\(isUsual ? "" : ":\(port)")\(target)"
    }
}
