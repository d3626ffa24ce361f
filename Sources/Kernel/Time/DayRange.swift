/// Business days from one to another, both inclusive; either end may be open.
package struct DayRange: Sendable, Hashable {
    /// The first day; `nil` is open.
    package let from: BusinessDay?

    /// The last day; `nil` is open.
    package let to: BusinessDay?

    /// Every day there is.
    package static let all = DayRange()

    private init() {
        from = nil
        to = nil
    }

    /// Makes a range.
    ///
    /// - Parameters:
    ///   - from: The first day.
    ///   - to: The last day.
    /// - Throws: 422 `validation_failed` that names both, if the range ends before it begins.
    package init(from: BusinessDay?, to: BusinessDay?) throws(Problem) {
        if let from, let to, from > to {
            throw Problem(
                .validationFailed,
                "The range ends before it begins: from is \(from), to is \(to).",
                errors: [
                    FieldError("?from", .outOfRange, "Must not be after to, \(to)."),
                    FieldError("?to", .outOfRange, "Must not be before from, \(from)."),
                ]
            )
        }
        self.from = from
        self.to = to
    }
}
