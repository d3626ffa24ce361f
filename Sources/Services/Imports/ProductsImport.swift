package import Domain
import Kernel
import NIOCore
import Postgres

/// Takes a file of products over: rows match a product by `external_id`, else by SKU, and make one if none does.
///
/// Batches of a thousand rows go the way of `POST /v1/products/batch`, so an unchanged row writes nothing and the same
/// file again changes nothing.
package struct ProductsImport: Sendable {
    /// How a file is to be imported.
    package struct Options: Sendable {
        package var mapping: ImportMapping
        package var onError: ImportErrorPolicy
        /// Checks what the file alone and the names of units and categories show, and writes nothing.
        package var isDryRun: Bool

        package init(mapping: ImportMapping, onError: ImportErrorPolicy = .skip, isDryRun: Bool = false) {
            self.mapping = mapping
            self.onError = onError
            self.isDryRun = isDryRun
        }
    }

    /// What came of an import.
    package struct Report: Sendable {
        /// Rows of the file, without its header.
        package var rows = 0
        package var created = 0
        package var updated = 0
        package var unchanged = 0
        package var rejected: [RowRejection.Code: Int] = [:]
        package var duration: Duration = .zero

        /// Rows refused, all codes together.
        package var rejectedRows: Int { rejected.values.reduce(0, +) }
    }

    private static let batchRows = 1_000

    private let shop: Shop

    /// Imports into a shop.
    ///
    /// - Parameter shop: the services.
    package init(shop: Shop) {
        self.shop = shop
    }

    /// Imports a file.
    ///
    /// - Parameters:
    ///   - source: its bytes, decompressed.
    ///   - options: how.
    ///   - context: as whom; its deadline is extended for each batch.
    ///   - onReject: called with every row that is refused.
    /// - Returns: the figures.
    /// - Throws: ``ImportFailure``, `Problem`, or what `source` or `onReject` throws.
    package func run<Source: AsyncSequence>(
        _ source: Source,
        options: Options,
        context: CallContext,
        onReject: (RowRejection) throws -> Void
    ) async throws -> Report where Source.Element == [UInt8] {
        let clock = ContinuousClock()
        let start = clock.now
        var report = Report()
        let names = try await CatalogNames(shop.store, context)
        var parser = CSVParser(dialect: options.mapping.dialect)
        var reader: ProductRowReader?
        var pending: [ProductRow] = []
        var seen: Set<String> = []

        func reject(_ rejection: RowRejection) throws {
            report.rejected[rejection.code, default: 0] += 1
            try onReject(rejection)
        }
        func take(_ record: borrowing CSVRecord) throws {
            guard let known = reader else {
                do throws(ImportMapping.Fault) {
                    reader = try ProductRowReader(mapping: options.mapping, header: record)
                } catch {
                    throw ImportFailure.mapping(error)
                }
                return
            }
            report.rows += 1
            do throws(RowRejection) {
                let row = try known.read(record)
                try names.check(row)
                guard row.names.allSatisfy({ !seen.contains($0) }) else {
                    throw RowRejection(line: row.line, code: .duplicate, reason: "an earlier row names this product")
                }
                seen.formUnion(row.names)
                pending.append(row)
            } catch {
                try reject(error)
            }
        }

        var chunks = source.makeAsyncIterator()
        while let chunk = try await chunks.next(isolation: #isolation) {
            try parser.consume(chunk, take)
            // Under abort the whole file is read before anything is written.
            while options.onError == .skip, !options.isDryRun, pending.count >= Self.batchRows {
                report.add(try await apply(Array(pending.prefix(Self.batchRows)), names, options, context, reject))
                pending.removeFirst(Self.batchRows)
            }
        }
        try parser.finish(take)
        guard reader != nil else { throw ImportFailure.mapping(.init("the file is empty; a header is needed")) }
        if options.onError == .abort, report.rejectedRows > 0 { throw ImportFailure.refused(rows: report.rejectedRows) }
        if !options.isDryRun {
            while !pending.isEmpty {
                report.add(try await apply(Array(pending.prefix(Self.batchRows)), names, options, context, reject))
                pending.removeFirst(min(Self.batchRows, pending.count))
            }
        }
        report.duration = clock.now - start
        return report
    }

    /// Applies a batch; rows the database refuses are left out of a second try.
    private func apply(
        _ batch: [ProductRow],
        _ names: CatalogNames,
        _ options: Options,
        _ context: CallContext,
        _ reject: (RowRejection) throws -> Void
    ) async throws -> Outcomes {
        var rows = batch
        var context = context
        while !rows.isEmpty {
            context.deadline = .now + .seconds(30)
            do {
                let answer = try await shop.catalog.upsertProducts(rows.map(names.upsert), key: nil, context)
                return try Outcomes(answer.body)
            } catch let problem as Problem where problem.code == .validationFailed && !problem.errors.isEmpty {
                var reasons: [Int: [FieldError]] = [:]
                for error in problem.errors {
                    let parts = error.pointer.split(separator: "/")
                    guard parts.count >= 2, let place = Int(parts[1]), rows.indices.contains(place) else {
                        throw problem
                    }
                    reasons[place, default: []].append(error)
                }
                if options.onError == .abort { throw ImportFailure.refused(rows: reasons.count) }
                for (place, errors) in reasons.sorted(by: { $0.key < $1.key }) {
                    let code = errors.first.flatMap { RowRejection.Code(rawValue: $0.code) } ?? .valueInvalid
                    let reason = errors.map(\.detail).joined(separator: " ")
                    try reject(RowRejection(line: rows[place].line, code: code, reason: reason))
                }
                rows = rows.enumerated().filter { reasons[$0.offset] == nil }.map(\.element)
            }
        }
        return Outcomes()
    }
}

/// What became of the rows of a batch.
private struct Outcomes {
    var created = 0
    var updated = 0
    var unchanged = 0

    init() {}

    /// Counts the outcomes that a batch's answer names.
    init(_ body: ByteBuffer) throws {
        guard case .object(let answer) = try JSONValue.parse(Array(buffer: body)),
            case .array(let rows) = answer["data"]
        else { return }
        for row in rows {
            guard case .object(let row) = row else { continue }
            switch row["outcome"] {
            case .string("created"): created += 1
            case .string("updated"): updated += 1
            default: unchanged += 1
            }
        }
    }
}

extension ProductsImport.Report {
    fileprivate mutating func add(_ outcomes: Outcomes) {
        created += outcomes.created
        updated += outcomes.updated
        unchanged += outcomes.unchanged
    }
}

extension ProductRow {
    /// What a later row must not name again.
    fileprivate var names: [String] {
        [sku.map { "sku " + $0.lowercased() }, externalID.map { "id " + $0 }].compactMap { $0 }
    }
}

/// The tenant's units and categories by what a file calls them.
private struct CatalogNames: Sendable {
    private var units: [String: UnitID] = [:]
    private var categories: [String: CategoryID] = [:]

    init(_ store: Store, _ context: CallContext) async throws {
        for row in try await store.query(ListCatalogNames(), tenant: context.tenant, deadline: context.deadline) {
            let name = row.name.lowercased()
            if row.isUnit {
                if units[name] == nil { units[name] = UnitID(row.id) }
            } else {
                categories[name] = CategoryID(row.id)
            }
        }
    }

    func check(_ row: ProductRow) throws(RowRejection) {
        if let unit = row.unit, units[unit.lowercased()] == nil {
            throw RowRejection(line: row.line, code: .unitUnknown, reason: "there is no unit '\(unit)'")
        }
        if let category = row.category, categories[category.lowercased()] == nil {
            throw RowRejection(line: row.line, code: .categoryUnknown, reason: "there is no category '\(category)'")
        }
    }

    func upsert(_ row: ProductRow) -> ProductUpsert {
        var upsert = ProductUpsert(sku: row.sku, externalID: row.externalID)
        upsert.name = row.name
        upsert.price = row.price
        upsert.taxRate = row.taxRate
        upsert.unitID = row.unit.flatMap { units[$0.lowercased()] }
        upsert.categoryID = row.category.flatMap { categories[$0.lowercased()] }
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
    static let sql: StaticString = """
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
