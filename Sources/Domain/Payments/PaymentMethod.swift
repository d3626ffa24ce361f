/// How money changes hands.
///
/// Credit is no method: it is what stays due.
package enum PaymentMethod: String, Sendable, Hashable, CaseIterable {
    case cash
    case card
    case transfer
}

/// Which way money goes, seen from the shop.
package enum PaymentDirection: String, Sendable, Hashable, CaseIterable {
    case incoming = "in"
    case outgoing = "out"
}
