import Kernel

/// Reads the claims of a token whose signature is right, straight from its bytes.
///
/// The bytes are ours then, so this reader need not be lenient: an object of strings without escapes and integers, each
/// name once. Anything else is no token of ours.
enum ClaimsScanner {
    /// The claims as they stand, unjudged.
    struct Claims {
        var issuer: String?
        var audience: String?
        var subject: EntityID?
        var session: EntityID?
        var tenant: Int64?
        var notBefore: Int64?
        var expiresAt: Int64?
    }

    /// Reads a payload, or answers `nil`.
    static func scan(_ bytes: [UInt8]) -> Claims? {
        var cursor = Cursor(bytes: bytes)
        var claims = Claims()
        guard cursor.take(UInt8(ascii: "{")) else { return nil }
        repeat {
            guard let name = cursor.string(), cursor.take(UInt8(ascii: ":")), let value = cursor.value(),
                claims.set(name, value)
            else { return nil }
        } while cursor.take(UInt8(ascii: ","))
        guard cursor.take(UInt8(ascii: "}")), cursor.isAtEnd else { return nil }
        return claims
    }

    fileprivate enum Value {
        case text(ArraySlice<UInt8>)
        case number(Int64)
    }

    private struct Cursor {
        let bytes: [UInt8]
        var position = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        var isAtEnd: Bool { position == bytes.count }

        mutating func take(_ byte: UInt8) -> Bool {
            guard position < bytes.count, bytes[position] == byte else { return false }
            position += 1
            return true
        }

        mutating func string() -> ArraySlice<UInt8>? {
            guard take(UInt8(ascii: "\"")) else { return nil }
            let start = position
            while position < bytes.count {
                let byte = bytes[position]
                if byte == UInt8(ascii: "\"") {
                    defer { position += 1 }
                    return bytes[start..<position]
                }
                guard byte != UInt8(ascii: "\\"), byte >= 0x20, byte < 0x7F else { return nil }
                position += 1
            }
            return nil
        }

        mutating func value() -> Value? {
            if position < bytes.count, bytes[position] == UInt8(ascii: "\"") {
                return string().map { .text($0) }
            }
            var number: Int64 = 0
            let start = position
            while position < bytes.count,
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position])
            {
                // 18 digits fit Int64 whatever they are.
                guard position - start < 18 else { return nil }
                number = number * 10 + Int64(bytes[position] - UInt8(ascii: "0"))
                position += 1
            }
            return position > start ? .number(number) : nil
        }
    }
}

extension ClaimsScanner.Claims {
    /// Takes one claim, or answers false if it came before or has the wrong type.
    ///
    /// Claims of other names are left aside.
    fileprivate mutating func set(_ name: ArraySlice<UInt8>, _ value: ClaimsScanner.Value) -> Bool {
        guard name.count == 3 else { return true }
        let start = name.startIndex
        switch (name[start], name[start + 1], name[start + 2], value) {
        case (UInt8(ascii: "i"), UInt8(ascii: "s"), UInt8(ascii: "s"), .text(let text)) where issuer == nil:
            issuer = String(decoding: text, as: UTF8.self)
        case (UInt8(ascii: "a"), UInt8(ascii: "u"), UInt8(ascii: "d"), .text(let text)) where audience == nil:
            audience = String(decoding: text, as: UTF8.self)
        case (UInt8(ascii: "s"), UInt8(ascii: "u"), UInt8(ascii: "b"), .text(let text)) where subject == nil:
            subject = EntityID(utf8: text)
        case (UInt8(ascii: "s"), UInt8(ascii: "i"), UInt8(ascii: "d"), .text(let text)) where session == nil:
            session = EntityID(utf8: text)
        case (UInt8(ascii: "t"), UInt8(ascii: "i"), UInt8(ascii: "d"), .number(let number)) where tenant == nil:
            tenant = number
        case (UInt8(ascii: "n"), UInt8(ascii: "b"), UInt8(ascii: "f"), .number(let number)) where notBefore == nil:
            notBefore = number
        case (UInt8(ascii: "e"), UInt8(ascii: "x"), UInt8(ascii: "p"), .number(let number)) where expiresAt == nil:
            expiresAt = number
        case (UInt8(ascii: "i"), UInt8(ascii: "a"), UInt8(ascii: "t"), .number):
            break
        default:
            return false
        }
        return true
    }
}
