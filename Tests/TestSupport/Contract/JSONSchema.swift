import Foundation
import Synchronization

/// A schema of JSON Schema 2020-12, as far as our OpenAPI document uses it.
///
/// Not a general validator: a keyword it does not know is a fault of the schema, so that nothing in the document can be
/// written and not held.
package struct JSONSchema: Sendable {
    /// The document that `$ref` points into.
    private let document: JSON
    private let schema: JSON
    /// Where the schema stands in the document.
    private let place: String

    /// Takes a schema out of a document.
    ///
    /// - Parameters:
    ///   - schema: the schema.
    ///   - place: a JSON pointer to it, for the record of what was seen.
    ///   - document: what `$ref` points into.
    package init(_ schema: JSON, at place: String, in document: JSON) {
        self.schema = schema
        self.place = place
        self.document = document
    }

    /// What a validation found.
    package struct Result: Sendable, Equatable {
        /// What is wrong, each with a JSON pointer into the value.
        package var faults: [String] = []
        /// Pointers to the properties of objects that were there.
        package var seen: Set<String> = []
    }

    /// Holds a value against the schema.
    package func validate(_ value: JSON) -> Result {
        var result = Result()
        self.check(value, "", &result)
        return result
    }

    /// Pointers to every property that a value may have, this schema's and those it refers to.
    package var properties: Set<String> {
        var found: Set<String> = []
        var visited: Set<String> = []
        self.collect(into: &found, &visited)
        return found
    }

    private func collect(into found: inout Set<String>, _ visited: inout Set<String>) {
        guard visited.insert(place).inserted else { return }
        resolved.map { $0.collect(into: &found, &visited) }
        for name in schema["properties"].names {
            found.insert("\(place)/properties/\(name)")
            self.child("properties/\(name)", schema["properties"][name]).collect(into: &found, &visited)
        }
        if case .object = schema["items"] { child("items", schema["items"]).collect(into: &found, &visited) }
        for (index, part) in schema["anyOf"].elements.enumerated() {
            child("anyOf/\(index)", part).collect(into: &found, &visited)
        }
    }

    private func child(_ step: String, _ schema: JSON) -> JSONSchema {
        JSONSchema(schema, at: "\(place)/\(step)", in: document)
    }

    /// What `$ref` points to.
    private var resolved: JSONSchema? {
        guard let reference = schema["$ref"].string, reference.hasPrefix("#/") else { return nil }
        var target = document
        for step in reference.dropFirst(2).split(separator: "/") { target = target[String(step)] }
        return JSONSchema(target, at: String(reference.dropFirst()), in: document)
    }

    // MARK: Keywords

    private static let known: Set<String> = [
        "$ref", "type", "enum", "properties", "required", "additionalProperties", "items", "maxItems", "minItems",
        "minimum", "maximum", "minLength", "maxLength", "pattern", "format", "anyOf",
        // These say something to people and nothing of the value.
        "description", "title", "example", "examples",
    ]

    private func check(_ value: JSON, _ pointer: String, _ result: inout Result) {
        func fault(_ text: String) { result.faults.append("\(pointer.isEmpty ? "the value" : pointer) \(text)") }

        guard case .object = schema else { return fault("has no schema at \(place)") }
        for keyword in schema.names.subtracting(Self.known).sorted() {
            fault("has a schema with the keyword \(keyword), which nothing checks")
        }
        if schema.names.contains("$ref") {
            guard let target = resolved, case .object = target.schema else { return fault("has a $ref to nowhere") }
            target.check(value, pointer, &result)
        }
        let kinds = schema["type"].string.map { [$0] } ?? schema["type"].elements.compactMap(\.string)
        if !kinds.isEmpty, !kinds.contains(where: { value.isOf(kind: $0) }) {
            return fault("is \(value.kind), not \(kinds.joined(separator: " or "))")
        }
        let names = schema["enum"].elements
        if !names.isEmpty, !names.contains(value) { fault("is not one of the names: \(value)") }
        checkAlternatives(value, pointer, &result)
        switch value {
        case .object(let members): checkMembers(members, pointer, &result)
        case .array(let elements): checkElements(elements, pointer, &result)
        case .string(let text): checkText(text, fault)
        case .number(let number):
            if let minimum = schema["minimum"].double, number < minimum { fault("is less than \(minimum)") }
            if let maximum = schema["maximum"].double, number > maximum { fault("is more than \(maximum)") }
        case .null, .bool: break
        }
    }

    private func checkAlternatives(_ value: JSON, _ pointer: String, _ result: inout Result) {
        let parts = schema["anyOf"].elements
        guard !parts.isEmpty else { return }
        var faults: [String] = []
        for (index, part) in parts.enumerated() {
            var attempt = Result()
            child("anyOf/\(index)", part).check(value, pointer, &attempt)
            if attempt.faults.isEmpty {
                result.seen.formUnion(attempt.seen)
                return
            }
            faults += attempt.faults
        }
        result.faults += faults
    }

    private func checkMembers(_ members: [String: JSON], _ pointer: String, _ result: inout Result) {
        let properties = schema["properties"]
        for (name, member) in members.sorted(by: { $0.key < $1.key }) {
            if properties.names.contains(name) {
                result.seen.insert("\(place)/properties/\(name)")
                child("properties/\(name)", properties[name]).check(member, "\(pointer)/\(name)", &result)
            } else if schema["additionalProperties"] == .bool(false) {
                result.faults.append("\(pointer)/\(name) is not in the schema")
            }
        }
        for name in schema["required"].elements.compactMap(\.string) where members[name] == nil {
            result.faults.append("\(pointer)/\(name) is missing")
        }
    }

    private func checkElements(_ elements: [JSON], _ pointer: String, _ result: inout Result) {
        if let maximum = schema["maxItems"].int, elements.count > maximum {
            result.faults.append("\(pointer) has more than \(maximum) elements")
        }
        if let minimum = schema["minItems"].int, elements.count < minimum {
            result.faults.append("\(pointer) has fewer than \(minimum) elements")
        }
        guard case .object = schema["items"] else { return }
        let item = child("items", schema["items"])
        for (index, element) in elements.enumerated() { item.check(element, "\(pointer)/\(index)", &result) }
    }

    private func checkText(_ text: String, _ fault: (String) -> Void) {
        if let minimum = schema["minLength"].int, text.unicodeScalars.count < minimum {
            fault("has fewer than \(minimum) characters")
        }
        if let maximum = schema["maxLength"].int, text.unicodeScalars.count > maximum {
            fault("has more than \(maximum) characters")
        }
        if let pattern = schema["pattern"].string, !Patterns.matches(text, pattern) {
            fault("does not match \(pattern): \(text)")
        }
        guard let format = schema["format"].string else { return }
        guard let pattern = Patterns.formats[format] else {
            return fault("has a format that nothing checks: \(format)")
        }
        if !Patterns.matches(text, pattern) { fault("is no \(format): \(text)") }
    }
}

extension JSON {
    /// What kind of value it is.
    fileprivate var kind: String {
        switch self {
        case .null: "null"
        case .bool: "boolean"
        case .number: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    fileprivate func isOf(kind name: String) -> Bool {
        name == kind || (name == "integer" && int != nil)
    }

    fileprivate var double: Double? {
        if case .number(let number) = self { number } else { nil }
    }
}

/// Regular expressions, each compiled once.
private enum Patterns {
    static let formats = [
        "uuid": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        "date": "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
        "date-time": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$",
        "email": "^[^@\\s]+@[^@\\s]+$",
        "uri": #"^https?://[!-~]+$"#,
        "uri-reference": "^[!-~]*$",
    ]

    private static let compiled = Mutex<[String: NSRegularExpression]>([:])

    static func matches(_ text: String, _ pattern: String) -> Bool {
        compiled.withLock { compiled in
            guard let expression = compiled[pattern] ?? (try? NSRegularExpression(pattern: pattern)) else {
                return false
            }
            compiled[pattern] = expression
            let whole = NSRange(text.startIndex..., in: text)
            return expression.firstMatch(in: text, range: whole) != nil
        }
    }
}
