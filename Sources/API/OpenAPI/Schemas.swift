import Domain
import Kernel
import Services

/// The bodies that have names.
enum Schemas {
    private typealias Field = Schema.Member

    /// Every named schema, in the order of the document.
    static let all: [(name: String, schema: Schema)] = [
        ("Problem", problem), ("FieldError", fieldError),
        ("Tenant", tenant), ("Member", member), ("Named", nameOf),
        ("Invitation", .object(invitationMembers)), ("NewInvitation", newInvitation),
        ("AuditEntry", auditEntry),
        ("APIKey", apiKey), ("NewAPIKey", newAPIKey), ("Me", me),
        ("Tokens", tokens), ("TenantSummary", tenantSummary),
        ("ProductBatch", batch),
        ("UpsertOutcome", upsertOutcome),
        ("StockLevel", stockLevel), ("ProductPlaces", productPlaces), ("PlaceLevel", placeLevel),
        ("Reservation", reservation),
        ("Movement", movement), ("StockCount", stockCount), ("StockCountLine", stockCountLine),
        ("Transfer", .object(transferFigures + [Field.required("lines", .array(.reference("TransferLine")))])),
        ("TransferLine", transferLine), ("TransferSummary", .object(transferFigures)),
        ("Sale", sale), ("SaleLine", saleLine), ("LinePackaging", linePackaging), ("SaleException", saleException),
        ("SaleBatch", saleBatch),
        ("PricedCart", pricedCart),
        ("CartLine", .object(lineFigures)),
        ("SaleLineTax", saleLineTax), ("TaxSum", taxSum),
        ("SalePayment", salePayment), ("SaleSummary", .object(saleFigures)),
        ("Approval", approval), ("SaleApproval", .object(approvalFigures)),
        ("Quote", quote), ("QuoteLine", quoteLine), ("QuoteSummary", .object(quoteFigures)),
        ("Payment", payment), ("PaymentAllocation", allocation), ("Undoing", undoing),
        ("Return", returned), ("ReturnSummary", .object(returnFigures)), ("ReturnLine", returnLine),
        ("ReturnPayment", returnPayment),
        ("Receipt", .object(receiptHead + [Field.required("sale", .reference("Sale"))])),
        (
            "ReturnReceipt",
            .object(
                receiptHead + [
                    Field.required("sale_number", .nullable(.integer(minimum: 1))),
                    Field.required("return", .reference("Return")),
                ]
            )
        ),
        ("CashSession", cashSession), ("CashSessionSummary", .object(cashSessionFigures)),
        ("CashTender", cashTender), ("CashEntry", cashEntry), ("CashPieces", cashPieces),
        ("Purchase", purchase), ("PurchaseLine", purchaseLine), ("PurchaseCost", purchaseCost),
        ("PurchaseCancelled", purchaseCancelled),
        ("PurchaseSummary", .object(purchaseFigures)), ("ReorderLine", reorderLine), ("MoneyEntry", moneyEntry),
        ("Webhook", .object(webhookMembers)), ("NewWebhook", newWebhook), ("WebhookDelivery", webhookDelivery),
        ("Import", imported), ("ImportOptions", importOptions), ("ImportError", importError),
        ("BalanceSeries", series), ("PeriodTotal", periodTotal), ("BalanceSummary", summary),
        ("MethodTotal", methodTotal), ("Dashboard", dashboard), ("HourTotal", hourTotal),
        ("DayTotal", dayTotal),
        ("Acknowledgement", acknowledgement), ("Health", health), ("CacheHealth", .object(cacheHealth)),
        ("Version", build), ("CacheTest", cacheTest),
    ]

    /// The same by name.
    static let named: [String: Schema] = Dictionary(all.map { ($0.name, $0.schema) }) { first, _ in first }

    /// The code of a payment method.
    static let method = FieldReading<PaymentMethodCode>.paymentMethod.schema
    private static let scopes = Schema.array(.choice(Scope.allCases.map(\.rawValue)))
    private static let role = Schema.choice(Role.allCases.map(\.rawValue))
    private static let stamps: [Field] = [
        Field.required("version", .version), Field.required("created_at", .time), Field.required("updated_at", .time),
    ]

    private static let problem = Schema.object([
        Field.required("type", .string(format: "uri-reference", description: "Where the code is explained.")),
        Field.required("title", .text), Field.required("status", .integer(minimum: 400, maximum: 599)),
        Field.required("detail", .text), Field.optional("instance", .string(format: "uri-reference")),
        Field.required("code", .choice(Problem.Code.allCases.map(\.rawValue))), Field.optional("request_id", .text),
        Field.optional("errors", .array(.reference("FieldError"))),
    ])
    private static let fieldError = Schema.object([
        Field.required(
            "pointer",
            .string(description: "A JSON pointer into the body, or a question mark and the parameter's name.")
        ),
        Field.required("code", .choice(FieldError.Code.allCases.map(\.rawValue))), Field.required("detail", .text),
        // What some codes tell more.
        Field.optional("product_id", .id), Field.optional("requested", .quantity),
        Field.optional("available", .quantity), Field.optional("expected", .quantity),
        Field.optional("on_hand", .quantity), Field.optional("credit_limit", .money), Field.optional("balance", .money),
        Field.optional("amount", .money), Field.optional("due", .money),
        Field.optional(
            "limit",
            .pattern(#"^(0|[1-9]\d{0,13})(\.\d{1,4})?$"#, description: "Percent, or an amount of money.")
        ),
        Field.optional("list_price", .price), Field.optional("old_price", .price),
        Field.optional("new_price", .price), Field.optional("count_id", .id),
        Field.optional("transfer_id", .id), Field.optional("after", .integer(minimum: 0)),
        Field.optional("purchase_id", .id), Field.optional("user_id", .id),
        Field.optional("register_id", .id), Field.optional("reserved", .quantity),
    ])

    // MARK: Imports

    private static let imported = Schema.object([
        Field.required("id", .id), Field.required("kind", .choice(ImportKind.allCases.map(\.rawValue))),
        Field.required("name", .nullable(.text)), Field.required("options", .reference("ImportOptions")),
        Field.required(
            "status",
            .choice([
                "receiving", "queued", "running", "completed", "completed_with_errors", "failed", "cancelled",
                "quarantined",
            ])
        ),
        // Also while whoever runs it has not ended it yet.
        Field.required("is_cancelled", .boolean),
        // Of the file, as long as it is here.
        Field.required("parts", .integer(minimum: 0)), Field.required("bytes", .integer(minimum: 0)),
        Field.required("phase", .nullable(.choice(["reading", "checking", "writing"]))),
        Field.required("bytes_read", .integer(minimum: 0)), Field.required("rows", .integer(minimum: 0)),
        Field.required("rows_written", .integer(minimum: 0)),
        Field.required("rows_to_write", .nullable(.integer(minimum: 0))),
        Field.required("rows_per_second", .nullable(.integer(minimum: 0))),
        Field.required("seconds_left", .nullable(.integer(minimum: 0))),
        Field.required("blank_rows", .integer(minimum: 0)), Field.required("created", .integer(minimum: 0)),
        Field.required("updated", .integer(minimum: 0)), Field.required("unchanged", .integer(minimum: 0)),
        Field.required("rejected", .integer(minimum: 0)), Field.required("unused_columns", .array(.text)),
        Field.required("deaths", .integer(minimum: 0)), Field.required("error", .nullable(.text)),
        Field.required("queued_at", .nullable(.time)), Field.required("started_at", .nullable(.time)),
        Field.required("finished_at", .nullable(.time)), Field.required("created_at", .time),
        Field.required("updated_at", .time),
    ])
    private static let importOptions = Schema.object([
        Field.required("mapping", .anyObject(description: "As it was sent.")),
        Field.required("on_error", .choice(ImportErrorPolicy.allCases.map(\.rawValue))),
        Field.required("dry_run", .boolean), Field.required("max_errors", .nullable(.integer(minimum: 1))),
        Field.required("mode", .choice(ImportMode.allCases.map(\.rawValue))),
        Field.required("read_status", .boolean), Field.required("create_products", .boolean),
        Field.required("payment_method", method),
        Field.required("oversell", .choice(Overselling.allCases.map(\.rawValue))),
    ])
    private static let importError = Schema.object([
        Field.required("line", .integer(minimum: 1)),
        Field.required("code", .choice(RowRejection.Code.allCases.map(\.rawValue))), Field.required("reason", .text),
    ])

    // MARK: Webhooks

    private static let webhookMembers: [Field] =
        [
            Field.required("id", .id), Field.required("url", .string(format: "uri", maximum: TextRule.url.maximum)),
            // None: all.
            Field.required("types", .array(FieldReading<String>.eventType.schema)), Field.required("active", .boolean),
            Field.required("disabled_at", .nullable(.time)),
            Field.required("disabled_reason", .nullable(.choice(["by_hand", "failing", "secret_unreadable"]))),
            // All up to here was sent, set aside, skipped, or is not sent there; and the newest event.
            Field.required("after", .integer(minimum: 0)), Field.required("head", .integer(minimum: 0)),
            Field.required("set_aside", .integer(minimum: 0)),
            // The event it waits for.
            Field.required("failed_seq", .nullable(.integer(minimum: 1))),
            Field.required("failures", .integer(minimum: 0)),
            Field.required("next_try_at", .nullable(.time)), Field.required("failing_since", .nullable(.time)),
            Field.required("previous_secret_until", .nullable(.time)),
        ] + stamps
    private static let newWebhook = Schema.object(
        webhookMembers + [
            Field.required(
                "secret",
                .pattern("^whsec_[A-Za-z0-9+/]{43}=$", description: "Signs what is sent; shown this once.")
            )
        ]
    )
    private static let webhookDelivery = Schema.object([
        Field.required("id", .id), Field.required("at", .time),
        // 0: the test. Of events that were lost, the first.
        Field.required("seq", .integer(minimum: 0)), Field.required("lost", .nullable(.integer(minimum: 1))),
        Field.required("type", .nullable(FieldReading<String>.eventType.schema)),
        Field.required("attempt", .nullable(.integer(minimum: 1))),
        Field.required("status", .choice(WebhookDeliveryStatus.allCases.map(\.rawValue))),
        Field.required("outcome", .nullable(.choice(["retried", "set_aside", "given_up", "disabled"]))),
        Field.required("next_at", .nullable(.time)),
        Field.required("code", .nullable(.integer(minimum: 100, maximum: 999))),
        Field.required("error", .nullable(.choice(WebhookReply.Fault.allCases.map(\.rawValue)))),
        Field.required("duration_ms", .nullable(.integer(minimum: 0))),
        Field.required("answer", .nullable(.string(description: "How the answer begins, 1 KiB at most."))),
    ])

    // MARK: Identity

    private static let tenant = Schema.object(
        [
            Field.required("id", .integer(minimum: 1)), Field.required("slug", .text), Field.required("name", .text),
            Field.required("status", .choice(["active", "suspended"])), Field.required("currency", .text),
            Field.required("timezone", .text), Field.required("locale", .text),
            Field.required("address", .nullable(.text)), Field.required("tax_id", .nullable(.text)),
            Field.required("phone", .nullable(.text)), Field.required("receipt_footer", .nullable(.text)),
            Field.required("logo", .nullable(.text)),
            Field.required("prices_include_tax", .boolean), Field.required("oversell", .choice(["deny", "allow"])),
            Field.required("manager_discount_limit", discountLimit),
            Field.required("cashier_discount_limit", discountLimit),
            Field.required("manager_credit_limit", discountLimit),
            Field.required("manager_return_limit", .nullable(.money)),
            Field.required("cashier_return_limit", .nullable(.money)),
            Field.required("cash_rounding", .money),
            Field.required("returns_without_sale", .choice(TenantReturns.allCases.map(\.rawValue))),
            Field.required("on_price_change", .choice(TenantPriceChange.allCases.map(\.rawValue))),
            Field.required("draft_reservation_minutes", .nullable(FieldReading.draftReservation.schema)),
            Field.required("quote_reservation_days", .nullable(FieldReading.quoteReservation.schema)),
            Field.required("closed_until", .nullable(.day)),
        ] + stamps
    )
    /// How far below the list price a role may sell, in percent; null is without limit.
    private static let discountLimit = Schema.nullable(
        .pattern(
            #"^(100(\.0{1,2})?|\d{1,2}(\.\d{1,2})?)$"#,
            description:
                "Percent off the list price, or past a credit limit, that the role may give; null is without limit."
        )
    )
    /// What something is called that is known by its id.
    private static let nameOf = Schema.object([Field.required("id", .id), Field.required("name", .nullable(.text))])
    private static let member = Schema.object([
        Field.required("id", .id), Field.required("email", .string(format: "email")),
        Field.required("name", .nullable(.text)), Field.required("role", role), Field.required("active", .boolean),
        Field.required("location_ids", .array(.id)), Field.required("version", .version),
        Field.required("created_at", .time),
    ])
    private static let invitationMembers: [Field] = [
        Field.required("id", .id), Field.required("email", .string(format: "email")), Field.required("role", role),
        Field.required("invited_by", .nullable(.id)), Field.required("expires_at", .time),
        Field.required("version", .version), Field.required("created_at", .time),
    ]
    private static let newInvitation = Schema.object(
        invitationMembers + [
            Field.required(
                "invitation_token",
                .string(description: "Shown this once, to be brought to the person who is invited.")
            )
        ]
    )
    private static let auditEntry = Schema.object([
        Field.required("id", .id), Field.required("at", .time),
        Field.required("action", .choice(AuditAction.allCases.map(\.rawValue))),
        Field.required(
            "actor",
            .object([
                Field.required("type", .choice(["user", "api_key", "operator", "anybody"])),
                Field.required("id", .nullable(.id)), Field.required("name", .nullable(.text)),
            ])
        ),
        Field.required(
            "subject",
            .nullable(.object([Field.required("type", .text), Field.required("id", .nullable(.id))]))
        ),
        Field.required("details", .anyObject(description: "What the action tells more.")),
        Field.required("request_id", .nullable(.text)), Field.required("address", .nullable(.text)),
    ])
    private static let keyMembers: [Field] = [
        Field.required("id", .id), Field.required("name", .text), Field.required("scopes", scopes),
        Field.required("expires_at", .nullable(.time)), Field.required("revoked_at", .nullable(.time)),
        Field.required("last_used_at", .nullable(.time)), Field.required("version", .version),
        Field.required("created_at", .time),
    ]
    private static let apiKey = Schema.object(keyMembers)
    private static let newAPIKey = Schema.object(
        keyMembers + [Field.required("secret", .string(description: "Shown this once."))]
    )
    private static let me = Schema.object([
        Field.required(
            "user",
            .nullable(
                .object([
                    Field.required("id", .id), Field.required("email", .string(format: "email")),
                    Field.required("name", .text),
                ])
            )
        ),
        Field.required("api_key", .nullable(.object([Field.required("id", .id), Field.required("name", .text)]))),
        Field.required("role", .nullable(role)), Field.required("scopes", scopes),
        Field.required("location_ids", .array(.id)), Field.required("tenant", .reference("Tenant")),
    ])
    private static let tokens = Schema.object([
        Field.required("access_token", .text), Field.required("token_type", .choice(["Bearer"])),
        Field.required("expires_in", .integer(minimum: 1)),
        // A browser's is in its cookie.
        Field.optional("refresh_token", .text),
        Field.required("tenant", .reference("TenantSummary")),
        Field.required("tenants", .array(.reference("TenantSummary"))),
    ])
    private static let tenantSummary = Schema.object([
        Field.required("id", .integer(minimum: 1)), Field.required("slug", .text), Field.required("name", .text),
        Field.required("role", role),
    ])

    // MARK: Catalog

    private static let productStatus = Schema.choice(ProductStatus.allCases.map(\.rawValue))
    private static let upsertOutcome = Schema.object([
        Field.required("id", .id), Field.required("sku", .nullable(.text)),
        Field.required("external_id", .nullable(.text)),
        Field.required("outcome", .choice(["created", "updated", "unchanged"])),
        Field.required("version", .version),
    ])
    private static let batch = Schema.object([
        Field.required("data", .array(.reference("UpsertOutcome"))),
        Field.required("next_cursor", .nullable(.text)),
    ])

    // MARK: Stock

    private static let reservation = Schema.object([
        Field.required("kind", .choice(["sale", "quote"])), Field.required("document_id", .id),
        Field.required("product_id", .id), Field.required("location_id", .id), Field.required("quantity", .quantity),
        Field.required("reserved_until", .time),
    ])
    private static let stockLevel = Schema.object([
        Field.required("product_id", .id), Field.required("sku", .nullable(.text)), Field.required("name", .text),
        Field.required("category_id", .nullable(.id)), Field.required("unit_id", .id),
        Field.required("tracks_stock", .boolean), Field.required("status", productStatus),
        Field.required("location_id", .nullable(.id)), Field.required("on_hand", .quantity),
        Field.required("reserved", .quantity), Field.required("available", .quantity),
        Field.required("in_transit", .nullable(.quantity)), Field.required("min_stock", .nullable(.quantity)),
        Field.required("stock", .choice(["out", "low", "ok"])), Field.required("cost", .price),
        Field.required("updated_at", .time),
    ])
    private static let productPlaces = Schema.object([
        Field.required("product_id", .id), Field.required("on_hand", .quantity),
        Field.required("reserved", .quantity), Field.required("available", .quantity),
        Field.required("in_transit", .quantity),
        Field.required("locations", .array(.reference("PlaceLevel"))),
    ])
    private static let placeLevel = Schema.object([
        Field.required("location_id", .id), Field.required("name", .text),
        Field.required("kind", .choice(LocationFields.Kind.allCases.map(\.rawValue))),
        Field.required("on_hand", .quantity), Field.required("reserved", .quantity),
        Field.required("available", .quantity), Field.required("min_stock", .nullable(.quantity)),
        Field.required("stock", .choice(["out", "low", "ok"])), Field.required("updated_at", .time),
    ])
    private static let movement = Schema.object([
        Field.required("id", .id), Field.required("product_id", .id), Field.required("location_id", .id),
        Field.required("seq", .integer(minimum: 1)),
        Field.required("type", .choice(MovementFilter.Kind.allCases.map(\.rawValue))),
        Field.required("quantity", .quantity),
        Field.required("on_hand_after", .quantity), Field.required("reason", .nullable(.text)),
        Field.required("unit_cost", .nullable(.price)),
        Field.required("ref_type", .nullable(.choice(["sale", "return", "count", "transfer", "purchase"]))),
        Field.required("ref_id", .nullable(.id)), Field.required("user_id", .nullable(.id)),
        Field.required("occurred_at", .time), Field.required("recorded_at", .time),
        Field.required("business_day", .day),
    ])

    private static let stockCount = Schema.object(
        [
            Field.required("id", .id), Field.required("location_id", .id),
            Field.required("status", .choice(CountFilter.Status.allCases.map(\.rawValue))),
            Field.required("note", .nullable(.text)), Field.required("user_id", .nullable(.id)),
            Field.required("ended_at", .nullable(.time)), Field.required("ended_by", .nullable(.id)),
        ] + stamps
    )
    private static let stockCountLine = Schema.object([
        Field.required("product_id", .id), Field.required("sku", .nullable(.text)), Field.required("name", .text),
        Field.required("counted", .quantity), Field.required("on_hand_seen", .quantity),
        Field.required("difference", .quantity), Field.required("user_id", .nullable(.id)),
        Field.required("counted_at", .time),
    ])

    private static let transferFigures: [Field] =
        [
            Field.required("id", .id), Field.required("number", .nullable(.integer(minimum: 1))),
            Field.required("from_location_id", .id), Field.required("to_location_id", .id),
            Field.required("status", .choice(TransferFilter.Status.allCases.map(\.rawValue))),
            Field.required("note", .nullable(.text)), Field.required("user_id", .nullable(.id)),
            Field.required("sent_at", .nullable(.time)), Field.required("received_at", .nullable(.time)),
        ] + stamps
    private static let transferLine = Schema.object([
        Field.required("id", .id), Field.required("product_id", .id), Field.required("sku", .nullable(.text)),
        Field.required("name", .text), Field.required("unit", .text), Field.required("quantity", .quantity),
        Field.required("received_quantity", .quantity), Field.required("lost", .quantity),
    ])

    // MARK: Sales and payments

    private static let saleStatus = Schema.choice(SaleFilter.Status.allCases.map(\.rawValue))
    private static let paymentStatus = Schema.choice(["confirmed", "reversed"])
    /// Why and when something was undone.
    private static let undoing = Schema.object([
        Field.required("reason", .text), Field.required("user_id", .nullable(.id)),
        Field.required("occurred_at", .time),
        Field.required("business_day", .day),
    ])
    /// What is there where `expand` asks for it.
    private static func names(_ names: [Named] = Named.allCases) -> [Field] {
        names.map { Field.optional($0.rawValue, .nullable(.reference("Named")), isShown: false) }
    }
    private static let saleFigures: [Field] =
        [
            Field.required("id", .id), Field.required("number", .nullable(.integer(minimum: 1))),
            Field.required("status", saleStatus),
            Field.required("register_id", .id), Field.required("customer_id", .nullable(.id)),
            Field.required("user_id", .nullable(.id)), Field.required("note", .nullable(.text)),
            Field.required("occurred_at", .time), Field.required("recorded_at", .time),
            Field.required("business_day", .day), Field.required("subtotal", .money),
            Field.required("discount", .money),
            Field.required("tax", .money), Field.required("total", .money), Field.required("rounding", .money),
            Field.required("returned_total", .money),
            Field.required("paid", .money), Field.required("refunded", .money), Field.required("due", .money),
            Field.required("reserved_until", .nullable(.time)),
            Field.required("external_id", .nullable(.text)), Field.required("version", .version),
        ] + names()
    /// What is printed around a document.
    private static let receiptHead: [Field] = [
        Field.required(
            "shop",
            .object([
                Field.required("name", .text), Field.required("address", .nullable(.text)),
                Field.required("tax_id", .nullable(.text)), Field.required("phone", .nullable(.text)),
                Field.required("receipt_footer", .nullable(.text)), Field.required("logo", .nullable(.text)),
                Field.required("locale", .text), Field.required("currency", .text),
                Field.required("prices_include_tax", .boolean),
            ])
        ),
        Field.required(
            "location",
            .nullable(.object([Field.required("name", .text), Field.required("address", .nullable(.text))]))
        ),
        Field.required("register", .nullable(.text)), Field.required("cashier", .nullable(.text)),
        Field.required(
            "customer",
            .nullable(.object([Field.required("name", .text), Field.required("tax_id", .nullable(.text))]))
        ),
        Field.required("local_time", .text), Field.required("timezone", .text),
        Field.required(
            "methods",
            .array(.object([Field.required("code", method), Field.required("name", .text)]))
        ),
    ]
    /// What a line of a sale comes to, of a quote and of a cart.
    private static let lineFigures: [Field] = [
        Field.required("position", .integer(minimum: 0)),
        Field.required("product_id", .id), Field.required("sku", .nullable(.text)),
        Field.required("name", .text), Field.required("unit", .text),
        Field.required("quantity", .quantity), Field.required("unit_price", .price),
        Field.required("price_source", .choice(["list", "override"])),
        Field.required("discount", .money), Field.required("tax_rate", .nullable(.rate)),
        Field.required("tax", .money), Field.required("taxes", .array(.reference("SaleLineTax"))),
        Field.required("total", .money), Field.required("packaging", .nullable(.reference("LinePackaging"))),
    ]
    private static let saleLine = Schema.object(
        [Field.required("id", .id)] + lineFigures + [
            Field.required("unit_cost", .price), Field.required("returned_quantity", .quantity),
        ]
    )
    /// How a line was asked for, where not by the product's unit; what is none, as a label that says its price, has no name.
    private static let linePackaging = Schema.object([
        Field.required("name", .nullable(.text)), Field.required("quantity", .quantity),
        Field.required("price", .nullable(.price)),
    ])
    private static let pricedCart = Schema.object([
        Field.required("register_id", .id), Field.required("lines", .array(.reference("CartLine"))),
        Field.required("subtotal", .money), Field.required("discount", .money), Field.required("tax", .money),
        Field.required("total", .money), Field.required("tax_breakdown", .array(.reference("TaxSum"))),
        Field.required("rounding", .money), Field.required("paid", .money), Field.required("due", .money),
        Field.required("cash_due", .money), Field.required("change", .money),
        Field.required("warnings", .array(.reference("FieldError"))),
    ])
    private static let taxKind = Schema.choice(TaxKind.allCases.map(\.rawValue))
    private static let saleLineTax = Schema.object([
        Field.required("name", .text), Field.required("kind", taxKind), Field.required("rate", .price),
        Field.required("included", .boolean), Field.required("compound", .boolean), Field.required("base", .taxBase),
        Field.required("amount", .money),
    ])
    private static let taxSum = Schema.object([
        Field.required("name", .text), Field.required("kind", taxKind), Field.required("rate", .price),
        Field.required("base", .taxBase), Field.required("amount", .money),
    ])
    private static let salePayment = Schema.object([
        Field.required("id", .id), Field.required("direction", .choice(["in", "out"])),
        Field.required("method", method), Field.required("amount", .money), Field.required("tip", .money),
        Field.required("tendered", .nullable(.money)), Field.required("change", .nullable(.money)),
        Field.required("status", paymentStatus), Field.required("occurred_at", .time),
    ])
    private static let sale = Schema.object(
        saleFigures + [
            Field.required("lines", .array(.reference("SaleLine"))),
            Field.required("tax_breakdown", .array(.reference("TaxSum"))),
            Field.required("change", .money),
            Field.required("payments", .array(.reference("SalePayment"))),
            Field.required("cancellation", .nullable(.reference("Undoing"))),
            Field.required("returns", .array(.reference("ReturnSummary"))),
            Field.required("quote_id", .nullable(.id)),
            Field.required("approval", .nullable(.reference("SaleApproval"))),
            Field.required("recorded", .choice(["live", "offline"])), Field.required("happened_at", .nullable(.time)),
            Field.required("exceptions", .array(.reference("SaleException"))),
        ]
    )
    private static let saleBatch = Schema.object([
        Field.required(
            "data",
            .array(
                .object([
                    Field.required("key", .text), Field.required("status", .integer(minimum: 200, maximum: 599)),
                    Field.required("replayed", .boolean), Field.required("sale", .nullable(.reference("Sale"))),
                    Field.required("problem", .nullable(.reference("Problem"))),
                ])
            )
        )
    ])
    private static let saleException = Schema.object([
        Field.required("id", .id), Field.required("sale_id", .id), Field.required("code", .text),
        Field.required("pointer", .text), Field.required("detail", .text),
        Field.required("status", .choice(SaleException.Status.allCases.map(\.rawValue))),
        Field.required("recorded_at", .time), Field.required("settled_at", .nullable(.time)),
        Field.required("settled_by", .nullable(.id)), Field.required("note", .nullable(.text)),
    ])
    /// What somebody approved of.
    private static let approvalFigures: [Field] = [
        Field.required("user_id", .id), Field.required("discount_limit", .nullable(.rate)),
        Field.required("credit_limit", .nullable(.rate)), Field.required("return_limit", .nullable(.money)),
        Field.required("note", .nullable(.text)), Field.required("approved_at", .time),
    ]
    private static let approval = Schema.object(
        [Field.required("id", .id)] + approvalFigures + [
            Field.required("expires_at", .time),
            Field.required("approval", .string(description: "Shown this once; the till sends it with the document.")),
        ]
    )
    private static let quoteFigures: [Field] = [
        Field.required("id", .id), Field.required("number", .nullable(.integer(minimum: 1))),
        Field.required("status", .choice(QuoteFilter.Status.allCases.map(\.rawValue))),
        Field.required("expired", .boolean),
        Field.required("register_id", .id), Field.required("customer_id", .nullable(.id)),
        Field.required("user_id", .nullable(.id)), Field.required("note", .nullable(.text)),
        Field.required("valid_until", .nullable(.day)), Field.required("occurred_at", .time),
        Field.required("recorded_at", .time), Field.required("business_day", .day), Field.required("subtotal", .money),
        Field.required("discount", .money), Field.required("tax", .money), Field.required("total", .money),
        Field.required("sale_id", .nullable(.id)), Field.required("reserved_until", .nullable(.time)),
        Field.required("version", .version),
    ]
    private static let quoteLine = Schema.object([Field.required("id", .id)] + lineFigures)
    private static let quote = Schema.object(
        quoteFigures + [
            Field.required("approval", .nullable(.reference("SaleApproval"))),
            Field.required("lines", .array(.reference("QuoteLine"))),
            Field.required("tax_breakdown", .array(.reference("TaxSum"))),
        ]
    )
    private static let returnFigures: [Field] =
        [
            Field.required("id", .id), Field.required("number", .integer(minimum: 1)),
            Field.required("sale_id", .nullable(.id)),
            Field.required("register_id", .id), Field.required("customer_id", .nullable(.id)),
            Field.required("user_id", .nullable(.id)), Field.required("note", .nullable(.text)),
            Field.required("occurred_at", .time), Field.required("recorded_at", .time),
            Field.required("business_day", .day), Field.required("total", .money), Field.required("refund", .money),
            Field.required("rounding", .money), Field.required("external_id", .nullable(.text)),
        ] + names()
    private static let returnLine = Schema.object([
        Field.required("id", .id), Field.required("position", .integer(minimum: 1)),
        Field.required("sale_line_id", .nullable(.id)), Field.required("product_id", .id),
        Field.required("sku", .nullable(.text)), Field.required("name", .text), Field.required("unit", .text),
        Field.required("quantity", .quantity), Field.required("unit_price", .price), Field.required("amount", .money),
        Field.required("unit_cost", .price), Field.required("restock", .boolean),
        Field.required("packaging", .nullable(.reference("LinePackaging"))),
    ])
    private static let returnPayment = Schema.object([
        Field.required("id", .id), Field.required("method", method), Field.required("amount", .money),
    ])
    private static let returned = Schema.object(
        returnFigures + [
            Field.required("approval", .nullable(.reference("SaleApproval"))),
            Field.required("lines", .array(.reference("ReturnLine"))),
            Field.required("payments", .array(.reference("ReturnPayment"))),
        ]
    )
    private static let allocation = Schema.object([
        Field.required("position", .integer(minimum: 1)), Field.required("sale_id", .nullable(.id)),
        Field.required("purchase_id", .nullable(.id)), Field.required("amount", .money),
    ])
    private static let payment = Schema.object(
        [
            Field.required("id", .id), Field.required("direction", .choice(["in", "out"])),
            Field.required("method", method),
            Field.required("amount", .money), Field.required("tip", .money),
            Field.required("tendered", .nullable(.money)),
            Field.required("change", .nullable(.money)), Field.required("status", paymentStatus),
            Field.required("reversal", .nullable(.reference("Undoing"))),
            Field.required("sale_id", .nullable(.id)), Field.required("return_id", .nullable(.id)),
            Field.required("customer_id", .nullable(.id)), Field.required("supplier_id", .nullable(.id)),
            Field.required("allocations", .array(.reference("PaymentAllocation"))),
            Field.required("user_id", .nullable(.id)), Field.required("occurred_at", .time),
            Field.required("recorded_at", .time), Field.required("business_day", .day),
            Field.required("version", .version),
        ] + names([.customer, .user])
    )

    // MARK: Cash

    private static let cashSessionFigures: [Field] = [
        Field.required("id", .id), Field.required("register_id", .id),
        Field.required("number", .integer(minimum: 1)),
        Field.required("status", .choice(CashSessionStatus.allCases.map(\.rawValue))), Field.required("float", .money),
        Field.required("opened_by", .nullable(.id)), Field.required("opened_at", .time),
        Field.required("business_day", .day), Field.required("closed_by", .nullable(.id)),
        Field.required("closed_at", .nullable(.time)), Field.required("expected", .nullable(.money)),
        Field.required("counted", .nullable(.money)), Field.required("difference", .nullable(.money)),
        Field.required("note", .nullable(.text)), Field.required("closing_note", .nullable(.text)),
        Field.required("version", .version),
    ]
    private static let cashTender = Schema.object([
        Field.required("method", method), Field.required("kind", .choice(PaymentKind.allCases.map(\.rawValue))),
        Field.required("income", .money), Field.required("expense", .money), Field.required("net", .money),
        Field.required("counted", .nullable(.money)), Field.required("difference", .nullable(.money)),
    ])
    private static let cashEntry = Schema.object([
        Field.required("id", .id), Field.required("kind", .choice(CashEntryKind.allCases.map(\.rawValue))),
        Field.required("amount", .money), Field.required("category", .nullable(.text)),
        Field.required("note", .nullable(.text)), Field.required("user_id", .nullable(.id)),
        Field.required("recorded_at", .time),
    ])
    private static let cashPieces = Schema.object([
        Field.required("value", .money), Field.required("count", .integer(minimum: 0)),
    ])
    private static let cashSession = Schema.object(
        cashSessionFigures + [
            Field.required(
                "sales",
                .object([
                    Field.required("count", .integer(minimum: 0)), Field.required("total", .money),
                    Field.required("tax", .money), Field.required("discount", .money),
                ])
            ),
            Field.required(
                "returns",
                .object([Field.required("count", .integer(minimum: 0)), Field.required("total", .money)])
            ),
            Field.required("tenders", .array(.reference("CashTender"))),
            Field.required("entries", .array(.reference("CashEntry"))),
            Field.required("counts", .array(.reference("CashPieces"))),
        ]
    )

    // MARK: Purchases

    private static let purchaseFigures: [Field] = [
        Field.required("id", .id), Field.required("number", .nullable(.integer(minimum: 1))),
        Field.required("status", .choice(PurchaseFilter.Status.allCases.map(\.rawValue))),
        Field.required("supplier_id", .id), Field.required("location_id", .id),
        Field.required("reference", .nullable(.text)), Field.required("due_on", .nullable(.day)),
        Field.required("note", .nullable(.text)), Field.required("user_id", .nullable(.id)),
        Field.required("occurred_at", .time), Field.required("recorded_at", .time),
        Field.required("business_day", .day), Field.required("goods", .money), Field.required("total", .money),
        Field.required("paid", .money), Field.required("due", .money), Field.required("version", .version),
    ]
    private static let purchase = Schema.object(
        purchaseFigures + [
            Field.required("lines", .array(.reference("PurchaseLine"))),
            Field.required("costs", .array(.reference("PurchaseCost"))),
            Field.required("cancellation", .nullable(.reference("PurchaseCancelled"))),
        ]
    )
    private static let purchaseCancelled = Schema.object([
        Field.required("reason", .nullable(.text)), Field.required("user_id", .nullable(.id)),
        Field.required("occurred_at", .time), Field.required("business_day", .day),
    ])
    private static let purchaseLine = Schema.object([
        Field.required("id", .id), Field.required("position", .integer(minimum: 1)),
        Field.required("product_id", .id), Field.required("sku", .nullable(.text)), Field.required("name", .text),
        Field.required("unit", .text), Field.required("quantity", .quantity),
        Field.required("received_quantity", .quantity), Field.required("open_quantity", .quantity),
        Field.required("unit_cost", .price), Field.required("total", .money), Field.required("cost_share", .money),
        Field.required("landed_cost", .price), Field.required("packaging", .nullable(.reference("LinePackaging"))),
    ])
    private static let purchaseCost = Schema.object([
        Field.required("name", .text), Field.required("amount", .money),
    ])

    private static let reorderLine = Schema.object([
        Field.required("product_id", .id), Field.required("sku", .nullable(.text)), Field.required("name", .text),
        Field.required("supplier_id", .nullable(.id)), Field.required("on_hand", .quantity),
        Field.required("min_stock", .quantity), Field.required("on_order", .quantity),
        Field.required("quantity", .quantity), Field.required("unit_cost", .nullable(.price)),
    ])
    private static let moneyEntry = Schema.object([
        Field.required("id", .id),
        Field.required("direction", .choice(MoneyEntryRequest.Direction.allCases.map(\.rawValue))),
        Field.required("category", .text), Field.required("supplier_id", .nullable(.id)),
        Field.required("register_id", .nullable(.id)), Field.required("amount", .money),
        Field.required("method", method), Field.required("note", .nullable(.text)),
        Field.required("status", paymentStatus), Field.required("reversal", .nullable(.reference("Undoing"))),
        Field.required("user_id", .nullable(.id)),
        Field.required("occurred_at", .time), Field.required("recorded_at", .time),
        Field.required("business_day", .day), Field.required("version", .version),
    ])

    // MARK: Balance

    private static let periodTotal = Schema.object([
        Field.required("period", .text), Field.required("income", .money),
        Field.required("expense", .money), Field.required("net", .money),
    ])
    private static let series = Schema.object([
        Field.required("view", .choice(["daily", "weekly", "monthly", "yearly"])),
        Field.required("method", method), Field.required("location_id", .nullable(.id)),
        Field.required("register_id", .nullable(.id)), Field.required("from", .day),
        Field.required("to", .day), Field.required("timezone", .text), Field.required("currency", .text),
        Field.required("data", .array(.reference("PeriodTotal"))),
    ])
    private static let methodTotal = Schema.object([
        Field.required("method", method), Field.required("income", .money), Field.required("expense", .money),
        Field.required("net", .money),
    ])
    private static let totals: [Field] = [
        Field.required("income", .money), Field.required("expense", .money), Field.required("net", .money),
        Field.required("methods", .array(.reference("MethodTotal"))),
    ]
    private static let summary = Schema.object(
        [
            Field.required("location_id", .nullable(.id)), Field.required("register_id", .nullable(.id)),
            Field.required("from", .day), Field.required("to", .day), Field.required("timezone", .text),
            Field.required("currency", .text),
        ] + totals
    )
    private static let count = Schema.integer(minimum: 0)
    private static let dashboard = Schema.object(
        [
            Field.required("date", .day), Field.required("timezone", .text), Field.required("currency", .text),
            Field.required("sales_count", count), Field.required("sales_total", .money),
        ] + totals + [
            Field.required("receivables", .money), Field.required("out_of_stock", count),
            Field.required("low_stock", count), Field.required("hours", .array(.reference("HourTotal"))),
            Field.required(
                "compared",
                .object([
                    Field.required("day_before", .reference("DayTotal")),
                    Field.required("week_before", .reference("DayTotal")),
                ])
            ),
        ]
    )
    private static let hourTotal = Schema.object([
        Field.required("hour", .integer(minimum: 0, maximum: 23)), Field.required("sales_count", count),
        Field.required("sales_total", .money),
    ])
    private static let dayTotal = Schema.object([
        Field.required("date", .day), Field.required("sales_count", count), Field.required("sales_total", .money),
        Field.required("income", .money), Field.required("expense", .money), Field.required("net", .money),
    ])

    // MARK: Operations

    private static let condition = Schema.choice(["ok", "degraded"])
    private static let database = Schema.choice(["ok", "unavailable"])
    private static let store = Schema.choice(["ok", "unavailable", "none"])
    private static let acknowledgement = Schema.object([Field.required("status", .choice(["ok"]))])
    private static let health = Schema.object([
        Field.required("status", condition), Field.required("draining", .boolean),
        Field.required("database", database), Field.required("cache", condition),
    ])
    private static let cacheHealth: [Field] = [
        Field.required("status", condition), Field.required("reasons", .array(.text)),
        Field.required("enabled", .boolean), Field.required("usable", .boolean), Field.required("lag", count),
        Field.required("redis", store), Field.required("bus", store), Field.required("l1_entries", count),
        Field.required("l1_bytes", count),
    ]
    /// What operators are told, on a surface of their own that the document does not speak of.
    static let detailedHealth = Schema.object([
        Field.required("status", condition), Field.required("instance", .text), Field.required("version", .text),
        Field.required("commit", .nullable(.text)), Field.required("ready", .boolean),
        Field.required("uptime_seconds", count), Field.required("draining", .boolean),
        Field.required(
            "database",
            .object([Field.required("status", database), Field.required("version", .nullable(.text))])
        ),
        Field.required("redis", .object([Field.required("status", store)])),
        Field.required(
            "cache",
            .object(
                cacheHealth + [
                    Field.required("applied", .nullable(count)), Field.required("head", count),
                    Field.required("hole", .boolean), Field.required("drains", count),
                    Field.required("fresh_age_ms", .nullable(count)),
                ]
            )
        ),
    ])
    private static let build = Schema.object([
        Field.required("name", .text), Field.required("version", .text), Field.required("commit", .nullable(.text)),
        Field.required("instance", .text),
    ])
    private static let cacheTest = Schema.object([
        Field.required("status", .choice(["ok", "failed"])), Field.required("usable", .boolean),
        Field.required(
            "steps",
            .array(
                .object([
                    Field.required("step", .text), Field.required("cache_status", .text),
                    Field.required("ok", .boolean),
                ])
            )
        ),
    ])
}
