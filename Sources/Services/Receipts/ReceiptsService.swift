import Cache
package import Kernel
import NIOCore
import Postgres

/// Receipts: of sales and of returns, as data, as text and as pages.
package struct ReceiptsService: Sendable {
    static let statements: [any Statement.Type] = [ReadDocument<SaleReceipt>.self, ReadDocument<ReturnReceipt>.self]

    init() {}

    /// The receipt of a sale.
    ///
    /// - Parameters:
    ///   - sale: Which sale.
    ///   - form: In which form.
    ///   - caller: Who asks.
    /// - Returns: The read; it finds nothing for a sale that is none yet.
    package func receipt(of sale: SaleID, as form: ReceiptForm, _ caller: Caller) -> CachedRead {
        read(SaleReceipt(sale: sale), "receipt", sale.description, form, caller)
    }

    /// The receipt of a return.
    ///
    /// - Parameters:
    ///   - takenBack: Which return.
    ///   - form: In which form.
    ///   - caller: Who asks.
    /// - Returns: The read.
    package func receipt(of takenBack: SaleReturnID, as form: ReceiptForm, _ caller: Caller) -> CachedRead {
        read(ReturnReceipt(takenBack: takenBack), "return-receipt", takenBack.description, form, caller)
    }

    private func read(
        _ document: some Document,
        _ kind: StaticString,
        _ id: String,
        _ form: ReceiptForm,
        _ caller: Caller
    ) -> CachedRead {
        let key = caller.key(.views, kind) { key in
            key.add(id)
            switch form {
            case .data: key.add("data")
            case .text(let style): key.add("text", style)
            case .page(let style): key.add("page", style)
            }
        }
        return CachedRead(key: key, fill: ReceiptFill(statement: ReadDocument(document: document), form: form))
    }
}

extension KeyBuilder {
    fileprivate mutating func add(_ form: String, _ style: ReceiptStyle) {
        add(form)
        add(style.width.rawValue)
        add(style.language?.rawValue)
    }
}

/// A receipt in the form that was asked for, made of the one body that the database makes.
private struct ReceiptFill<Asked: Document>: Fill {
    let statement: ReadDocument<Asked>
    let form: ReceiptForm

    func filled(_ row: inout BodyRow) throws -> Filled {
        guard let body = row.body else { return Filled(row) }
        let text: String
        switch form {
        case .data:
            return Filled(row)
        case .text(let style):
            let rows = ReceiptRows(try Receipt(Array(body.readableBytesView)), in: style.language)
            text = ReceiptText.write(rows, columns: style.width.columns)
        case .page(let style):
            let rows = ReceiptRows(try Receipt(Array(body.readableBytesView)), in: style.language)
            text = ReceiptPage.write(rows, width: style.width)
        }
        return Filled(content: .body(ByteBuffer(string: text), etag: nil), snapshot: Snapshot(row.snapshot))
    }
}

/// What the receipt of a sale is made of; its tag is that of its bytes, as it shows more than the sale.
struct SaleReceipt: Document {
    static let name = "receipts.sale"
    static let sql: SQL = """
        SELECT stock.sale_receipt(s.tenant_id, s.id), NULL::text
        FROM stock.sale s
        WHERE s.tenant_id = stock.current_tenant() AND s.id = $1 AND s.status IN ('confirmed', 'cancelled')
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    let sale: SaleID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(sale) }
}

/// What the receipt of a return is made of.
struct ReturnReceipt: Document {
    static let name = "receipts.return"
    static let sql: SQL = """
        SELECT stock.return_receipt(r.tenant_id, r.id), NULL::text
        FROM stock.sale_return r
        WHERE r.tenant_id = stock.current_tenant() AND r.id = $1
        """
    static let parameterTypes: [PostgresType] = [.uuid]

    let takenBack: SaleReturnID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(takenBack) }
}
