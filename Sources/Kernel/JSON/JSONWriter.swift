/// Writes JSON text into bytes, in the order it is told, without a model in between.
///
/// Commas are its own affair; pairing of begin and end is the caller's.
package struct JSONWriter: Sendable {
    /// The text so far.
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// Makes an empty writer.
    ///
    /// - Parameter capacity: The bytes to reserve.
    package init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

    /// Writes an object around what the body writes.
    package mutating func object<E: Error>(_ body: (inout JSONWriter) throws(E) -> Void) throws(E) {
        beginObject()
        try body(&self)
        endObject()
    }

    /// Writes an array around what the body writes.
    package mutating func array<E: Error>(_ body: (inout JSONWriter) throws(E) -> Void) throws(E) {
        beginArray()
        try body(&self)
        endArray()
    }

    /// Opens an object.
    package mutating func beginObject() { open("{") }

    /// Closes an object.
    package mutating func endObject() { close("}") }

    /// Opens an array.
    package mutating func beginArray() { open("[") }

    /// Closes an array.
    package mutating func endArray() { close("]") }

    /// Writes a member's name; its value follows.
    ///
    /// - Parameter name: The name, escaped as needed.
    package mutating func name(_ name: String) {
        separate()
        quote(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes a string.
    ///
    /// - Parameter text: Any text.
    package mutating func string(_ text: String) {
        separate()
        quote(text)
        needsComma = true
    }

    /// Writes an integer.
    ///
    /// - Parameter number: Any integer.
    package mutating func integer(_ number: some BinaryInteger) { raw(String(number).utf8) }

    /// Writes `true` or `false`.
    ///
    /// - Parameter value: Which.
    package mutating func bool(_ value: Bool) { raw((value ? "true" : "false").utf8) }

    /// Writes `null`.
    package mutating func null() { raw("null".utf8) }

    /// Writes text that is a JSON value already.
    ///
    /// - Parameter json: A complete JSON value.
    package mutating func raw(_ json: some Sequence<UInt8>) {
        separate()
        bytes.append(contentsOf: json)
        needsComma = true
    }

    /// Writes a member with a string.
    ///
    /// - Parameters:
    ///   - name: The member's name.
    ///   - text: Its value; `nil` is written as null.
    package mutating func member(_ name: String, _ text: String?) {
        self.name(name)
        if let text { string(text) } else { null() }
    }

    /// Writes a member with an integer.
    ///
    /// - Parameters:
    ///   - name: The member's name.
    ///   - number: Its value; `nil` is written as null.
    package mutating func member(_ name: String, _ number: Int?) {
        self.name(name)
        if let number { integer(number) } else { null() }
    }

    /// Writes a member with a boolean.
    ///
    /// - Parameters:
    ///   - name: The member's name.
    ///   - value: Its value.
    package mutating func member(_ name: String, _ value: Bool) {
        self.name(name)
        bool(value)
    }

    /// Writes a parsed value.
    ///
    /// - Parameters:
    ///   - value: The value.
    ///   - sortingNames: Whether objects are written in the order of their names instead of their own.
    package mutating func value(_ value: JSONValue, sortingNames: Bool = false) {
        switch value {
        case .null: null()
        case .bool(let bool): self.bool(bool)
        case .number(let literal): raw(literal.utf8)
        case .string(let text): string(text)
        case .array(let values):
            beginArray()
            for value in values { self.value(value, sortingNames: sortingNames) }
            endArray()
        case .object(let object):
            let members = sortingNames ? object.members.sorted { $0.name < $1.name } : object.members
            beginObject()
            for member in members {
                name(member.name)
                self.value(member.value, sortingNames: sortingNames)
            }
            endObject()
        }
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func open(_ bracket: Unicode.Scalar) {
        separate()
        bytes.append(UInt8(truncatingIfNeeded: bracket.value))
        needsComma = false
    }

    private mutating func close(_ bracket: Unicode.Scalar) {
        bytes.append(UInt8(truncatingIfNeeded: bracket.value))
        needsComma = true
    }

    private mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x08: bytes.append(contentsOf: "\\b".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0x0A: bytes.append(contentsOf: "\\n".utf8)
            case 0x0C: bytes.append(contentsOf: "\\f".utf8)
            case 0x0D: bytes.append(contentsOf: "\\r".utf8)
            case 0..<0x20, 0x7F:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(Hexadecimal.digit(of: byte >> 4))
                bytes.append(Hexadecimal.digit(of: byte))
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
