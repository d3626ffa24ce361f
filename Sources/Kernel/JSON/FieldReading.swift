/// How a field's value is read: a kind of field such as a price, with its limits.
///
/// Reads `nil` after noting a fault. One value of this type describes a field wherever it occurs, so that creating, patching and
/// the document that describes them cannot disagree about it.
package struct FieldReading<Value> {
    /// The shape of what is read.
    package let schema: Schema

    let apply: (_ value: JSONValue, _ pointer: String, _ errors: FieldErrors) -> Value?

    /// Makes a reading from a function.
    ///
    /// - Parameters:
    ///   - schema: The shape of what is read.
    ///   - apply: Reads the value, or notes a fault at the pointer and returns `nil`.
    package init(
        _ schema: Schema,
        _ apply: @escaping (_ value: JSONValue, _ pointer: String, _ errors: FieldErrors) -> Value?
    ) {
        self.schema = schema
        self.apply = apply
    }

    /// The same reading of what has a more telling shape.
    package func described(as schema: Schema) -> FieldReading { FieldReading(schema, apply) }

    /// A reading that takes the result further.
    package func map<T>(_ transform: @escaping (Value) -> Result<T, ReadingFault>) -> FieldReading<T> {
        FieldReading<T>(schema) { value, pointer, errors in
            guard let read = apply(value, pointer, errors) else { return nil }
            switch transform(read) {
            case .success(let result):
                return result
            case .failure(let fault):
                errors.add(FieldError(pointer, fault.code, fault.detail))
                return nil
            }
        }
    }
}

/// Why a value that has the right type was refused.
package struct ReadingFault: Error, Sendable, Hashable {
    /// For programs.
    package let code: FieldError.Code

    /// For people.
    package let detail: String

    /// Makes a fault.
    ///
    /// - Parameters:
    ///   - code: For programs.
    ///   - detail: For people.
    package init(_ code: FieldError.Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }
}

extension FieldReading where Value == String {
    /// A string as it was sent.
    package static var string: FieldReading {
        FieldReading(.text) { value, pointer, errors in
            guard case .string(let text) = value else {
                errors.add(FieldError(pointer, .type, "Must be a string, not \(value.kind)."))
                return nil
            }
            return text
        }
    }

    /// A text that must not be blank, trimmed, within its rule.
    package static func text(_ rule: TextRule) -> FieldReading {
        string.described(as: .string(maximum: rule.maximum)).map { rule.readRequired($0) }
    }

    /// A text that may be blank, trimmed, within its rule.
    package static func note(_ rule: TextRule = .note) -> FieldReading {
        string.described(as: .string(maximum: rule.maximum)).map { rule.read($0) }
    }

    /// An e-mail address: one `@`, something on either side, no white space; folded to lower case.
    package static var email: FieldReading {
        text(.email).described(as: .string(format: "email", maximum: TextRule.email.maximum)).map { text in
            Text.email(text).map { .success($0) }
                ?? .failure(ReadingFault(.format, "Must be an e-mail address like \"ana@example.com\"."))
        }
    }
}

extension FieldReading where Value == String? {
    /// A text whose blank form means that there is none, as for a SKU.
    package static func blankable(_ rule: TextRule) -> FieldReading {
        FieldReading<String>.note(rule).map { .success($0.isEmpty ? nil : $0) }
    }
}

extension FieldReading where Value: FixedPoint {
    /// A decimal number in a string, within bounds.
    package static func decimal(
        _ range: DecimalRange = .any,
        maximumDecimals: Int = Value.scale
    ) -> FieldReading {
        FieldReading(.decimal(Value.self, range)) { value, pointer, errors in
            guard case .string(let text) = value else {
                let hint = "Must be a string like \"12.50\", not \(value.kind)."
                errors.add(FieldError(pointer, .type, hint))
                return nil
            }
            do throws(NumberError) {
                let number = try Value(text, maximumDecimals: maximumDecimals)
                guard range.contains(number.rawValue) else {
                    errors.add(FieldError(pointer, .outOfRange, "Must be \(range.rawValue)."))
                    return nil
                }
                return number
            } catch {
                let limit = Value(rawValue: Value.largestRawValue)
                let bound = text.hasPrefix("-") ? "at least -\(limit)" : "at most \(limit)"
                let detail = error == .outOfRange ? "Must be \(bound)." : "The value \(error)."
                errors.add(FieldError(pointer, error.code, detail))
                return nil
            }
        }
    }
}

/// The signs a decimal field may have.
package enum DecimalRange: String, Sendable {
    case any = "a number"
    case positive = "greater than 0"
    case notNegative = "0 or more"
    case notZero = "other than 0"

    func contains(_ rawValue: Int64) -> Bool {
        switch self {
        case .any: true
        case .positive: rawValue > 0
        case .notNegative: rawValue >= 0
        case .notZero: rawValue != 0
        }
    }
}

extension NumberError {
    /// The code of a field error.
    package var code: FieldError.Code {
        switch self {
        case .empty, .malformed, .leadingZero: .format
        case .tooManyDecimals: .tooManyDecimals
        case .outOfRange: .outOfRange
        }
    }
}

extension FieldReading {
    /// The id of one kind of entity.
    package static func id<Kind>() -> FieldReading where Value == ID<Kind> {
        FieldReading<String>.string.described(as: .id).map { text in
            ID<Kind>(text).map { .success($0) }
                ?? .failure(ReadingFault(.format, "Must be a UUID like \"018f3b6e-1c2d-7000-8000-0123456789ab\"."))
        }
    }

    /// One of the names of an enumeration.
    package static func oneOf() -> FieldReading
    where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
        FieldReading<String>.string.described(as: .choice(Value.allCases.map(\.rawValue))).map { text in
            if let value = Value(rawValue: text) { return .success(value) }
            let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
            return .failure(ReadingFault(.notAllowed, "Must be one of \(names)."))
        }
    }
}

extension FieldReading where Value == Bool {
    /// `true` or `false`.
    package static var bool: FieldReading {
        FieldReading(.boolean) { value, pointer, errors in
            guard case .bool(let bool) = value else {
                errors.add(FieldError(pointer, .type, "Must be true or false, not \(value.kind)."))
                return nil
            }
            return bool
        }
    }
}

extension FieldReading where Value == Int {
    /// A JSON integer within bounds.
    package static func integer(_ range: ClosedRange<Int>) -> FieldReading {
        FieldReading(
            .integer(minimum: range.lowerBound, maximum: range.upperBound == .max ? nil : range.upperBound)
        ) { value, pointer, errors in
            guard case .number(let literal) = value, let number = Int(literal) else {
                errors.add(FieldError(pointer, .type, "Must be a whole number, not \(value.kind)."))
                return nil
            }
            guard range.contains(number) else {
                let bounds = "\(range.lowerBound) to \(range.upperBound)"
                errors.add(FieldError(pointer, .outOfRange, "Must be from \(bounds)."))
                return nil
            }
            return number
        }
    }
}

extension FieldReading where Value == Timestamp {
    /// An RFC 3339 time with its offset.
    package static var timestamp: FieldReading {
        FieldReading<String>.string.described(as: .time).map { text in
            Timestamp(text).map { .success($0) }
                ?? .failure(ReadingFault(.format, "Must be an RFC 3339 time like \"2026-01-31T12:00:00Z\"."))
        }
    }
}

extension FieldReading where Value == BusinessDay {
    /// A date.
    package static var date: FieldReading {
        FieldReading<String>.string.described(as: .day).map { text in
            BusinessDay(text).map { .success($0) }
                ?? .failure(ReadingFault(.format, "Must be a date like \"2026-01-31\"."))
        }
    }
}

extension FieldReading where Value == Currency {
    /// A currency in use.
    package static var currency: FieldReading {
        FieldReading<String>.string.described(as: .currency).map { text in
            Currency(code: text).map { .success($0) }
                ?? .failure(ReadingFault(.notAllowed, "Must be an ISO 4217 currency code like \"EUR\"."))
        }
    }
}
