/// The files of the console, as they lie in the program.
///
/// They are written as browsers read them, in `Assets`; nothing is made of them. Its page names the folder of the others as `VERSION`, of
/// which whoever serves them makes a name of what they hold.
package enum ConsoleFiles {
    /// A file.
    package struct File: Sendable {
        /// Where it lies below the folder, as modules name each other.
        package let name: String
        /// What it holds.
        package let bytes: [UInt8]

        fileprivate init(_ name: String, _ bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
        }
    }

    /// The page, which loads the others.
    package static let page = PackageResources.index_html

    /// All others; a test compares them with the folder.
    package static let all = [
        File("console.css", PackageResources.console_css),
        File("console.js", PackageResources.console_js),
        File("core/client.js", PackageResources.client_js),
        File("core/decimal.js", PackageResources.decimal_js),
        File("core/documents.js", PackageResources.documents_js),
        File("core/dom.js", PackageResources.dom_js),
        File("core/elements.js", PackageResources.elements_js),
        File("core/finding.js", PackageResources.finding_js),
        File("core/lines.js", PackageResources.lines_js),
        File("core/live.js", PackageResources.live_js),
        File("core/names.js", PackageResources.names_js),
        File("core/payments.js", PackageResources.payments_js),
        File("core/plots.js", PackageResources.plots_js),
        File("core/receipt.js", PackageResources.receipt_js),
        File("core/records.js", PackageResources.records_js),
        File("core/view.js", PackageResources.view_js),
        File("core/waiting.js", PackageResources.waiting_js),
        File("core/words.js", PackageResources.words_js),
        File("dictionary.js", PackageResources.dictionary_js),
        File("icon.svg", PackageResources.icon_svg),
        File("views/audit.js", PackageResources.audit_js),
        File("views/balance.js", PackageResources.balance_js),
        File("views/cash.js", PackageResources.cash_js),
        File("views/counts.js", PackageResources.counts_js),
        File("views/customers.js", PackageResources.customers_js),
        File("views/engine.js", PackageResources.engine_js),
        File("views/exceptions.js", PackageResources.exceptions_js),
        File("views/expenses.js", PackageResources.expenses_js),
        File("views/imports.js", PackageResources.imports_js),
        File("views/keys.js", PackageResources.keys_js),
        File("views/movements.js", PackageResources.movements_js),
        File("views/people.js", PackageResources.people_js),
        File("views/products.js", PackageResources.products_js),
        File("views/purchases.js", PackageResources.purchases_js),
        File("views/quotes.js", PackageResources.quotes_js),
        File("views/reports.js", PackageResources.reports_js),
        File("views/sales.js", PackageResources.sales_js),
        File("views/sell.js", PackageResources.sell_js),
        File("views/settings.js", PackageResources.settings_js),
        File("views/stock.js", PackageResources.stock_js),
        File("views/suppliers.js", PackageResources.suppliers_js),
        File("views/today.js", PackageResources.today_js),
        File("views/transfers.js", PackageResources.transfers_js),
        File("views/webhooks.js", PackageResources.webhooks_js),
    ]
}
