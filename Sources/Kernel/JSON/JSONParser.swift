/// A recursive-descent parser whose depth is bounded, so that no body can exhaust the stack.
struct JSONParser {
    private let bytes: [UInt8]
    private let maximumDepth: Int
    private var offset = 0
    private var path: [PathElement] = []

    /// One step of the way to the value being read.
    private enum PathElement {
        case name(String)
        case index(Int)
    }

    init(_ bytes: [UInt8], maximumDepth: Int) {
        self.bytes = bytes
        self.maximumDepth = maximumDepth
    }

    mutating func parse() throws(JSONError) -> JSONValue {
        // RFC 8259 lets a parser ignore a byte order mark, which editors and spreadsheets put in front of text.
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { offset = 3 }
        skipWhiteSpace()
        guard offset < bytes.count else { throw error(.empty) }
        let value = try value(depth: 0)
        skipWhiteSpace()
        guard offset == bytes.count else { throw error(.trailingBytes) }
        return value
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard let byte = peek else { throw error(.unexpectedEnd) }
        switch byte {
        case UInt8(ascii: "{"):
            guard depth < maximumDepth else { throw error(.tooDeep) }
            return .object(try object(depth: depth + 1))
        case UInt8(ascii: "["):
            guard depth < maximumDepth else { throw error(.tooDeep) }
            return .array(try array(depth: depth + 1))
        case UInt8(ascii: "\""):
            return .string(try string())
        case UInt8(ascii: "t"):
            try literal("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try literal("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try literal("null")
            return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return .number(try number())
        default:
            throw error(.unexpectedByte)
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONObject {
        offset += 1
        var object = JSONObject()
        skipWhiteSpace()
        if skip(UInt8(ascii: "}")) { return object }
        while true {
            skipWhiteSpace()
            guard peek == UInt8(ascii: "\"") else { throw error(peek == nil ? .unexpectedEnd : .unexpectedByte) }
            let name = try string()
            path.append(.name(name))
            skipWhiteSpace()
            guard skip(UInt8(ascii: ":")) else { throw error(peek == nil ? .unexpectedEnd : .unexpectedByte) }
            skipWhiteSpace()
            let value = try value(depth: depth)
            guard object.append(name, value) else { throw error(.duplicateName) }
            path.removeLast()
            skipWhiteSpace()
            if skip(UInt8(ascii: ",")) { continue }
            guard skip(UInt8(ascii: "}")) else { throw error(peek == nil ? .unexpectedEnd : .unexpectedByte) }
            return object
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> [JSONValue] {
        offset += 1
        var values: [JSONValue] = []
        skipWhiteSpace()
        if skip(UInt8(ascii: "]")) { return values }
        while true {
            skipWhiteSpace()
            path.append(.index(values.count))
            values.append(try value(depth: depth))
            path.removeLast()
            skipWhiteSpace()
            if skip(UInt8(ascii: ",")) { continue }
            guard skip(UInt8(ascii: "]")) else { throw error(peek == nil ? .unexpectedEnd : .unexpectedByte) }
            return values
        }
    }

    private mutating func number() throws(JSONError) -> String {
        let start = offset
        _ = skip(UInt8(ascii: "-"))
        if !skip(UInt8(ascii: "0")) {
            guard digits() > 0 else { throw error(.badNumber) }
        }
        if skip(UInt8(ascii: ".")) {
            guard digits() > 0 else { throw error(.badNumber) }
        }
        if skip(UInt8(ascii: "e")) || skip(UInt8(ascii: "E")) {
            _ = skip(UInt8(ascii: "+")) || skip(UInt8(ascii: "-"))
            guard digits() > 0 else { throw error(.badNumber) }
        }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    private mutating func digits() -> Int {
        let start = offset
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { offset += 1 }
        return offset - start
    }

    private mutating func string() throws(JSONError) -> String {
        offset += 1
        var text: [UInt8] = []
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                guard let string = String(validating: text, as: UTF8.self) else { throw error(.invalidUTF8) }
                return string
            case UInt8(ascii: "\\"):
                offset += 1
                try escape(into: &text)
            case 0:
                throw error(.nulCharacter)
            case 1..<0x20:
                throw error(.controlCharacter)
            default:
                text.append(byte)
                offset += 1
            }
        }
        throw error(.unexpectedEnd)
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
        guard let byte = peek else { throw error(.unexpectedEnd) }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = UInt32(try hexadecimalQuad())
            if (0xD800..<0xDC00).contains(code) {
                guard skip(UInt8(ascii: "\\")), skip(UInt8(ascii: "u")) else { throw error(.badEscape) }
                let low = UInt32(try hexadecimalQuad())
                guard (0xDC00..<0xE000).contains(low) else { throw error(.badEscape) }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard code != 0 else { throw error(.nulCharacter) }
            guard let scalar = Unicode.Scalar(code) else { throw error(.badEscape) }
            text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        default:
            throw error(.badEscape)
        }
    }

    private mutating func hexadecimalQuad() throws(JSONError) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = peek else { throw error(.unexpectedEnd) }
            guard let digit = Hexadecimal.value(of: byte) else { throw error(.badEscape) }
            value = value << 4 | UInt16(digit)
            offset += 1
        }
        return value
    }

    private mutating func literal(_ word: StaticString) throws(JSONError) {
        for expected in word.description.utf8 {
            guard let byte = peek else { throw error(.unexpectedEnd) }
            guard byte == expected else { throw error(.unexpectedByte) }
            offset += 1
        }
    }

    private mutating func skipWhiteSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    private mutating func skip(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        offset += 1
        return true
    }

    private var peek: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private func error(_ reason: JSONError.Reason) -> JSONError {
        let pointer = path.map { element in
            switch element {
            case .name(let name): "/" + JSONPointer.escape(Text.excerpt(name))
            case .index(let index): "/\(index)"
            }
        }
        return JSONError(reason: reason, offset: offset, pointer: pointer.joined())
    }
}

/// JSON pointers (RFC 6901).
package enum JSONPointer {
    /// A reference token with `~` and `/` escaped.
    package static func escape(_ name: String) -> String {
        guard name.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return name }
        var escaped = ""
        for character in name.unicodeScalars {
            switch character {
            case "~": escaped += "~0"
            case "/": escaped += "~1"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}
