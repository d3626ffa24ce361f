import Cache
package import Kernel
import Postgres

/// What the services need to know of a tenant, with the tenant's current day.
///
/// Cached until the tenant's next midnight, an instant that PostgreSQL names: what depends on today has that date in its key.
package struct TenantSettings: Sendable, Equatable {
    /// Its number.
    package let tenant: TenantID
    /// What it is called in a login.
    package let slug: String
    /// What it is called by people.
    package let name: String
    /// Whether anybody may come in.
    package let isActive: Bool
    /// The currency's code of three letters.
    package let currency: String
    /// How many decimals an amount has.
    package let exponent: Int
    /// The IANA zone in which business days are counted.
    package let timezone: String
    /// Whether tax is in the prices, or comes on top.
    package let pricesIncludeTax: Bool
    /// What products do that say nothing of their own.
    package let oversell: TenantOversell
    /// The last day nothing can be recorded on any more.
    package let closedUntil: BusinessDay?
    /// The row's version.
    package let version: Int64
    /// The tenant's local date.
    package let today: BusinessDay
}

/// Reads what a tenant chose, its day and how long that day lasts.
struct ReadTenantSettings: Statement {
    static let name = "settings.read"
    static let sql: SQL = """
        SELECT t.id, t.slug, t.name, t.status = 'active', t.currency, t.currency_exponent, t.timezone,
               t.prices_include_tax, t.oversell, t.closed_until, t.version,
               d.today,
               ceil(extract(epoch FROM (d.today + 1)::timestamp AT TIME ZONE t.timezone - now()) * 1000)::bigint,
               pg_current_snapshot()
        FROM stock.tenant t, LATERAL (SELECT (now() AT TIME ZONE t.timezone)::date AS today) d
        WHERE t.id = stock.current_tenant()
        """

    struct Row: DecodableRow {
        let settings: TenantSettings
        let untilMidnight: Duration
        let snapshot: PGSnapshot

        init(from row: inout RowReader) throws(PostgresError) {
            settings = TenantSettings(
                tenant: try row.next(),
                slug: try row.next(),
                name: try row.next(),
                isActive: try row.next(),
                currency: try row.next(),
                exponent: Int(try row.next(Int16.self)),
                timezone: try row.next(),
                pricesIncludeTax: try row.next(),
                oversell: try row.nextCase(),
                closedUntil: try row.next(BusinessDay?.self),
                version: try row.next(),
                today: try row.next()
            )
            untilMidnight = .milliseconds(max(try row.next(Int64.self), 1))
            snapshot = try row.next()
        }
    }
}
