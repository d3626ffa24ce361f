/// A JSON text, parsed strictly, with numbers kept as they were written.
package enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// The literal of a number, valid by RFC 8259 and never converted.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// Parses one JSON text of RFC 8259 in UTF-8.
    ///
    /// Stricter than the standard where leniency would let two programs read one body differently: names within an object
    /// are unique, text (behind a byte order mark, if there is one) is valid UTF-8 without U+0000 (no column holds it) and without lone surrogates, nesting is bounded.
    ///
    /// Throws ``JSONError`` with the place of the first fault.
    package static func parse(_ bytes: [UInt8], maximumDepth: Int = 32) throws(JSONError) -> JSONValue {
        var parser = JSONParser(bytes, maximumDepth: maximumDepth)
        return try parser.parse()
    }

    /// The kind of value in words, for messages.
    package var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }

    /// The value as compact JSON text with the names of every object in order, the same for every spelling of a body.
    ///
    /// Two requests with an Idempotency-Key are equal when this text of theirs is.
    package var canonicalBytes: [UInt8] {
        var writer = JSONWriter()
        writer.value(self, sortingNames: true)
        return writer.bytes
    }
}

/// The members of an object, in the order they were written.
package struct JSONObject: Sendable, Equatable {
    /// Names and values; names are unique.
    package private(set) var members: [(name: String, value: JSONValue)]

    /// Positions by name, kept once a linear search would cost more.
    private var positions: [String: Int]?

    private static let indexThreshold = 8

    /// An object without members.
    package init() { members = [] }

    /// The value of a name.
    ///
    /// - Parameter name: The member's name.
    package subscript(name: String) -> JSONValue? { position(of: name).map { members[$0].value } }

    /// Adds a member unless its name is taken.
    ///
    /// - Parameters:
    ///   - name: The member's name.
    ///   - value: Its value.
    /// - Returns: Whether the name was new.
    package mutating func append(_ name: String, _ value: JSONValue) -> Bool {
        guard position(of: name) == nil else { return false }
        positions?[name] = members.count
        members.append((name, value))
        if positions == nil, members.count > Self.indexThreshold {
            positions = Dictionary(
                members.enumerated().map { ($0.element.name, $0.offset) },
                uniquingKeysWith: { first, _ in first }
            )
        }
        return true
    }

    /// Where a name stands.
    package func position(of name: String) -> Int? {
        if let positions { return positions[name] }
        return members.firstIndex { $0.name == name }
    }

    package static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.members.count == right.members.count
            && left.members.allSatisfy { right[$0.name] == $0.value }
    }
}

/// Why a body is no JSON text we accept.
package struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong.
    package enum Reason: String, Sendable, Equatable {
        case empty = "the body is empty"
        case unexpectedEnd = "the text ends too early"
        case unexpectedByte = "a character is not expected here"
        case trailingBytes = "something follows the JSON value"
        case badNumber = "a number is malformed"
        case badEscape = "an escape sequence is malformed"
        case controlCharacter = "a control character must be escaped"
        case nulCharacter = "U+0000 is not accepted"
        case invalidUTF8 = "the text is not valid UTF-8"
        case duplicateName = "a name appears twice in one object"
        case tooDeep = "the value is nested too deeply"
        case notAnObject = "the body must be a JSON object"
    }

    /// What is wrong.
    package let reason: Reason

    /// The byte where it was noticed, counted from zero.
    package let offset: Int

    /// The innermost place it concerns, as a JSON pointer.
    package let pointer: String

    package var description: String { "\(reason.rawValue) (byte \(offset))" }

    /// The problem a client sees: 400 `invalid_request`.
    package var problem: Problem {
        Problem(
            .invalidRequest,
            "The body is not acceptable JSON: \(description).",
            errors: [FieldError(pointer, .invalidJSON, description)]
        )
    }
}
