package import Domain
package import Kernel

/// One product of a batch: found by external id, else by SKU; created if there is none.
///
/// What is `nil` keeps its value, or takes its default when the product is created; what each field is, ``ProductFields`` says.
package struct ProductUpsert: Sendable, Equatable {
    package var sku: String?
    package var externalID: String?
    package var name: String?
    package var categoryID: CategoryID?
    package var unitID: UnitID?
    package var price: Price?
    package var taxRate: TaxRate?
    package var taxGroupID: ID<TaxGroup>?
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
