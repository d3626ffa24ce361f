import CLibPQ
import Cache
import Domain
import Kernel
import NIOCore

@testable import Postgres
@testable import Services

/// Things that are done for each request, row or line: so many times over, so that a difference of two counts is what each costs.
enum Repeated {
    /// What is done, by name.
    static let works: [String: @Sendable (Int) throws -> Void] = [
        // A cached series from the bytes of its request to the bytes of its answer.
        "hit": { count in
            let instance = try AtRest()
            for _ in 0..<count { try instance.ask() }
        },
        // The row of a series as libpq has it, to what the cache keeps.
        "series-row": { count in
            let result = try Self.seriesRow()
            for _ in 0..<count {
                var reader = RowReader(result: result, row: 0)
                let filled = Filled(try BodyRow(from: &reader))
                guard case .body(let body, _) = filled.content, body.readableBytes == AtRest.series.utf8.count else {
                    throw AtRest.Failure(text: "another row")
                }
            }
        },
        // A cart of three lines, priced, discounted, taxed and paid.
        "sale": { count in
            let (request, snapshot, caller) = try Self.cart()
            for _ in 0..<count { _ = try SalePlan(request, from: snapshot, by: caller) }
        },
        // A line of a sales file, parsed and read.
        "csv-line": { count in
            var parser = CSVParser()
            var reader: SaleRowReader?
            var mapping = ImportMapping()
            mapping.columns = [
                "sale": "InvoiceNo", "sku": "StockCode", "name": "Description", "quantity": "Quantity",
                "occurred_at": "InvoiceDate", "unit_price": "UnitPrice",
            ]
            func read(_ record: borrowing FileRecord) throws {
                if let reader {
                    _ = try reader.read(record)
                } else {
                    reader = try SaleRowReader(mapping: mapping, header: record)
                }
            }
            let header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\r\n"
            try parser.consume(Array(header.utf8), read)
            let line = Array(
                "536365,85123A,\"WHITE HANGING HEART, T-LIGHT HOLDER\",6,2010-12-01T08:26:00,2.55,17850.0,United Kingdom\r\n"
                    .utf8
            )
            for _ in 0..<count { try parser.consume(line, read) }
            try parser.finish(read)
        },
    ]

    /// An answer of one row, made as libpq makes what a server sends.
    private static func seriesRow() throws -> PGResult {
        guard let handle = PQmakeEmptyPGresult(nil, PGRES_TUPLES_OK) else { throw AtRest.Failure(text: "no result") }
        let result = PGResult(taking: handle)
        // A pg_snapshot as its binary form has it: the number of transactions at work, the oldest, the next.
        let snapshot: [UInt8] = [0, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 3, 0xe8] + [0, 0, 0, 0, 0, 0, 3, 0xe8]
        let values: [[UInt8]?] = [Array(AtRest.series.utf8), nil, snapshot]
        var columns = [PostgresType.text, .text, .pgSnapshot].map { type in
            PGresAttDesc(name: nil, tableid: 0, columnid: 0, format: 1, typid: type.oid, typlen: -1, atttypmod: -1)
        }
        let isMade = "column".withCString { name in
            for index in columns.indices { columns[index].name = UnsafeMutablePointer(mutating: name) }
            return PQsetResultAttrs(handle, CInt(columns.count), &columns) != 0
        }
        guard isMade else { throw AtRest.Failure(text: "no columns") }
        for (column, value) in values.enumerated() {
            var bytes = (value ?? []).map { CChar(bitPattern: $0) }
            guard PQsetvalue(handle, 0, CInt(column), &bytes, value.map { CInt($0.count) } ?? -1) != 0 else {
                throw AtRest.Failure(text: "no value")
            }
        }
        return result
    }

    private static func cart() throws -> (SaleRequest, SellingSnapshot, Caller) {
        let products = try ["21.90", "24.90", "1.29"].map { price in
            SellableProduct(
                id: .make(),
                version: 1,
                price: try Price(price),
                taxRate: try TaxRate("7"),
                taxes: nil,
                unitDecimals: 3,
                tracksStock: true,
                isActive: true
            )
        }
        let rules = SellingRules(
            version: 1,
            currency: "EUR",
            exponent: 2,
            pricesIncludeTax: true,
            managerDiscountLimit: nil,
            cashierDiscountLimit: try Percent("10"),
            cashRounding: .none,
            keepsPrices: false,
            methods: [.cash: SellingMethod(kind: .cash, isActive: true)]
        )
        let request = SaleRequest(
            discount: try Money("1.00"),
            lines: try zip(products, ["1", "0.25", "6"]).map { product, quantity in
                SaleRequest.Line(product: .id(product.id), quantity: try Quantity(quantity))
            },
            payments: [Tender(method: .cash, amount: try Money("34.87"), tendered: try Money("50.00"))]
        )
        let caller = Caller(
            tenant: TenantID(rawValue: 1),
            user: .make(),
            session: .make(),
            role: .cashier,
            scopes: Role.cashier.scopes,
            name: "Ana"
        )
        return (request, SellingSnapshot(rules: rules, products: products), caller)
    }
}
