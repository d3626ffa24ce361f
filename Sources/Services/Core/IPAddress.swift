package import NIOCore

/// The address of a machine, of IPv4 or IPv6.
package struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    /// The address as people write it; an IPv4 one without port, an IPv6 one without zone.
    package let description: String
    /// The sixteen bytes of IPv6; IPv4 is mapped into them (RFC 4291, 2.5.5.2), so that an address has one form.
    package let high: UInt64
    package let low: UInt64

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
    package var isV4: Bool { high == 0 && low >> 32 == 0xFFFF }

    package static func == (left: IPAddress, right: IPAddress) -> Bool {
        left.high == right.high && left.low == right.low
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(high)
        hasher.combine(low)
    }
}

/// A network: all addresses that begin with the same bits.
package struct AddressRange: Sendable, Hashable {
    private let first: IPAddress
    /// The bits that count, of 128.
    private let length: Int

    /// Reads `10.0.0.0/8`, `2001:db8::/32` or a single address.
    ///
    /// - Parameter text: an address, with or without the number of bits that count.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = parts.first.flatMap({ IPAddress($0) }) else { return nil }
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
    package func contains(_ address: IPAddress) -> Bool {
        Self.mask(address, length) == Self.mask(first, length)
    }

    private static func mask(_ address: IPAddress, _ length: Int) -> [UInt64] {
        // A shift by as many bits as there are, or more, gives 0.
        [address.high & ~(UInt64.max >> min(length, 64)), address.low & ~(UInt64.max >> max(length - 64, 0))]
    }
}
