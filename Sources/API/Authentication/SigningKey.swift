import Crypto
import Kernel

/// A secret that signs access tokens, and the name (`kid`) by which a token says which.
package struct SigningKey: Sendable {
    /// Why a key was refused; its description names what to change and never shows a secret.
    package struct Invalid: Error, Sendable, CustomStringConvertible {
        /// What is wrong and what is accepted.
        package let description: String
    }

    /// Fewest bytes of a secret: jwt-kit only asserts it, which a release build leaves out.
    package static let minimumBytes = 32

    /// Fewest different bytes among them: 32 random hexadecimal digits have fewer once in some millions of times.
    package static let minimumDifferentBytes = 8

    /// 1 to 32 characters of `A-Z a-z 0-9 - _ .`.
    package let kid: String
    /// The secret's bytes.
    package let secret: [UInt8]

    /// A key with a name of its own.
    ///
    /// - Parameters:
    ///   - kid: its name.
    ///   - secret: at least ``minimumBytes`` bytes, ``minimumDifferentBytes`` of them different.
    /// - Throws: ``Invalid`` when one of them is unusable.
    package init(kid: String, secret: [UInt8]) throws(Invalid) {
        guard secret.count >= Self.minimumBytes else {
            throw Invalid(
                description: "the secret has \(secret.count) bytes, at least \(Self.minimumBytes) are needed"
            )
        }
        let different = Set(secret).count
        guard different >= Self.minimumDifferentBytes else {
            throw Invalid(
                description:
                    "the secret has \(different) different bytes, at least \(Self.minimumDifferentBytes) are needed"
            )
        }
        let isPlain = kid.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard isPlain, (1...32).contains(kid.utf8.count) else {
            throw Invalid(description: "a key's name has 1 to 32 characters of A-Z a-z 0-9 - _ .")
        }
        self.kid = kid
        self.secret = secret
    }

    /// A key named by a digest of itself, as `AUTH_SECRET` gives it.
    ///
    /// The name is made with the key, so that every instance with this secret finds the same one, and it tells nothing of it.
    ///
    /// - Parameter secret: at least ``minimumBytes`` bytes.
    /// - Throws: ``Invalid`` when it is too short.
    package init(secret: [UInt8]) throws(Invalid) {
        let digest = HMAC<SHA256>.authenticationCode(
            for: Array("stock access token kid".utf8),
            using: .init(data: secret)
        )
        try self.init(kid: Hexadecimal.text(Array(digest).prefix(8)), secret: secret)
    }

    /// Reads the text of `AUTH_KEY_FILE`: one `kid:secret` a line, the first signs, the second is still accepted.
    ///
    /// Blank lines, lines that begin with `#` and a byte order mark do not count. One line without a colon is a secret named by its digest.
    ///
    /// - Parameter text: the file's text.
    /// - Returns: one key, or two.
    /// - Throws: ``Invalid`` when there is no key, more than two, or one is unusable.
    package static func parse(keyFile text: String) throws(Invalid) -> [SigningKey] {
        var keys: [SigningKey] = []
        for line in Text.withoutByteOrderMark(text).split(whereSeparator: \.isNewline) {
            let line = line.drop { $0 == " " || $0 == "\t" }
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            if let colon = line.firstIndex(of: ":") {
                let secret = Array(line[line.index(after: colon)...].utf8)
                keys.append(try SigningKey(kid: String(line[..<colon]), secret: secret))
            } else {
                keys.append(try SigningKey(secret: Array(line.utf8)))
            }
        }
        guard (1...2).contains(keys.count) else {
            throw Invalid(description: "one or two lines kid:secret are needed, not \(keys.count)")
        }
        guard keys.count == 1 || keys[0].kid != keys[1].kid else {
            throw Invalid(description: "both keys have the name \(keys[0].kid)")
        }
        return keys
    }
}
