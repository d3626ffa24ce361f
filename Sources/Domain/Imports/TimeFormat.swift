/// How a file writes points in time.
package struct TimeFormat: Sendable, Equatable {
    /// A time as the file gives it.
    package enum Reading: Sendable, Equatable {
        /// What a clock on the shop's wall showed: microseconds since 1970-01-01 00:00 on that clock.
        case wallClock(microseconds: Int64)
        /// A point in time, since the file names an offset: microseconds since 1970-01-01 00:00 UTC.
        case instant(microseconds: Int64)
    }

    private enum Part: Sendable, Equatable {
        case year
        /// Of two digits: 69 to 99 are the last century's, as POSIX has it.
        case shortYear
        case month(digits: ClosedRange<Int>)
        /// English, in three letters or whole.
        case monthName
        case day(digits: ClosedRange<Int>)
        case hour(digits: ClosedRange<Int>)
        /// 1 to 12, with `halfDay` in the pattern.
        case halfDayHour(digits: ClosedRange<Int>)
        case halfDay
        case minute
        case second
        case fraction
        case offset
        case literal(UInt8)

        /// What a pattern may name once only.
        var field: Field? {
            switch self {
            case .year, .shortYear: .year
            case .month, .monthName: .month
            case .day: .day
            case .hour, .halfDayHour: .hour
            case .halfDay: .halfDay
            case .minute: .minute
            case .second: .second
            case .fraction: .fraction
            case .offset: .offset
            case .literal: nil
            }
        }
    }

    private enum Field {
        case year, month, day, hour, halfDay, minute, second, fraction, offset
    }

    /// What the format is called by: `iso`, or the letters that it was made of.
    package let pattern: String

    /// The parts of a pattern; empty for ISO 8601.
    private let parts: [Part]

    /// What a pattern may hold, for messages.
    package static let letters = "yyyy yy MM M MMM dd d HH H hh h mm ss S a Z"

    /// ISO 8601: `2010-12-01T08:26:00`, `2010-12-01 08:26`, `2010-12-01`, with `Z`, `+01:00` or ` -0500` behind it or without.
    package static let iso = TimeFormat(pattern: "iso", parts: [])

    private init(pattern: String, parts: [Part]) {
        self.pattern = pattern
        self.parts = parts
    }

    /// A format by its pattern, as `dd/MM/yyyy HH:mm` or `MMM d, yy h:mm a`; what is no letter is literal.
    ///
    /// yyyy or yy; MM, M or MMM (Jan, January); dd or d; HH or H, or hh or h with a (AM, PM); mm; ss; S (decimals of a second);
    /// Z (Z, +01, +0100, +01:00). `iso` is the pattern of `TimeFormat.iso`.
    ///
    /// - Returns: nil if a letter means nothing, or year, month or day is missing or anything is named twice.
    package init?(pattern: String) {
        if pattern.lowercased() == "iso" {
            self = .iso
            return
        }
        var parts: [Part] = []
        var fields: [Field] = []
        var rest = Array(pattern.utf8)[...]
        while let letter = rest.first {
            let count = rest.prefix { $0 == letter }.count
            guard let part = Self.part(letter, count) else { return nil }
            if let field = part.field {
                guard !fields.contains(field) else { return nil }
                fields.append(field)
                parts.append(part)
            } else {
                parts.append(contentsOf: repeatElement(part, count: count))
            }
            rest = rest.dropFirst(count)
        }
        guard fields.contains(.year), fields.contains(.month), fields.contains(.day) else { return nil }
        let hasHalves = parts.contains { if case .halfDayHour = $0 { true } else { false } }
        guard hasHalves == fields.contains(.halfDay) else { return nil }
        self.pattern = pattern
        self.parts = parts
    }

    private static func part(_ letter: UInt8, _ count: Int) -> Part? {
        switch (Character(Unicode.Scalar(letter)), count) {
        case ("y", 4): return .year
        case ("y", 2): return .shortYear
        case ("M", 1): return .month(digits: 1...2)
        case ("M", 2): return .month(digits: 2...2)
        case ("M", 3), ("M", 4): return .monthName
        case ("d", 1): return .day(digits: 1...2)
        case ("d", 2): return .day(digits: 2...2)
        case ("H", 1): return .hour(digits: 1...2)
        case ("H", 2): return .hour(digits: 2...2)
        case ("h", 1): return .halfDayHour(digits: 1...2)
        case ("h", 2): return .halfDayHour(digits: 2...2)
        case ("a", 1): return .halfDay
        case ("m", 2): return .minute
        case ("s", 2): return .second
        case ("S", 1...9): return .fraction
        case ("Z", 1), ("X", 1...3): return .offset
        default:
            // `T` between date and time is the one letter that is itself.
            let isLetter = (0x41...0x5A).contains(letter) || (0x61...0x7A).contains(letter)
            return letter < 0x80 && (!isLetter || letter == UInt8(ascii: "T") && count == 1) ? .literal(letter) : nil
        }
    }

    /// Reads a time.
    ///
    /// - Returns: nil if the field does not follow the format or names a day or an hour that does not exist.
    package func parse(_ field: ArraySlice<UInt8>) -> Reading? {
        if let reading = parsePlain(field) { return reading }
        // Most times are ASCII.
        return field.contains { $0 >= 0x80 } ? parsePlain(Self.withPlainBlanks(field)) : nil
    }

    private func parsePlain(_ field: ArraySlice<UInt8>) -> Reading? {
        var cursor = Cursor(bytes: field.trimmingSpaces())
        return parts.isEmpty ? Self.parseISO(&cursor) : parse(&cursor)
    }

    /// A sentence on a field that is no time of this format; the bytes are UTF-8.
    func reason(_ field: String, _ bytes: ArraySlice<UInt8>) -> String {
        let format = parts.isEmpty ? "iso, as 2026-01-31T17:05:00" : excerpt(Array(pattern.utf8)[...])
        return "\(field) is \(excerpt(bytes)), no time of the declared format \(format)"
    }

    /// The bytes of a field with a space for each no-break and thin space, one of which newer programs put before AM and PM.
    private static func withPlainBlanks(_ field: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var plain: [UInt8] = []
        plain.reserveCapacity(field.count)
        var rest = field
        while let byte = rest.first {
            if let blank = blanks.first(where: { rest.starts(with: $0) }) {
                plain.append(0x20)
                rest = rest.dropFirst(blank.count)
            } else {
                plain.append(byte)
                rest = rest.dropFirst()
            }
        }
        return plain[...]
    }

    /// U+00A0, U+202F and U+2009 in UTF-8.
    private static let blanks: [[UInt8]] = [[0xC2, 0xA0], [0xE2, 0x80, 0xAF], [0xE2, 0x80, 0x89]]

    private func parse(_ cursor: inout Cursor) -> Reading? {
        var fields = Fields()
        var isAfternoon: Bool?
        var offset: Int64?
        for part in parts {
            let value: Int?
            switch part {
            case .year:
                value = cursor.number(4...4)
                fields.year = value ?? 0
            case .shortYear:
                value = cursor.number(2...2)
                fields.year = value.map { $0 < 69 ? 2_000 + $0 : 1_900 + $0 } ?? 0
            case .month(let digits):
                value = cursor.number(digits)
                fields.month = value ?? 0
            case .monthName:
                value = cursor.monthName()
                fields.month = value ?? 0
            case .day(let digits):
                value = cursor.number(digits)
                fields.day = value ?? 0
            case .hour(let digits):
                value = cursor.number(digits)
                fields.hour = value ?? 0
            case .halfDayHour(let digits):
                value = cursor.number(digits).flatMap { (1...12).contains($0) ? $0 : nil }
                fields.hour = value ?? 0
            case .halfDay:
                isAfternoon = cursor.isAfternoon()
                value = isAfternoon.map { $0 ? 1 : 0 }
            case .minute:
                value = cursor.number(2...2)
                fields.minute = value ?? 0
            case .second:
                value = cursor.number(2...2)
                fields.second = value ?? 0
            case .fraction:
                value = cursor.fraction()
                fields.microsecond = value ?? 0
            case .offset:
                offset = cursor.offset()
                value = offset == nil ? nil : 0
            case .literal(let byte):
                value = cursor.skip(byte) ? 0 : nil
            }
            if value == nil { return nil }
        }
        if let isAfternoon { fields.hour = fields.hour % 12 + (isAfternoon ? 12 : 0) }
        guard cursor.isAtEnd, let microseconds = fields.microseconds else { return nil }
        return offset.map { .instant(microseconds: microseconds - $0) } ?? .wallClock(microseconds: microseconds)
    }

    private static func parseISO(_ cursor: inout Cursor) -> Reading? {
        var fields = Fields()
        guard let year = cursor.number(4...4), cursor.skip(UInt8(ascii: "-")),
            let month = cursor.number(2...2), cursor.skip(UInt8(ascii: "-")),
            let day = cursor.number(2...2)
        else { return nil }
        (fields.year, fields.month, fields.day) = (year, month, day)
        if cursor.isAtEnd { return fields.microseconds.map { .wallClock(microseconds: $0) } }

        guard cursor.skip(UInt8(ascii: "T")) || cursor.skip(UInt8(ascii: "t")) || cursor.skip(UInt8(ascii: " ")),
            let hour = cursor.number(2...2), cursor.skip(UInt8(ascii: ":")),
            let minute = cursor.number(2...2)
        else { return nil }
        (fields.hour, fields.minute) = (hour, minute)
        if cursor.skip(UInt8(ascii: ":")) {
            guard let second = cursor.number(2...2) else { return nil }
            fields.second = second
            if cursor.skip(UInt8(ascii: ".")) {
                guard let fraction = cursor.fraction() else { return nil }
                fields.microsecond = fraction
            }
        }
        guard let wall = fields.microseconds else { return nil }
        if cursor.isAtEnd { return .wallClock(microseconds: wall) }
        _ = cursor.skip(UInt8(ascii: " "))
        guard let offset = cursor.offset(), cursor.isAtEnd else { return nil }
        return .instant(microseconds: wall - offset)
    }

    private struct Fields {
        var year = 0
        var month = 0
        var day = 0
        var hour = 0
        var minute = 0
        var second = 0
        var microsecond = 0

        var microseconds: Int64? {
            guard (1...9_999).contains(year), (1...12).contains(month), day >= 1, day <= daysInMonth,
                (0...23).contains(hour), (0...59).contains(minute), (0...59).contains(second)
            else { return nil }
            let seconds = Int64(daysSinceEpoch) * 86_400 + Int64(hour * 3_600 + minute * 60 + second)
            return seconds * 1_000_000 + Int64(microsecond)
        }

        private var isLeapYear: Bool { (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 }

        private var daysInMonth: Int {
            switch month {
            case 2: isLeapYear ? 29 : 28
            case 4, 6, 9, 11: 30
            default: 31
            }
        }

        /// Days since 1970-01-01 in the Gregorian calendar, counted in years that begin in March.
        private var daysSinceEpoch: Int {
            let shifted = month > 2 ? year : year - 1
            let era = shifted / 400
            let yearOfEra = shifted % 400
            let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
            return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        }
    }

    private struct Cursor {
        let bytes: ArraySlice<UInt8>
        var index: Int

        init(bytes: ArraySlice<UInt8>) {
            self.bytes = bytes
            index = bytes.startIndex
        }

        var isAtEnd: Bool { index == bytes.endIndex }

        mutating func skip(_ byte: UInt8) -> Bool {
            guard index < bytes.endIndex, bytes[index] == byte else { return false }
            index += 1
            return true
        }

        mutating func number(_ digits: ClosedRange<Int>) -> Int? {
            var value = 0
            var count = 0
            while count < digits.upperBound, index < bytes.endIndex, let digit = bytes[index].digitValue {
                value = value * 10 + digit
                count += 1
                index += 1
            }
            return digits.contains(count) ? value : nil
        }

        /// The decimals of a second in microseconds; what is finer is dropped.
        mutating func fraction() -> Int? {
            var value = 0
            var count = 0
            while index < bytes.endIndex, let digit = bytes[index].digitValue {
                if count < 6 { value = value * 10 + digit }
                count += 1
                index += 1
            }
            guard count > 0 else { return nil }
            for _ in 0..<max(0, 6 - count) { value *= 10 }
            return value
        }

        /// An offset from UTC in microseconds: Z, +01, +0100 or +01:00.
        mutating func offset() -> Int64? {
            if skip(UInt8(ascii: "Z")) || skip(UInt8(ascii: "z")) { return 0 }
            let isWest = skip(UInt8(ascii: "-"))
            guard isWest || skip(UInt8(ascii: "+")), let hours = number(2...2), hours < 24 else { return nil }
            var minutes = 0
            if skip(UInt8(ascii: ":")) || index < bytes.endIndex && bytes[index].digitValue != nil {
                guard let read = number(2...2), read < 60 else { return nil }
                minutes = read
            }
            let offset = Int64(hours * 60 + minutes) * 60_000_000
            return isWest ? -offset : offset
        }

        /// AM or PM, in any case, with points or without.
        mutating func isAfternoon() -> Bool? {
            guard let first = letter(), first == UInt8(ascii: "a") || first == UInt8(ascii: "p") else { return nil }
            _ = skip(UInt8(ascii: "."))
            guard letter() == UInt8(ascii: "m") else { return nil }
            _ = skip(UInt8(ascii: "."))
            return first == UInt8(ascii: "p")
        }

        /// A month by its English name or the first three letters of it.
        mutating func monthName() -> Int? {
            var name: [UInt8] = []
            while let next = letter() { name.append(next) }
            _ = skip(UInt8(ascii: "."))
            let text = String(decoding: name, as: UTF8.self)
            let month = Self.months.firstIndex { $0 == text || $0.prefix(3) == text }
            return month.map { $0 + 1 }
        }

        private static let months = [
            "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
            "november",
            "december",
        ]

        /// An ASCII letter, in lower case.
        private mutating func letter() -> UInt8? {
            guard index < bytes.endIndex, (0x61...0x7A).contains(bytes[index] | 0x20) else { return nil }
            defer { index += 1 }
            return bytes[index] | 0x20
        }
    }
}
