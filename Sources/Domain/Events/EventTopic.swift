package import Kernel

/// What an event is about: the word before the dot of its type.
///
/// The one table of who may read which events; what no topic is said for is read by those alone who may do everything.
package enum EventTopic: String, CaseIterable, Sendable {
    case sale
    case quote
    case payment
    case expense
    case cashSession = "cash_session"
    case cashEntry = "cash_entry"
    case ledgerEntry = "ledger_entry"
    case stock
    case stockCount = "stock_count"
    case transfer
    case purchase
    /// Chunks of a file that is imported, and its end.
    case imported = "import"
    /// That an endpoint was switched off, or has missed events.
    case webhook

    /// What reading it takes: the scope by which the documents themselves are read.
    package var scope: Scope {
        switch self {
        case .sale, .quote, .payment, .expense, .cashSession, .cashEntry: .salesRead
        case .ledgerEntry: .reportsRead
        case .stock, .stockCount, .transfer, .purchase: .stockRead
        case .imported: .importsWrite
        case .webhook: .webhooksManage
        }
    }

    /// The topic of a type; nil for one that this program does not know.
    package init?(ofType type: some StringProtocol) {
        self.init(rawValue: String(type.prefix { $0 != "." }))
    }
}
