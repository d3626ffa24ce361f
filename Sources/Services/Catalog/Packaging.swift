package import Kernel
import Postgres

/// What a product is handled in beside its unit, as a client writes it: a box of twelve.
package struct Packaging: Sendable, Equatable {
    /// What it is called; of one product, each is called otherwise.
    package var name: String

    /// How many of the product's unit are in one; above zero.
    package var factor: Quantity

    /// What one costs; what its units cost if nil.
    package var price: Price?

    /// Its barcodes, which are none of the product itself.
    package var barcodes: [String]

    /// Makes a packaging.
    ///
    /// - Parameters:
    ///   - name: What it is called.
    ///   - factor: How many of the product's unit are in one.
    ///   - price: What one costs; what its units cost if nil.
    ///   - barcodes: Its barcodes.
    package init(name: String, factor: Quantity, price: Price? = nil, barcodes: [String] = []) {
        self.name = name
        self.factor = factor
        self.price = price
        self.barcodes = barcodes
    }
}

/// Makes a product's barcodes and packagings exactly these; what is nil stays as it is.
struct ComposeProduct: Statement {
    static let name = "catalog.compose"
    static let sql: SQL = "SELECT stock.product_compose($1, $2, $3, $4, $5, $6)"
    static let parameterTypes: [PostgresType] = [
        .uuid, .textArray, .textArray, .numericArray, .numericArray, .text,
    ]

    let id: ProductID
    let barcodes: [String]?
    let packagings: [Packaging]?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
        if let barcodes { try parameters.append(barcodes) } else { try parameters.appendNull() }
        guard let packagings else {
            for _ in 0..<4 { try parameters.appendNull() }
            return
        }
        try parameters.append(packagings.map(\.name))
        try parameters.append(packagings.map(\.factor))
        try parameters.append(packagings.map(\.price))
        try parameters.append(Self.codes(of: packagings))
    }

    /// The barcodes of each, as JSON.
    private static func codes(of packagings: [Packaging]) -> String {
        var writer = JSONWriter()
        writer.array { writer in
            for packaging in packagings {
                writer.array { writer in
                    for code in packaging.barcodes { writer.string(code) }
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
