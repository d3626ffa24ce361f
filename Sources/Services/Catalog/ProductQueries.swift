package import Domain
package import Kernel

/// How a list of products is ordered.
package enum ProductSort: String, SortOrder {
    case name
    case nameDescending = "-name"
    case sku
    case skuDescending = "-sku"
    case price
    case priceDescending = "-price"
    case createdAt = "created_at"
    case createdAtDescending = "-created_at"
    case updatedAt = "updated_at"
    case updatedAtDescending = "-updated_at"
    case onHand = "on_hand"
    case onHandDescending = "-on_hand"
}

/// A code that a product may have, a SKU or a barcode, in the one form in which it is looked up and its answer is remembered.
package struct ProductCode: Sendable, Hashable {
    /// The code, trimmed, in normal form C.
    package let text: String

    /// Makes a code of what was typed or scanned.
    ///
    /// The elements of a code of GS1 are separated by FNC1, which scanners transmit as a control character; nothing else may have
    /// one.
    ///
    /// - Parameter text: As it came; scanners end codes with what they please.
    /// - Throws: `required`, `too_long` or `format`, as for the code of a product.
    package init(_ text: String) throws(ReadingFault) {
        let separator = GS1ElementString.separator
        let parts = text.unicodeScalars.split(separator: separator).map { String(Substring($0)) }
        guard parts.count > 1 || text.unicodeScalars.first == separator else {
            self.text = try TextRule.barcode.readRequired(text).get()
            return
        }
        var read = text.unicodeScalars.first == separator ? String(separator) : ""
        for (index, part) in parts.enumerated() {
            if index > 0 { read.unicodeScalars.append(separator) }
            read += try TextRule.barcode.readRequired(part).get()
        }
        guard read.utf8.count > 1 else { throw ReadingFault(.required, "Must not be blank.") }
        guard read.unicodeScalars.count <= TextRule.barcode.maximum else {
            throw ReadingFault(.tooLong, "Must have at most \(TextRule.barcode.maximum) characters.")
        }
        self.text = read
    }
}

/// What a list of products asks for.
package struct ProductFilter: Sendable, Equatable {
    /// Words, each of them part of the name, the SKU or a barcode; neither case nor accents count.
    package var q: SearchText?
    /// A whole barcode.
    package var barcode: ProductCode?
    /// Products of one category.
    package var categoryID: CategoryID?
    /// Products by what is on hand.
    package var stock: StockFilter?
    /// Products by status; `nil` shows all.
    package var status: ProductStatus?
    /// The order.
    package var sort: ProductSort

    /// Makes a filter.
    package init(
        q: SearchText? = nil,
        barcode: ProductCode? = nil,
        categoryID: CategoryID? = nil,
        stock: StockFilter? = nil,
        status: ProductStatus? = nil,
        sort: ProductSort = .name
    ) {
        self.q = q
        self.barcode = barcode
        self.categoryID = categoryID
        self.stock = stock
        self.status = status
        self.sort = sort
    }
}
