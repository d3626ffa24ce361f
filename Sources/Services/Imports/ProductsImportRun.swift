import Domain
import Kernel
import Postgres

/// One run of a products import on one connection.
final class ProductsImportRun {
    private static let batchRows = 1_000

    private let session: ImportSession
    private let options: ProductsImport.Options
    private let figures: ProductsImport.Figures
    private let onReject: (RowRejection) throws -> Void
    private let onProgress: (ImportProgress) -> Void

    private var names = CatalogNames()
    private var reader: ProductRowReader?
    /// Rows that were read and not applied yet, from `next` on.
    private var pending: [ProductRow] = []
    private var next = 0
    private var seen: Set<String> = []

    init(
        session: ImportSession,
        options: ProductsImport.Options,
        figures: ProductsImport.Figures,
        onReject: @escaping (RowRejection) throws -> Void,
        onProgress: @escaping (ImportProgress) -> Void
    ) {
        self.session = session
        self.options = options
        self.figures = figures
        self.onReject = onReject
        self.onProgress = onProgress
    }

    /// Imports the file.
    func run<Source: AsyncSequence>(_ source: Source) async throws where Source.Element == [UInt8] {
        names = CatalogNames(try await session.all(ListCatalogNames()))
        // Whatever is all or nothing is read to its end before anything is written.
        let isWhole = options.onError == .abort || options.isDryRun
        do {
            try await read(source, applying: !isWhole)
        } catch let fault as ImportMapping.Fault {
            throw ImportFailure.mapping(fault)
        }
        if isWhole {
            try await applyWhole()
        } else {
            while next < pending.count { try await applyBatch() }
        }
    }

    // MARK: Reading

    private func read<Source: AsyncSequence>(
        _ source: Source,
        applying: Bool
    ) async throws where Source.Element == [UInt8] {
        var transcoder = UTF16Transcoder(encoding: options.mapping.encoding)
        var parser = CSVParser(dialect: options.mapping.dialect)
        var chunks = source.makeAsyncIterator()
        while let chunk = try await chunks.next(isolation: #isolation) {
            try parser.consume(transcoder.decode(chunk)) { try take($0) }
            figures.report.blankRows = parser.blankRecords
            onProgress(.reading(rows: figures.report.rows))
            while applying, pending.count - next >= Self.batchRows { try await applyBatch() }
            pending.removeFirst(next)
            next = 0
        }
        try parser.consume(transcoder.finish()) { try take($0) }
        try parser.finish { try take($0) }
        figures.report.blankRows = parser.blankRecords
        guard reader != nil else { throw ImportMapping.Fault("the file is empty; a header is needed") }
    }

    private func take(_ record: borrowing CSVRecord) throws {
        guard let reader else {
            let made = try ProductRowReader(mapping: options.mapping, header: record)
            figures.report.unusedColumns = made.unusedColumns
            reader = made
            return
        }
        figures.report.rows += 1
        do throws(RowRejection) {
            let row = try reader.read(record)
            try names.check(row)
            let keys = row.keys
            guard seen.isDisjoint(with: keys) else {
                throw RowRejection(line: row.line, code: .duplicate, reason: "an earlier row names this product")
            }
            seen.formUnion(keys)
            pending.append(row)
        } catch {
            try reject(error)
        }
    }

    private func reject(_ rejection: RowRejection) throws {
        figures.report.rejected[rejection.code, default: 0] += 1
        try onReject(rejection)
    }

    // MARK: Writing

    /// Applies the next rows as a transaction of their own.
    private func applyBatch() async throws {
        let batch = pending[next..<min(next + Self.batchRows, pending.count)]
        let outcomes = try await session.retried {
            try await session.all(ImportProducts(batch: ProductBatch(batch.map(names.upsert))))
        }
        try count(outcomes, of: batch)
        next += batch.count
        onProgress(.writing(rows: written, of: nil))
    }

    /// Applies all rows as one transaction: kept if the run is none that is dry and no row was refused, or may be.
    private func applyWhole() async throws {
        // Told only when the transaction has come to its end: a try that is repeated says nothing.
        let outcomes = try await session.retried {
            try await session.lease.begin(tenant: session.tenant)
            do {
                var outcomes: [[ImportProducts.Row]] = []
                var place = 0
                while place < pending.count {
                    let batch = pending[place..<min(place + Self.batchRows, pending.count)]
                    outcomes.append(try await session.all(ImportProducts(batch: ProductBatch(batch.map(names.upsert)))))
                    place += batch.count
                    onProgress(.writing(rows: place, of: pending.count))
                }
                let isRefused =
                    options.onError == .abort
                    && (figures.report.rejectedRows > 0 || outcomes.joined().contains { $0.errors != nil })
                if options.isDryRun || isRefused {
                    try await session.lease.rollback()
                } else {
                    try await session.lease.commit()
                }
                return outcomes
            } catch {
                try? await session.lease.rollback()
                throw error
            }
        }
        for (index, batch) in outcomes.enumerated() {
            let start = index * Self.batchRows
            try count(batch, of: pending[start..<start + batch.count])
        }
        if options.onError == .abort, figures.report.rejectedRows > 0 {
            throw ImportFailure.refused(rows: figures.report.rejectedRows)
        }
    }

    private var written: Int { figures.report.created + figures.report.updated + figures.report.unchanged }

    private func count(_ outcomes: [ImportProducts.Row], of batch: ArraySlice<ProductRow>) throws {
        for outcome in outcomes {
            switch outcome.outcome {
            case "created": figures.report.created += 1
            case "updated": figures.report.updated += 1
            case "unchanged": figures.report.unchanged += 1
            default:
                let index = batch.startIndex + Int(outcome.place)
                guard batch.indices.contains(index) else { continue }
                try reject(RowRejection(line: batch[index].line, errors: outcome.errors ?? "[]"))
            }
        }
    }
}

extension ProductRow {
    /// What a later row must not name again.
    fileprivate var keys: [String] {
        [sku.map { "sku " + Text.folded($0) }, externalID.map { "id " + $0 }].compactMap { $0 }
    }
}

extension RowRejection {
    /// The rejection of a row of a batch.
    ///
    /// - Parameters:
    ///   - line: the row's line.
    ///   - errors: a JSON array of errors, as a batch's problem has them.
    fileprivate init(line: Int, errors: String) {
        var codes: [Code] = []
        var reasons: [String] = []
        if case .array(let members)? = try? JSONValue.parse(Array(errors.utf8)) {
            for case .object(let error) in members {
                guard case .string(let pointer)? = error["pointer"], case .string(let code)? = error["code"],
                    case .string(let detail)? = error["detail"]
                else { continue }
                let field = String(pointer.drop { $0 == "/" })
                codes.append(Self.code(field, code))
                reasons.append(field.isEmpty ? detail : "\(field): \(detail)")
            }
        }
        self.init(line: line, code: codes.first ?? .valueInvalid, reason: reasons.joined(separator: " "))
    }

    private static func code(_ field: String, _ code: String) -> Code {
        switch (field, code) {
        case ("name", "required"): .nameMissing
        case ("price", "required"): .priceInvalid
        case ("unit_id", "not_found"): .unitUnknown
        case ("category_id", "not_found"): .categoryUnknown
        default: Code(rawValue: code) ?? .valueInvalid
        }
    }
}

/// The tenant's units and categories by what a file calls them.
private struct CatalogNames: Sendable {
    /// By name and by symbol, as they are written.
    ///
    /// Nothing keeps two units from being called alike.
    private var units: [String: Set<UnitID>] = [:]
    /// The same, folded.
    private var foldedUnits: [String: Set<UnitID>] = [:]
    private var categories: [String: CategoryID] = [:]

    init() {}

    init(_ rows: [ListCatalogNames.Row]) {
        for row in rows {
            let name = Text.folded(row.name)
            if row.isUnit {
                units[row.name, default: []].insert(UnitID(row.id))
                foldedUnits[name, default: []].insert(UnitID(row.id))
            } else {
                categories[name] = CategoryID(row.id)
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
    }

    func upsert(_ row: ProductRow) -> ProductUpsert {
        var upsert = ProductUpsert(sku: row.sku, externalID: row.externalID)
        upsert.name = row.name
        upsert.price = row.price
        upsert.taxRate = row.taxRate
        upsert.unitID = row.unit.flatMap { units(called: $0).first }
        upsert.categoryID = row.category.flatMap { categories[Text.folded($0)] }
        upsert.minStock = row.minStock
        upsert.tracksStock = row.tracksStock
        upsert.oversell = row.oversell
        upsert.barcodes = row.barcodes
        return upsert
    }
}

/// Every name that a file may call a unit or a category by.
private struct ListCatalogNames: Statement {
    static let name = "imports.catalog_names"
    static let sql: SQL = """
        SELECT u.id, v.name, true
        FROM stock.unit u, LATERAL (VALUES (u.name), (u.symbol)) AS v (name)
        WHERE u.tenant_id = stock.current_tenant()
        UNION ALL
        SELECT c.id, c.name, false FROM stock.category c WHERE c.tenant_id = stock.current_tenant()
        """

    struct Row: DecodableRow {
        let id: EntityID
        let name: String
        let isUnit: Bool

        init(from row: inout RowReader) throws(PostgresError) {
            let uuid: PostgresUUID = try row.next()
            id = EntityID(high: uuid.high, low: uuid.low)
            name = try row.next()
            isUnit = try row.next()
        }
    }
}
