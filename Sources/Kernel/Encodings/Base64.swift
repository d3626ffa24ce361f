/// Base64 with the usual alphabet and padding (RFC 4648, section 4), where others ask for it.
package enum Base64 {
    /// The text of bytes.
    package static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text = Base64URL.characters(of: Array(bytes)).map { character in
            switch character {
            case UInt8(ascii: "-"): UInt8(ascii: "+")
            case UInt8(ascii: "_"): UInt8(ascii: "/")
            default: character
            }
        }
        while !text.count.isMultiple(of: 4) { text.append(UInt8(ascii: "=")) }
        return String(decoding: text, as: UTF8.self)
    }
}
