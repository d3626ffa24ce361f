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
        /// What was paid by each method, in the order of the file; empty if no row says how much was.
        package fileprivate(set) var tenders: [Tender] = []
        /// Who bought, at which till and place, as its rows say; empty if none does.
        package fileprivate(set) var customer: [UInt8] = []
        package fileprivate(set) var register: [UInt8] = []
        package fileprivate(set) var location: [UInt8] = []
        /// What its rows come to, before tax, and how many they are.
        fileprivate var amount: Int128 = 0
        fileprivate var rows = 0
    }

    /// What of a document was paid by one method.
    package struct Tender: Sendable, Equatable {
        /// Nil: as the import says.
        package let method: PaymentMethodCode?
        /// Millionths of the currency.
        package fileprivate(set) var amount: Int64
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
    ///   come to more than an amount can be or have more than a document may (``DocumentLimits``).
    package mutating func place(_ row: SaleRow) throws(RowRejection) -> Place {
        let (document, time) = try document(of: row)
        try note(row, at: document)
        documents[document].rows += 1
        guard documents[document].rows <= DocumentLimits.lines else {
            let reason = "its document has more than \(DocumentLimits.lines) lines"
            throw RowRejection(line: row.line, code: .valueInvalid, reason: reason)
        }
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

    /// Notes what a row says of its document as a whole.
    private mutating func note(_ row: SaleRow, at index: Int) throws(RowRejection) {
        // Most files say nothing of it.
        if !row.customer.isEmpty { try note("customer", row.customer, \.customer, at: index, line: row.line) }
        if !row.register.isEmpty { try note("register", row.register, \.register, at: index, line: row.line) }
        if !row.location.isEmpty { try note("location", row.location, \.location, at: index, line: row.line) }
        guard let paid = row.paid else { return }
        guard let tender = documents[index].tenders.firstIndex(where: { $0.method == row.method }) else {
            guard documents[index].tenders.count < DocumentLimits.tenders else {
                let reason = "its document is paid by more than \(DocumentLimits.tenders) methods"
                throw RowRejection(line: row.line, code: .valueInvalid, reason: reason)
            }
            return documents[index].tenders.append(Tender(method: row.method, amount: paid))
        }
        let (sum, isOver) = documents[index].tenders[tender].amount.addingReportingOverflow(paid)
        guard !isOver else {
            throw RowRejection(line: row.line, code: .amountTooLarge, reason: "paid of its document is too much")
        }
        documents[index].tenders[tender].amount = sum
    }

    private mutating func note(
        _ field: String,
        _ said: [UInt8],
        _ path: WritableKeyPath<Document, [UInt8]>,
        at index: Int,
        line: Int
    ) throws(RowRejection) {
        guard documents[index][keyPath: path].isEmpty || documents[index][keyPath: path] == said else {
            let reason = "\(field) is \(excerpt(said[...])), another line of its document says otherwise"
            throw RowRejection(line: line, code: .valueInvalid, reason: reason)
        }
        documents[index][keyPath: path] = said
    }

    private mutating func document(of row: SaleRow) throws(RowRejection) -> (index: Int, time: TimeFormat.Reading) {
        let kind = row.kind.document
        let key = Key(kind: kind, externalID: row.externalID)
        // Rows of a document mostly stand together.
        let isLast = documents.last.map { $0.kind == kind && $0.externalID == row.externalID } ?? false
        if let index = isLast ? documents.count - 1 : documentIndex[key] {
            // A row that says how much was paid says by what.
            if let method = row.method, row.paid == nil {
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
            Document(
                kind: kind,
                externalID: row.externalID,
                time: time,
                firstLine: row.line,
                method: row.paid == nil ? row.method : nil
            )
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
