/// Makes UTF-8 of a file in UTF-16, in portions; files in other encodings pass as they are.
package struct UTF16Transcoder: Sendable {
    private enum Order {
        case undecided
        case little
        case big
    }

    /// What is no UTF-16 becomes this byte, which no UTF-8 holds: the field it stands in is refused.
    private static let invalid: UInt8 = 0xFF

    private let encoding: TextEncoding
    private var order: Order
    private var isAtStart = true
    /// Half of a unit.
    private var half: UInt8?
    /// The first of two surrogates.
    private var high: UInt16?

    package init(encoding: TextEncoding) {
        self.encoding = encoding
        order =
            switch encoding {
            case .utf16LittleEndian: .little
            case .utf16BigEndian: .big
            default: .undecided
            }
    }

    /// Transcodes one portion.
    ///
    /// - Parameter chunk: the next bytes, cut anywhere.
    /// - Returns: the same text in UTF-8.
    /// - Throws: `ImportMapping.Fault` if the byte order is not declared and the file does not begin with its mark.
    package mutating func decode(_ chunk: [UInt8]) throws(ImportMapping.Fault) -> [UInt8] {
        guard encoding.isTranscoded else { return chunk }
        var text: [UInt8] = []
        text.reserveCapacity(chunk.count)
        for byte in chunk {
            guard let first = half else {
                half = byte
                continue
            }
            half = nil
            if isAtStart {
                isAtStart = false
                if try takesMark(first, byte) { continue }
            }
            let unit =
                order == .big ? UInt16(first) << 8 | UInt16(byte) : UInt16(byte) << 8 | UInt16(first)
            append(unit, to: &text)
        }
        return text
    }

    /// Ends the file.
    ///
    /// - Returns: what marks a file that ends amidst a character; nothing else is left.
    package mutating func finish() -> [UInt8] { half != nil || high != nil ? [Self.invalid] : [] }

    /// A whole text, given in UTF-8, as the file it belongs to was: with a byte order mark.
    package static func encode(_ text: [UInt8], as encoding: TextEncoding) -> [UInt8] {
        let isBig = encoding == .utf16BigEndian
        var bytes: [UInt8] = isBig ? [0xFE, 0xFF] : [0xFF, 0xFE]
        bytes.reserveCapacity(2 * text.count + 2)
        for unit in String(decoding: text, as: UTF8.self).utf16 {
            let (high, low) = (UInt8(unit >> 8), UInt8(unit & 0xFF))
            bytes.append(isBig ? high : low)
            bytes.append(isBig ? low : high)
        }
        return bytes
    }

    private mutating func takesMark(_ first: UInt8, _ second: UInt8) throws(ImportMapping.Fault) -> Bool {
        switch (first, second) {
        case (0xFF, 0xFE) where order != .big: order = .little
        case (0xFE, 0xFF) where order != .little: order = .big
        default:
            guard order != .undecided else {
                throw ImportMapping.Fault(
                    "encoding is utf-16, but the file has no byte order mark; name utf-16le or utf-16be"
                )
            }
            return false
        }
        return true
    }

    private mutating func append(_ unit: UInt16, to text: inout [UInt8]) {
        if let first = high {
            high = nil
            if UTF16.isTrailSurrogate(unit) {
                let value = 0x1_0000 + (UInt32(first & 0x3FF) << 10 | UInt32(unit & 0x3FF))
                text.append(contentsOf: Unicode.Scalar(value).flatMap { UTF8.encode($0) }.map { Array($0) } ?? [])
                return
            }
            text.append(Self.invalid)
        }
        if UTF16.isLeadSurrogate(unit) {
            high = unit
        } else if unit < 0x80 {
            text.append(UInt8(unit))
        } else if let scalar = Unicode.Scalar(unit), let encoded = UTF8.encode(scalar) {
            text.append(contentsOf: encoded)
        } else {
            text.append(Self.invalid)
        }
    }
}
