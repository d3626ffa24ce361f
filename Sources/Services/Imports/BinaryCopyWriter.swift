import Kernel

/// Writes rows in the binary format of COPY.
///
/// Source: PostgreSQL 15 manual, COPY, "Binary Format". Integers are big-endian; a field is its length and its bytes.
struct BinaryCopyWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) {
        bytes.reserveCapacity(capacity)
    }

    /// Takes what was written so far.
    mutating func drain() -> [UInt8] {
        let drained = bytes
        bytes = []
        bytes.reserveCapacity(drained.count)
        return drained
    }

    mutating func beginFile() {
        bytes.append(contentsOf: [0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00])
        put(UInt32(0))
        put(UInt32(0))
    }

    mutating func endFile() {
        put(UInt16(bitPattern: -1))
    }

    mutating func beginRow(columns: Int) {
        put(UInt16(truncatingIfNeeded: columns))
    }

    mutating func null() {
        put(UInt32.max)
    }

    mutating func field(_ value: Bool) {
        put(UInt32(1))
        bytes.append(value ? 1 : 0)
    }

    mutating func field(_ value: Int32) {
        put(UInt32(4))
        put(UInt32(bitPattern: value))
    }

    mutating func field(_ value: EntityID) {
        put(UInt32(16))
        put(value.high)
        put(value.low)
    }

    mutating func field(text: [UInt8]) {
        put(UInt32(truncatingIfNeeded: text.count))
        bytes.append(contentsOf: text)
    }

    /// A timestamp or timestamptz: microseconds since 1970-01-01, sent as microseconds since 2000-01-01.
    mutating func field(microsecondsSince1970 value: Int64) {
        put(UInt32(8))
        put(UInt64(bitPattern: value - 946_684_800_000_000))
    }

    /// A numeric from millionths, not negative: digits to the base of 10,000, without zeros at either end.
    mutating func field(millionths value: Int64) {
        var whole = UInt64(value.magnitude) / 1_000_000
        let fraction = UInt64(value.magnitude) % 1_000_000
        var groups: [UInt16] = []
        while whole > 0 {
            groups.append(UInt16(truncatingIfNeeded: whole % 10_000))
            whole /= 10_000
        }
        let weight = groups.count - 1
        groups.reverse()
        var first = 0
        var firstWeight = weight
        groups.append(UInt16(truncatingIfNeeded: fraction / 100))
        groups.append(UInt16(truncatingIfNeeded: fraction % 100 * 100))
        while first < groups.count, groups[first] == 0 {
            first += 1
            firstWeight -= 1
        }
        var last = groups.count
        while last > first, groups[last - 1] == 0 { last -= 1 }
        var scale = 6
        var rest = fraction
        while scale > 0, rest % 10 == 0 {
            rest /= 10
            scale -= 1
        }
        put(UInt32(truncatingIfNeeded: 8 + 2 * (last - first)))
        put(UInt16(truncatingIfNeeded: last - first))
        put(UInt16(bitPattern: Int16(truncatingIfNeeded: last == first ? 0 : firstWeight)))
        put(UInt16(0))
        put(UInt16(truncatingIfNeeded: scale))
        for group in groups[first..<last] { put(group) }
    }

    private mutating func put(_ value: some FixedWidthInteger) {
        var shift = value.bitWidth
        while shift > 0 {
            shift -= 8
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
}
