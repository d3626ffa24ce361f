import Kernel
import Testing

@Suite("Business days")
struct BusinessDayTests {
    @Test("every day of the calendar follows the one before and reads back")
    func walk() throws {
        var day = BusinessDay.earliest
        var previous = day.civil
        var count = 0
        while let next = day.adding(days: 1) {
            let civil = next.civil
            if civil.day == 1 {
                #expect(previous.day == BusinessDay.length(ofMonth: previous.month, year: previous.year))
            } else {
                #expect(civil.day == previous.day + 1)
            }
            if count % 97 == 0 {
                #expect(BusinessDay(next.description) == next)
                #expect(next.isoWeekday == day.isoWeekday % 7 + 1)
            }
            day = next
            previous = civil
            count += 1
        }
        #expect(day == .latest)
    }

    @Test(
        "ISO weeks belong to the year of their Thursday",
        arguments: [
            ("2026-01-01", 2026, 1), ("2021-01-03", 2020, 53), ("2021-01-04", 2021, 1), ("2026-12-31", 2026, 53),
            ("2027-01-03", 2026, 53), ("2018-12-31", 2019, 1), ("2024-02-29", 2024, 9),
        ]
    )
    func isoWeeks(text: String, year: Int, week: Int) throws {
        let day = try #require(BusinessDay(text))
        #expect(day.isoWeek == (year, week))
    }

    @Test(
        "dates that do not exist are refused",
        arguments: [
            "2026-02-29", "2026-13-01", "2026-00-10", "2026-04-31", "0000-01-01", "2026-1-01", "26-01-01", "",
            "2026-01-011",
        ]
    )
    func refused(text: String) {
        #expect(BusinessDay(text) == nil)
    }

    @Test("starts of week, month and year")
    func starts() throws {
        let day = try #require(BusinessDay("2026-05-14"))
        #expect(day.startOfWeek.description == "2026-05-11")
        #expect(day.startOfMonth.description == "2026-05-01")
        #expect(day.startOfYear.description == "2026-01-01")
        #expect(BusinessDay.latest.adding(days: .max) == nil)
        #expect(day.adding(days: .min) == nil)
    }
}

@Suite("Timestamps")
struct TimestampTests {
    @Test(
        "RFC 3339 is read",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:00.000001Z", 1), ("1969-12-31T23:59:59.5Z", -500_000),
            ("2026-01-31T12:00:00+02:00", 1_769_853_600_000_000),
            ("2026-01-31T12:00:00.123456789-03:00", 1_769_871_600_123_456),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000_000), ("2026-01-31t12:00:00z", 1_769_860_800_000_000),
        ]
    )
    func reads(text: String, microseconds: Int64) {
        #expect(Timestamp(text)?.microsecondsSince1970 == microseconds)
    }

    @Test(
        "what is not RFC 3339 is refused",
        arguments: [
            "2026-01-31", "2026-01-31T12:00:00", "2026-01-31 12:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z",
            "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00+0200", "9999-12-31T23:59:60Z", "9999-12-31T23:00:00-01:00",
            "0001-01-01T00:00:00+00:01", "2026-02-30T12:00:00Z", "2026-01-31T12:00:00ZZ", "now",
        ]
    )
    func refuses(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test("text read back is the same instant")
    func roundTrip() {
        var generator = SeededGenerator(seed: 2)
        for _ in 0..<10_000 {
            let instant = Timestamp(
                microsecondsSince1970: Int64.random(
                    in: -62_135_596_800_000_000...253_402_300_799_999_999,
                    using: &generator
                )
            )
            #expect(Timestamp(instant.description) == instant)
        }
    }

    @Test("adding holds at the ends of the range")
    func adding() {
        let instant = Timestamp(microsecondsSince1970: 0)
        #expect(instant.adding(.seconds(300)).microsecondsSince1970 == 300_000_000)
        #expect(instant.adding(.milliseconds(-1)).microsecondsSince1970 == -1000)
        #expect(instant.adding(.seconds(Int64.max)).microsecondsSince1970 == .max)
    }
}

@Suite("Ids")
struct EntityIDTests {
    @Test("an id has one spelling and reads back")
    func roundTrip() throws {
        let id = UUIDv7.make()
        #expect(EntityID(id.description) == id)
        #expect(EntityID(bytes: id.bytes) == id)
        #expect(id.description.count == 36)
        #expect(EntityID(id.description.uppercased()) == id)
    }

    @Test("ids of one generator ascend, even when the clock stands or steps back")
    func ascending() {
        let generator = UUIDv7(clock: WallClock { Timestamp(microsecondsSince1970: 1_700_000_000_000_000) })
        var last = generator.next()
        for _ in 0..<10_000 {
            let next = generator.next()
            #expect(last < next)
            last = next
        }
    }

    @Test("version and variant are those of RFC 9562")
    func version() {
        let id = UUIDv7.make()
        #expect(id.high >> 12 & 0xF == 7)
        #expect(id.low >> 62 == 2)
    }

    @Test(
        "other spellings are refused",
        arguments: [
            "", "018f3b6e1c2d700080000123456789ab", "{018f3b6e-1c2d-7000-8000-0123456789ab}",
            "018f3b6e-1c2d-7000-8000-0123456789ag", "018f3b6e-1c2d-7000-80000-123456789ab",
        ]
    )
    func refuses(text: String) {
        #expect(EntityID(text) == nil)
    }

    @Test("hexadecimal text goes both ways")
    func hexadecimal() {
        #expect(Hexadecimal.text([0, 255, 16]) == "00ff10")
        #expect(Hexadecimal.bytes("00FF10") == [0, 255, 16])
        #expect(Hexadecimal.bytes("0") == nil)
        #expect(Hexadecimal.bytes("zz") == nil)
    }
}
