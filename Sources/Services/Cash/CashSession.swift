package import Domain
package import Kernel
import Postgres

/// What is done at a drawer beside selling.
package enum CashEntryKind: String, CaseIterable, Sendable {
    /// Cash that is put in: income.
    case paidIn = "paid_in"
    /// Cash that is taken out: an expense.
    case paidOut = "paid_out"
    /// Cash that goes into the safe, and stays the shop's.
    case drop
}

/// Whether a drawer is at work.
package enum CashSessionStatus: String, CaseIterable, Sendable {
    case open
    case closed
}

/// With what a session begins, as `POST /v1/registers/{id}/sessions` says it.
package struct CashSessionOpening: Sendable, Equatable {
    /// The cash that is in the drawer.
    package var float: Money
    /// A remark.
    package var note: String?

    /// Makes an opening.
    package init(float: Money, note: String? = nil) {
        self.float = float
        self.note = note
    }
}

/// Cash that goes into a drawer or out of it, as `POST /v1/cash-sessions/{id}/entries` says it.
package struct CashEntryRequest: Sendable, Equatable {
    /// Which way, and whether it is the shop's afterwards.
    package var kind: CashEntryKind
    /// How much, above zero.
    package var amount: Money
    /// What the ledger calls it; its kind if nil.
    package var category: String?
    /// A remark.
    package var note: String?

    /// Makes a request.
    package init(kind: CashEntryKind, amount: Money, category: String? = nil, note: String? = nil) {
        self.kind = kind
        self.amount = amount
        self.category = category
        self.note = note
    }
}

/// What was counted at the end, as `POST /v1/cash-sessions/{id}/close` says it.
package struct CashCount: Sendable, Equatable {
    /// Coins or notes of one value.
    package struct Pieces: Sendable, Equatable {
        /// What one is worth, above zero.
        package var value: Money
        /// How many there are.
        package var count: Int

        /// Makes pieces.
        package init(value: Money, count: Int) {
            self.value = value
            self.count = count
        }
    }

    /// What was counted of a payment method that is no cash: slips of cards, vouchers.
    package struct Tender: Sendable, Equatable {
        /// The method.
        package var method: PaymentMethodCode
        /// What it came to.
        package var counted: Money

        /// Makes a tender.
        package init(method: PaymentMethodCode, counted: Money) {
            self.method = method
            self.counted = counted
        }
    }

    /// The cash in the drawer; what the pieces come to if nil.
    package var counted: Money?
    /// The cash by coin and note.
    package var pieces: [Pieces]
    /// What is no cash.
    package var tenders: [Tender]
    /// A remark.
    package var note: String?

    /// Makes a count.
    package init(counted: Money?, pieces: [Pieces] = [], tenders: [Tender] = [], note: String? = nil) {
        self.counted = counted
        self.pieces = pieces
        self.tenders = tenders
        self.note = note
    }
}

/// What `GET /v1/cash-sessions` may be narrowed to, the last opened first.
package struct CashSessionFilter: Sendable, Equatable {
    /// Of this register only.
    package var registerID: RegisterID?
    /// In this state only.
    package var status: CashSessionStatus?
    /// Opened on these business days only.
    package var days = DayRange.all

    /// Makes a filter that lets everything pass.
    package init() {}
}

/// A session with what it has come to: the X report of an open one, the Z report of one that ended.
struct CashSession: Resource {
    static let name = "cash.session"
    static let collection = "/v1/cash-sessions"
    static let sql: SQL = """
        SELECT stock.cash_session_body(s.tenant_id, s.id), NULL::text
        FROM stock.cash_session s
        WHERE s.tenant_id = stock.current_tenant() AND s.id = $1
        """

    let id: CashSessionID

    init(_ id: CashSessionID) { self.id = id }
}
