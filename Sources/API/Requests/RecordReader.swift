import Kernel

/// Reads the columns of a record from a body: of the one that makes it, or of a merge patch (RFC 7396) that changes some.
///
/// One description of a record's fields serves both: in a body that makes a record what is absent has its standard value; in a
/// patch it is kept. And it says what is answered: a record has all of its fields, of which some may be null.
struct RecordReader {
    /// What the body is for.
    enum Purpose {
        case making
        case changing
        /// Nothing is read: of interest is what an answer holds.
        case answering
    }

    private(set) var object: JSONObjectReader
    private let purpose: Purpose

    init(_ object: JSONObjectReader, for purpose: Purpose) {
        self.object = object
        self.purpose = purpose
    }

    /// A field that a record must have; the example of a patch shows it unless told otherwise.
    mutating func required<T>(_ name: String, isShown: Bool = true, _ read: FieldReading<T>) -> Change<T> {
        switch purpose {
        case .making, .answering:
            object.required(name, else: nil, read.map { .success(T?.some($0)) }).map { .set($0) } ?? .keep
        case .changing: object.change(name, isShown: isShown, read)
        }
    }

    /// A field that a record must have and that is fixed once it is made; a patch does not know it.
    mutating func fixed<T>(_ name: String, _ read: FieldReading<T>) -> Change<T> {
        switch purpose {
        case .making, .answering: required(name, read)
        case .changing: .keep
        }
    }

    /// A line of text that a record must have.
    mutating func text(_ name: String, _ rule: TextRule = .name) -> Change<String> { required(name, .text(rule)) }

    /// A field that has a standard value.
    mutating func value<T>(_ name: String, or standard: T, isShown: Bool = true, _ read: FieldReading<T>) -> Change<T> {
        switch purpose {
        case .making: .set(object.optional(name, isShown: isShown, read) ?? standard)
        case .changing: object.change(name, isShown: isShown, read)
        case .answering: .set(object.required(name, else: standard, read))
        }
    }

    /// A field that is kept where nothing is said of it.
    mutating func kept<T>(_ name: String, isShown: Bool = true, _ read: FieldReading<T>) -> Change<T> {
        switch purpose {
        case .making: object.optional(name, isShown: isShown, read).map { .set($0) } ?? .keep
        case .changing: object.change(name, isShown: isShown, read)
        case .answering: object.answered(name, read.schema)
        }
    }

    /// A field that a record may be without.
    mutating func optional<T>(_ name: String, isShown: Bool = true, _ read: FieldReading<T>) -> Change<T?> {
        switch purpose {
        case .making: .set(object.optional(name, isShown: isShown, read))
        case .changing: object.clearableChange(name, isShown: isShown, read)
        case .answering: object.answered(name, .nullable(read.schema))
        }
    }

    /// A line of text that a record may be without; null and a blank say that there is none.
    mutating func optionalText(_ name: String, _ rule: TextRule = .name) -> Change<String?> {
        switch optional(name, .blankable(rule)) {
        case .keep: .keep
        case .set(let text): .set(text ?? nil)
        }
    }

    /// A list of values, which is empty where a record is without; null empties it.
    mutating func values<T>(_ name: String, count: ClosedRange<Int>, _ read: FieldReading<T>) -> Change<[T]> {
        switch purpose {
        case .making: .set(object.optionalValues(name, count: count, read) ?? [])
        case .changing where object.contains(name) || object.isRecording:
            .set(object.optionalValues(name, count: count, read) ?? [])
        case .changing: .keep
        case .answering: object.answered(name, .array(read.schema))
        }
    }

    /// A list of objects that belong to the record, as the lines of a price list do; null empties it, where it may be empty.
    ///
    /// - Parameters:
    ///   - name: The member's name.
    ///   - schema: What the shape of one is called in answers; in bodies `Request` follows.
    ///   - count: How many there may be.
    ///   - figures: What an answer holds of one beside what is read.
    ///   - answered: What an answer holds instead of what is read: as of a line that names its product by id or SKU.
    ///   - isShown: Whether the example of a patch shows it.
    ///   - read: Reads one.
    /// - Returns: What was read of each.
    mutating func objects<T>(
        _ name: String,
        of schema: String,
        count: ClosedRange<Int>,
        figures: [Schema.Member] = [],
        answered: [Schema.Member]? = nil,
        isShown: Bool = true,
        _ read: (inout JSONObjectReader) -> T
    ) -> Change<[T]> {
        let request = "\(schema)Request"
        switch purpose {
        case .making: return .set(object.objects(name, of: request, count: count, read))
        case .changing where object.contains(name): return .set(object.objects(name, of: request, count: count, read))
        case .changing:
            if object.isRecording {
                _ = object.objects(name, of: request, count: 0...count.upperBound, isShown: isShown, read)
            }
            return .keep
        case .answering:
            var members = answered ?? []
            if answered == nil, case .object(let read) = JSONObjectReader.schema(of: read) {
                members = read.map { .required($0.name, $0.schema) }
            }
            return object.answered(name, .array(.named(schema, .object(members + figures))))
        }
    }
}

extension JSONObjectReader {
    /// Notes what an answer holds.
    fileprivate mutating func answered<T>(_ name: String, _ schema: Schema) -> Change<T> {
        _ = required(name, else: nil, FieldReading<Bool?>(schema) { _, _, _ in nil })
        return .keep
    }
}

/// The columns of a record, as bodies say them.
protocol RecordFields {
    /// Reads them.
    ///
    /// - Parameter reader: Of a body that makes the record, or that changes it.
    /// - Returns: What it made of them.
    static func read(_ reader: inout RecordReader) -> Self
}

extension RecordFields {
    /// Reads the body that makes a record.
    static func made(_ object: inout JSONObjectReader) -> Self { read(&object, .making) }

    /// Reads the body that changes a record.
    static func changed(_ object: inout JSONObjectReader) -> Self { read(&object, .changing) }

    /// What an answer holds of them.
    static var answered: [Schema.Member] {
        guard case .object(let members) = JSONObjectReader.schema(of: { read(&$0, .answering) }) else { return [] }
        return members
    }

    private static func read(_ object: inout JSONObjectReader, _ purpose: RecordReader.Purpose) -> Self {
        var reader = RecordReader(object, for: purpose)
        let fields = read(&reader)
        object = reader.object
        return fields
    }
}
