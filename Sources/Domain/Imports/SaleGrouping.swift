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
    private var documentIndex: [Key: Int] = [:]
    private var skuIndex: [[UInt8]: Int] = [:]

    package init() {}

    /// Finds the document and the SKU of a row, which it may be the first of.
    package mutating func place(_ row: SaleRow) -> Place {
        Place(document: document(of: row), sku: sku(of: row))
    }

    private mutating func document(of row: SaleRow) -> Int {
        let kind = row.kind.document
        // Rows of a document mostly stand together.
        if let last = documents.last, last.kind == kind, last.externalID == row.externalID {
            return documents.count - 1
        }
        let key = Key(kind: kind, externalID: row.externalID)
        if let index = documentIndex[key] { return index }
        let index = documents.count
        documentIndex[key] = index
        documents.append(Document(kind: kind, externalID: row.externalID, time: row.time, firstLine: row.line))
        return index
    }

    private mutating func sku(of row: SaleRow) -> Int {
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
                firstTime: row.time,
                name: row.name,
                nameLine: row.line
            )
        )
        return index
    }
}
