package import Domain
package import Kernel

/// Money for what is due, as `POST /v1/payments` says it.
///
/// Money in names what is paid by sale or customer, money out by purchase or supplier; a customer given beside a sale must be the
/// sale's own, and so of suppliers.
package struct PaymentRequest: Sendable, Equatable {
    /// Which way the money goes.
    ///
    /// Money out is for purchases; out to a sale needs a return.
    package var direction: PaymentDirection

    /// Method, amount and what was handed over.
    package var tender: Tender

    /// The sale that is paid.
    package var saleID: SaleID?

    /// The customer whose oldest sales are paid first.
    package var customerID: CustomerID?

    /// The purchase that is paid.
    package var purchaseID: PurchaseID?

    /// The supplier whose purchases are paid, what is due first at first.
    package var supplierID: ID<Supplier>?

    /// The register where it changes hands, whose open session it is of; that of cash is the default one if nil.
    package var registerID: RegisterID?

    /// When, by the shop's clock; now if nil.
    package var occurredAt: Timestamp?

    /// Makes a request.
    ///
    /// - Parameters:
    ///   - direction: Which way the money goes.
    ///   - tender: Method, amount and what was handed over.
    ///   - saleID: The sale that is paid.
    ///   - customerID: The customer whose oldest sales are paid first.
    ///   - purchaseID: The purchase that is paid.
    ///   - supplierID: The supplier whose purchases are paid.
    ///   - registerID: Where it changes hands.
    ///   - occurredAt: When; now if nil.
    package init(
        direction: PaymentDirection = .incoming,
        tender: Tender,
        saleID: SaleID? = nil,
        customerID: CustomerID? = nil,
        purchaseID: PurchaseID? = nil,
        supplierID: ID<Supplier>? = nil,
        registerID: RegisterID? = nil,
        occurredAt: Timestamp? = nil
    ) {
        self.direction = direction
        self.tender = tender
        self.saleID = saleID
        self.customerID = customerID
        self.purchaseID = purchaseID
        self.supplierID = supplierID
        self.registerID = registerID
        self.occurredAt = occurredAt
    }
}

/// What `GET /v1/payments` may be narrowed to, newest first.
package struct PaymentFilter: Sendable, Equatable {
    /// One way only.
    package var direction: PaymentDirection?

    /// One method only.
    package var method: PaymentMethodCode?

    /// What was allocated to this sale only.
    package var saleID: SaleID?

    /// Of this customer only.
    package var customerID: CustomerID?

    /// What was allocated to this purchase only.
    package var purchaseID: PurchaseID?

    /// Of these business days only.
    package var days = DayRange.all

    /// Makes a filter that lets everything pass.
    package init() {}
}
