/// Gathers the rows of a file into sales and returns, and its SKUs into a list.
///
/// Rows of one document need not be adjacent. Documents are numbered by their first row, so the same file always
/// gives the same order, and with it the same document numbers and stock movements. What is kept is one entry per document and
/// per spelling of a SKU, never the rows.
package struct SaleGrouping: Sendable {
    /// A sale or return of the file.
    package struct Document: Sendable, Equatable {
        /// What a document is.
        ///
        /// A sale and a return may share a name.
        package enum Kind: UInt8, Sendable {
            case sale
            case goodsReturned
        }

        package let kind: Kind
        package let externalID: [UInt8]
        /// The time of its first row.
        package let time: TimeFormat.Reading
        package let firstLine: Int
        /// How it was paid, if a row says so.
        package fileprivate(set) var method: PaymentMethodCode?
        /// What its rows come to, before tax.
        fileprivate var amount: Int128 = 0
    }

    /// A SKU as the file spells it; spellings that differ in case alone are joined where they are compared.
    package struct SKU: Sendable, Equatable {
        package let text: [UInt8]
        package let firstLine: Int
        /// The price of its first row, in millionths.
        package let firstPrice: Int64
        /// The time of its first row.
        package let firstTime: TimeFormat.Reading
        /// Its first name that is not blank, and the line of it.
        package fileprivate(set) var name: [UInt8]
        package fileprivate(set) var nameLine: Int
    }

    /// Where a row belongs.
    package struct Place: Sendable, Equatable {
        /// An index into `documents`.
        package let document: Int
        /// An index into `skus`.
        package let sku: Int
    }

    private struct Key: Hashable {
        let kind: Document.Kind
        let externalID: [UInt8]
    }

    package private(set) var documents: [Document] = []
    package private(set) var skus: [SKU] = []
    /// The names of documents of which a row was refused, by the file alone.
    private var rejectedNames: Set<[UInt8]> = []
    private var documentIndex: [Key: Int] = [:]
    private var skuIndex: [[UInt8]: Int] = [:]

    package init() {}

    /// Finds the document and the SKU of a row, which it may be the first of.
    ///
    /// - Throws: `RowRejection` if the row has no time and nothing to take it from, is paid otherwise than its document, or makes it
    ///   come to more than an amount can be.
    package mutating func place(_ row: SaleRow) throws(RowRejection) -> Place {
        let (document, time) = try document(of: row)
        documents[document].amount += row.amount
        guard documents[document].amount < SaleRow.amountBound else {
            let reason = "the lines of its document come to 100000000000000 or more"
            throw RowRejection(line: row.line, code: .amountTooLarge, reason: reason)
        }
        return Place(document: document, sku: sku(of: row, at: time))
    }

    /// Notes that a row of a document was refused: none of its others is taken over then.
    ///
    /// - Parameter name: the document's; a sale and a return of that name are both meant, as the row does not tell which.
    package mutating func reject(documentsNamed name: [UInt8]) {
        rejectedNames.insert(name)
    }

    /// Whether a row of the document was refused.
    package func isRejected(_ document: Document) -> Bool { rejectedNames.contains(document.externalID) }

    private mutating func document(of row: SaleRow) throws(RowRejection) -> (index: Int, time: TimeFormat.Reading) {
        let kind = row.kind.document
        let key = Key(kind: kind, externalID: row.externalID)
        // Rows of a document mostly stand together.
        let isLast = documents.last.map { $0.kind == kind && $0.externalID == row.externalID } ?? false
        if let index = isLast ? documents.count - 1 : documentIndex[key] {
            if let method = row.method {
                guard documents[index].method ?? method == method else {
                    let reason = "payment_method is \(method.rawValue), another line of its document says otherwise"
                    throw RowRejection(line: row.line, code: .valueInvalid, reason: reason)
                }
                documents[index].method = method
            }
            return (index, row.time ?? documents[index].time)
        }
        let other = Key(kind: kind == .sale ? .goodsReturned : .sale, externalID: row.externalID)
        guard let time = row.time ?? documentIndex[other].map({ documents[$0].time }) else {
            let reason = "occurred_at is empty, and no earlier line of the same document has one"
            throw RowRejection(line: row.line, code: .timeInvalid, reason: reason)
        }
        let index = documents.count
        documentIndex[key] = index
        documents.append(
            Document(kind: kind, externalID: row.externalID, time: time, firstLine: row.line, method: row.method)
        )
        return (index, time)
    }

    private mutating func sku(of row: SaleRow, at time: TimeFormat.Reading) -> Int {
        if let index = skuIndex[row.sku] {
            if skus[index].name.isEmpty, !row.name.isEmpty {
                skus[index].name = row.name
                skus[index].nameLine = row.line
            }
            return index
        }
        let index = skus.count
        skuIndex[row.sku] = index
        skus.append(
            SKU(
                text: row.sku,
                firstLine: row.line,
                firstPrice: row.unitPrice,
                firstTime: time,
                name: row.name,
                nameLine: row.line
            )
        )
        return index
    }
}
