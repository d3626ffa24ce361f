import Cache
import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

@Suite("Packagings and what prices were", .serialized)
struct PackagingTests {
    private static func product(_ answer: Answer) throws -> ProductID {
        try required(ProductID(try required(try JSONBody(answer)["id"])))
    }

    private static func looked(_ code: String, _ live: LiveShop) async throws -> JSONBody {
        try JSONBody(try await live.answer(live.shop.products.lookUp(ProductCode(code), live.caller)))
    }

    private static func water() throws -> ProductFields {
        ProductFields(
            sku: "Ñ-1",
            name: "Agua Ñandú",
            price: try Price("9"),
            barcodes: ["7790001"],
            packagings: [
                Packaging(name: "Palé", factor: try Quantity("144"), barcodes: ["17790001", "27790001"]),
                Packaging(name: "Caja", factor: try Quantity("12"), price: try Price("100"), barcodes: ["7790002"]),
            ]
        )
    }

    @Test("a box has its own barcode, factor and price, and is found by it")
    func boxBarcode() async throws {
        try await LiveShop.open { live in
            let created = try await live.shop.products.create(try Self.water(), live.context)
            let body = try JSONBody(created)
            #expect(body.texts("packagings", "name") == ["Caja", "Palé"])
            #expect(body["packagings.0.factor"] == "12")
            #expect(body["packagings.0.price"] == "100.00")
            #expect(body["packagings.0.barcodes.0"] == "7790002")
            #expect(body["packagings.1.price"] == nil)
            #expect(body["barcodes.0"] == "7790001")
            let box = try await Self.looked("7790002", live)
            #expect(box.count("data") == 1)
            #expect(box["data.0.scanned.packaging"] == "Caja")
            #expect(box["data.0.scanned.packaging_id"] == body["packagings.0.id"])
            #expect(box["data.0.scanned.factor"] == "12")
            #expect(box["data.0.scanned.price"] == "100.00")
            // Without a price of its own it costs what is in it.
            #expect(try await Self.looked("17790001", live)["data.0.scanned.price"] == "1296.00")
            let bottle = try await Self.looked("7790001", live)
            #expect(bottle["data.0.scanned.packaging"] == nil)
            #expect(bottle["data.0.scanned.factor"] == "1")
            #expect(bottle["data.0.scanned.price"] == "9.00")
            #expect(try await Self.looked("ñ-1", live)["data.0.scanned.factor"] == "1")
        }
    }

    @Test("a change replaces packagings by name: those that stay keep their id, and what is not named keeps all")
    func replaced() async throws {
        try await LiveShop.open { live in
            let created = try await live.shop.products.create(try Self.water(), live.context)
            let id = try Self.product(created)
            let box = try JSONBody(created)["packagings.0.id"]
            var fields = ProductFields()
            fields.packagings = .set([
                Packaging(name: "CAJA", factor: try Quantity("6"), barcodes: ["7790009"])
            ])
            let changed = try JSONBody(
                try await live.shop.products.change(id, fields, expected: .oneOf([1]), live.context)
            )
            #expect(changed.texts("packagings", "name") == ["CAJA"])
            #expect(changed["packagings.0.id"] == box)
            #expect(changed["packagings.0.factor"] == "6")
            #expect(changed["version"] == "2")
            #expect(try await Self.looked("7790002", live).count("data") == 0)
            #expect(try await Self.looked("17790001", live).count("data") == 0)
            // Its own barcodes change without those of packagings, in a batch as well.
            fields = ProductFields()
            fields.barcodes = .set(["7790001", "500"])
            _ = try await live.shop.products.change(id, fields, expected: .any, live.context)
            var upsert = ProductUpsert(sku: "Ñ-1")
            upsert.barcodes = ["501"]
            _ = try await live.shop.products.upsert([upsert], live.context)
            let after = try JSONBody(try await live.answer(live.shop.products.one(id, live.caller)))
            #expect(after["barcodes.0"] == "501")
            #expect(after["packagings.0.barcodes.0"] == "7790009")
            // What is of a packaging is not the product's as well, by a batch as little as alone.
            upsert.barcodes = ["501", "7790009"]
            let both = upsert
            let shared = await refusal { try await live.shop.products.upsert([both], live.context) }
            #expect(shared?.errors.map(\.pointer) == ["/products/0/barcodes"])
            #expect(shared?.errors.map(\.code) == [.duplicate])
        }
    }

    @Test("a code is of the product or of one packaging, names are told apart without case, and factors fit the unit")
    func refused() async throws {
        try await LiveShop.open { live in
            let refused = await problem {
                var fields = try Self.water()
                fields.packagings = .set([
                    Packaging(name: "Caja", factor: try Quantity("12")),
                    Packaging(name: "caja", factor: try Quantity("0.5")),
                ])
                return try await live.shop.products.create(fields, live.context)
            }
            #expect(refused?.code == .validationFailed)
            #expect(
                refused?.errors.map { "\($0.pointer) \($0.code)" }
                    == ["/packagings/1/name duplicate", "/packagings/1/factor quantity_precision"]
            )
            let id = try Self.product(try await live.shop.products.create(try Self.water(), live.context))
            let shared = await problem {
                var fields = ProductFields()
                fields.barcodes = .set(["1", "7790002"])
                return try await live.shop.products.change(id, fields, expected: .any, live.context)
            }
            #expect(shared?.errors.map { "\($0.pointer) \($0.code)" } == ["/barcodes/1 duplicate"])
            // A code may go from one to the other in one step.
            var fields = ProductFields()
            fields.barcodes = .set(["7790002"])
            fields.packagings = .set([Packaging(name: "Caja", factor: try Quantity("12"), barcodes: ["7790001"])])
            _ = try await live.shop.products.change(id, fields, expected: .any, live.context)
            #expect(try await Self.looked("7790001", live)["data.0.scanned.packaging"] == "Caja")
            #expect(try await Self.looked("7790002", live)["data.0.scanned.packaging"] == nil)
            _ = try await live.shop.products.delete(id, expected: .any, live.context)
            #expect(try await Self.looked("7790001", live).count("data") == 0)
        }
    }

    @Test("a SKU equal to a barcode of a box answers both, and one barcode of two products both products")
    func alike() async throws {
        try await LiveShop.open { live in
            _ = try await live.shop.products.create(try Self.water(), live.context)
            _ = try await live.shop.products.create(
                ProductFields(sku: "7790002", name: "Otra", price: try Price("1"), barcodes: ["7790001"]),
                live.context
            )
            let both = try await Self.looked("7790002", live)
            #expect(both.texts("data", "name") == ["Agua Ñandú", "Otra"])
            #expect(both["data.0.scanned.packaging"] == "Caja")
            #expect(both["data.1.scanned.packaging"] == nil)
            #expect(try await Self.looked("7790001", live).count("data") == 2)
            // Leading zeros stay.
            #expect(try await Self.looked("07790001", live).count("data") == 0)
        }
    }

    @Test("each change of a price is kept with who made it, and of a cost where a person or a purchase moves it")
    func priceHistory() async throws {
        try await LiveShop.open { live in
            let id = try Self.product(try await live.shop.products.create(try Self.water(), live.context))
            for price in ["9.50", "9.50", "10"] {
                var fields = ProductFields()
                fields.price = .set(try Price(price))
                _ = try await live.shop.products.change(id, fields, expected: .any, live.context)
            }
            var fields = ProductFields()
            fields.packagings = .set([Packaging(name: "Caja", factor: try Quantity("12"))])
            _ = try await live.shop.products.change(id, fields, expected: .any, live.context)
            func history(_ kind: PriceKind?, _ page: Page = Page(limit: 10)) async throws -> JSONBody {
                try JSONBody(
                    try await live.answer(live.shop.products.priceHistory(of: id, kind, page, live.caller))
                )
            }
            let prices = try await history(.price)
            #expect(prices.texts("data", "new") == [nil, "10.00", "9.50"])
            #expect(prices.texts("data", "old") == ["100.00", "9.50", "9.00"])
            #expect(prices.texts("data", "packaging") == ["Caja", nil, nil])
            #expect(prices["data.1.user_id"] == live.owner.user.description)
            _ = try await live.shop.stock.record(
                MovementsRequest(
                    movements: [
                        MovementsRequest.Movement(
                            product: .id(id),
                            type: .opening,
                            quantity: try Quantity("10"),
                            reason: "Apertura",
                            unitCost: try Price("2.5")
                        )
                    ]
                ),
                live.context,
                key: nil
            )
            let costs = try await history(.cost)
            #expect(costs.texts("data", "new") == ["2.50"])
            #expect(costs.texts("data", "old") == ["0.00"])
            #expect(costs["data.0.user_id"] == live.owner.user.description)
            _ = try await live.shop.sales.confirm(
                SaleRequest(
                    lines: [.init(product: .id(id), quantity: try Quantity("3"))],
                    payments: [try cash("30")]
                ),
                live.context,
                key: nil
            )
            let all = try await history(nil)
            #expect(all.texts("data", "kind") == ["cost", "price", "price", "price"])
            let first = try await history(nil, Page(limit: 3))
            let second = try await history(nil, Page(limit: 3, cursor: first["next_cursor"]))
            #expect(first.texts("data", "id") + second.texts("data", "id") == all.texts("data", "id"))
            let unknown = await problem {
                try await live.answer(
                    live.shop.products.priceHistory(of: .make(), nil, Page(limit: 1), live.caller)
                )
            }
            #expect(unknown?.code == .notFound)
            // Nobody changes what was.
            let changed = try? await live.database.psql(
                "SET ROLE stock_app; UPDATE stock.price_history SET new_value = 1"
            )
            #expect(changed == nil)
        }
    }
}
