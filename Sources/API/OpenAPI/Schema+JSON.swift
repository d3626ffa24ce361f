import Kernel

extension Schema {
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
    static let taxBase = Schema.pattern(
        #"^(0|[1-9]\d{0,13})(\.\d{1,6})?$"#,
        description:
            "What the rate is applied to: an amount at the currency's exponent, or of `amount_per_unit` the quantity."
    )
    static let version = Schema.integer(minimum: 1)

    /// A page of a list.
    static func page(_ member: Schema) -> Schema {
        .object([
            .required("data", .array(member)),
            .required("next_cursor", .nullable(.text)),
        ])
    }

    /// Whether it is a list, with or without figures above it.
    var isList: Bool {
        switch self {
        case .object(let members): members.contains { $0.name == "next_cursor" }
        case .named(_, let schema): schema.isList
        default: false
        }
    }

    /// The named schemas it refers to itself.
    var references: [String] {
        switch self {
        case .reference(let name), .named(let name, _): [name]
        case .array(let schema, _), .nullable(let schema): schema.references
        case .object(let members): members.flatMap(\.schema.references)
        case .string, .pattern, .choice, .integer, .number, .boolean, .anyObject: []
        }
    }

    /// The schemas with names that stand in it, itself included.
    var definitions: [(name: String, schema: Schema)] {
        switch self {
        case .named(let name, let schema): [(name, schema)] + schema.definitions
        case .array(let schema, _), .nullable(let schema): schema.definitions
        case .object(let members): members.flatMap(\.schema.definitions)
        case .reference, .string, .pattern, .choice, .integer, .number, .boolean, .anyObject: []
        }
    }

    private var isReferred: Bool {
        switch self {
        case .reference, .named: true
        default: false
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
        case .string(let format, let description, let maximum):
            type("string", &writer)
            if let format { writer.member("format", format) }
            if let maximum { writer.member("maxLength", maximum) }
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
            if schema.isReferred {
                writer.name("anyOf")
                writer.array { writer in
                    schema.write(to: &writer)
                    writer.object { writer in writer.member("type", "null") }
                }
            } else {
                schema.writeMembers(to: &writer, isNullable: true)
            }
        case .reference(let name), .named(let name, _):
            writer.member("$ref", "#/components/schemas/\(name)")
        }
    }
}
