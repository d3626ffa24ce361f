package import Kernel
import Postgres

/// Goods that are to be carried from one location to another, as `POST /v1/transfers` says them.
package struct TransferRequest: Sendable, Equatable {
    /// What of one product is carried.
    package struct Line: Sendable, Equatable {
        /// Which product.
        package var product: ProductReference

        /// How much of it.
        package var quantity: Quantity

        /// Makes a line.
        package init(product: ProductReference, quantity: Quantity) {
            self.product = product
            self.quantity = quantity
        }
    }

    /// Where the goods are; the only open location if nil.
    package var fromLocationID: LocationID?

    /// Where they go; the only other open location if nil.
    package var toLocationID: LocationID?

    /// What the papers say.
    package var note: String?

    /// The lines, each product once.
    package var lines: [Line]

    /// Makes a request.
    package init(fromLocationID: LocationID?, toLocationID: LocationID?, note: String? = nil, lines: [Line]) {
        self.fromLocationID = fromLocationID
        self.toLocationID = toLocationID
        self.note = note
        self.lines = lines
    }
}

/// What `PATCH /v1/transfers/{id}` changes of a draft.
package struct TransferPatch: Sendable, Equatable {
    /// Where the goods are.
    package var fromLocationID: Change<LocationID> = .keep

    /// Where they go.
    package var toLocationID: Change<LocationID> = .keep

    /// What the papers say.
    package var note: Change<String?> = .keep

    /// All lines, in place of those there were.
    package var lines: Change<[TransferRequest.Line]> = .keep

    /// Changes nothing.
    package init() {}
}

/// What has come of a line, or is lost.
package struct ReceivedLine: Sendable, Equatable {
    /// Which line of the transfer.
    package var lineID: TransferLineID

    /// How much came.
    package var quantity: Quantity

    /// How much was lost on the way, or came broken.
    package var lost: Quantity

    /// Why it is lost.
    package var reason: String?

    /// Makes a line.
    package init(lineID: TransferLineID, quantity: Quantity, lost: Quantity = .zero, reason: String? = nil) {
        self.lineID = lineID
        self.quantity = quantity
        self.lost = lost
        self.reason = reason
    }
}

/// What `GET /v1/transfers` may be narrowed to, the last made first.
package struct TransferFilter: Sendable, Equatable {
    /// The states of a transfer.
    package enum Status: String, Sendable, CaseIterable {
        /// Nothing has left; it may be changed.
        case draft
        /// All of it is in transit.
        case sent
        /// Some of it is in transit.
        case partiallyReceived = "partially_received"
        /// All of it has come or is lost.
        case received
        /// It never left.
        case cancelled
    }

    /// In this state only.
    package var status: Status?

    /// From or to this location only.
    package var locationID: LocationID?

    /// Makes a filter that lets everything pass.
    package init() {}
}

/// Goods on their way from one location to another.
struct Transfer: Resource {
    static let name = "stock.transfer"
    static let collection = "/v1/transfers"
    static let sql: SQL = """
        SELECT stock.transfer_body(t.tenant_id, t.id), '"' || t.version || '"'
        FROM stock.transfer t
        WHERE t.tenant_id = stock.current_tenant() AND t.id = $1
        """

    let id: TransferID

    init(_ id: TransferID) { self.id = id }
}

extension Parameters {
    /// Binds lines, which get their ids here: `uuid[], uuid[], text[], numeric[]`; NULL for none.
    fileprivate mutating func append(_ lines: [TransferRequest.Line]?) throws(PostgresError) {
        guard let lines else {
            for _ in 0..<4 { try appendNull() }
            return
        }
        try append(lines.map { _ in TransferLineID.make() })
        try append(lines.map(\.product.productID))
        try append(lines.map(\.product.skuText))
        try append(lines.map(\.quantity))
    }
}

/// Makes a draft.
struct DraftTransfer: Statement {
    static let name = "stock.transfer_draft"
    static let sql: SQL = "SELECT stock.transfer_draft($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    static let parameterTypes: [PostgresType] = [
        .uuid, .uuid, .uuid, .text, .uuid, .uuidArray, .uuidArray, .textArray, .numericArray,
    ]

    let id: TransferID
    let request: TransferRequest
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(request.fromLocationID)
        try parameters.append(request.toLocationID)
        try parameters.append(request.note)
        try parameters.append(userID)
        try parameters.append(request.lines)
    }
}

/// Changes a draft.
struct ChangeTransfer: Statement {
    static let name = "stock.transfer_change"
    static let sql: SQL = "SELECT stock.transfer_change($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    static let parameterTypes: [PostgresType] = [
        .uuid, .int8Array, .uuid, .uuid, .bool, .text, .uuidArray, .uuidArray, .textArray, .numericArray,
    ]

    let id: TransferID
    let expected: ExpectedVersion
    let patch: TransferPatch

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(expected.parameter)
        try parameters.append(patch.fromLocationID.newValue)
        try parameters.append(patch.toLocationID.newValue)
        try parameters.append(patch.note.isSet)
        try parameters.append(patch.note.newValue ?? nil)
        try parameters.append(patch.lines.newValue)
    }
}

/// Sends a draft.
struct SendTransfer: Statement {
    static let name = "stock.transfer_send"
    static let sql: SQL = "SELECT stock.transfer_send($1, $2)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuid]

    let id: TransferID
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(userID)
    }
}

/// Receives what is in transit, or some of it.
struct ReceiveTransfer: Statement {
    static let name = "stock.transfer_receive"
    static let sql: SQL = "SELECT stock.transfer_receive($1, $2, $3, $4, $5, $6)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuidArray, .numericArray, .numericArray, .textArray, .uuid]

    let id: TransferID
    let lines: [ReceivedLine]
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(lines.map(\.lineID))
        try parameters.append(lines.map(\.quantity))
        try parameters.append(lines.map(\.lost))
        try parameters.append(lines.map(\.reason))
        try parameters.append(userID)
    }
}

/// Gives a draft up.
struct CancelTransfer: Statement {
    static let name = "stock.transfer_cancel"
    static let sql: SQL = "SELECT stock.transfer_cancel($1, $2)"
    static let parameterTypes: [PostgresType] = [.uuid, .uuid]

    let id: TransferID
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(userID)
    }
}

/// A page of transfers, the last made first.
struct ListTransfers: Statement {
    static let name = "stock.list_transfers"
    static let sql: SQL = .page(
        "stock.transfer_page($1, $2, $3, $4 + 1)",
        along: .moment("created_at"),
        limit: "$4",
        each: "stock.transfer_summary(stock.current_tenant(), p.id)"
    )
    static let parameterTypes: [PostgresType] = [.text, .uuid, .uuid, .int4]
    typealias Row = PageRow

    let filter: TransferFilter
    let after: TransferID?
    let limit: Int

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(filter.status)
        try parameters.append(filter.locationID)
        try parameters.append(after)
        try parameters.append(Int32(truncatingIfNeeded: limit))
    }
}
