import Kernel
package import NIOCore

/// The address of a client or a proxy.
package struct ClientAddress: Sendable, Hashable, CustomStringConvertible {
    /// The address as people write it; an IPv4 one without port, an IPv6 one without zone.
    package let description: String
    /// The sixteen bytes of IPv6; IPv4 is mapped into them (RFC 4291, 2.5.5.2), so that an address has one form.
    let high: UInt64
    let low: UInt64

    /// Reads `192.0.2.1` or `2001:db8::1`.
    ///
    /// - Parameter text: the address alone.
    package init?(_ text: some StringProtocol) {
        // No address is longer, and the system need not read more.
        guard text.utf8.count <= 45, let address = try? SocketAddress(ipAddress: String(text), port: 0) else {
            return nil
        }
        self.init(address)
    }

    /// The address of a peer.
    ///
    /// - Parameter address: as the channel knows it; nil for a socket in the file system.
    package init?(_ address: SocketAddress) {
        // In both structures family and port come first, four bytes; in that of IPv6 the flow's label, four more.
        let bytes: [UInt8]
        switch address {
        case .v4(let address):
            bytes =
                Array(repeating: 0, count: 10) + [0xFF, 0xFF]
                + withUnsafeBytes(of: address.address) { Array($0.dropFirst(4).prefix(4)) }
        case .v6(let address):
            bytes = withUnsafeBytes(of: address.address) { Array($0.dropFirst(8).prefix(16)) }
        case .unixDomainSocket:
            return nil
        }
        guard bytes.count == 16 else { return nil }
        high = bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes[8...].reduce(0) { $0 << 8 | UInt64($1) }
        if high == 0, low >> 32 == 0xFFFF {
            description = bytes[12...].map { String($0) }.joined(separator: ".")
        } else {
            description = address.ipAddress ?? ""
        }
    }

    /// Whether it is one of IPv4.
    var isV4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// What limits count by: the address, of IPv6 the network of 64 bits, as whoever has one address there has all of them.
    package var limited: String { isV4 ? description : String(high, radix: 16) + "/64" }

    package static func == (left: ClientAddress, right: ClientAddress) -> Bool {
        left.high == right.high && left.low == right.low
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(high)
        hasher.combine(low)
    }
}

/// A network: all addresses that begin with the same bits.
package struct AddressRange: Sendable, Hashable {
    private let first: ClientAddress
    /// The bits that count, of 128.
    private let length: Int

    /// Reads `10.0.0.0/8`, `2001:db8::/32` or a single address.
    ///
    /// - Parameter text: an address, with or without the number of bits that count.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = parts.first.flatMap({ ClientAddress($0) }) else { return nil }
        let longest = address.isV4 ? 32 : 128
        var length = longest
        if parts.count == 2 {
            guard let digits = parts.last, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(digits),
                number <= longest
            else { return nil }
            length = number
        }
        first = address
        self.length = length + 128 - longest
    }

    /// Whether an address is in it.
    ///
    /// - Parameter address: the address.
    /// - Returns: whether it begins with the same bits.
    package func contains(_ address: ClientAddress) -> Bool {
        Self.mask(address, length) == Self.mask(first, length)
    }

    private static func mask(_ address: ClientAddress, _ length: Int) -> [UInt64] {
        // A shift by as many bits as there are, or more, gives 0.
        [address.high & ~(UInt64.max >> min(length, 64)), address.low & ~(UInt64.max >> max(length - 64, 0))]
    }
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
    /// - Throws: ``Invalid`` with the part that is none.
    package init(list: String) throws(Invalid) {
        var ranges: [AddressRange] = []
        for part in list.split(separator: ",") {
            let text = Text.trimmed(String(part))
            guard let range = AddressRange(text) else { throw Invalid(part: text) }
            ranges.append(range)
        }
        self.ranges = ranges
    }

    /// A part of a list that is no network.
    package struct Invalid: Error {
        /// The part.
        package let part: String
    }

    /// Whether somebody is believed.
    ///
    /// - Parameter address: who.
    /// - Returns: whether it is one of the proxies.
    package func contains(_ address: ClientAddress) -> Bool { ranges.contains { $0.contains(address) } }

    /// Whose request it is.
    ///
    /// Each proxy appends the address of its own peer, so the list is read from its end, as far as those who wrote it are
    /// trusted: the first that is no proxy is the client. Whatever stands before it the client may have made up.
    ///
    /// - Parameters:
    ///   - peer: who sent the request to us.
    ///   - forwarded: the value of `X-Forwarded-For`, several fields joined by commas.
    /// - Returns: the client.
    package func client(behind peer: ClientAddress, forwarded: String?) -> ClientAddress {
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
    private static func address(of entry: Substring) -> ClientAddress? {
        let text = entry.filter { $0 != " " && $0 != "\t" }
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            return ClientAddress(text[text.index(after: text.startIndex)..<end])
        }
        if text.contains("."), let colon = text.lastIndex(of: ":"), text.firstIndex(of: ":") == colon {
            return ClientAddress(text[..<colon])
        }
        return ClientAddress(text)
    }
}
