import Kernel
import Postgres

/// The settings of the current tenant.
struct TenantDocument: Document {
    static let name = "settings.tenant"
    static let sql: SQL = """
        SELECT stock.tenant_body(t.id), '"' || t.version || '"'
        FROM stock.tenant t
        WHERE t.id = stock.current_tenant()
        """
}

/// Whether the tenant exists and is served.
struct ReadTenantActivity: Statement {
    static let name = "settings.activity"
    static let sql: SQL = """
        SELECT EXISTS (SELECT FROM stock.tenant t WHERE t.id = stock.current_tenant() AND t.status = 'active')
        """

    struct Row: DecodableRow {
        let isActive: Bool

        init(from row: inout RowReader) throws(PostgresError) { isActive = try row.next() }
    }
}

/// Refuses an update of the tenant: another version, a fixed setting, a zone that is none, a closed period not yet past,
/// cash rounded, or a limit of returns, more finely than the currency is.
struct GuardTenant: Statement {
    static let name = "settings.guard"
    static let sql: SQL = """
        SELECT CASE
                   WHEN NOT (t.version = ANY (coalesce($1, ARRAY[t.version])))
                       THEN stock.refuse('version_mismatch', 'The settings were changed meanwhile. Read them again.')
                   WHEN $2::text <> t.currency AND d.has_documents
                       THEN stock.refuse_field('invalid_state', '/currency', 'The first document has fixed the currency.')
                   WHEN $3::boolean <> t.prices_include_tax AND d.has_documents
                       THEN stock.refuse_field('invalid_state', '/prices_include_tax',
                                               'The first document has fixed whether prices include tax.')
                   WHEN $4::text IS NOT NULL AND NOT stock.is_timezone($4)
                       THEN stock.refuse_field('not_allowed', '/timezone', 'The time zone is not an IANA zone.')
                   WHEN $5::date >= (now() AT TIME ZONE coalesce($4, t.timezone))::date
                       THEN stock.refuse_field('out_of_range', '/closed_until', 'Must be before today.')
                   WHEN min_scale(coalesce($6, t.cash_rounding)) > coalesce($7, t.currency_exponent)
                       THEN stock.refuse_field('too_many_decimals', '/cash_rounding',
                                               format('Must have at most %s decimals, as the currency has.',
                                                      coalesce($7, t.currency_exponent)))
                   WHEN min_scale(coalesce($8, t.manager_return_limit)) > coalesce($7, t.currency_exponent)
                       THEN stock.refuse_field('too_many_decimals', '/manager_return_limit',
                                               format('Must have at most %s decimals, as the currency has.',
                                                      coalesce($7, t.currency_exponent)))
                   WHEN min_scale(coalesce($9, t.cashier_return_limit)) > coalesce($7, t.currency_exponent)
                       THEN stock.refuse_field('too_many_decimals', '/cashier_return_limit',
                                               format('Must have at most %s decimals, as the currency has.',
                                                      coalesce($7, t.currency_exponent)))
                   -- A step is a coin or a note: what is less than half of one costs nothing.
                   WHEN $6 > 10000
                       THEN stock.refuse_field('out_of_range', '/cash_rounding', 'Must be 10000 or less.')
               END
        FROM (SELECT * FROM stock.tenant WHERE id = stock.current_tenant() FOR NO KEY UPDATE) t,
             LATERAL (SELECT EXISTS (SELECT FROM stock.sale s WHERE s.tenant_id = t.id)
                          OR EXISTS (SELECT FROM stock.purchase p WHERE p.tenant_id = t.id)
                          OR EXISTS (SELECT FROM stock.ledger_entry l WHERE l.tenant_id = t.id) AS has_documents) d
        """
    static let parameterTypes: [PostgresType] = [
        .int8Array, .text, .bool, .text, .date, .numeric, .int2, .numeric, .numeric,
    ]

    var patch: TenantPatch
    var expected: ExpectedVersion

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(expected.parameter)
        try parameters.append(patch.currency.newValue?.code)
        try parameters.append(patch.pricesIncludeTax.newValue)
        try parameters.append(patch.timezone.newValue)
        try parameters.append(patch.closedUntil.newValue ?? nil)
        try parameters.append(patch.cashRounding.newValue)
        try parameters.append(patch.currency.newValue.map { Int16($0.exponent) })
        try parameters.append(patch.managerReturnLimit.newValue ?? nil)
        try parameters.append(patch.cashierReturnLimit.newValue ?? nil)
    }
}

struct UpdateTenant: Statement {
    static let name = "settings.update"
    static let sql: SQL = """
        UPDATE stock.tenant t
        SET name = coalesce(normalize($1, NFC), t.name),
            timezone = coalesce($2, t.timezone),
            timezone_since = CASE WHEN $2 <> t.timezone THEN now() ELSE t.timezone_since END,
            locale = coalesce($3, t.locale),
            currency = coalesce($4, t.currency),
            currency_exponent = coalesce($5, t.currency_exponent),
            prices_include_tax = coalesce($6, t.prices_include_tax),
            oversell = coalesce($7, t.oversell),
            manager_discount_limit = CASE WHEN $8 THEN $9 ELSE t.manager_discount_limit END,
            cashier_discount_limit = CASE WHEN $10 THEN $11 ELSE t.cashier_discount_limit END,
            closed_until = CASE WHEN $12 THEN $13 ELSE t.closed_until END,
            cash_rounding = coalesce($14, t.cash_rounding),
            returns_without_sale = coalesce($15, t.returns_without_sale),
            address = CASE WHEN $16 THEN normalize($17, NFC) ELSE t.address END,
            tax_id = CASE WHEN $18 THEN normalize($19, NFC) ELSE t.tax_id END,
            phone = CASE WHEN $20 THEN normalize($21, NFC) ELSE t.phone END,
            receipt_footer = CASE WHEN $22 THEN normalize($23, NFC) ELSE t.receipt_footer END,
            logo = CASE WHEN $24 THEN $25 ELSE t.logo END,
            on_price_change = coalesce($26, t.on_price_change),
            manager_credit_limit = CASE WHEN $27 THEN $28 ELSE t.manager_credit_limit END,
            draft_reservation_minutes = CASE WHEN $29 THEN $30 ELSE t.draft_reservation_minutes END,
            quote_reservation_days = CASE WHEN $31 THEN $32 ELSE t.quote_reservation_days END,
            manager_return_limit = CASE WHEN $33 THEN $34 ELSE t.manager_return_limit END,
            cashier_return_limit = CASE WHEN $35 THEN $36 ELSE t.cashier_return_limit END,
            version = t.version + 1,
            updated_at = now()
        WHERE t.id = stock.current_tenant()
        """
    static let parameterTypes: [PostgresType] = [
        .text, .text, .text, .text, .int2, .bool, .text, .bool, .numeric, .bool, .numeric, .bool, .date,
        .numeric, .text, .bool, .text, .bool, .text, .bool, .text, .bool, .text, .bool, .text,
        .text, .bool, .numeric, .bool, .int4, .bool, .int4, .bool, .numeric, .bool, .numeric,
    ]

    var patch: TenantPatch

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(patch.name.newValue)
        try parameters.append(patch.timezone.newValue)
        try parameters.append(patch.locale.newValue)
        try parameters.append(patch.currency.newValue?.code)
        try parameters.append(patch.currency.newValue.map { Int16($0.exponent) })
        try parameters.append(patch.pricesIncludeTax.newValue)
        try parameters.append(patch.oversell.newValue)
        try parameters.append(patch.managerDiscountLimit.isSet)
        try parameters.append(patch.managerDiscountLimit.newValue ?? nil)
        try parameters.append(patch.cashierDiscountLimit.isSet)
        try parameters.append(patch.cashierDiscountLimit.newValue ?? nil)
        try parameters.append(patch.closedUntil.isSet)
        try parameters.append(patch.closedUntil.newValue ?? nil)
        try parameters.append(patch.cashRounding.newValue)
        try parameters.append(patch.returnsWithoutSale.newValue)
        for text in [patch.address, patch.taxID, patch.phone, patch.receiptFooter, patch.logo] {
            try parameters.append(text.isSet)
            try parameters.append(text.newValue ?? nil)
        }
        try parameters.append(patch.onPriceChange.newValue)
        try parameters.append(patch.managerCreditLimit.isSet)
        try parameters.append(patch.managerCreditLimit.newValue ?? nil)
        for time in [patch.draftReservationMinutes, patch.quoteReservationDays] {
            try parameters.append(time.isSet)
            try parameters.append((time.newValue ?? nil).map { Int32(clamping: $0) })
        }
        for limit in [patch.managerReturnLimit, patch.cashierReturnLimit] {
            try parameters.append(limit.isSet)
            try parameters.append(limit.newValue ?? nil)
        }
    }
}
