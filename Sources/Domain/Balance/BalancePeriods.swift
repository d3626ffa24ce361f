package import Kernel

/// How finely a series divides its range.
package enum BalanceView: String, Sendable, Hashable, CaseIterable {
    case daily
    case weekly
    case monthly
    case yearly

    /// The name of the period a day falls into: `2026-01-31`, `2026-W05`, `2026-01` or `2026`.
    package func period(of day: BusinessDay) -> String {
        switch self {
        case .daily:
            return day.description
        case .weekly:
            let (year, week) = day.isoWeek
            return "\(Self.padded(year, 4))-W\(Self.padded(week, 2))"
        case .monthly:
            return String(day.description.prefix(7))
        case .yearly:
            return String(day.description.prefix(4))
        }
    }

    /// The first day of the period after a day's; `nil` at the end of the calendar.
    package func nextPeriod(after day: BusinessDay) -> BusinessDay? {
        switch self {
        case .daily:
            return day.adding(days: 1)
        case .weekly:
            return day.adding(days: 8 - day.isoWeekday)
        case .monthly:
            let (year, month, dayOfMonth) = day.civil
            return day.adding(days: BusinessDay.length(ofMonth: month, year: year) - dayOfMonth + 1)
        case .yearly:
            return BusinessDay(year: day.civil.year + 1, month: 1, day: 1)
        }
    }

    private static func padded(_ number: Int, _ digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(digits - text.count, 0)) + text
    }
}

/// Whose money a series counts.
package enum BalanceMethod: Sendable, Hashable {
    /// That of every method.
    case all
    /// That of one.
    case one(PaymentMethodCode)

    /// `all`, which is no code, or the code.
    package var text: String {
        switch self {
        case .all: "all"
        case .one(let code): code.rawValue
        }
    }
}

/// An inclusive range of business days; a period cut by it counts only the days inside.
package struct BalanceRange: Sendable, Hashable {
    /// The first day counted.
    package let from: BusinessDay

    /// The last day counted.
    package let to: BusinessDay

    /// More periods than this are refused: ten years of days.
    package static let maximumPeriods = 3660

    /// Makes a range.
    ///
    /// - Parameters:
    ///   - from: The first day.
    ///   - to: The last day, not before the first.
    ///   - view: How it is divided; nil for a sum over all of it, which is one period however long.
    /// - Throws: 422 `validation_failed` if the range is reversed or has too many periods.
    package init(from: BusinessDay, to: BusinessDay, view: BalanceView? = nil) throws(Problem) {
        _ = try DayRange(from: from, to: to)
        let days = from.days(until: to) + 1
        let shortest =
            switch view {
            case .daily: 1
            case .weekly: 7
            case .monthly: 28
            case .yearly: 365
            case nil: days
            }
        guard days / shortest <= Self.maximumPeriods else {
            throw Problem(
                .validationFailed,
                "The range has more than \(Self.maximumPeriods) periods.",
                errors: [FieldError("?from", .outOfRange, "Ask for fewer periods, or a coarser view.")]
            )
        }
        self.from = from
        self.to = to
    }

    /// The names of all periods of the range, in order, cut ones included.
    package func periods(_ view: BalanceView) -> [String] {
        var names: [String] = []
        var day: BusinessDay? = from
        while let current = day, current <= to {
            names.append(view.period(of: current))
            day = view.nextPeriod(after: current)
        }
        return names
    }
}
