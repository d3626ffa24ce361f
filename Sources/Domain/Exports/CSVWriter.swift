/// Writes records of RFC 4180: fields between delimiters, quoted where they must be, lines ended by CRLF.
package struct CSVWriter: Sendable {
    /// What was written and not taken yet.
    package private(set) var bytes: [UInt8] = []
    private let delimiter: UInt8
    private var isInRecord = false

    /// Writes with commas, or as a file was written.
    package init(delimiter: UInt8 = CSVDialect.Delimiter.comma.rawValue) { self.delimiter = delimiter }

    /// Begins with the byte order mark by which spreadsheets tell UTF-8.
    package mutating func byteOrderMark() { bytes += [0xEF, 0xBB, 0xBF] }

    /// Writes the next field of a record.
    package mutating func field(_ field: some Collection<UInt8>) {
        if isInRecord { bytes.append(delimiter) }
        isInRecord = true
        guard field.contains(where: { $0 == delimiter || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }) else {
            bytes.append(contentsOf: field)
            return
        }
        bytes.append(0x22)
        for byte in field {
            if byte == 0x22 { bytes.append(0x22) }
            bytes.append(byte)
        }
        bytes.append(0x22)
    }

    /// Ends a record.
    package mutating func endRecord() {
        bytes += [0x0D, 0x0A]
        isInRecord = false
    }

    /// Takes what was written so far.
    package mutating func drain() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }
}
