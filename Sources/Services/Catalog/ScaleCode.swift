package import Cache
package import Domain
package import Kernel
package import Postgres

/// The columns of a scale code that a client writes.
package struct ScaleCodeFields: Sendable, Equatable {
    /// What it is called.
    package var name: Change<String> = .keep
    /// The two digits in front, 20 to 29.
    package var prefix: Change<String> = .keep
    /// How many digits the code of the article has.
    package var itemDigits: Change<Int> = .keep
    /// How many the figure has.
    package var valueDigits: Change<Int> = .keep
    /// What the figure is.
    package var measure: Change<ScalePattern.Measure> = .keep
    /// How many of its digits are decimals.
    package var decimals: Change<Int> = .keep
    /// Whether codes are read so.
    package var active: Change<Bool> = .keep

    /// Keeps every column.
    package init() {}
}

/// How scales of a shop write what they weigh into barcodes; one for each prefix.
package struct ScaleCode: ListedByName {
    package static let name = "catalog.scale_code"
    package static let collection = "/v1/scale-codes"
    package static let module = Module.settings
    package static let table: SQL = "stock.scale_code"
    package static let noun: SQL = "scale code"
    package static let body: SQL = "stock.scale_code_body"
    package static let columns: [Column<ScaleCodeFields>] = [
        .text("name", \.name), .text("prefix", \.prefix), .small("item_digits", \.itemDigits),
        .small("value_digits", \.valueDigits), .choice("measure", \.measure), .small("decimals", \.decimals),
        .flag("active", \.active),
    ]
    package static let others: [any Statement.Type] = [CheckScaleCode.self]

    package let id: ID<ScaleCode>

    package init(_ id: ID<ScaleCode>) { self.id = id }

    package func check(_ fields: ScaleCodeFields, isNew: Bool, in unit: inout UnitOfWork) throws(PostgresError) {
        try unit.add(CheckScaleCode(id: id, fields: fields))
    }

    /// How the scales of a tenant write their codes, as this instance knows it.
    static func patterns(of tenant: TenantID) -> CachedValue<[ScalePattern]> {
        CachedValue(
            key: KeyBuilder("scale-patterns").key(tenant: tenant.rawValue, module: .settings),
            fill: ScalePatternsFill()
        )
    }
}

/// Refuses digits that a code has no room for.
struct CheckScaleCode: Statement {
    static let name = "catalog.scale_code_check"
    static let sql: SQL = "SELECT stock.check_scale_code($1, $2, $3, $4, $5)"
    static let parameterTypes: [PostgresType] = [.uuid, .int2, .int2, .text, .int2]

    let id: ID<ScaleCode>
    let fields: ScaleCodeFields

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        try parameters.append(fields.itemDigits.newValue.map { Int16(clamping: $0) })
        try parameters.append(fields.valueDigits.newValue.map { Int16(clamping: $0) })
        try parameters.append(fields.measure.newValue)
        try parameters.append(fields.decimals.newValue.map { Int16(clamping: $0) })
    }
}

/// Reads how the scales of a tenant write their codes.
struct ReadScalePatterns: Statement {
    static let name = "catalog.scale_patterns"
    static let sql: SQL = """
        SELECT ARRAY(SELECT s.prefix || ' ' || s.item_digits || ' ' || s.value_digits || ' ' || s.measure || ' ' || s.decimals
                     FROM stock.scale_code s
                     WHERE s.tenant_id = stock.current_tenant() AND s.active
                     ORDER BY s.prefix),
               pg_current_snapshot()
        """

    struct Row: DecodableRow {
        let patterns: [ScalePattern]
        let snapshot: PGSnapshot

        init(from row: inout RowReader) throws(PostgresError) {
            patterns = try row.next([String].self).compactMap { text in
                let parts = text.split(separator: " ").map(String.init)
                guard parts.count == 5, let items = Int(parts[1]), let values = Int(parts[2]),
                    let measure = ScalePattern.Measure(rawValue: parts[3]), let decimals = Int(parts[4])
                else { return nil }
                return ScalePattern(
                    prefix: parts[0],
                    itemDigits: items,
                    valueDigits: values,
                    measure: measure,
                    decimals: decimals
                )
            }
            snapshot = try row.next()
        }
    }
}

private struct ScalePatternsFill: Fill {
    let statement = ReadScalePatterns()

    func filled(_ row: inout ReadScalePatterns.Row) -> Filled {
        Filled(content: .value(row.patterns), snapshot: Snapshot(row.snapshot))
    }
}
