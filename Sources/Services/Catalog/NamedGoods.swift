import Domain
package import Kernel
import Postgres

/// What a line names by a packaging or a code, found in the catalogue.
package struct NamedGoods: Sendable, Hashable {
    /// Which product.
    package let id: ProductID
    /// The version of its row that all this is of.
    let version: Int64
    /// The field of the request that names it.
    let field: String
    /// What one of it is.
    let packed: PackedGoods

    /// Whether one of it is nothing but a unit of the product.
    var isUnit: Bool { packed.packaging == nil && packed.listPrice == nil }

    /// How a line of so many was asked for; nil if by the product's unit.
    ///
    /// - Parameters:
    ///   - count: How many.
    ///   - price: What one is to cost; what it is listed at if nil.
    /// - Returns: What is kept of that.
    func line(of count: Quantity, at price: Price?) -> PackedLine? {
        isUnit ? nil : PackedLine(name: packed.packaging, quantity: count, price: price ?? packed.listPrice)
    }
}

extension ProductReference {
    /// What it was found to be, if it names a packaging or a code.
    var goods: NamedGoods? {
        if case .found(let goods) = self { goods } else { nil }
    }

    /// Whether it is yet to be found what it names.
    fileprivate var isOpen: Bool {
        switch self {
        case .packaging, .code: true
        case .id, .sku, .found: false
        }
    }
}

/// Finds what lines of documents name by packagings and codes.
///
/// It is asked before a unit is computed, and by those lines alone: what names products by id or SKU costs nothing. A packaging
/// is changed with its product, whose version whoever sells compares.
struct GoodsFinder: Sendable {
    let store: Store

    /// Lines with what they name found out.
    ///
    /// - Parameters:
    ///   - lines: The lines.
    ///   - product: Where a line names its product.
    ///   - path: Where the lines are in the request: `/lines`.
    ///   - context: Who asks.
    /// - Returns: The lines.
    /// - Throws: 422 `validation_failed` with every line whose code is none, or that of several products (`candidates`).
    func found<Line>(
        _ lines: [Line],
        _ product: WritableKeyPath<Line, ProductReference>,
        at path: String,
        _ context: CallContext
    ) async throws(Problem) -> [Line] {
        let places = lines.indices.filter { lines[$0][keyPath: product].isOpen }
        guard !places.isEmpty else { return lines }
        let scales = try await scales(of: places.map { lines[$0][keyPath: product] }, context)
        let asked = places.map { Asked(lines[$0][keyPath: product], scales) }
        let rows = try await store.query(FindGoods(asked: asked), tenant: context.tenant, deadline: context.deadline)
        let found = Dictionary(grouping: rows) { Int($0.place) - 1 }
        var lines = lines
        var errors: [FieldError] = []
        for (index, place) in places.enumerated() {
            do throws(FieldError) {
                let pointer = "\(path)/\(place)/\(asked[index].field)"
                lines[place][keyPath: product] = .found(try asked[index].meant(of: found[index] ?? [], pointer))
            } catch {
                errors.append(error)
            }
        }
        guard errors.isEmpty else {
            throw Problem(.validationFailed, "Some lines name no product, or several.", errors: errors)
        }
        return lines
    }

    /// As ``found(_:_:at:_:)``, with quantities in the units of the products.
    ///
    /// - Parameters:
    ///   - lines: The lines.
    ///   - product: Where a line names its product.
    ///   - quantity: Where it says how much.
    ///   - field: What that is called in the request.
    ///   - path: Where the lines are in the request.
    ///   - context: Who asks.
    /// - Returns: The lines.
    /// - Throws: As above; 422 `quantity_precision`.
    func inUnits<Line>(
        _ lines: [Line],
        _ product: WritableKeyPath<Line, ProductReference>,
        _ quantity: WritableKeyPath<Line, Quantity>,
        called field: String = "quantity",
        at path: String = "/lines",
        _ context: CallContext
    ) async throws(Problem) -> [Line] {
        var lines = try await found(lines, product, at: path, context)
        var errors: [FieldError] = []
        for index in lines.indices {
            guard let goods = lines[index][keyPath: product].goods else { continue }
            do throws(ReadingFault) {
                lines[index][keyPath: quantity] = try goods.packed.units(of: lines[index][keyPath: quantity])
            } catch {
                errors.append(FieldError("\(path)/\(index)/\(field)", error.code, error.detail))
            }
        }
        guard errors.isEmpty else { throw Self.refusal(of: errors) }
        return lines
    }

    /// As ``inUnits(_:_:_:called:at:_:)``, with prices by the unit as well; what was asked for is kept beside.
    ///
    /// - Parameters:
    ///   - asked: The lines.
    ///   - product: Where a line names its product.
    ///   - quantity: Where it says how much.
    ///   - price: Where it says what one of that costs.
    ///   - field: What that is called in the request.
    ///   - packed: Where a line keeps how it was asked for.
    ///   - context: Who asks.
    /// - Returns: The lines.
    /// - Throws: As above; 422 `validation_failed` for a price of which a unit's is none.
    func inUnits<Line>(
        _ asked: [Line],
        _ product: WritableKeyPath<Line, ProductReference>,
        _ quantity: WritableKeyPath<Line, Quantity>,
        price: WritableKeyPath<Line, Price>,
        called field: String,
        packed: WritableKeyPath<Line, PackedLine?>,
        _ context: CallContext
    ) async throws(Problem) -> [Line] {
        var lines = try await inUnits(asked, product, quantity, context)
        var errors: [FieldError] = []
        for index in lines.indices {
            guard let goods = lines[index][keyPath: product].goods,
                let line = goods.line(of: asked[index][keyPath: quantity], at: asked[index][keyPath: price])
            else { continue }
            lines[index][keyPath: packed] = line
            do throws(ReadingFault) {
                lines[index][keyPath: price] = try goods.packed.unitPrice(at: asked[index][keyPath: price])
            } catch {
                errors.append(FieldError("/lines/\(index)/\(field)", error.code, error.detail))
            }
        }
        guard errors.isEmpty else { throw Self.refusal(of: errors) }
        return lines
    }

    /// The refusal of quantities that are none of the products'.
    static func refusal(of errors: [FieldError]) -> Problem {
        let isPrecision = errors.allSatisfy { $0.code == .quantityPrecision }
        return Problem(
            isPrecision ? .quantityPrecision : .validationFailed,
            isPrecision ? "Some quantities have more decimals than their units." : "Some lines are not valid.",
            errors: errors
        )
    }

    /// How the tenant's scales write their codes, if one of these may be of one.
    private func scales(
        of references: [ProductReference],
        _ context: CallContext
    ) async throws(Problem) -> [ScalePattern] {
        let mayWeigh = references.contains { reference in
            if case .code(let code) = reference { ScalePattern.mayFit(code.text) } else { false }
        }
        guard mayWeigh else { return [] }
        return try await store.value(
            ScaleCode.patterns(of: context.tenant),
            token: context.token,
            deadline: context.deadline
        ) ?? []
    }
}

/// What a line names, as it is asked of the database.
struct Asked: Sendable {
    let packaging: PackagingID?
    let code: ScannedCode?

    var field: String { code == nil ? "packaging_id" : "code" }

    init(_ reference: ProductReference, _ scales: [ScalePattern]) {
        switch reference {
        case .packaging(let id): (packaging, code) = (id, nil)
        case .code(let code): (packaging, self.code) = (nil, ScannedCode(code.text, scales: scales))
        case .id, .sku, .found: (packaging, code) = (nil, nil)
        }
    }

    /// The one that is meant: the only active product there is; what is archived counts where nothing else is.
    fileprivate func meant(of rows: [FindGoods.Row], _ pointer: String) throws(FieldError) -> NamedGoods {
        let active = rows.filter(\.isActive)
        let candidates = active.isEmpty ? rows : active
        guard let row = candidates.first else {
            if let fault = code?.fault { throw FieldError(pointer, fault.code, fault.detail) }
            throw FieldError(
                pointer,
                .notFound,
                code == nil ? "There is no such packaging." : "No product has this code."
            )
        }
        guard candidates.count == 1 else {
            throw FieldError(
                pointer,
                .ambiguous,
                "Several products have this code.",
                extra: [("candidates", Self.json(candidates))]
            )
        }
        return NamedGoods(
            id: row.product,
            version: row.version,
            field: field,
            packed: try packed(row, pointer)
        )
    }

    private func packed(_ row: FindGoods.Row, _ pointer: String) throws(FieldError) -> PackedGoods {
        guard !row.isAsIs, let code, code.quantity != nil || code.amount != nil else {
            return row.packed
        }
        do throws(ReadingFault) {
            return try PackedGoods(
                quantity: code.quantity,
                amount: code.amount,
                unitPrice: row.price,
                decimals: Int(row.decimals)
            )
        } catch {
            throw FieldError(pointer, error.code, error.detail)
        }
    }

    private static func json(_ rows: [FindGoods.Row]) -> String {
        var writer = JSONWriter()
        writer.array { writer in
            for row in rows {
                writer.object { writer in
                    writer.member("product_id", row.product.description)
                    writer.member("sku", row.sku)
                    writer.member("name", row.name)
                    writer.member("packaging_id", row.packaging?.description)
                    writer.member("packaging", row.packed.packaging)
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

/// Reads what packagings and codes name: a row for each product, those of one line behind those of the line before.
struct FindGoods: Statement {
    static let name = "catalog.find_goods"
    static let sql: SQL = """
        SELECT g.place, g.as_is, g.product_id, g.version, g.price, g.decimals, g.sku, g.name, g.active, g.packaging_id,
               g.packaging, g.factor, g.packaging_price
        FROM stock.goods_meant($1, $2, $3, $4) g
        """
    static let parameterTypes: [PostgresType] = [.uuidArray, .textArray, .textArray, .int4Array]

    let asked: [Asked]

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(asked.map(\.packaging))
        try parameters.append(asked.map(\.code?.text))
        try parameters.append(asked.flatMap { $0.code?.others ?? [] })
        try parameters.append(
            asked.enumerated().flatMap { index, asked in
                (asked.code?.others ?? []).map { _ in Int32(truncatingIfNeeded: index + 1) }
            }
        )
    }

    struct Row: DecodableRow {
        let place: Int32
        /// Whether the code is in the catalogue as it is, so that nothing that it says otherwise counts.
        let isAsIs: Bool
        let product: ProductID
        let version: Int64
        let price: Price
        let decimals: Int16
        let sku: String?
        let name: String
        let isActive: Bool
        let packaging: PackagingID?
        let packed: PackedGoods

        init(from row: inout RowReader) throws(PostgresError) {
            place = try row.next()
            isAsIs = try row.next()
            product = try row.next()
            version = try row.next()
            price = try row.next(Price.self)
            decimals = try row.next()
            sku = try row.next()
            name = try row.next()
            isActive = try row.next()
            packaging = try row.next(PackagingID?.self)
            packed = PackedGoods(
                packaging: try row.next(),
                factor: try row.next(Quantity?.self) ?? Quantity(rawValue: 1_000_000),
                listPrice: try row.next(Price?.self)
            )
        }
    }
}

extension Store {
    /// Finds what lines name by packagings and codes.
    var goods: GoodsFinder { GoodsFinder(store: self) }
}
