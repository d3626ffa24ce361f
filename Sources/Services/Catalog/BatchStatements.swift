import Domain
import Kernel
import Postgres

/// A batch of products by columns, as `stock.upsert_products` takes it.
struct ProductBatch: Sendable {
    /// The types of its parameters, in the order they are bound: the ids of those that turn out to be new, then the fields of
    /// an upsert, NULL where it names none, barcodes as a JSON array of texts.
    static let parameterTypes: [PostgresType] = [
        .uuidArray, .textArray, .textArray, .textArray, .uuidArray, .uuidArray, .numericArray, .numericArray,
        .boolArray, .textArray, .numericArray, .textArray, .textArray, .uuidArray,
    ]

    private let ids: [ProductID]
    private let upserts: [ProductUpsert]

    /// A batch of these products, in this order.
    init(_ upserts: [ProductUpsert]) {
        self.upserts = upserts
        ids = upserts.map { _ in ProductID.make() }
    }

    /// Binds the columns.
    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(ids)
        try parameters.append(upserts.map(\.sku))
        try parameters.append(upserts.map(\.externalID))
        try parameters.append(upserts.map(\.name))
        try parameters.append(upserts.map(\.categoryID))
        try parameters.append(upserts.map(\.unitID))
        try parameters.append(upserts.map(\.price))
        try parameters.append(upserts.map(\.taxRate))
        try parameters.append(upserts.map(\.tracksStock))
        try parameters.append(upserts.map { $0.oversell?.rawValue })
        try parameters.append(upserts.map(\.minStock))
        try parameters.append(upserts.map { $0.status?.rawValue })
        try parameters.append(upserts.map { $0.barcodes.map(Self.json) })
        try parameters.append(upserts.map(\.taxGroupID))
    }

    private static func json(_ codes: [String]) -> String {
        var writer = JSONWriter()
        writer.array { writer in
            for code in codes { writer.string(code) }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

/// What became of each product of a batch that is made and changed, all or none, in the order of the request.
struct UpsertedProducts: Document {
    static let name = "catalog.batch"
    static let sql: SQL = """
        SELECT stock.list_body(string_agg((SELECT row_to_json(r)::text FROM (
                   SELECT u.id, u.sku, u.external_id, u.outcome, u.version
               ) r), ',' ORDER BY u.place), NULL), NULL::text
        FROM stock.upsert_products($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, false) u
        """
    static let parameterTypes = ProductBatch.parameterTypes

    let batch: ProductBatch

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try batch.bind(&parameters) }
}

/// Makes the products of a batch and leaves out those that can not be made; without an answer it has made none, as one of them is there.
struct ImportNewProducts: Statement {
    static let name = "imports.new_products"
    static let sql: SQL = """
        SELECT u.place, u.outcome, u.errors::text
        FROM stock.import_new_products($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) u
        ORDER BY u.place
        """
    static let parameterTypes = ProductBatch.parameterTypes

    typealias Row = ImportedRow

    var batch: ProductBatch

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try batch.bind(&parameters) }
}

/// Makes and changes the products of a batch, and leaves out those that can not be applied.
struct ImportProducts: Statement {
    static let name = "imports.products"
    static let sql: SQL = """
        SELECT u.place, u.outcome, u.errors::text
        FROM stock.upsert_products($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, true) u
        ORDER BY u.place
        """
    static let parameterTypes = ProductBatch.parameterTypes

    typealias Row = ImportedRow

    var batch: ProductBatch

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try batch.bind(&parameters) }
}
