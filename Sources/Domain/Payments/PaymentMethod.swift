/// What a tenant calls a way in which money changes hands; documents keep it.
///
/// Credit is no method: it is what stays due. Which codes a tenant has, and of what kind they are, is its own; every one begins
/// with ``cash``, ``card`` and ``transfer``.
package struct PaymentMethodCode: RawRepresentable, Sendable, Hashable {
    /// Lower-case letters, digits and underscores, 1 to 40.
    package let rawValue: String

    /// Makes a code, if the text has the shape of one and is not `all`, which means every method where one may be named.
    package init?(rawValue: String) {
        guard rawValue != "all", Self.hasShape(rawValue) else { return nil }
        self.rawValue = rawValue
    }

    private init(known rawValue: String) { self.rawValue = rawValue }

    /// Notes and coins.
    package static let cash = PaymentMethodCode(known: "cash")
    /// A card.
    package static let card = PaymentMethodCode(known: "card")
    /// From bank to bank.
    package static let transfer = PaymentMethodCode(known: "transfer")

    /// The shape as a pattern of JSON Schema.
    package static let pattern = "^[a-z0-9_]{1,40}$"

    /// What a text must be to be a code.
    package static let rule = "Must be 1 to 40 of a to z, 0 to 9 and _, and not \"all\"."

    private static func hasShape(_ text: String) -> Bool {
        (1...40).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}

/// What a payment method is: of cash there is change and rounding, and a register may ask for an open session.
package enum PaymentKind: String, Sendable, Hashable, CaseIterable {
    case cash
    case card
    case transfer
    case voucher
    case other
}

/// Which way money goes, seen from the shop.
package enum PaymentDirection: String, Sendable, Hashable, CaseIterable {
    case incoming = "in"
    case outgoing = "out"
}
