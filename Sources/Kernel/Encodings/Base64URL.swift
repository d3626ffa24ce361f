/// Base64 with the alphabet of URLs, without padding and with exactly one spelling of each value (RFC 4648, section 5).
///
/// From bytes to bytes first: an access token is checked with each request, and no string should be made for that.
package enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// The value of each byte, 255 for bytes outside the alphabet: `+`, `/` and `=` are outside.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, byte) in alphabet.enumerated() { values[Int(byte)] = UInt8(value) }
        return values
    }()

    /// The text of bytes, as its own bytes.
    package static func characters(of bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count * 4 + 2) / 3)
        var window: UInt32 = 0
        var bits: UInt32 = 0
        for byte in bytes {
            window = window << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(alphabet[Int(window >> bits & 63)])
            }
        }
        if bits > 0 { text.append(alphabet[Int(window << (6 - bits) & 63)]) }
        return text
    }

    /// The text of bytes.
    package static func encode(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: characters(of: Array(bytes)), as: UTF8.self)
    }

    /// The bytes of a text, or `nil` if it is not the one spelling of some bytes.
    ///
    /// Padding, the other alphabet and leftover bits that are not zero are refused.
    package static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.count % 4 != 1 else { return nil }
        let values = values
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count * 3 / 4)
        var window: UInt32 = 0
        var bits: UInt32 = 0
        for character in text {
            let value = values[Int(character)]
            guard value != 255 else { return nil }
            window = window << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: window >> bits))
            }
        }
        // Bits left over must be zero, or two texts would mean the same bytes.
        guard window & (1 << bits - 1) == 0 else { return nil }
        return bytes
    }

    /// The bytes of a text, or `nil` if it is not the one spelling of some bytes.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? { decode(Array(text.utf8)[...]) }
}
