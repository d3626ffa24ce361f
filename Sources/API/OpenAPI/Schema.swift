import Kernel

/// The shape of a JSON value, as far as OpenAPI 3.1 (JSON Schema 2020-12) needs to know it.
package indirect enum Schema: Sendable {
    /// A string, perhaps of a format.
    case string(format: String? = nil, description: String? = nil)
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
    /// A named schema of ``Schemas``.
    case reference(String)

    /// A member of an object.
    package struct Member: Sendable {
        let name: String
        let schema: Schema
        let isRequired: Bool
        /// Whether the example shows it: of two that exclude each other only one is shown.
        let isShown: Bool

        /// A member that must be there.
        static func required(_ name: String, _ schema: Schema) -> Member {
            Member(name: name, schema: schema, isRequired: true, isShown: true)
        }

        /// A member that may be absent.
        static func optional(_ name: String, _ schema: Schema, isShown: Bool = true) -> Member {
            Member(name: name, schema: schema, isRequired: false, isShown: isShown)
        }
    }

    // MARK: The shop's words

    static let id = Schema.string(format: "uuid")
    static let time = Schema.string(format: "date-time")
    static let day = Schema.string(format: "date")
    static let text = Schema.string()
    static let money = Schema.pattern(
        #"^-?(0|[1-9]\d{0,13})(\.\d{1,4})?$"#,
        description: "An amount at the currency's exponent."
    )
    static let price = Schema.pattern(
        #"^(0|[1-9]\d{0,11})(\.\d{1,6})?$"#,
        description: "A unit price, at most 6 decimals."
    )
    static let quantity = Schema.pattern(
        #"^-?(0|[1-9]\d{0,11})(\.\d{1,6})?$"#,
        description: "At most the unit's decimals."
    )
    static let rate = Schema.pattern(#"^(0|[1-9]\d{0,2})(\.\d{1,4})?$"#, description: "Percent.")
    static let version = Schema.integer(minimum: 1)

    /// A page of a list.
    static func page(_ name: String) -> Schema {
        .object([
            .required("data", .array(.reference(name))),
            .required("next_cursor", .nullable(.text)),
        ])
    }

    /// The named schemas it refers to itself.
    var references: [String] {
        switch self {
        case .reference(let name): [name]
        case .array(let schema, _), .nullable(let schema): schema.references
        case .object(let members): members.flatMap(\.schema.references)
        case .string, .pattern, .choice, .integer, .number, .boolean, .anyObject: []
        }
    }

    /// Writes the schema.
    func write(to writer: inout JSONWriter) {
        writer.object { writer in self.writeMembers(to: &writer) }
    }

    private func writeMembers(to writer: inout JSONWriter, isNullable: Bool = false) {
        func type(_ name: String, _ writer: inout JSONWriter) {
            writer.name("type")
            if isNullable {
                writer.array { writer in
                    writer.string(name)
                    writer.string("null")
                }
            } else {
                writer.string(name)
            }
        }
        switch self {
        case .string(let format, let description):
            type("string", &writer)
            if let format { writer.member("format", format) }
            if let description { writer.member("description", description) }
        case .pattern(let pattern, let description):
            type("string", &writer)
            writer.member("pattern", pattern)
            writer.member("description", description)
        case .choice(let names):
            type("string", &writer)
            writer.name("enum")
            writer.array { writer in
                for name in names { writer.string(name) }
                if isNullable { writer.null() }
            }
        case .integer(let minimum, let maximum):
            type("integer", &writer)
            if let minimum { writer.member("minimum", minimum) }
            if let maximum { writer.member("maximum", maximum) }
        case .number:
            type("number", &writer)
        case .boolean:
            type("boolean", &writer)
        case .array(let element, let maximum):
            type("array", &writer)
            writer.name("items")
            element.write(to: &writer)
            if let maximum { writer.member("maxItems", maximum) }
        case .object(let members):
            type("object", &writer)
            writer.name("properties")
            writer.object { writer in
                for member in members {
                    writer.name(member.name)
                    member.schema.write(to: &writer)
                }
            }
            writer.name("required")
            writer.array { writer in
                for member in members where member.isRequired { writer.string(member.name) }
            }
            writer.member("additionalProperties", false)
        case .anyObject(let description):
            type("object", &writer)
            writer.member("description", description)
        case .nullable(let schema):
            if case .reference = schema {
                writer.name("anyOf")
                writer.array { writer in
                    schema.write(to: &writer)
                    writer.object { writer in writer.member("type", "null") }
                }
            } else {
                schema.writeMembers(to: &writer, isNullable: true)
            }
        case .reference(let name):
            writer.member("$ref", "#/components/schemas/\(name)")
        }
    }
}
