/// A date of the tenant's calendar: the proleptic Gregorian one, years 1 to 9999, without a time zone.
package struct BusinessDay: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Days since 1970-01-01.
    package let daysSince1970: Int32

    /// 0001-01-01.
    package static let earliest = BusinessDay(unchecked: -719_162)

    /// 9999-12-31.
    package static let latest = BusinessDay(unchecked: 2_932_896)

    private init(unchecked days: Int32) { daysSince1970 = days }

    /// The day so many days after 1970-01-01, if its year is between 1 and 9999.
    ///
    /// - Parameter days: Any number.
    package init?(daysSince1970 days: Int) {
        guard days >= -719_162, days <= 2_932_896 else { return nil }
        daysSince1970 = Int32(days)
    }

    /// The day of a calendar date, if there is such a date.
    ///
    /// - Parameters:
    ///   - year: 1 to 9999.
    ///   - month: 1 to 12.
    ///   - day: 1 to the length of the month.
    package init?(year: Int, month: Int, day: Int) {
        guard (1...9999).contains(year), (1...12).contains(month), day >= 1,
            day <= Self.length(ofMonth: month, year: year)
        else { return nil }
        // Counted in eras of 400 years that begin on 1 March, so that the leap day is the last of its year.
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        self.init(daysSince1970: era * 146_097 + dayOfEra - 719_468)
    }

    /// Reads `2026-01-31`.
    ///
    /// - Parameter text: Exactly ten ASCII characters.
    package init?(_ text: some StringProtocol) { self.init(String(text)) }

    /// Reads `2026-01-31`.
    ///
    /// Not generic, as queries name days with every request, and generic code is slow across modules.
    ///
    /// - Parameter text: Exactly ten ASCII characters.
    package init?(_ text: String) {
        let bytes = text.utf8.span
        guard bytes.count == 10, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-") else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            var value = 0
            for position in range {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) else { return nil }
                value = value * 10 + Int(bytes[position] - UInt8(ascii: "0"))
            }
            return value
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10) else { return nil }
        self.init(year: year, month: month, day: day)
    }

    /// Year, month and day.
    package var civil: (year: Int, month: Int, day: Int) {
        let days = Int(daysSince1970) + 719_468
        let era = days / 146_097
        let dayOfEra = days - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    /// The weekday by ISO 8601: Monday is 1, Sunday 7.
    package var isoWeekday: Int {
        // 1970-01-01 was a Thursday.
        let shifted = (Int(daysSince1970) + 3) % 7
        return (shifted < 0 ? shifted + 7 : shifted) + 1
    }

    /// The ISO 8601 week and the year it belongs to.
    ///
    /// A week belongs to the year of its Thursday; 9999's last days and 1's first stay within the calendar by that rule or
    /// name year 0, which no body shows because ranges are limited.
    package var isoWeek: (year: Int, week: Int) {
        let thursday = Int(daysSince1970) + 4 - isoWeekday
        guard let day = BusinessDay(daysSince1970: thursday) else { return (isoWeekday > 4 ? 1 : 9999, 52) }
        let year = day.civil.year
        let firstDay = BusinessDay(year: year, month: 1, day: 1) ?? day
        return (year, (thursday - Int(firstDay.daysSince1970)) / 7 + 1)
    }

    /// The day so many days later, or earlier if negative; `nil` outside the calendar.
    package func adding(days: Int) -> BusinessDay? {
        let (sum, overflow) = Int(daysSince1970).addingReportingOverflow(days)
        return overflow ? nil : BusinessDay(daysSince1970: sum)
    }

    /// The number of days from this day to another, negative if the other is earlier.
    package func days(until other: BusinessDay) -> Int { Int(other.daysSince1970) - Int(daysSince1970) }

    /// The first day of this day's month.
    package var startOfMonth: BusinessDay {
        let (year, month, _) = civil
        return BusinessDay(year: year, month: month, day: 1) ?? self
    }

    /// The first day of this day's year.
    package var startOfYear: BusinessDay { BusinessDay(year: civil.year, month: 1, day: 1) ?? self }

    /// The Monday of this day's ISO week, or the first day of the calendar.
    package var startOfWeek: BusinessDay { adding(days: 1 - isoWeekday) ?? .earliest }

    /// `2026-01-31`.
    package var description: String {
        let (year, month, day) = civil
        // Ten bytes: a string of that length lies in registers.
        return String(unsafeUninitializedCapacity: 10) { text in
            func write(_ number: Int, at position: Int, digits: Int) {
                var rest = number
                for place in (position..<position + digits).reversed() {
                    text[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                    rest /= 10
                }
            }
            write(year, at: 0, digits: 4)
            text[4] = UInt8(ascii: "-")
            write(month, at: 5, digits: 2)
            text[7] = UInt8(ascii: "-")
            write(day, at: 8, digits: 2)
            return 10
        }
    }

    package static func < (left: BusinessDay, right: BusinessDay) -> Bool {
        left.daysSince1970 < right.daysSince1970
    }

    /// The number of days of a month.
    package static func length(ofMonth month: Int, year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Whether a year has a 29 February.
    package static func isLeap(_ year: Int) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }
}
