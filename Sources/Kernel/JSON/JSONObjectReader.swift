/// Reads the fields of a JSON object into values of the shop's world, noting every fault.
///
/// A reader method of a required field always returns a value; when the field is wrong that value is a neutral placeholder and
/// the fault is in ``errors``. Nobody sees the placeholder, because ``FieldErrors/check()`` throws before the result is used:
/// ```swift
/// var reader = try JSONObjectReader.body(bytes)
/// let draft = CategoryFields(name: reader.text("name", .name), parent: reader.optionalID("parent_id"))
/// try reader.finish()
/// ```
package struct JSONObjectReader {
    /// Where faults go; shared with the readers of nested objects.
    package let errors: FieldErrors

    private let object: JSONObject
    private let pointer: String
    private var seen: [Bool]
    /// What was asked for, where only that is of interest.
    private var recorder: Recorder?

    private final class Recorder {
        var members: [Schema.Member] = []
    }

    /// The shape of the objects that a function reads, found by running it once on nothing.
    ///
    /// - Parameter read: Asks for every field whatever it has read so far; what it makes of them is thrown away.
    /// - Returns: An object with a member for each field that was asked for, in that order.
    package static func schema<T>(of read: (inout JSONObjectReader) -> T) -> Schema {
        let recorder = Recorder()
        var reader = JSONObjectReader(JSONObject())
        reader.recorder = recorder
        _ = read(&reader)
        return .object(recorder.members)
    }

    private func note(_ name: String, _ schema: Schema, isRequired: Bool, isShown: Bool = true) {
        recorder?.members.append(
            isRequired ? .required(name, schema) : .optional(name, schema, isShown: isShown)
        )
    }

    /// Whether only what is asked for is of interest.
    package var isRecording: Bool { recorder != nil }

    /// Reads an object that stands at a pointer.
    ///
    /// - Parameters:
    ///   - object: The members.
    ///   - pointer: Where it stands; empty for the body.
    ///   - errors: Where faults go.
    package init(_ object: JSONObject, at pointer: String = "", errors: FieldErrors = FieldErrors()) {
        self.object = object
        self.pointer = pointer
        self.errors = errors
        seen = Array(repeating: false, count: object.members.count)
    }

    /// Parses a body that must be an object.
    ///
    /// - Parameter value: The parsed body.
    /// - Throws: 400 `invalid_request` if it is another kind of value.
    package init(body value: JSONValue) throws(Problem) {
        guard case .object(let object) = value else {
            throw JSONError(reason: .notAnObject, offset: 0, pointer: "").problem
        }
        self.init(object)
    }

    // MARK: Ending

    /// Notes every member that no method asked for.
    ///
    /// Call it on nested readers; on the body's reader call ``finish()``.
    package func noteUnknownFields() {
        for (position, member) in object.members.enumerated() where !seen[position] {
            errors.addUnknown(pointer(to: Text.excerpt(member.name)))
            // Those beyond the last one listed need no pointer.
            if errors.isFull { break }
        }
    }

    /// Ends the reading of the body.
    ///
    /// - Throws: Every fault found, in one problem.
    package func finish() throws(Problem) {
        noteUnknownFields()
        try errors.check()
    }

    // MARK: Presence

    /// The JSON pointer of a member.
    package func pointer(to name: String) -> String { "\(pointer)/\(JSONPointer.escape(name))" }

    /// Whether the member is there, be it null.
    package func contains(_ name: String) -> Bool { object.position(of: name) != nil }

    /// The raw value of a member, marked as read; `nil` if absent.
    package mutating func value(_ name: String) -> JSONValue? {
        guard let position = object.position(of: name) else { return nil }
        seen[position] = true
        return object.members[position].value
    }

    /// Notes that a field is wrong.
    ///
    /// - Parameters:
    ///   - name: The member's name.
    ///   - code: For programs.
    ///   - detail: For people.
    package func fail(_ name: String, _ code: FieldError.Code, _ detail: String) {
        errors.add(FieldError(pointer(to: name), code, detail))
    }

    /// Reads a field that must be there and not null.
    package mutating func required<T>(_ name: String, else placeholder: T, _ read: FieldReading<T>) -> T {
        note(name, read.schema, isRequired: true)
        switch value(name) {
        case nil:
            fail(name, .required, "This field is required.")
            return placeholder
        case .null:
            fail(name, .required, "This field must not be null.")
            return placeholder
        case .some(let value):
            return read.apply(value, pointer(to: name), errors) ?? placeholder
        }
    }

    /// Reads a field that may be absent or null.
    ///
    /// - Parameters:
    ///   - name: The member's name.
    ///   - isShown: Whether an example shows it.
    ///   - read: How its value is read.
    /// - Returns: The value; nil for none, and for one that is wrong.
    package mutating func optional<T>(_ name: String, isShown: Bool = true, _ read: FieldReading<T>) -> T? {
        note(name, .nullable(read.schema), isRequired: false, isShown: isShown)
        return switch value(name) {
        case nil, .null: nil
        case .some(let value): read.apply(value, pointer(to: name), errors)
        }
    }

    /// Reads a field of a merge patch that cannot be removed: absent keeps, null is a fault.
    package mutating func change<T>(_ name: String, isShown: Bool = true, _ read: FieldReading<T>) -> Change<T> {
        note(name, read.schema, isRequired: false, isShown: isShown)
        switch value(name) {
        case nil:
            return .keep
        case .null:
            fail(name, .required, "This field cannot be removed.")
            return .keep
        case .some(let value):
            return read.apply(value, pointer(to: name), errors).map { .set($0) } ?? .keep
        }
    }

    /// Reads a field of a merge patch that null removes (RFC 7396).
    package mutating func clearableChange<T>(
        _ name: String,
        isShown: Bool = true,
        _ read: FieldReading<T>
    ) -> Change<T?> {
        note(name, .nullable(read.schema), isRequired: false, isShown: isShown)
        return switch value(name) {
        case nil: .keep
        case .null: .set(nil)
        case .some(let value): read.apply(value, pointer(to: name), errors).map { .set($0) } ?? .keep
        }
    }

    // MARK: Arrays

    /// Reads an array of objects.
    ///
    /// - Parameters:
    ///   - name: The member's name.
    ///   - schema: What the shape of its elements is called.
    ///   - count: How many there may be.
    ///   - isShown: Whether an example shows it.
    ///   - read: Reads one.
    /// - Returns: What was read of each.
    package mutating func objects<T>(
        _ name: String,
        of schema: String,
        count: ClosedRange<Int>,
        isShown: Bool = true,
        _ read: (inout JSONObjectReader) -> T
    ) -> [T] {
        if isRecording {
            let element = Schema.named(schema, Self.schema(of: read))
            let array = Schema.array(element, maximum: count.upperBound)
            note(name, array, isRequired: count.lowerBound > 0, isShown: isShown)
        }
        let values: [JSONValue]
        switch value(name) {
        case nil, .null:
            if count.lowerBound > 0 { fail(name, .required, "This field is required.") }
            return []
        case .array(let array):
            values = array
        case .some(let other):
            fail(name, .type, "Must be an array, not \(other.kind).")
            return []
        }
        guard count.contains(values.count) else {
            let bounds = "\(count.lowerBound) to \(count.upperBound)"
            fail(name, values.isEmpty ? .required : .tooMany, "Must have \(bounds) elements, not \(values.count).")
            return []
        }
        var result: [T] = []
        result.reserveCapacity(values.count)
        for (index, value) in values.enumerated() {
            let place = "\(pointer(to: name))/\(index)"
            guard case .object(let object) = value else {
                errors.add(FieldError(place, .type, "Must be an object, not \(value.kind)."))
                continue
            }
            var reader = JSONObjectReader(object, at: place, errors: errors)
            result.append(read(&reader))
            reader.noteUnknownFields()
        }
        return result
    }

    /// Reads an array of plain values.
    package mutating func values<T>(_ name: String, count: ClosedRange<Int>, _ read: FieldReading<T>) -> [T] {
        note(name, .array(read.schema, maximum: count.upperBound), isRequired: count.lowerBound > 0)
        return elements(name, count: count, read)
            ?? {
                if count.lowerBound > 0 { fail(name, .required, "This field is required.") }
                return []
            }()
    }

    /// Reads an array of plain values that may be absent.
    package mutating func optionalValues<T>(
        _ name: String,
        count: ClosedRange<Int>,
        _ read: FieldReading<T>
    ) -> [T]? {
        note(name, .nullable(.array(read.schema, maximum: count.upperBound)), isRequired: false)
        return elements(name, count: count, read)
    }

    /// Reads an array of plain values of a merge patch, that cannot be removed: absent keeps, null is a fault.
    package mutating func changedValues<T>(
        _ name: String,
        count: ClosedRange<Int>,
        _ read: FieldReading<T>
    ) -> Change<[T]> {
        note(name, .array(read.schema, maximum: count.upperBound), isRequired: false)
        if object.position(of: name) != nil, case .null? = value(name) {
            fail(name, .required, "This field cannot be removed.")
            return .keep
        }
        return elements(name, count: count, read).map { .set($0) } ?? .keep
    }

    private mutating func elements<T>(_ name: String, count: ClosedRange<Int>, _ read: FieldReading<T>) -> [T]? {
        switch value(name) {
        case nil, .null:
            return nil
        case .array(let values):
            guard count.contains(values.count) else {
                let bounds = "\(count.lowerBound) to \(count.upperBound)"
                fail(name, .tooMany, "Must have \(bounds) elements, not \(values.count).")
                return []
            }
            return values.enumerated().compactMap { index, value in
                read.apply(value, "\(pointer(to: name))/\(index)", errors)
            }
        case .some(let other):
            fail(name, .type, "Must be an array, not \(other.kind).")
            return []
        }
    }
}

/// What a merge patch does to a field.
package enum Change<Value> {
    /// The field was not named.
    case keep
    /// The field becomes this.
    case set(Value)

    /// Whether the field was named.
    package var isSet: Bool {
        switch self {
        case .keep: false
        case .set: true
        }
    }

    /// The new value, if one was named.
    package var newValue: Value? {
        switch self {
        case .keep: nil
        case .set(let value): value
        }
    }
}

extension Change: Sendable where Value: Sendable {}
extension Change: Equatable where Value: Equatable {}
