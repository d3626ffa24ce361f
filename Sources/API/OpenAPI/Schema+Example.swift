import Kernel

extension Schema {
    /// Writes a value of this shape, as one shop might have it.
    ///
    /// Examples are made from the shapes, so that none can be missing, and none can show a member that is no more. What stands
    /// in them is chosen by the names of members: the same product, the same receipt, all through the document.
    ///
    /// - Parameters:
    ///   - name: what the value is called where it stands; empty for a body.
    ///   - owner: the named schema it belongs to, as a customer's name is not a product's.
    ///   - writer: where it goes.
    func writeExample(of name: String = "", in owner: String = "", to writer: inout JSONWriter) {
        switch self {
        case .string(let format, _, _):
            writer.string(ExampleWords.text(name, of: owner) ?? ExampleWords.text(ofFormat: format))
        case .pattern:
            writer.string(ExampleWords.text(name, of: owner) ?? "1")
        case .choice(let names):
            let word = ExampleWords.texts[name].flatMap { names.contains($0) ? $0 : nil }
            writer.string(word ?? names.first ?? "")
        case .integer(let minimum, _):
            writer.integer(Int64(ExampleWords.numbers[name] ?? max(minimum ?? 1, 1)))
        case .number:
            writer.integer(Int64(ExampleWords.numbers[name] ?? 1))
        case .boolean:
            writer.bool(!ExampleWords.untrue.contains(name))
        case .array(let element, _):
            writer.array { writer in element.writeExample(of: name, in: owner, to: &writer) }
        case .object(let members):
            writer.object { writer in
                for member in members where member.isShown {
                    writer.name(member.name)
                    member.schema.writeExample(of: member.name, in: owner, to: &writer)
                }
            }
        case .anyObject:
            writer.object { _ in }
        case .nullable(let schema):
            if ExampleWords.absent.contains(name) {
                writer.null()
            } else {
                schema.writeExample(of: name, in: owner, to: &writer)
            }
        case .reference(let name):
            Schemas.named[name]?.writeExample(in: name, to: &writer)
        case .named(let name, let schema):
            schema.writeExample(in: name, to: &writer)
        }
    }

    /// The example as JSON text.
    var exampleBytes: [UInt8] {
        var writer = JSONWriter(capacity: 1024)
        writeExample(to: &writer)
        return writer.bytes
    }
}

/// What stands in examples, by the name of the member: a bag of coffee, sold for cash.
private enum ExampleWords {
    /// Strings.
    ///
    /// The figures of a sale add up: 21.90 with 7 % in it, 30.00 given.
    static let texts: [String: String] = [
        "address": "192.0.2.1", "access_token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMWEx4oCmIn0.c2lnbmF0dXJl",
        "amount": "21.90", "available": "1", "balance": "0.00", "base": "20.47", "barcodes": "2000000000381",
        "because": "l1 has it",
        "bus": "ok", "cache": "ok", "cache_status": "stock-l1; hit", "cashier_discount_limit": "0",
        "cash_rounding": "0.00", "change": "8.10",
        "code": "not_found", "commit": "afffb42", "current_password": "correct horse battery",
        "new_password": "correct horse battery staple", "cost": "12.50", "counted": "250.00", "credit_limit": "250.00",
        "currency": "EUR",
        "database": "ok", "date": "2026-01-31", "detail": "There is no such product.", "difference": "0.00",
        "discount": "0.00",
        "due": "0.00", "email": "ana@example.com", "expect_on_hand": "30", "expense": "0.00",
        "expires_at": "2035-12-31T23:59:59.000000Z",
        "external_id": "pos-4711", "factor": "12", "float": "100.00", "from": "2026-01-01",
        "from_location_id": "00000000-0000-7000-8000-000000000001", "income": "21.90", "instance": "a",
        "cashier": "Ana", "expand": "customer,user",
        "ids": "01a1fdf2-b270-76bb-9b75-63983f68fe97", "local_time": "2026-01-31T18:05:00", "register": "Till 2",
        "key": "list:50", "list_price": "21.90", "locale": "en", "logo": "https://example.com/logo.png", "lost": "0",
        // Every shop has it from the start.
        "location_id": "00000000-0000-7000-8000-000000000001",
        "location_ids": "00000000-0000-7000-8000-000000000001", "method": "cash", "min_stock": "5",
        "module": "products", "name": "Espresso beans 1 kg", "net": "21.90", "note": "Gift wrapped.", "on_hand": "30",
        "on_hand_after": "29", "on_hand_seen": "30", "outcome": "created", "paid": "21.90",
        "password": "correct horse battery",
        "prefix": "21", "lot": "A-1", "measure": "weight", "period": "2026-01", "phone": "+49 30 1234567",
        "pointer": "/lines/0/product_id", "price": "21.90",
        "quantity": "1", "rate": "7", "reason": "Counted.", "receipt_footer": "Thank you!",
        "receivables": "0.00", "received": "1", "redis": "ok",
        "ref_type": "sale",
        "reference": "F-2026-0042", "category": "Rent",
        "refresh_token": "01a1fdf2b27076bb9b7563983f68fe97.Zm9vYmFy", "refunded": "0.00", "request_id": "stp2cqjb",
        "requested": "2", "reserved": "0", "returned_quantity": "0", "returned_total": "0.00", "role": "cashier",
        "sales_total": "21.90", "scopes": "catalog:read", "secret": "stk_1_01a1fdf2b27076bb9b7563983f68fe97_Zm9vYmFy",
        "sku": "CO-001", "slug": "corner-shop", "snapshot": "811:812:", "step": "second read", "stock": "ok",
        "subtotal": "21.90", "rounding": "0.00", "symbol": "cr", "tax": "1.43", "tax_id": "DE123456789",
        "tax_rate": "7",
        "tenant": "corner-shop", "tenant_name": "Corner Shop", "tendered": "30.00", "timezone": "Europe/Berlin",
        "tip": "0.00",
        "title": "Not found", "to": "2026-01-31", "total": "21.90", "type": "sale", "unit": "pc",
        "unit_cost": "12.50", "value": "50.00", "unit_price": "21.90", "version": "1.0.0", "valid_until": "2035-12-31",
        "discount_limit": "15", "manager_credit_limit": "0",
        "manager_return_limit": "500.00", "cashier_return_limit": "0.00", "return_limit": "50.00",
        "view": "monthly",
        // Reports.
        "current": "0.00", "days_1_30": "21.90", "days_31_60": "0.00", "days_61_90": "0.00", "days_over_90": "0.00",
        "opening": "0.00", "closing": "21.90", "without_customer": "0.00",
        "revenue": "20.47", "margin": "7.97", "margin_percent": "38.94", "returned": "0", "by": "revenue",
        "payable": "0.00", "deducted_base": "0.00", "deducted_amount": "0.00",
        // Parameters.
        "If-Match": #""3.17""#, "If-None-Match": #""3.17""#, "Idempotency-Key": "till-2-4711", "cursor": "AZz-8rJw",
        "q": "espresso", "Stock-Consistency": AnswerHeader.consistency.example,
    ]

    /// Whose name it is, by what the name of its schema begins with; any other is the product's.
    private static let names: [(owner: String, name: String)] = [
        ("Category", "Coffee"), ("Unit", "Crate"), ("Customer", "Berta Beispiel"), ("Register", "Till 2"),
        ("Supplier", "Rösterei Nord"), ("PurchaseCost", "Freight"), ("Packaging", "Box of 12"),
        ("ScaleCode", "Counter scale"),
        ("Location", "Harbour"), ("PlaceLevel", "Main"), ("Tenant", "Corner Shop"), ("Tax", "7 %"),
        ("SaleLineTax", "7 %"), ("PaymentMethod", "Meal voucher"), ("Member", "Bo"), ("Me", "Ana"),
        ("Signup", "Ana"), ("APIKey", "Web shop"),
        ("NewAPIKey", "Web shop"), ("Version", "stock"), ("Import", "products.csv"),
    ]

    /// What stands for a member of a schema, if anything is chosen.
    static func text(_ name: String, of owner: String) -> String? {
        switch name {
        case "name": Self.names.first { owner.hasPrefix($0.owner) }?.name ?? Self.texts[name]
        case "address" where owner.hasPrefix("Location") || owner.hasPrefix("Tenant"): "Hafenstraße 3, 20457 Hamburg"
        case "code" where owner.hasPrefix("Location"): "HAM"
        case "code" where owner.hasPrefix("PaymentMethod"): "meal_voucher"
        case "kind" where owner.hasPrefix("PaymentMethod"): "voucher"
        case "barcodes" where owner.hasPrefix("Packaging"): "2000000000398"
        case "price" where owner.hasPrefix("Packaging"): "240.00"
        case "counted" where owner.hasPrefix("StockCount"): "29"
        case "difference" where owner.hasPrefix("StockCount"): "-1"
        case "type" where owner.hasPrefix("Event"): "sale.confirmed"
        case "type" where owner.hasPrefix("Webhook"): "sale.confirmed"
        case "types" where owner.hasSuffix("Webhook") || owner.hasPrefix("Webhook"): "sale"
        case "secret" where owner == "NewWebhook": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
        case "status" where owner == "WebhookDelivery": "failed"
        case "answer" where owner == "WebhookDelivery": "We are closed."
        case "code" where owner.hasPrefix("Import"): "name_missing"
        case "reason" where owner.hasPrefix("Import"): "name: Must not be blank."
        case "method" where owner.hasPrefix("CountedTender"): "card"
        case "email" where owner.hasPrefix("Member") || owner.hasPrefix("Invitation"): "bo@example.com"
        default: Self.texts[name]
        }
    }

    /// Numbers.
    static let numbers: [String: Int] = [
        "number": 2985, "expires_in": 900, "status": 404, "decimals": 0, "product_count": 12, "sales_count": 1,
        "count": 5, "item_digits": 5, "value_digits": 5, "out_of_stock": 0, "low_stock": 2, "position": 1,
    ]

    /// What is not so.
    static let untrue: Set<String> = [
        "draining", "hole", "is_default", "requires_session", "everywhere", "compound", "dry_run", "is_cancelled",
    ]

    /// What is null.
    static let absent: Set<String> = [
        "api_key", "closed_until", "next_cursor", "parent_id", "return_id", "revoked_at", "expires_at",
        "manager_discount_limit", "customer_id",
    ]

    static func text(ofFormat format: String?) -> String {
        switch format {
        case "uuid": "01a1fdf2-b270-76bb-9b75-63983f68fe97"
        case "date-time": "2026-01-31T17:05:00.000000Z"
        case "date": "2026-01-31"
        case "email": "ana@example.com"
        case "uri-reference": "/problems/not_found"
        case "uri": "https://example.com/hooks/stock"
        default: "text"
        }
    }
}
