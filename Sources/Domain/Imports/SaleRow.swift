/// A row of a sales file that was understood: one line of a sale or of a return.
package struct SaleRow: Sendable, Equatable {
    /// What a row is, by the signs of its quantity and price.
    package enum Kind: UInt8, Sendable, CaseIterable {
        /// Quantity and price above zero.
        case sale
        /// Quantity above zero at price zero: a gift, a sample.
        case free
        /// Quantity below zero: goods that came back.
        case goodsReturned

        /// What the row becomes a line of.
        package var document: SaleGrouping.Document.Kind { self == .goodsReturned ? .goodsReturned : .sale }
    }

    package var line: Int
    package var kind: Kind
    /// The sale's name in the file; rows that share it make one document.
    package var externalID: [UInt8]
    package var sku: [UInt8]
    /// Empty if the file does not name the product.
    package var name: [UInt8]
    /// Millionths, never zero, positive for returns as well.
    package var quantity: Int64
    /// Millionths of the currency, zero or more.
    package var unitPrice: Int64
    /// Nil if it has that of an earlier line of its document.
    package var time: TimeFormat.Reading?
    /// How its document was paid; nil if the file does not say.
    package var method: PaymentMethodCode?
    /// Who bought, by what the shop calls them; empty if the file does not say, as the two below.
    package var customer: [UInt8] = []
    /// The name of the till.
    package var register: [UInt8] = []
    /// The name of the place.
    package var location: [UInt8] = []
    /// What was taken off the line, millionths of the currency; nil if the file does not say.
    package var discount: Int64?
    /// What the line was taxed with, millionths of a percent; nil: as its product is.
    package var taxRate: Int64?
    /// What of its document was paid by its method, millionths of the currency; nil if the file does not say.
    package var paid: Int64?

    /// What no amount may come to: 10^14, in millionths of millionths.
    static let amountBound: Int128 = 100_000_000_000_000_000_000_000_000

    /// Quantity times price, exactly, in millionths of millionths.
    var amount: Int128 { Int128(quantity) * Int128(unitPrice) }
}
