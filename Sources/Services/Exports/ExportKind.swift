package import Domain
package import Kernel

/// What can be exported.
package enum ExportKind: String, Sendable, CaseIterable {
    case products
    case categories
    case units
    case customers
    case suppliers
    case stock
    case sales
    case purchases
    case payments
    case expenses

    /// What its rows are.
    package var summary: String {
        switch self {
        case .products: "Products, as an import reads them"
        case .categories: "Categories, as an import reads them"
        case .units: "Units of measure, as an import reads them"
        case .customers: "Customers, as an import reads them"
        case .suppliers: "Suppliers, as an import reads them"
        case .stock: "What is where: each product at each location"
        case .sales: "Lines of sales and returns, as an import reads them"
        case .purchases: "Lines of purchases"
        case .payments: "Payments in and out"
        case .expenses: "Expenses"
        }
    }

    /// What it takes to read them one by one, and so all at once.
    package var scope: Scope {
        switch self {
        case .products, .categories, .units: .catalogRead
        case .customers: .customersRead
        case .suppliers, .stock, .purchases: .stockRead
        case .sales, .payments, .expenses: .salesRead
        }
    }

    /// The statement that reads them.
    var page: any ExportPage.Type {
        switch self {
        case .products: ExportProducts.self
        case .categories: ExportCategories.self
        case .units: ExportUnits.self
        case .customers: ExportCustomers.self
        case .suppliers: ExportSuppliers.self
        case .stock: ExportStock.self
        case .sales: ExportSales.self
        case .purchases: ExportPurchases.self
        case .payments: ExportPayments.self
        case .expenses: ExportExpenses.self
        }
    }
}

/// What is to be exported, and how it is written.
package struct ExportRequest: Sendable {
    package var kind: ExportKind
    package var format: FileFormat
    /// Whether each row ends in its place, by which an export that was cut off goes on.
    package var showsCursor: Bool
    /// Whether a CSV file begins with a byte order mark, by which spreadsheets tell UTF-8.
    package var hasByteOrderMark: Bool
    /// The place behind which it goes on, and then without a header; nil from the beginning.
    package let after: ExportPlace?

    /// Asks for all rows, or for those behind a place.
    ///
    /// - Throws: 400 `cursor_mismatch` if the place is none of this kind.
    package init(
        _ kind: ExportKind,
        format: FileFormat = .csv,
        showsCursor: Bool = false,
        hasByteOrderMark: Bool = false,
        after: String? = nil
    ) throws(Problem) {
        self.kind = kind
        self.format = format
        self.showsCursor = showsCursor
        self.hasByteOrderMark = hasByteOrderMark
        guard let after else {
            self.after = nil
            return
        }
        guard let place = ExportPlace(after, kind.page.order) else {
            throw Problem(
                .cursorMismatch,
                "That is no place in an export of \(kind.rawValue). Send what stands under `cursor` in the last row you have.",
                errors: [FieldError("?after", .cursorMismatch, "Does not belong to this export.")]
            )
        }
        self.after = place
    }
}
