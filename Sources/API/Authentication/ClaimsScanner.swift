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

        var isAtEnd: Bool { self.position == self.bytes.count }

        mutating func take(_ byte: UInt8) -> Bool {
            guard self.position < self.bytes.count, self.bytes[self.position] == byte else { return false }
            self.position += 1
            return true
        }

        mutating func string() -> ArraySlice<UInt8>? {
            guard self.take(UInt8(ascii: "\"")) else { return nil }
            let start = self.position
            while self.position < self.bytes.count {
                let byte = self.bytes[self.position]
                if byte == UInt8(ascii: "\"") {
                    defer { self.position += 1 }
                    return self.bytes[start..<self.position]
                }
                guard byte != UInt8(ascii: "\\"), byte >= 0x20, byte < 0x7F else { return nil }
                self.position += 1
            }
            return nil
        }

        mutating func value() -> Value? {
            if self.position < self.bytes.count, self.bytes[self.position] == UInt8(ascii: "\"") {
                return self.string().map { .text($0) }
            }
            var number: Int64 = 0
            let start = self.position
            while self.position < self.bytes.count,
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self.bytes[self.position])
            {
                // 18 digits fit Int64 whatever they are.
                guard self.position - start < 18 else { return nil }
                number = number * 10 + Int64(self.bytes[self.position] - UInt8(ascii: "0"))
                self.position += 1
            }
            return self.position > start ? .number(number) : nil
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
        case (UInt8(ascii: "i"), UInt8(ascii: "s"), UInt8(ascii: "s"), .text(let text)) where self.issuer == nil:
            self.issuer = String(decoding: text, as: UTF8.self)
        case (UInt8(ascii: "a"), UInt8(ascii: "u"), UInt8(ascii: "d"), .text(let text)) where self.audience == nil:
            self.audience = String(decoding: text, as: UTF8.self)
        case (UInt8(ascii: "s"), UInt8(ascii: "u"), UInt8(ascii: "b"), .text(let text)) where self.subject == nil:
            self.subject = EntityID(utf8: text)
        case (UInt8(ascii: "s"), UInt8(ascii: "i"), UInt8(ascii: "d"), .text(let text)) where self.session == nil:
            self.session = EntityID(utf8: text)
        case (UInt8(ascii: "t"), UInt8(ascii: "i"), UInt8(ascii: "d"), .number(let number)) where self.tenant == nil:
            self.tenant = number
        case (UInt8(ascii: "n"), UInt8(ascii: "b"), UInt8(ascii: "f"), .number(let number)) where self.notBefore == nil:
            self.notBefore = number
        case (UInt8(ascii: "e"), UInt8(ascii: "x"), UInt8(ascii: "p"), .number(let number)) where self.expiresAt == nil:
            self.expiresAt = number
        case (UInt8(ascii: "i"), UInt8(ascii: "a"), UInt8(ascii: "t"), .number):
            break
        default:
            return false
        }
        return true
    }
}
