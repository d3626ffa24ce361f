/// The shape of a JSON value, as far as OpenAPI 3.1 (JSON Schema 2020-12) needs to know it.
package indirect enum Schema: Sendable {
    /// A string, perhaps of a format, or of so many characters at most.
    case string(format: String? = nil, description: String? = nil, maximum: Int? = nil)
    /// A string that matches a pattern.
    case pattern(String, description: String)
    /// One of some strings.
    case choice([String])
    /// A whole number.
    case integer(minimum: Int? = nil, maximum: Int? = nil)
    /// Any number.
    case number
    /// `true` or `false`.
    case boolean
    /// A list.
    case array(Schema, maximum: Int? = nil)
    /// An object with these members and no others.
    case object([Member])
    /// An object whose members are not described.
    case anyObject(description: String)
    /// That, or null.
    case nullable(Schema)
    /// A schema that is written elsewhere, by its name.
    case reference(String)
    /// A schema that others may refer to by a name.
    case named(String, Schema)

    /// A member of an object.
    package struct Member: Sendable {
        /// What it is called.
        package let name: String
        /// Its shape.
        package let schema: Schema
        /// Whether it must be there.
        package let isRequired: Bool
        /// Whether the example shows it: of two that exclude each other only one is shown.
        package let isShown: Bool

        /// A member that must be there.
        package static func required(_ name: String, _ schema: Schema) -> Member {
            Member(name: name, schema: schema, isRequired: true, isShown: true)
        }

        /// A member that may be absent.
        package static func optional(_ name: String, _ schema: Schema, isShown: Bool = true) -> Member {
            Member(name: name, schema: schema, isRequired: false, isShown: isShown)
        }
    }

    // MARK: The shop's words

    /// A UUID.
    package static let id = Schema.string(format: "uuid")
    /// A moment, with its offset.
    package static let time = Schema.string(format: "date-time")
    /// A day of the calendar.
    package static let day = Schema.string(format: "date")
    /// Any string.
    package static let text = Schema.string()
    /// The code of a currency.
    package static let currency = Schema.pattern("^[A-Z]{3}$", description: "A currency of ISO 4217.")

    /// A decimal number in a string, of a kind of number.
    package static func decimal<Number: FixedPoint>(_ number: Number.Type, _ range: DecimalRange) -> Schema {
        let digits = String(Number.largestRawValue).count - Number.scale
        let sign = range == .any || range == .notZero ? "-?" : ""
        return .pattern(
            "^\(sign)(0|[1-9]\\d{0,\(digits - 1)})(\\.\\d{1,\(Number.scale)})?$",
            description: "A decimal number, \(range.rawValue), of at most \(Number.scale) decimals."
        )
    }
}
