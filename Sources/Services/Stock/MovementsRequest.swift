package import Domain
package import Kernel

/// Openings, adjustments and losses to record together, as `POST /v1/stock/movements` says them.
package struct MovementsRequest: Sendable, Equatable {
    /// One row of the request.
    package struct Movement: Sendable, Equatable {
        /// Whose stock moves.
        ///
        /// Each product is named once at each location.
        package var product: ProductReference

        /// Where; the only open location if nil.
        package var locationID: LocationID?

        /// What happened.
        package var type: EnteredMovement

        /// How much: signed for an adjustment; a loss counts down whatever its sign; an opening is positive.
        package var quantity: Quantity

        /// Why; required, not blank.
        package var reason: String

        /// What one unit cost, for what comes in; the product's cost if nil.
        package var unitCost: Price?

        /// What the caller believes is on hand; another figure refuses the request.
        package var expectedOnHand: Quantity?

        /// Makes a row.
        ///
        /// - Parameters:
        ///   - product: Whose stock moves.
        ///   - type: What happened.
        ///   - quantity: How much.
        ///   - reason: Why.
        ///   - unitCost: What one unit cost.
        ///   - expectedOnHand: What the caller believes is on hand there.
        ///   - locationID: Where.
        package init(
            product: ProductReference,
            type: EnteredMovement,
            quantity: Quantity,
            reason: String,
            unitCost: Price? = nil,
            expectedOnHand: Quantity? = nil,
            locationID: LocationID? = nil
        ) {
            self.product = product
            self.type = type
            self.quantity = quantity
            self.reason = reason
            self.unitCost = unitCost
            self.expectedOnHand = expectedOnHand
            self.locationID = locationID
        }
    }

    /// The rows; at least one, at most 1,000.
    package var movements: [Movement]

    /// When, by the shop's clock; now if nil.
    package var occurredAt: Timestamp?

    /// Makes a request.
    ///
    /// - Parameters:
    ///   - movements: The rows.
    ///   - occurredAt: When; now if nil.
    package init(movements: [Movement], occurredAt: Timestamp? = nil) {
        self.movements = movements
        self.occurredAt = occurredAt
    }
}

/// From where on a product is low at a location, as `PUT /v1/products/{id}/stock` says it.
package struct PlaceMinimum: Sendable, Equatable {
    /// Where.
    package var locationID: LocationID

    /// From where on it is low there; nil leaves that to the sum over all locations.
    package var minStock: Quantity?

    /// Makes a minimum.
    package init(locationID: LocationID, minStock: Quantity?) {
        self.locationID = locationID
        self.minStock = minStock
    }
}

/// What `GET /v1/stock` may be narrowed to, by name.
package struct StockLevelFilter: Sendable, Equatable {
    /// Out, low or ok only.
    package var stock: StockFilter?

    /// At this location only, what has been there; of the sum over all of them if nil.
    package var locationID: LocationID?

    /// Of this category only.
    package var categoryID: CategoryID?

    /// Words, each of them part of the name, the SKU or a barcode; neither case nor accents count.
    package var q: SearchText?

    /// Makes a filter that lets every active product pass.
    package init() {}
}

/// What `GET /v1/stock/reservations` may be narrowed to.
package struct ReservationFilter: Sendable, Equatable {
    package var productID: ProductID?
    package var locationID: LocationID?

    /// Makes a filter that lets everything through.
    package init() {}
}

/// What `GET /v1/stock/movements` may be narrowed to, newest first.
package struct MovementFilter: Sendable, Equatable {
    /// The kinds a movement can be of.
    package enum Kind: String, Sendable, CaseIterable {
        case sale
        case saleReversal = "sale_reversal"
        case `return`
        case purchase
        case purchaseReversal = "purchase_reversal"
        case adjustment
        case loss
        case opening
        case count
        case transfer
    }

    /// Of this product only.
    package var productID: ProductID?

    /// At this location only.
    package var locationID: LocationID?

    /// Of this kind only.
    package var kind: Kind?

    /// Of this document only: a sale, return, count or transfer.
    package var documentID: EntityID?

    /// Of this reason only, as it was entered.
    package var reason: String?

    /// Of these business days only.
    package var days = DayRange.all

    /// Makes a filter that lets everything pass.
    package init() {}
}
