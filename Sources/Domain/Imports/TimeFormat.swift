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
        case month(digits: ClosedRange<Int>)
        case day(digits: ClosedRange<Int>)
        case hour(digits: ClosedRange<Int>)
        case minute
        case second
        case literal(UInt8)
    }

    /// The parts of a pattern; empty for ISO 8601.
    private let parts: [Part]

    /// ISO 8601: `2010-12-01T08:26:00`, `2010-12-01 08:26`, `2010-12-01`, with `Z` or `+01:00` behind it or without.
    package static let iso = TimeFormat(parts: [])

    private init(parts: [Part]) {
        self.parts = parts
    }

    /// A format by its pattern, as `dd/MM/yyyy HH:mm`: yyyy, MM or M, dd or d, HH or H, mm, ss; the rest is literal.
    ///
    /// `iso` is the pattern of `TimeFormat.iso`.
    ///
    /// - Returns: nil if a letter means nothing, or year, month or day is missing or named twice.
    package init?(pattern: String) {
        if pattern.lowercased() == "iso" {
            self = .iso
            return
        }
        var parts: [Part] = []
        var rest = Array(pattern.utf8)[...]
        while let letter = rest.first {
            let count = rest.prefix { $0 == letter }.count
            let isLetter = (0x41...0x5A).contains(letter) || (0x61...0x7A).contains(letter)
            switch (Character(Unicode.Scalar(letter)), count) {
            case ("y", 4): parts.append(.year)
            case ("M", 1): parts.append(.month(digits: 1...2))
            case ("M", 2): parts.append(.month(digits: 2...2))
            case ("d", 1): parts.append(.day(digits: 1...2))
            case ("d", 2): parts.append(.day(digits: 2...2))
            case ("H", 1): parts.append(.hour(digits: 1...2))
            case ("H", 2): parts.append(.hour(digits: 2...2))
            case ("m", 2): parts.append(.minute)
            case ("s", 2): parts.append(.second)
            default:
                // `T` between date and time is the one letter that is itself.
                guard letter < 0x80, !isLetter || (letter == UInt8(ascii: "T") && count == 1) else { return nil }
                parts.append(contentsOf: repeatElement(.literal(letter), count: count))
            }
            rest = rest.dropFirst(count)
        }
        func count(_ matches: (Part) -> Bool) -> Int { parts.count(where: matches) }
        let months = count { if case .month = $0 { true } else { false } }
        let days = count { if case .day = $0 { true } else { false } }
        let hours = count { if case .hour = $0 { true } else { false } }
        guard count({ $0 == .year }) == 1, months == 1, days == 1, hours <= 1, count({ $0 == .minute }) <= 1,
            count({ $0 == .second }) <= 1
        else { return nil }
        self.parts = parts
    }

    /// Reads a time.
    ///
    /// - Returns: nil if the field does not follow the format or names a day or an hour that does not exist.
    package func parse(_ field: ArraySlice<UInt8>) -> Reading? {
        var cursor = Cursor(bytes: field.trimmingSpaces())
        return parts.isEmpty ? Self.parseISO(&cursor) : parse(&cursor)
    }

    private func parse(_ cursor: inout Cursor) -> Reading? {
        var fields = Fields()
        for part in parts {
            let value: Int?
            switch part {
            case .year:
                value = cursor.number(4...4)
                fields.year = value ?? 0
            case .month(let digits):
                value = cursor.number(digits)
                fields.month = value ?? 0
            case .day(let digits):
                value = cursor.number(digits)
                fields.day = value ?? 0
            case .hour(let digits):
                value = cursor.number(digits)
                fields.hour = value ?? 0
            case .minute:
                value = cursor.number(2...2)
                fields.minute = value ?? 0
            case .second:
                value = cursor.number(2...2)
                fields.second = value ?? 0
            case .literal(let byte):
                value = cursor.skip(byte) ? 0 : nil
            }
            if value == nil { return nil }
        }
        guard cursor.isAtEnd, let microseconds = fields.microseconds else { return nil }
        return .wallClock(microseconds: microseconds)
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
        if cursor.skip(UInt8(ascii: "Z")) || cursor.skip(UInt8(ascii: "z")) {
            return cursor.isAtEnd ? .instant(microseconds: wall) : nil
        }

        let isWest = cursor.skip(UInt8(ascii: "-"))
        guard isWest || cursor.skip(UInt8(ascii: "+")), let hours = cursor.number(2...2), hours < 24 else { return nil }
        _ = cursor.skip(UInt8(ascii: ":"))
        let minutes = cursor.isAtEnd ? 0 : cursor.number(2...2)
        guard let minutes, minutes < 60, cursor.isAtEnd else { return nil }
        let offset = Int64(hours * 60 + minutes) * 60_000_000
        return .instant(microseconds: isWest ? wall + offset : wall - offset)
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
    }
}
