import Domain
import Kernel
import Postgres

/// Products of a file: matched by `external_id`, else by SKU; batches go the way of `POST /v1/products/batch`.
struct ProductRows: ImportedRows {
    let noun = "product"
    let batchRows = 1_000

    private let options: RecordsImport.Options
    private var names = CatalogNames()
    private var reader: ProductRowReader?

    init(_ options: RecordsImport.Options) { self.options = options }

    mutating func prepare(_ session: ImportSession) async throws {
        names = CatalogNames(try await session.all(ListCatalogNames()))
    }

    mutating func open(_ header: borrowing FileRecord) throws(ImportMapping.Fault) -> [String] {
        let reader = try ProductRowReader(mapping: options.mapping, header: header, readsStatus: options.readsStatus)
        self.reader = reader
        return reader.unusedColumns
    }

    func read(_ record: borrowing FileRecord) throws(RowRejection) -> ProductRow {
        guard let row = try reader?.read(record) else {
            throw RowRejection(line: record.line, code: .valueInvalid, reason: "there is no header")
        }
        try names.check(row)
        return row
    }

    func line(of row: ProductRow) -> Int { row.line }
    func keys(of row: ProductRow) -> [String] { row.keys }

    var makingNew: MakingNew<ProductRow>? {
        let names = names
        return { rows, session in
            let made = try await session.all(ImportNewProducts(batch: ProductBatch(rows.map(names.upsert))))
            return made.isEmpty ? nil : made
        }
    }

    func apply(_ rows: ArraySlice<ProductRow>, in session: ImportSession) async throws -> [ImportedRow] {
        try await session.all(ImportProducts(batch: ProductBatch(rows.map(names.upsert))))
    }
}

extension ProductRow {
    /// What a later row must not name again.
    var keys: [String] {
        [sku.map { "sku " + Text.folded($0) }, externalID.map { "id " + $0 }].compactMap { $0 }
    }
}

/// The tenant's units, categories and groups of taxes by what a file calls them.
private struct CatalogNames: Sendable {
    /// By name and by symbol, as they are written.
    ///
    /// Nothing keeps two units from being called alike.
    private var units: [String: Set<UnitID>] = [:]
    /// The same, folded.
    private var foldedUnits: [String: Set<UnitID>] = [:]
    private var categories: [String: CategoryID] = [:]
    /// Nothing keeps two of them from being called alike either.
    private var taxGroups: [String: Set<ID<TaxGroup>>] = [:]

    init() {}

    init(_ rows: [ListCatalogNames.Row]) {
        for row in rows {
            let name = Text.folded(row.name)
            switch row.kind {
            case .unit:
                units[row.name, default: []].insert(UnitID(row.id))
                foldedUnits[name, default: []].insert(UnitID(row.id))
            case .category:
                categories[name] = CategoryID(row.id)
            case .taxGroup:
                taxGroups[name, default: []].insert(ID(row.id))
            case nil:
                break
            }
        }
    }

    /// The units that a text may mean: those called so letter by letter, else those called so in any case.
    private func units(called text: String) -> Set<UnitID> {
        units[text] ?? foldedUnits[Text.folded(text)] ?? []
    }

    func check(_ row: ProductRow) throws(RowRejection) {
        if let unit = row.unit {
            switch units(called: unit).count {
            case 0: throw RowRejection(line: row.line, code: .unitUnknown, reason: "there is no unit '\(unit)'")
            case 1: break
            default:
                let reason = "'\(unit)' is the name or symbol of more than one unit"
                throw RowRejection(line: row.line, code: .unitUnknown, reason: reason)
            }
        }
        if let category = row.category, categories[Text.folded(category)] == nil {
            throw RowRejection(line: row.line, code: .categoryUnknown, reason: "there is no category '\(category)'")
        }
        // A rate makes its group where there is none.
        if let group = row.taxGroup, row.taxRate == nil, taxGroups[Text.folded(group)]?.count != 1 {
            let isKnown = taxGroups[Text.folded(group)] != nil
            let found = isKnown ? "more than one tax group is called" : "there is no tax group"
            throw RowRejection(line: row.line, code: .valueInvalid, reason: "\(found) '\(group)'")
        }
    }

    func upsert(_ row: ProductRow) -> ProductUpsert {
        var upsert = ProductUpsert(sku: row.sku, externalID: row.externalID)
        upsert.name = row.name
        upsert.price = row.price
        upsert.taxRate = row.taxRate
        if let groups = row.taxGroup.flatMap({ taxGroups[Text.folded($0)] }), groups.count == 1 {
            upsert.taxGroupID = groups.first
        }
        upsert.unitID = row.unit.flatMap { units(called: $0).first }
        upsert.categoryID = row.category.flatMap { categories[Text.folded($0)] }
        upsert.minStock = row.minStock
        upsert.tracksStock = row.tracksStock
        upsert.oversell = row.oversell
        upsert.barcodes = row.barcodes
        upsert.status = row.status
        return upsert
    }
}

/// Every name that a file may call a unit, a category or a group of taxes by.
private struct ListCatalogNames: Statement {
    static let name = "imports.catalog_names"
    static let sql: SQL = """
        SELECT u.id, v.name, 'unit'
        FROM stock.unit u, LATERAL (VALUES (u.name), (u.symbol)) AS v (name)
        WHERE u.tenant_id = stock.current_tenant()
        UNION ALL
        SELECT c.id, c.name, 'category' FROM stock.category c WHERE c.tenant_id = stock.current_tenant()
        UNION ALL
        SELECT g.id, g.name, 'tax_group' FROM stock.tax_group g WHERE g.tenant_id = stock.current_tenant()
        """

    /// What is called so.
    enum Kind: String {
        case unit
        case category
        case taxGroup = "tax_group"
    }

    struct Row: DecodableRow {
        let id: EntityID
        let name: String
        let kind: Kind?

        init(from row: inout RowReader) throws(PostgresError) {
            let uuid: PostgresUUID = try row.next()
            id = EntityID(high: uuid.high, low: uuid.low)
            name = try row.next()
            kind = Kind(rawValue: try row.next())
        }
    }
}
