import Domain
import Kernel
import Services

extension Route.Parameter {
    /// The parameters of every list.
    static let page: [Route.Parameter] = [
        Route.Parameter("limit", .integer(minimum: 1, maximum: 200), "Members of a page; 50 if left out."),
        Route.Parameter("cursor", .text, "The next_cursor of the page before."),
    ]

    /// A search in some fields.
    static func search(_ fields: String) -> Route.Parameter {
        Route.Parameter("q", .text, "Words, each of them part of \(fields); neither case nor accents count.")
    }

    /// A range of business days, both inclusive.
    static let days: [Route.Parameter] = [
        Route.Parameter("from", .day, "The first business day."),
        Route.Parameter("to", .day, "The last business day."),
    ]

    /// One of the names of an enumeration.
    static func choice<T>(_ name: String, _ type: T.Type, _ description: String) -> Route.Parameter
    where T: RawRepresentable & CaseIterable, T.RawValue == String {
        Route.Parameter(name, .choice(T.allCases.map(\.rawValue)), description)
    }
}

extension Query {
    /// Reads `limit` and `cursor`.
    mutating func page() -> Page {
        Page(limit: self.integer("limit", 1...200, else: 50), cursor: self.text("cursor", maximum: 4096))
    }

    /// Reads `true` or `false`.
    mutating func flag(_ name: String) -> Bool? {
        guard let text = self.text(name) else { return nil }
        switch text {
        case "true": return true
        case "false": return false
        default:
            self.fail(name, "not_allowed", "Must be true or false.")
            return nil
        }
    }
}
