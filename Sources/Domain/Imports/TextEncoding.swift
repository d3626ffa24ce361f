/// The declared encoding of a file's text.
///
/// It is never guessed: a wrong guess damages names silently.
package enum TextEncoding: String, Sendable, CaseIterable {
    case utf8 = "utf-8"
    case windows1252 = "cp1252"
    /// UTF-16 with a byte order mark that tells which of the two it is.
    case utf16 = "utf-16"
    case utf16LittleEndian = "utf-16le"
    case utf16BigEndian = "utf-16be"

    /// The encoding of a name as people write it, in any case: utf-8, utf8, cp1252, windows-1252, utf-16, utf-16le, utf-16be.
    package init?(name: String) {
        switch name.lowercased() {
        case "utf-8", "utf8": self = .utf8
        case "cp1252", "windows-1252", "windows1252": self = .windows1252
        case "utf-16", "utf16": self = .utf16
        case "utf-16le", "utf16le": self = .utf16LittleEndian
        case "utf-16be", "utf16be": self = .utf16BigEndian
        default: return nil
        }
    }

    /// Whether files in it are made UTF-8 before they are split into fields (``UTF16Transcoder``).
    package var isTranscoded: Bool {
        switch self {
        case .utf8, .windows1252: false
        case .utf16, .utf16LittleEndian, .utf16BigEndian: true
        }
    }

    /// A text as a field of such a file holds it, before the file is made UTF-16 as a whole.
    ///
    /// What the encoding has no letter for becomes a question mark.
    func encode(_ text: String) -> [UInt8] {
        guard self == .windows1252 else { return Array(text.utf8) }
        return text.unicodeScalars.map { scalar in
            if scalar.value < 0x80 || (0xA0...0xFF).contains(scalar.value) { return UInt8(scalar.value) }
            let place = Self.upperControls.firstIndex { UInt32($0) == scalar.value }
            return place.map { UInt8(0x80 + $0) } ?? UInt8(ascii: "?")
        }
    }

    /// The text of a field as UTF-8, without white space around it; of a file that was transcoded it is UTF-8 already.
    ///
    /// - Returns: nil if the bytes are no text of this encoding, or hold a NUL, which PostgreSQL cannot store.
    package func decode(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        let trimmed = bytes.trimmingSpaces()
        var isASCII = true
        for byte in trimmed {
            if byte == 0 { return nil }
            if byte >= 0x80 {
                isASCII = false
                break
            }
        }
        if isASCII { return Array(trimmed) }
        switch self {
        case .utf8, .utf16, .utf16LittleEndian, .utf16BigEndian:
            guard !trimmed.contains(0), String(validating: trimmed, as: UTF8.self) != nil else { return nil }
            return Array(trimmed)
        case .windows1252:
            var text: [UInt8] = []
            text.reserveCapacity(trimmed.count + 8)
            for byte in trimmed {
                guard byte != 0, let scalar = Self.scalar(windows1252: byte) else { return nil }
                text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            }
            return text
        }
    }

    private static func scalar(windows1252 byte: UInt8) -> Unicode.Scalar? {
        guard (0x80...0x9F).contains(byte) else { return Unicode.Scalar(byte) }
        let code = upperControls[Int(byte) - 0x80]
        return code == 0 ? nil : Unicode.Scalar(code)
    }

    /// What 0x80 to 0x9F mean in Windows-1252; 0 where the code page leaves a hole.
    private static let upperControls: [UInt16] = [
        0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017D, 0,
        0, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E,
        0x0178,
    ]
}

extension ArraySlice<UInt8> {
    /// The bytes without ASCII white space at both ends.
    func trimmingSpaces() -> ArraySlice<UInt8> {
        var low = startIndex
        var high = endIndex
        while low < high, self[low].isASCIISpace { low += 1 }
        while high > low, self[high - 1].isASCIISpace { high -= 1 }
        return self[low..<high]
    }
}

extension UInt8 {
    fileprivate var isASCIISpace: Bool { self == 0x20 || (0x09...0x0D).contains(self) }

    /// The value of an ASCII digit.
    var digitValue: Int? { (0x30...0x39).contains(self) ? Int(self) - 0x30 : nil }
}
