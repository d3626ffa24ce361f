import Domain
import Kernel

/// The bodies that have names.
package enum Schemas {
    private typealias Field = Schema.Member

    /// Every named schema, in the order of the document.
    package static let all: [(name: String, schema: Schema)] = [
        ("Problem", problem),
        ("Tenant", tenant), ("TenantPatch", tenantPatch), ("Member", member),
        ("Invitation", .object(invitationMembers)), ("NewInvitation", newInvitation),
        ("InvitationRequest", invitationRequest), ("AcceptRequest", acceptRequest), ("AuditEntry", auditEntry),
        ("APIKey", apiKey), ("NewAPIKey", newAPIKey), ("APIKeyRequest", apiKeyRequest), ("Me", me),
        ("SignupRequest", signup), ("LoginRequest", login), ("Tokens", tokens),
        ("Category", category), ("CategoryRequest", categoryRequest), ("CategoryPatch", categoryPatch),
        ("Unit", unit), ("UnitRequest", unitRequest), ("UnitPatch", unitPatch),
        ("Product", product), ("ProductRequest", productRequest), ("ProductPatch", productPatch),
        ("ProductBatchRequest", batchRequest), ("ProductBatch", batch),
        ("StockLevel", stockLevel), ("Movement", movement), ("MovementsRequest", movementsRequest),
        ("Customer", customer), ("CustomerRequest", customerRequest), ("CustomerPatch", customerPatch),
        ("Register", register), ("RegisterRequest", registerRequest),
        ("Sale", sale), ("SaleSummary", .object(saleFigures)), ("SaleRequest", saleRequest),
        ("Payment", payment), ("PaymentRequest", paymentRequest),
        ("BalanceSeries", series),
    ]

    private static let method = Schema.choice(["cash", "card", "transfer"])
    private static let scopes = Schema.array(.choice(Scope.allCases.map(\.rawValue)))
    private static let role = Schema.choice(Role.allCases.map(\.rawValue))
    private static let stamps: [Field] = [
        Field.required("version", .version), Field.required("created_at", .time), Field.required("updated_at", .time),
    ]

    private static let problem = Schema.object([
        Field.required("type", .text), Field.required("title", .text),
        Field.required("status", .integer(minimum: 400, maximum: 599)), Field.optional("detail", .text),
        Field.optional("instance", .text), Field.required("code", .choice(Problem.Code.allCases.map(\.rawValue))),
        Field.optional("request_id", .text),
        Field.optional(
            "errors",
            .array(.anyObject(description: "pointer, code, detail and what the code tells more."))
        ),
    ])

    // MARK: Identity

    private static let tenant = Schema.object(
        [
            Field.required("id", .integer(minimum: 1)), Field.required("slug", .text), Field.required("name", .text),
            Field.required("status", .choice(["active", "suspended"])), Field.required("currency", .text),
            Field.required("timezone", .text), Field.required("locale", .nullable(.text)),
            Field.required("prices_include_tax", .boolean), Field.required("oversell", .choice(["deny", "allow"])),
            Field.required("on_price_change", .choice(["refuse", "keep"])),
            Field.required("returns_without_sale", .choice(["deny", "allow"])),
            Field.required("closed_until", .nullable(.day)),
        ] + stamps
    )
    private static let tenantPatch = Schema.object([
        Field.optional("name", .text), Field.optional("timezone", .text), Field.optional("locale", .nullable(.text)),
        Field.optional("currency", .text), Field.optional("prices_include_tax", .boolean),
        Field.optional("oversell", .choice(["deny", "allow"])),
        Field.optional("on_price_change", .choice(["refuse", "keep"])),
        Field.optional("returns_without_sale", .choice(["deny", "allow"])),
        Field.optional("closed_until", .nullable(.day)),
    ])
    private static let member = Schema.object([
        Field.required("id", .id), Field.required("email", .string(format: "email")),
        Field.required("name", .nullable(.text)), Field.required("role", role), Field.required("active", .boolean),
        Field.required("version", .version), Field.required("created_at", .time),
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
    private static let invitationRequest = Schema.object([
        Field.required("email", .string(format: "email")), Field.required("role", role),
    ])
    private static let acceptRequest = Schema.object([
        Field.required("token", .string(description: "The invitation's.")),
        Field.required(
            "password",
            .string(description: "The account's; where there is none, that of the one that is made.")
        ),
        Field.optional("name", .string(description: "The person's, if an account is made.")),
    ])
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
    private static let apiKeyRequest = Schema.object([
        Field.required("name", .text), Field.required("scopes", scopes), Field.optional("expires_at", .time),
    ])
    private static let me = Schema.anyObject(description: "Who asks: the user or key, the tenant, role and scopes.")
    private static let signup = Schema.object([
        Field.required("tenant_name", .text), Field.required("slug", .text),
        Field.required("email", .string(format: "email")), Field.required("password", .text),
        Field.required("currency", .text), Field.required("timezone", .text), Field.optional("name", .text),
    ])
    private static let login = Schema.object(
        [Field.required("email", .string(format: "email")), Field.required("password", .text)]
            + IdentityRoutes.tenantMembers
    )
    private static let tokens = Schema.object([
        Field.required("access_token", .text), Field.required("token_type", .choice(["Bearer"])),
        Field.required("expires_in", .integer(minimum: 1)), Field.required("refresh_token", .text),
        Field.required(
            "tenants",
            .array(
                .object([
                    Field.required("id", .integer(minimum: 1)), Field.required("slug", .text),
                    Field.required("name", .text), Field.required("role", role),
                ])
            )
        ),
    ])

    // MARK: Catalog

    private static let category = Schema.object(
        [
            Field.required("id", .id), Field.required("name", .text), Field.required("parent_id", .nullable(.id)),
            Field.required("active", .boolean), Field.required("product_count", .integer(minimum: 0)),
            Field.required("external_id", .nullable(.text)),
        ] + stamps
    )
    private static let categoryRequest = Schema.object([
        Field.required("name", .text), Field.optional("parent_id", .nullable(.id)),
        Field.optional("external_id", .nullable(.text)),
    ])
    private static let categoryPatch = Schema.object([
        Field.optional("name", .text), Field.optional("parent_id", .nullable(.id)), Field.optional("active", .boolean),
        Field.optional("external_id", .nullable(.text)),
    ])
    private static let decimals = Schema.integer(minimum: 0, maximum: 6)
    private static let unit = Schema.object(
        [
            Field.required("id", .id), Field.required("name", .text), Field.required("symbol", .text),
            Field.required("decimals", decimals), Field.required("external_id", .nullable(.text)),
        ] + stamps
    )
    private static let unitRequest = Schema.object([
        Field.required("name", .text), Field.required("symbol", .text), Field.optional("decimals", decimals),
        Field.optional("external_id", .nullable(.text)),
    ])
    private static let unitPatch = Schema.object([
        Field.optional("name", .text), Field.optional("symbol", .text), Field.optional("decimals", decimals),
        Field.optional("external_id", .nullable(.text)),
    ])
    private static let oversell = Schema.choice(["inherit", "deny", "allow"])
    private static let status = Schema.choice(["active", "archived"])
    private static let product = Schema.object(
        [
            Field.required("id", .id), Field.required("sku", .nullable(.text)),
            Field.required("barcodes", .array(.text)),
            Field.required("name", .text), Field.required("category_id", .nullable(.id)),
            Field.required("unit_id", .id), Field.required("price", .price), Field.required("cost", .price),
            Field.required("tax_rate", .rate), Field.required("tracks_stock", .boolean),
            Field.required("oversell", oversell), Field.required("min_stock", .quantity),
            Field.required("status", status), Field.required("on_hand", .quantity),
            Field.required("external_id", .nullable(.text)),
        ] + stamps
    )
    private static let productFields: [Field] = [
        Field.optional("sku", .nullable(.text)), Field.optional("barcodes", .array(.text)),
        Field.optional("category_id", .nullable(.id)), Field.optional("tax_rate", .rate),
        Field.optional("tracks_stock", .boolean), Field.optional("oversell", oversell),
        Field.optional("min_stock", .quantity), Field.optional("external_id", .nullable(.text)),
    ]
    private static let productRequest = Schema.object(
        [
            Field.required("name", .text), Field.required("price", .price), Field.optional("unit_id", .id),
        ] + productFields
    )
    private static let productPatch = Schema.object(
        [
            Field.optional("name", .text), Field.optional("price", .price), Field.optional("unit_id", .id),
            Field.optional("status", status),
        ] + productFields
    )
    private static let batchRequest = Schema.object([
        Field.required("products", .array(.reference("ProductRequest"), maximum: 1000))
    ])
    private static let batch = Schema.anyObject(description: "What became of each row, in order.")

    // MARK: Stock

    private static let stockLevel = Schema.object([
        Field.required("product_id", .id), Field.required("sku", .nullable(.text)), Field.required("name", .text),
        Field.required("category_id", .nullable(.id)), Field.required("unit_id", .id),
        Field.required("tracks_stock", .boolean), Field.required("status", status),
        Field.required("on_hand", .quantity), Field.required("min_stock", .quantity),
        Field.required("stock", .choice(["out", "low", "ok"])), Field.required("cost", .price),
        Field.required("updated_at", .time),
    ])
    private static let movement = Schema.object([
        Field.required("id", .id), Field.required("product_id", .id), Field.required("seq", .integer(minimum: 1)),
        Field.required("type", .text), Field.required("quantity", .quantity),
        Field.required("on_hand_after", .quantity), Field.required("reason", .nullable(.text)),
        Field.required("unit_cost", .nullable(.price)), Field.required("ref_type", .nullable(.text)),
        Field.required("ref_id", .nullable(.id)), Field.required("user_id", .nullable(.id)),
        Field.required("occurred_at", .time), Field.required("recorded_at", .time),
        Field.required("business_day", .day),
    ])
    private static let movementsRequest = Schema.object([
        Field.required(
            "movements",
            .array(
                .object([
                    Field.optional("product_id", .id), Field.optional("sku", .text),
                    Field.required("type", .choice(["opening", "adjustment", "loss"])),
                    Field.required("quantity", .quantity), Field.optional("reason", .text),
                    Field.optional("unit_cost", .price), Field.optional("expect_on_hand", .quantity),
                ]),
                maximum: 1000
            )
        ),
        Field.optional("occurred_at", .time),
    ])

    // MARK: Customers and registers

    private static let customer = Schema.object(
        [
            Field.required("id", .id), Field.required("name", .text), Field.required("tax_id", .nullable(.text)),
            Field.required("email", .nullable(.text)), Field.required("phone", .nullable(.text)),
            Field.required("credit_limit", .nullable(.money)), Field.required("balance", .money),
            Field.required("active", .boolean), Field.required("external_id", .nullable(.text)),
        ] + stamps
    )
    private static let customerFields: [Field] = [
        Field.optional("tax_id", .nullable(.text)), Field.optional("email", .nullable(.text)),
        Field.optional("phone", .nullable(.text)), Field.optional("credit_limit", .nullable(.money)),
        Field.optional("external_id", .nullable(.text)),
    ]
    private static let customerRequest = Schema.object([Field.required("name", .text)] + customerFields)
    private static let customerPatch = Schema.object(
        [Field.optional("name", .text), Field.optional("active", .boolean)] + customerFields
    )
    private static let register = Schema.object([
        Field.required("id", .id), Field.required("name", .text), Field.required("is_default", .boolean),
        Field.required("requires_session", .boolean), Field.required("active", .boolean),
        Field.required("version", .version),
    ])
    private static let registerRequest = Schema.object([
        Field.required("name", .text), Field.optional("requires_session", .boolean),
    ])

    // MARK: Sales and payments

    private static let saleFigures: [Field] = [
        Field.required("id", .id), Field.required("number", .nullable(.integer(minimum: 1))),
        Field.required("status", .choice(["draft", "confirmed", "cancelled", "discarded"])),
        Field.required("register_id", .id), Field.required("customer_id", .nullable(.id)),
        Field.required("user_id", .nullable(.id)), Field.required("note", .nullable(.text)),
        Field.required("occurred_at", .time), Field.required("recorded_at", .time),
        Field.required("business_day", .day), Field.required("subtotal", .money), Field.required("discount", .money),
        Field.required("tax", .money), Field.required("total", .money), Field.required("returned_total", .money),
        Field.required("paid", .money), Field.required("refunded", .money), Field.required("due", .money),
        Field.required("external_id", .nullable(.text)), Field.required("version", .version),
    ]
    private static let sale = Schema.object(
        saleFigures + [
            Field.required(
                "lines",
                .array(
                    .object([
                        Field.required("id", .id), Field.required("position", .integer(minimum: 0)),
                        Field.required("product_id", .id), Field.required("sku", .nullable(.text)),
                        Field.required("name", .text), Field.required("unit", .text),
                        Field.required("quantity", .quantity), Field.required("unit_price", .price),
                        Field.required("price_source", .choice(["list", "override"])),
                        Field.required("discount", .money), Field.required("tax_rate", .rate),
                        Field.required("tax", .money), Field.required("total", .money),
                        Field.required("unit_cost", .price), Field.required("returned_quantity", .quantity),
                    ])
                )
            ),
            Field.required("change", .money),
            Field.required(
                "payments",
                .array(
                    .object([
                        Field.required("id", .id), Field.required("direction", .choice(["in", "out"])),
                        Field.required("method", method), Field.required("amount", .money),
                        Field.required("tendered", .nullable(.money)), Field.required("change", .nullable(.money)),
                        Field.required("status", .text), Field.required("occurred_at", .time),
                    ])
                )
            ),
        ]
    )
    private static let saleRequest = Schema.object([
        Field.optional("register_id", .id), Field.optional("customer_id", .id), Field.optional("occurred_at", .time),
        Field.optional("status", .choice(["confirmed"])), Field.optional("note", .text),
        Field.optional("discount", .money),
        Field.required(
            "lines",
            .array(
                .object([
                    Field.optional("product_id", .id), Field.optional("sku", .text),
                    Field.required("quantity", .quantity), Field.optional("unit_price", .price),
                    Field.optional("discount", .money),
                ]),
                maximum: 1000
            )
        ),
        Field.optional(
            "payments",
            .array(
                .object([
                    Field.required("method", method), Field.required("amount", .money),
                    Field.optional("tendered", .money),
                ])
            )
        ),
    ])
    private static let payment = Schema.object([
        Field.required("id", .id), Field.required("direction", .choice(["in", "out"])),
        Field.required("method", method),
        Field.required("amount", .money), Field.required("tendered", .nullable(.money)),
        Field.required("change", .nullable(.money)), Field.required("status", .choice(["confirmed", "reversed"])),
        Field.required("sale_id", .nullable(.id)), Field.required("return_id", .nullable(.id)),
        Field.required("customer_id", .nullable(.id)),
        Field.required(
            "allocations",
            .array(.object([Field.required("sale_id", .nullable(.id)), Field.required("amount", .money)]))
        ),
        Field.required("user_id", .nullable(.id)), Field.required("occurred_at", .time),
        Field.required("recorded_at", .time), Field.required("business_day", .day), Field.required("version", .version),
    ])
    private static let paymentRequest = Schema.object([
        Field.required("direction", .choice(["in", "out"])), Field.required("method", method),
        Field.required("amount", .money), Field.optional("sale_id", .id), Field.optional("purchase_id", .id),
        Field.optional("customer_id", .id), Field.optional("tendered", .money), Field.optional("occurred_at", .time),
    ])

    // MARK: Balance

    private static let series = Schema.object([
        Field.required("view", .choice(["daily", "weekly", "monthly", "yearly"])),
        Field.required("method", .choice(["all", "cash", "card", "transfer"])), Field.required("from", .day),
        Field.required("to", .day), Field.required("timezone", .text), Field.required("currency", .text),
        Field.required(
            "data",
            .array(
                .object([
                    Field.required("period", .text), Field.required("income", .money),
                    Field.required("expense", .money), Field.required("net", .money),
                ])
            )
        ),
    ])
}
