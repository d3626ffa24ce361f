/// Which tables go with a tenant that moves, and which do not.
///
/// Every table with rows of a tenant stands in one of the lists, which a test compares with the catalogue: one that is new has to be decided
/// about.
package enum TenantTables {
    /// What moves: what is referred to comes before what refers to it.
    ///
    /// People come early, for rows that name them, and who is a member last: that writes accounts, which are not the tenant's alone.
    package static let moved = [
        "tenant", "app_user",
        // What a shop is set up with.
        "location", "register", "document_counter", "unit", "tax", "tax_group", "tax_group_tax", "payment_method",
        "scale_code", "category", "supplier", "customer", "customer_account", "customer_month",
        // Goods, and where they are.
        "product", "packaging", "product_barcode", "price_history", "category_count", "stock_level",
        "location_level",
        // What was done.
        "cash_session", "cash_entry", "approval", "sale", "sale_line", "sale_cancellation", "sale_exception",
        "sale_return", "sale_return_line", "quote", "quote_line", "reservation", "purchase", "purchase_line",
        "purchase_cost", "purchase_cancellation", "payment", "payment_allocation", "payment_reversal",
        "purchase_allocation", "money_entry", "ledger_entry", "stock_movement", "stock_count", "stock_count_line",
        "transfer", "transfer_line",
        // What of it is kept summed up.
        "balance_day", "register_day", "product_day", "tax_day", "stock_value_day", "receivable", "sums_state",
        // Ways in, and what is told of all that.
        "api_key", "invitation", "domain_event", "audit_log", "idempotency_record", "import_job", "import_row",
        "membership",
    ]

    /// What stays, and why.
    package static let left = [
        "session": "A log-in is one to a deployment: its tokens are signed by that one's secret.",
        "cache_outbox": "What a deployment's caches follow; rows that come in leave their own.",
        "cache_log": "As above.",
        "product_search": "The pairs of letters are the tenant's number's, too: they are made anew of the products.",
        "customer_search": "As above, of the customers.",
        "import_request": "A file on its way is sent and worked on in one place; what it has brought moves.",
        "import_part": "As above.",
        "import_rejection": "As above.",
        "import_turn": "Who works for a tenant at the moment.",
        "webhook": "Its secret is sealed by the deployment; receivers are told of another, which is made anew.",
        "webhook_turn": "As above.",
        "webhook_retry": "As above.",
        "webhook_delivery": "As above.",
    ]
}
