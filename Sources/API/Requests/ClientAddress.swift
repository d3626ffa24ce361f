import Kernel
package import Services

extension IPAddress {
    /// What limits count by: the address, of IPv6 the network of 64 bits, as whoever has one address there has all of them.
    package var limited: String { isV4 ? description : String(high, radix: 16) + "/64" }
}

/// The proxies whose word about the client's address is taken.
package struct TrustedProxies: Sendable, Equatable {
    private let ranges: [AddressRange]

    /// More proxies in a row than this are nobody's: further entries are not read.
    private static let longestChain = 16

    /// Nobody but those in the ranges is believed.
    ///
    /// - Parameter ranges: where proxies are.
    package init(_ ranges: [AddressRange] = []) {
        self.ranges = ranges
    }

    /// Reads networks separated by commas.
    ///
    /// - Parameter list: such as `10.0.0.0/8,127.0.0.1`.
    /// - Throws: `InvalidRange` with the part that is none.
    package init(list: String) throws(InvalidRange) { ranges = try [AddressRange](list: list) }

    /// Whether somebody is believed.
    ///
    /// - Parameter address: who.
    /// - Returns: whether it is one of the proxies.
    package func contains(_ address: IPAddress) -> Bool { ranges.contains { $0.contains(address) } }

    /// Whose request it is.
    ///
    /// Each proxy appends the address of its own peer, so the list is read from its end, as far as those who wrote it are
    /// trusted: the first that is no proxy is the client. Whatever stands before it the client may have made up.
    ///
    /// - Parameters:
    ///   - peer: who sent the request to us.
    ///   - forwarded: the value of `X-Forwarded-For`, several fields joined by commas.
    /// - Returns: the client.
    package func client(behind peer: IPAddress, forwarded: String?) -> IPAddress {
        guard let forwarded, self.contains(peer) else { return peer }
        var client = peer
        var rest = forwarded.utf8[...]
        for _ in 0..<Self.longestChain {
            let comma = rest.lastIndex(of: UInt8(ascii: ","))
            let part = comma.map { rest[rest.index(after: $0)...] } ?? rest
            // What cannot be read says nothing about who is behind it.
            guard let address = Self.address(of: Substring(part)) else { return client }
            client = address
            guard let comma, self.contains(address) else { return client }
            rest = rest[..<comma]
        }
        return client
    }

    /// The address of an entry; some proxies append a port, and then put IPv6 into brackets.
    private static func address(of entry: Substring) -> IPAddress? {
        let text = entry.filter { $0 != " " && $0 != "\t" }
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            return IPAddress(text[text.index(after: text.startIndex)..<end])
        }
        if text.contains("."), let colon = text.lastIndex(of: ":"), text.firstIndex(of: ":") == colon {
            return IPAddress(text[..<colon])
        }
        return IPAddress(text)
    }
}
