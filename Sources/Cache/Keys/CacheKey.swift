import Crypto
import Kernel

/// The name of one cached answer: whose, of which module, and which answer.
///
/// The hash is computed once, when the key is made: choosing the shard and finding the entry both use it.
package struct CacheKey: Hashable, Sendable {
    /// The tenant the answer belongs to.
    package let tenant: Int64
    /// The module that retires the answer.
    package let module: Module
    /// The rest of the name, made by ``KeyBuilder``; ASCII, and never beginning with `_`.
    package let key: String
    /// The seeded hash of all of the above.
    let hash: Int

    /// Makes a key from parts that are already in their final form.
    package init(tenant: Int64, module: Module, key: String) {
        self.tenant = tenant
        self.module = module
        self.key = key
        var hasher = Hasher()
        hasher.combine(tenant)
        hasher.combine(module.index)
        hasher.combine(key)
        hash = hasher.finalize()
    }

    package static func == (left: CacheKey, right: CacheKey) -> Bool {
        left.hash == right.hash && left.tenant == right.tenant && left.module == right.module && left.key == right.key
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(self.hash)
    }
}

/// Builds the last part of a ``CacheKey`` from a name and parameters in a fixed order.
///
/// Two requests that must not share an answer must differ in their parts, so every part is encoded: bytes outside
/// `[A-Za-z0-9._=-]` become `%XX`, the colon between parts therefore never comes from a value. Parts are the fields of
/// the query value whose statement binds them, so that a key never stands for two questions.
package struct KeyBuilder: Sendable {
    /// Keys longer than this are replaced by their SHA-256.
    package static let maximalLength = 120

    private var bytes: [UInt8]

    /// Begins a key with the name of its kind, for example `list` or `id`.
    package init(_ kind: StaticString) {
        bytes = []
        bytes.reserveCapacity(64)
        append(encoded: kind.description)
        // Names that begin with an underscore are the protocol's own keys of the scope.
        if bytes.first == UInt8(ascii: "_") { bytes[0] = UInt8(ascii: "-") }
    }

    /// Adds a text, encoded.
    package mutating func add(_ text: String) {
        bytes.append(UInt8(ascii: ":"))
        append(encoded: text)
    }

    /// Adds an optional text; a missing one is told apart from an empty one.
    package mutating func add(_ text: String?) {
        guard let text else {
            bytes.append(UInt8(ascii: ":"))
            bytes.append(UInt8(ascii: "*"))
            return
        }
        self.add(text)
    }

    /// Adds a number.
    package mutating func add(_ number: some BinaryInteger) {
        self.add(String(number))
    }

    /// Adds a flag as `1` or `0`.
    package mutating func add(_ flag: Bool) {
        self.add(flag ? "1" : "0")
    }

    /// Returns this builder with a text added, for keys written as one expression.
    package func adding(_ text: String) -> KeyBuilder {
        var copy = self
        copy.add(text)
        return copy
    }

    /// The key of these parts for a tenant and module.
    package func key(tenant: Int64, module: Module) -> CacheKey {
        CacheKey(tenant: tenant, module: module, key: text)
    }

    /// The text of the key: the encoded parts, or their SHA-256 when they are long.
    package var text: String {
        guard bytes.count > Self.maximalLength else { return String(decoding: bytes, as: UTF8.self) }
        return "h:" + Hexadecimal.text(SHA256.hash(data: bytes))
    }

    private mutating func append(encoded text: String) {
        var text = text
        text.withUTF8 { bytes in
            // Most parts say what they are, and are taken over in one piece.
            guard !bytes.allSatisfy(Self.isPlain) else { return self.bytes.append(contentsOf: bytes) }
            for byte in bytes {
                guard !Self.isPlain(byte) else {
                    self.bytes.append(byte)
                    continue
                }
                self.bytes.append(UInt8(ascii: "%"))
                self.bytes.append(Hexadecimal.digit(of: byte >> 4))
                self.bytes.append(Hexadecimal.digit(of: byte))
            }
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "="),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
