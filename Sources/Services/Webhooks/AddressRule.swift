import Kernel

/// Which servers webhooks may be sent to.
///
/// Whoever writes an endpoint's address down chooses what this deployment connects to, from inside its network: so only addresses that
/// the whole internet can reach are connected to, unless the deployment says otherwise.
package struct AddressRule: Sendable {
    /// Whether an endpoint may do without TLS.
    package var allowsHTTP: Bool

    /// What may be connected to although it is not public.
    package var exceptions: [AddressRange]

    /// The rule of a deployment; of one that says nothing, unless told.
    package init(allowsHTTP: Bool = false, exceptions: [AddressRange] = []) {
        self.allowsHTTP = allowsHTTP
        self.exceptions = exceptions
    }

    /// Whether an address may be connected to.
    ///
    /// - Parameter address: The address itself; one of IPv4 that is mapped into IPv6 is the one of IPv4.
    /// - Returns: Whether it is public, or one of the exceptions.
    package func permits(_ address: IPAddress) -> Bool {
        if exceptions.contains(where: { $0.contains(address) }) { return true }
        let closed = address.isV4 ? Self.closedV4 : Self.closedV6
        guard address.isV4 || Self.global.contains(where: { $0.contains(address) }) else { return false }
        return !closed.contains { $0.contains(address) }
    }

    /// What of IPv4 leads to nobody in the internet, or to many (RFC 6890 and IANA's registry).
    private static let closedV4 = ranges([
        // This network, and the machine itself as 0.0.0.0.
        "0.0.0.0/8",
        // Private, behind a provider's translation, the machine itself, the link, private again.
        "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
        // Protocols, examples, relays of 6to4, benchmarks.
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        // Many at once, what is reserved, everybody on the link.
        "224.0.0.0/4", "240.0.0.0/4",
    ])

    /// What of IPv6 is the internet: all else is the machine, the link, a private network, a group, or carries an address of IPv4.
    private static let global = ranges(["2000::/3"])

    /// What of that is not: protocols with Teredo, examples, 6to4, which carries an address of IPv4, and examples again.
    private static let closedV6 = ranges(["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"])

    private static func ranges(_ texts: [String]) -> [AddressRange] { texts.compactMap { AddressRange($0) } }
}

extension [AddressRange] {
    /// Reads networks separated by commas, as `10.0.0.0/8,::1`.
    ///
    /// - Parameter list: The list; empty for none.
    /// - Throws: ``InvalidRange`` with the part that is none.
    package init(list: String) throws(InvalidRange) {
        self = []
        for part in list.split(separator: ",") {
            let text = Text.trimmed(String(part))
            guard let range = AddressRange(text) else { throw InvalidRange(part: text) }
            append(range)
        }
    }
}

/// A part of a list of networks that is none.
package struct InvalidRange: Error {
    /// The part.
    package let part: String
}
