import Domain
import HTTPTypes
import Kernel
import Services

/// Cash sessions, and what goes through a drawer beside sales.
struct CashRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let (store, cash) = (shop.store, shop.cash)
        return [
            .action(
                "/v1/registers/{id}/sessions",
                "openCashSession",
                "Open a cash session at a register",
                area: "cash",
                access: .scope(.salesWrite),
                store: store,
                body: Body("CashSessionOpening") { CashSessionOpening.read(&$0) },
                status: .created,
                answer: .reference("CashSession"),
                givesTag: false,
                problems: [.invalidState, .periodClosed]
            ) { (id, opening, context, key) throws(Problem) in try await cash.open(id, opening, context, key: key) },
            .freshPage(
                "/v1/cash-sessions",
                "listCashSessions",
                "Cash sessions, the last opened first",
                area: "cash",
                access: .scope(.salesRead),
                store: store,
                answer: .reference("CashSessionSummary"),
                query: { CashSessionFilter.read(&$0) },
                reading: { (filter, page, caller) throws(Problem) in try cash.list(filter, page, caller) }
            ),
            .freshOne(
                "/v1/cash-sessions/{id}",
                "readCashSession",
                "One cash session with what it has come to: an X report while it is open, the Z report afterwards",
                area: "cash",
                access: .scope(.salesRead),
                store: store,
                answer: .reference("CashSession")
            ) { cash.session($0, $1) },
            .action(
                "/v1/cash-sessions/{id}/entries",
                "recordCashEntry",
                "Put cash into a drawer, take some out, or drop it into the safe",
                area: "cash",
                access: .scope(.salesWrite),
                store: store,
                body: Body("CashEntryRequest") { CashEntryRequest.read(&$0) },
                answer: .reference("CashSession"),
                givesTag: false,
                problems: [.sessionClosed, .periodClosed]
            ) { (id, entry, context, key) throws(Problem) in try await cash.record(id, entry, context, key: key) },
            .action(
                "/v1/cash-sessions/{id}/close",
                "closeCashSession",
                "Count the drawer and end a cash session",
                area: "cash",
                access: .scope(.salesWrite),
                store: store,
                body: Body("CashCount") { CashCount.read(&$0) },
                answer: .reference("CashSession"),
                givesTag: false,
                problems: [.sessionClosed, .periodClosed]
            ) { (id, count, context, key) throws(Problem) in try await cash.close(id, count, context, key: key) },
        ]
    }
}

extension CashSessionOpening {
    /// Reads the body of `POST /v1/registers/{id}/sessions`.
    static func read(_ reader: inout JSONObjectReader) -> CashSessionOpening {
        CashSessionOpening(float: reader.money("float", .notNegative), note: reader.optionalText("note", .note))
    }
}

extension CashEntryRequest {
    /// Reads the body of `POST /v1/cash-sessions/{id}/entries`.
    static func read(_ reader: inout JSONObjectReader) -> CashEntryRequest {
        CashEntryRequest(
            kind: reader.choice("kind", else: .paidIn),
            amount: reader.money("amount", .positive),
            category: reader.optionalText("category", .name),
            note: reader.optionalText("note", .note)
        )
    }
}

extension CashCount {
    /// Reads the body of `POST /v1/cash-sessions/{id}/close`: `counted`, or the `counts` that it is the sum of, or both.
    static func read(_ reader: inout JSONObjectReader) -> CashCount {
        let before = reader.errors.list.count
        let count = CashCount(
            counted: reader.optionalMoney("counted", .notNegative),
            pieces: reader.objects("counts", of: "CashPieces", count: 0...100) { pieces in
                Pieces(
                    value: pieces.money("value", .positive),
                    count: pieces.required("count", else: 0, .integer(0...1_000_000))
                )
            },
            tenders: reader.objects("tenders", of: "CountedTender", count: 0...50) { tender in
                Tender(
                    method: tender.required("method", else: .cash, .paymentMethod),
                    counted: tender.money("counted", .notNegative)
                )
            },
            note: reader.optionalText("note", .note)
        )
        if count.counted == nil, count.pieces.isEmpty, reader.errors.list.count == before {
            reader.fail("counted", .required, "Say what is in the drawer, in all or by coin and note.")
        }
        return count
    }
}

extension CashSessionFilter {
    /// Reads what `GET /v1/cash-sessions` asks for.
    static func read(_ query: inout Query) -> CashSessionFilter {
        var filter = CashSessionFilter()
        filter.registerID = query.id("register_id", "Of this register only.")
        filter.status = query.choice("status", "In this state only.")
        filter.days = query.days()
        return filter
    }
}
