package import Domain
package import Kernel

/// A product as a client describes it, to create one or to replace one whole.
package struct ProductDraft: Sendable, Equatable {
    /// The shop's own code; unique without regard to case, `nil` for none.
    package var sku: String?
    /// What it is called, 1 to 300 characters.
    package var name: String
    /// The category it is listed under.
    package var categoryID: CategoryID?
    /// The unit it is sold by; `nil` takes the tenant's first one.
    package var unitID: UnitID?
    /// The price of one unit, 0 or more.
    package var price: Price
    /// The tax in percent.
    package var taxRate: TaxRate
    /// Whether its stock is counted.
    package var tracksStock: Bool
    /// Whether it may be sold without stock.
    package var oversell: OversellRule
    /// On hand up to this counts as low.
    package var minStock: Quantity
    /// Whether it can be sold.
    package var status: ProductStatus
    /// The id another system knows it by.
    package var externalID: String?
    /// Its barcodes; other products may carry the same.
    package var barcodes: [String]

    /// Makes a draft.
    package init(
        sku: String? = nil,
        name: String,
        categoryID: CategoryID? = nil,
        unitID: UnitID? = nil,
        price: Price,
        taxRate: TaxRate = .zero,
        tracksStock: Bool = true,
        oversell: OversellRule = .inherit,
        minStock: Quantity = .zero,
        status: ProductStatus = .active,
        externalID: String? = nil,
        barcodes: [String] = []
    ) {
        self.sku = sku
        self.name = name
        self.categoryID = categoryID
        self.unitID = unitID
        self.price = price
        self.taxRate = taxRate
        self.tracksStock = tracksStock
        self.oversell = oversell
        self.minStock = minStock
        self.status = status
        self.externalID = externalID
        self.barcodes = barcodes
    }
}

/// The fields of a product a client wants changed (RFC 7396).
package struct ProductPatch: Sendable, Equatable {
    package var sku: Change<String?> = .keep
    package var name: Change<String> = .keep
    package var categoryID: Change<CategoryID?> = .keep
    package var unitID: Change<UnitID> = .keep
    package var price: Change<Price> = .keep
    package var taxRate: Change<TaxRate> = .keep
    package var tracksStock: Change<Bool> = .keep
    package var oversell: Change<OversellRule> = .keep
    package var minStock: Change<Quantity> = .keep
    package var status: Change<ProductStatus> = .keep
    package var externalID: Change<String?> = .keep
    package var barcodes: Change<[String]> = .keep

    /// Makes a patch that changes nothing.
    package init() {}
}

/// One product of a batch: found by external id, else by SKU; created if there is none.
///
/// What is `nil` keeps its value, or takes its default when the product is created.
package struct ProductUpsert: Sendable, Equatable {
    package var sku: String?
    package var externalID: String?
    package var name: String?
    package var categoryID: CategoryID?
    package var unitID: UnitID?
    package var price: Price?
    package var taxRate: TaxRate?
    package var tracksStock: Bool?
    package var oversell: OversellRule?
    package var minStock: Quantity?
    package var status: ProductStatus?
    package var barcodes: [String]?

    /// Makes an upsert that names no field yet; it needs a SKU or an external id.
    package init(sku: String? = nil, externalID: String? = nil) {
        self.sku = sku
        self.externalID = externalID
    }
}

/// How a list of products is ordered; a minus sign reverses it.
package enum ProductSort: String, Sendable, Hashable, CaseIterable {
    case name
    case nameDescending = "-name"
    case sku
    case skuDescending = "-sku"
    case price
    case priceDescending = "-price"
    case createdAt = "created_at"
    case createdAtDescending = "-created_at"
    case onHand = "on_hand"
    case onHandDescending = "-on_hand"
}

/// A code that a product may have, a SKU or a barcode, in the one form in which it is looked up and its answer is remembered.
package struct ProductCode: Sendable, Hashable {
    /// The code, trimmed, in normal form C.
    package let text: String

    /// Makes a code of what was typed or scanned.
    ///
    /// - Parameter text: As it came; scanners end codes with what they please.
    /// - Throws: `required`, `too_long` or `format`, as for the code of a product.
    package init(_ text: String) throws(ReadingFault) {
        self.text = try TextRule.barcode.readRequired(text).get()
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

/// What a PUT with the client's id demands of what is there.
package enum PutCondition: Sendable, Equatable {
    /// `If-None-Match: *`: nothing yet.
    case absent
    /// `If-Match`: this version.
    case matching(ExpectedVersion)
}

/// Which part of a list is asked for.
package struct Page: Sendable, Equatable {
    /// 1 to 200 members.
    package var limit: Int
    /// Where the page before ended; opaque.
    package var cursor: String?

    /// Makes a page.
    package init(limit: Int = 50, cursor: String? = nil) {
        self.limit = min(max(limit, 1), 200)
        self.cursor = cursor
    }
}
