#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// An instant, in microseconds since 1970-01-01T00:00:00Z, years 1 to 9999.
package struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Microseconds since 1970-01-01T00:00:00Z; leap seconds are not counted, as in POSIX and PostgreSQL.
    package let microsecondsSince1970: Int64

    /// Wraps a count of microseconds.
    ///
    /// - Parameter microseconds: Microseconds since 1970.
    package init(microsecondsSince1970 microseconds: Int64) { microsecondsSince1970 = microseconds }

    /// The moment it is called, by the wall clock.
    package static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microsecondsSince1970: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    /// Reads RFC 3339: `2026-01-31T12:00:00.5+02:00`.
    ///
    /// The offset is required, as a time without one belongs to no instant. Decimals beyond microseconds are cut (other
    /// clocks count nanoseconds); a leap second counts as the second after it.
    ///
    /// - Parameter bytes: The text in UTF-8.
    package init?(utf8 bytes: some Collection<UInt8>) {
        var fields = ASCIIFields(bytes)
        guard let year = fields.number(digits: 4), fields.skip("-"), let month = fields.number(digits: 2),
            fields.skip("-"), let dayOfMonth = fields.number(digits: 2), fields.skip("T", "t"),
            let hour = fields.number(digits: 2), fields.skip(":"), let minute = fields.number(digits: 2),
            fields.skip(":"), let second = fields.number(digits: 2),
            let day = BusinessDay(year: year, month: month, day: dayOfMonth),
            hour < 24, minute < 60, second <= 60
        else { return nil }
        var fraction = 0
        if fields.skip(".") {
            var digits = 0
            while let digit = fields.digit() {
                if digits < 6 { fraction = fraction * 10 + digit }
                digits += 1
                guard digits <= 9 else { return nil }
            }
            guard digits > 0 else { return nil }
            for _ in min(digits, 6)..<6 { fraction *= 10 }
        }
        var offset = 0
        if !fields.skip("Z", "z") {
            let isWest = fields.next == UInt8(ascii: "-")
            guard fields.skip("+", "-"), let hours = fields.number(digits: 2), fields.skip(":"),
                let minutes = fields.number(digits: 2), hours < 24, minutes < 60
            else { return nil }
            offset = (hours * 60 + minutes) * (isWest ? -60 : 60)
        }
        guard fields.isAtEnd else { return nil }
        let seconds = Int64(day.daysSince1970) * 86_400 + Int64(hour * 3600 + minute * 60 + second - offset)
        // An offset or a leap second may lead out of the years there are.
        guard BusinessDay(daysSince1970: Int(seconds.flooredDivision(by: 86_400).quotient)) != nil else { return nil }
        self.init(microsecondsSince1970: seconds * 1_000_000 + Int64(fraction))
    }

    /// Reads RFC 3339.
    ///
    /// - Parameter text: As for bytes.
    package init?(_ text: some StringProtocol) { self.init(utf8: text.utf8) }

    /// RFC 3339 in UTC with six decimals: `2026-01-31T12:00:00.500000Z`.
    package var description: String {
        let (seconds, microseconds) = microsecondsSince1970.flooredDivision(by: 1_000_000)
        let (days, secondOfDay) = seconds.flooredDivision(by: 86_400)
        let day = BusinessDay(daysSince1970: Int(days)) ?? (days < 0 ? .earliest : .latest)
        let (year, month, dayOfMonth) = day.civil
        var text = ASCIIText()
        text.append(year, digits: 4)
        text.append("-")
        text.append(month, digits: 2)
        text.append("-")
        text.append(dayOfMonth, digits: 2)
        text.append("T")
        text.append(Int(secondOfDay) / 3600, digits: 2)
        text.append(":")
        text.append(Int(secondOfDay) / 60 % 60, digits: 2)
        text.append(":")
        text.append(Int(secondOfDay) % 60, digits: 2)
        text.append(".")
        text.append(Int(microseconds), digits: 6)
        text.append("Z")
        return text.string
    }

    /// The instant so much later, held at the ends of the representable range.
    package func adding(_ duration: Duration) -> Timestamp {
        let (seconds, attoseconds) = duration.components
        let (scaled, first) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let (delta, second) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000_000)
        let (sum, third) = microsecondsSince1970.addingReportingOverflow(delta)
        guard !first, !second, !third else {
            return Timestamp(microsecondsSince1970: seconds < 0 ? .min : .max)
        }
        return Timestamp(microsecondsSince1970: sum)
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microsecondsSince1970 < right.microsecondsSince1970
    }
}

extension Int64 {
    /// Quotient and remainder with a remainder that is never negative.
    fileprivate func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

/// Where the wall clock is read, so that tests decide what time it is.
package struct WallClock: Sendable {
    /// Answers the current instant.
    package let now: @Sendable () -> Timestamp

    /// Makes a clock from a function.
    ///
    /// - Parameter now: Answers the current instant.
    package init(now: @escaping @Sendable () -> Timestamp) { self.now = now }

    /// The machine's clock.
    package static let system = WallClock(now: Timestamp.now)
}
