package import Kernel

/// What a password must be: 8 to 128 characters and not among the first an attacker tries.
package enum PasswordRules {
    /// The fewest characters; fifteen are advised.
    package static let minimum = 8

    /// The most characters, all of which count.
    package static let maximum = 128

    /// The text that is hashed of what was typed: NFC, and every kind of space is the plain one.
    ///
    /// The same password typed on another device is the same password: OpaqueString of RFC 8265, section 4.2.
    package static func prepared(_ password: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in password.unicodeScalars {
            scalars.append(scalar.properties.generalCategory == .spaceSeparator ? " " : scalar)
        }
        return Text.nfc(String(scalars))
    }

    /// What is wrong with a password, or `nil`.
    ///
    /// - Parameters:
    ///   - password: As typed; nothing is trimmed.
    ///   - email: The account's, which is no password.
    /// - Returns: The fault, without the password in it.
    package static func fault(of password: String, email: String) -> ReadingFault? {
        let password = prepared(password)
        let count = password.unicodeScalars.count
        if count < minimum {
            return ReadingFault(.tooShort, "Must have at least \(minimum) characters; 15 or more are advised.")
        }
        if count > maximum {
            return ReadingFault(.tooLong, "Must have at most \(maximum) characters.")
        }
        let folded = password.lowercased()
        let local = email.split(separator: "@").first.map { $0.lowercased() }
        if common.contains(folded) || Set(folded).count < 3 || folded == email.lowercased()
            || local.map({ folded == $0 }) == true
        {
            return ReadingFault(.tooCommon, "Is among the passwords that are tried first. Choose another.")
        }
        return nil
    }

    /// The field error of a password, or `nil`.
    package static func error(of password: String, email: String, at pointer: String) -> FieldError? {
        fault(of: password, email: email).map { FieldError(pointer, $0.code, $0.detail) }
    }

    /// Passwords of eight characters and more from the published lists of the most used.
    private static let common: Set<String> = Set(
        """
        12345678 123456789 1234567890 12345678910 password password1 password12 password123 passw0rd p@ssw0rd p@ssword \
        qwertyui qwertyuiop qwerty123 qwerty12 1q2w3e4r 1q2w3e4r5t q1w2e3r4 1qaz2wsx qazwsxedc zaq12wsx asdfghjk \
        asdfghjkl zxcvbnm1 abcd1234 abc12345 abcdefgh iloveyou iloveyou1 sunshine princess football baseball superman \
        batman123 trustno1 welcome1 welcome123 letmein1 letmein123 admin123 admin1234 administrator changeme changeme1 \
        dragon123 monkey123 master123 shadow123 michael1 jennifer jordan23 charlie1 computer internet starwars \
        whatever samsung1 google123 87654321 98765432 987654321 0987654321 11223344 12341234 123123123 147258369 \
        123qwe123 a1b2c3d4 aa123456 secret123 testtest test1234 qwer1234 asdf1234 zxcv1234 liverpool corvette \
        mercedes butterfly chocolate contraseña contrasena hola1234 stockstock
        """.split(separator: " ").map(String.init)
    )
}
