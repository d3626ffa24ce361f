import Cache
import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

@Suite("Lines by packaging and by code", .serialized)
struct LinesByCodeTests {
    /// Makes a product; gives its id.
    @discardableResult
    private static func make(_ fields: ProductFields, _ live: LiveShop) async throws -> ProductID {
        let answer = try await live.shop.products.create(fields, live.context)
        return try required(ProductID(try required(try JSONBody(answer)["id"])))
    }

    private static func water(_ box: String = "100", factor: String = "12") throws -> ProductFields {
        ProductFields(
            sku: "AG",
            name: "Agua Ñandú",
            price: try Price("9"),
            oversell: .allow,
            barcodes: ["7790001"],
            packagings: [
                Packaging(name: "Caja", factor: try Quantity(factor), price: try Price(box), barcodes: ["7790002"]),
                Packaging(name: "Palé", factor: try Quantity("144"), barcodes: ["17790001"]),
            ]
        )
    }

    private static func code(_ text: String) throws -> ProductReference { .code(try ProductCode(text)) }

    private static func sell(
        _ lines: [(code: String, quantity: String)],
        paid: String,
        _ live: LiveShop
    ) async throws -> JSONBody {
        let request = SaleRequest(
            lines: try lines.map {
                SaleRequest.Line(product: try code($0.code), quantity: try Quantity($0.quantity))
            },
            payments: [try card(paid)]
        )
        return try JSONBody(try await live.shop.sales.confirm(request, live.context, key: nil))
    }

    @Test(
        "boxes come to so many times their price, whatever a piece of them is rounded to",
        arguments: [
            ("EUR", "12", "100", "1", "100.00", "8.333333"), ("EUR", "12", "100", "1000", "100000.00", "8.333333"),
            ("EUR", "7", "10", "100000", "1000000.00", "1.428571"), ("EUR", "12", "100", "0.5", "50.00", "8.333333"),
            ("KWD", "12", "100.005", "1000", "100005.000", "8.33375"), ("KWD", "7", "0.001", "3", "0.003", "0.000143"),
            ("JPY", "3", "1000", "7", "7000", "333.333333"),
        ]
    )
    func gross(
        currency: String,
        factor: String,
        price: String,
        count: String,
        total: String,
        piece: String
    ) async throws {
        try await LiveShop.open("boxes_\(currency)_\(factor)_\(count.replacing(".", with: "_"))", currency: currency) {
            live in
            try await Self.make(try Self.water(price, factor: factor), live)
            let sale = try await Self.sell([("7790002", count)], paid: total, live)
            #expect(sale["total"] == total)
            #expect(sale["subtotal"] == total)
            #expect(sale["lines.0.total"] == total)
            #expect(sale["lines.0.unit_price"] == piece)
            #expect(sale["lines.0.price_source"] == "list")
            #expect(sale["lines.0.packaging.name"] == "Caja")
            #expect(sale["lines.0.packaging.quantity"] == count)
            #expect(try await live.violations() == [])
        }
    }

    @Test("a line by packaging is kept in units, discounts and returns included, and a product's own code is its unit")
    func units() async throws {
        try await LiveShop.open { live in
            let id = try await Self.make(try Self.water(), live)
            let body = try JSONBody(try await live.answer(live.shop.products.one(id, live.caller)))
            let pallet = try required(PackagingID(try required(body["packagings.1.id"])))
            var lines = [
                SaleRequest.Line(product: try Self.code("7790002"), quantity: try Quantity("2")),
                SaleRequest.Line(product: .packaging(pallet), quantity: try Quantity("1")),
                SaleRequest.Line(product: try Self.code("ag"), quantity: try Quantity("3")),
            ]
            lines[0].discount = try Money("0.01")
            let cart = try JSONBody(try await live.shop.sales.price(SaleRequest(lines: lines), live.context))
            #expect(cart["total"] == "1522.99")
            let answer = try await live.shop.sales.confirm(
                SaleRequest(lines: lines, payments: [try card("1522.99")]),
                live.context,
                key: nil
            )
            let sale = try JSONBody(answer)
            #expect(sale.texts("lines", "quantity") == ["24", "144", "3"])
            #expect(sale.texts("lines", "total") == ["199.99", "1296.00", "27.00"])
            #expect(sale.texts("lines", "unit_price") == ["8.333333", "9.00", "9.00"])
            #expect(sale["lines.0.packaging.price"] == "100.00")
            #expect(sale["lines.1.packaging.name"] == "Palé")
            #expect(sale["lines.1.packaging.price"] == nil)
            #expect(sale["lines.2.packaging.name"] == nil)
            let saleID = try required(SaleID(try required(sale["id"])))
            let line = try required(SaleLineID(try required(sale["lines.0.id"])))
            // One bottle of 24 for 199.99, then the rest.
            for (quantity, amount) in [("1", "8.33"), ("23", "191.66")] {
                _ = try await live.shop.sales.takeBack(
                    saleID,
                    ReturnRequest(
                        lines: [.init(saleLineID: line, quantity: try Quantity(quantity))],
                        payments: [Refund(method: .card, amount: try Money(amount))]
                    ),
                    live.context,
                    key: nil
                )
            }
            #expect(try await live.violations() == [])
        }
    }

    @Test("a price of one's own is that of a box, and goes no further below the list than the role may")
    func overridden() async throws {
        try await LiveShop.open { live in
            try await Self.make(try Self.water(), live)
            var line = SaleRequest.Line(product: try Self.code("7790002"), quantity: try Quantity("2"))
            line.unitPrice = try Price("90")
            let request = SaleRequest(lines: [line], payments: [try card("180")])
            var cashier = live.context
            cashier.caller = Caller(tenant: live.context.tenant, role: .cashier, scopes: [.salesWrite], name: "Ñ")
            let context = cashier
            let refused = await problem { try await live.shop.sales.confirm(request, context, key: nil) }
            #expect(refused?.code == .discountLimit)
            let sale = try JSONBody(try await live.shop.sales.confirm(request, live.context, key: nil))
            #expect(sale["total"] == "180.00")
            #expect(sale["lines.0.price_source"] == "override")
            #expect(sale["lines.0.unit_price"] == "7.50")
            #expect(try await live.violations() == [])
        }
    }

    @Test("exactly one active product has a code; else every line of several is told, with the candidates")
    func ambiguous() async throws {
        try await LiveShop.open { live in
            try await Self.make(try Self.water(), live)
            let other = try await Self.make(
                ProductFields(sku: "7790002", name: "Otra", price: try Price("1"), barcodes: ["7790001"]),
                live
            )
            let refused = await problem {
                try await Self.sell([("7790002", "1"), ("ninguno", "1"), ("7790001", "1")], paid: "1", live)
            }
            #expect(refused?.code == .validationFailed)
            #expect(
                refused?.errors.map { "\($0.pointer) \($0.code)" } == [
                    "/lines/0/code ambiguous", "/lines/1/code not_found", "/lines/2/code ambiguous",
                ]
            )
            let candidates = refused?.errors.first?.extra.first { $0.name == "candidates" }?.json
            #expect(candidates?.contains("\"packaging\":\"Caja\"") == true)
            #expect(candidates?.contains(other.description) == true)
            // What is archived is none of several, and by itself is told as what it is.
            var fields = ProductFields()
            fields.status = .set(.archived)
            _ = try await live.shop.products.change(other, fields, expected: .any, live.context)
            #expect(try await Self.sell([("7790002", "1")], paid: "100", live)["lines.0.quantity"] == "12")
            fields.sku = .set("SOLO")
            _ = try await live.shop.products.change(other, fields, expected: .any, live.context)
            let archived = await problem { try await Self.sell([("solo", "1")], paid: "1", live) }
            #expect(archived?.code == .productInactive)
            #expect(archived?.errors.map(\.pointer) == ["/lines/0/code"])
            let part = await problem { try await Self.sell([("7790002", "0.01")], paid: "1", live) }
            #expect(part?.code == .quantityPrecision)
        }
    }

    @Test("a box repriced after its product was read is sold at its new price")
    func repriced() async throws {
        try await LiveShop.open { live in
            let id = try await Self.make(try Self.water(), live)
            #expect(try await Self.sell([("7790002", "1")], paid: "100", live)["total"] == "100.00")
            var fields = ProductFields()
            fields.packagings = .set([
                Packaging(name: "Caja", factor: try Quantity("6"), price: try Price("55"), barcodes: ["7790002"])
            ])
            _ = try await live.shop.products.change(id, fields, expected: .any, live.context)
            let sale = try await Self.sell([("7790002", "2")], paid: "110", live)
            #expect(sale["lines.0.quantity"] == "12")
            #expect(try await live.violations() == [])
        }
    }

    /// Gives the box of a product another price.
    private static func reprice(_ id: ProductID, to price: String, _ live: LiveShop) async throws {
        var fields = ProductFields()
        fields.packagings = .set([
            Packaging(name: "Caja", factor: try Quantity("12"), price: try Price(price), barcodes: ["7790002"])
        ])
        _ = try await live.shop.products.change(id, fields, expected: .any, live.context)
    }

    @Test("a draft of boxes stays one, to the cent, and is sold by what a box costs")
    func drafts() async throws {
        try await LiveShop.open { live in
            let id = try await Self.make(try Self.water(), live)
            let line = SaleRequest.Line(product: try Self.code("7790002"), quantity: try Quantity("1000"))
            let put = try await live.shop.sales.draft(
                SaleRequest(lines: [line], purpose: .draft),
                live.context,
                key: nil
            )
            let draft = try JSONBody(put)
            #expect(draft["total"] == "100000.00" && draft["lines.0.packaging.quantity"] == "1000")
            let draftID = try required(SaleID(try required(draft["id"])))
            // What does not name the lines leaves them as they were asked for.
            var patch = SalePatch()
            patch.discount = .set(try Money("0.01"))
            let changed = try JSONBody(
                try await live.shop.sales.change(draftID, patch, expected: .any, live.context)
            )
            #expect(changed["total"] == "99999.99" && changed["lines.0.packaging.name"] == "Caja")

            let paid = SaleConfirmation(payments: [try card("99999.99")])
            try await Self.reprice(id, to: "110", live)
            let refused = await problem {
                try await live.shop.sales.confirm(draftID, paid, live.context, key: nil)
            }
            #expect(refused?.code == .priceChanged)
            #expect(refused?.errors.first?.extra.map(\.json) == ["\"100.00\"", "\"110.00\""])

            try await Self.reprice(id, to: "100", live)
            let sale = try JSONBody(try await live.shop.sales.confirm(draftID, paid, live.context, key: nil))
            #expect(sale["status"] == "confirmed" && sale["total"] == "99999.99")
            #expect(sale["lines.0.price_source"] == "list" && sale["lines.0.quantity"] == "12000")
            #expect(sale["lines.0.packaging.name"] == "Caja" && sale["lines.0.packaging.price"] == "100.00")
            #expect(try await live.violations() == [])
        }
    }

    @Test("a draft of boxes that are none any more is refused with what their pieces cost, or keeps its price")
    func removed() async throws {
        try await LiveShop.open { live in
            let id = try await Self.make(try Self.water(), live)
            var drafts: [SaleID] = []
            for code in ["7790002", "17790001", "7790001"] {
                let line = SaleRequest.Line(product: try Self.code(code), quantity: try Quantity("2"))
                let put = SaleRequest(lines: [line], purpose: .draft)
                let draft = try JSONBody(try await live.shop.sales.draft(put, live.context, key: nil))
                drafts.append(try required(SaleID(try required(draft["id"]))))
            }
            var fields = ProductFields()
            fields.packagings = .set([])
            _ = try await live.shop.products.change(id, fields, expected: .any, live.context)
            let box = SaleConfirmation(payments: [try card("200")])
            let refused = await problem {
                try await live.shop.sales.confirm(drafts[0], box, live.context, key: nil)
            }
            #expect(refused?.code == .priceChanged)
            #expect(refused?.errors.map(\.pointer) == ["/lines/0/unit_price"])
            #expect(refused?.errors.first?.extra.map(\.json) == ["\"100.00\"", "\"108.00\""])
            // A pallet cost what its pieces do, and does so still.
            let pallet = SaleConfirmation(payments: [try card("2592")])
            let sold = try JSONBody(try await live.shop.sales.confirm(drafts[1], pallet, live.context, key: nil))
            #expect(sold["total"] == "2592.00" && sold["lines.0.packaging.name"] == "Palé")
            try await live.database.psql("UPDATE stock.tenant SET on_price_change = 'keep', version = version + 1")
            let kept = try JSONBody(try await live.shop.sales.confirm(drafts[0], box, live.context, key: nil))
            #expect(kept["total"] == "200.00" && kept["lines.0.packaging.name"] == "Caja")
            #expect(try await live.violations() == [])
        }
    }

    @Test(
        "a draft of boxes that hold more or less since is refused with what its pieces cost, or sold as it was put away"
    )
    func resized() async throws {
        try await LiveShop.open { live in
            let id = try await Self.make(try Self.water(), live)
            let line = SaleRequest.Line(product: try Self.code("7790002"), quantity: try Quantity("2"))
            let put = SaleRequest(lines: [line], purpose: .draft)
            let draft = try JSONBody(try await live.shop.sales.draft(put, live.context, key: nil))
            let sale = try required(SaleID(try required(draft["id"])))
            var fields = ProductFields()
            fields.packagings = .set([
                Packaging(name: "Caja", factor: try Quantity("10"), price: try Price("100"), barcodes: ["7790002"])
            ])
            _ = try await live.shop.products.change(id, fields, expected: .any, live.context)
            let paid = SaleConfirmation(payments: [try card("200")])
            let refused = await problem { try await live.shop.sales.confirm(sale, paid, live.context, key: nil) }
            #expect(refused?.code == .priceChanged)
            #expect(refused?.errors.first?.extra.map(\.json) == ["\"100.00\"", "\"108.00\""])
            try await live.database.psql("UPDATE stock.tenant SET on_price_change = 'keep', version = version + 1")
            let kept = try JSONBody(try await live.shop.sales.confirm(sale, paid, live.context, key: nil))
            #expect(kept["total"] == "200.00" && kept["lines.0.quantity"] == "24")
            #expect(try await live.violations() == [])
        }
    }

    @Test("a draft of a packaging that has a price of its own since is refused with both")
    func priced() async throws {
        try await LiveShop.open { live in
            let id = try await Self.make(try Self.water(), live)
            let line = SaleRequest.Line(product: try Self.code("17790001"), quantity: try Quantity("1"))
            let put = SaleRequest(lines: [line], purpose: .draft)
            let draft = try JSONBody(try await live.shop.sales.draft(put, live.context, key: nil))
            var fields = ProductFields()
            fields.packagings = .set([Packaging(name: "Palé", factor: try Quantity("144"), price: try Price("1200"))])
            _ = try await live.shop.products.change(id, fields, expected: .any, live.context)
            let paid = SaleConfirmation(payments: [try card("1296")])
            let refused = await problem {
                try await live.shop.sales.confirm(
                    try required(SaleID(try required(draft["id"]))),
                    paid,
                    live.context,
                    key: nil
                )
            }
            #expect(refused?.errors.first?.extra.map(\.json) == ["\"1296.00\"", "\"1200.00\""])
        }
    }

    @Test("a priced cart tells how its lines were asked for")
    func cart() async throws {
        try await LiveShop.open { live in
            try await Self.make(try Self.water(), live)
            let request = SaleRequest(
                lines: try ["7790002", "7790001"].map {
                    SaleRequest.Line(product: try Self.code($0), quantity: try Quantity("3"))
                }
            )
            let cart = try JSONBody(try await live.shop.sales.price(request, live.context))
            #expect(cart["lines.0.packaging.name"] == "Caja" && cart["lines.0.packaging.quantity"] == "3")
            #expect(cart["lines.0.packaging.price"] == "100.00" && cart["lines.0.total"] == "300.00")
            #expect(cart["lines.1.packaging.name"] == nil && cart["lines.1.total"] == "27.00")
        }
    }

    @Test("boxes that come back without a sale are worth so many times what is given back for one")
    func unsold() async throws {
        try await LiveShop.open { live in
            try await Self.make(try Self.water(), live)
            try await live.database.psql(
                "UPDATE stock.tenant SET returns_without_sale = 'allow', version = version + 1"
            )
            let request = UnsoldReturnRequest(
                lines: [
                    .init(
                        product: try Self.code("7790002"),
                        quantity: try Quantity("10000"),
                        unitPrice: try Price("100")
                    ),
                    .init(product: try Self.code("7790001"), quantity: try Quantity("2"), unitPrice: try Price("9")),
                ],
                payments: [Refund(method: .card, amount: try Money("1000018"))]
            )
            let back = try JSONBody(try await live.shop.sales.takeBack(request, live.context, key: nil))
            #expect(back["total"] == "1000018.00" && back["lines.0.amount"] == "1000000.00")
            #expect(back["lines.0.quantity"] == "120000" && back["lines.0.unit_price"] == "8.333333")
            #expect(back["lines.0.packaging.name"] == "Caja" && back["lines.0.packaging.quantity"] == "10000")
            #expect(back["lines.1.packaging.name"] == nil && back["lines.1.amount"] == "18.00")
            let unknown = UnsoldReturnRequest(
                lines: [.init(product: try Self.code("4711"), quantity: try Quantity("1"), unitPrice: try Price("1"))],
                payments: [Refund(method: .card, amount: try Money("1"))]
            )
            let refused = await problem { try await live.shop.sales.takeBack(unknown, live.context, key: nil) }
            #expect(refused?.errors.map(\.pointer) == ["/lines/0/code"])
            #expect(try await live.violations() == [])
        }
    }

    @Test("a quote of boxes is sold at the box's price of then, to the cent")
    func quotes() async throws {
        try await LiveShop.open { live in
            let id = try await Self.make(try Self.water(), live)
            let line = SaleRequest.Line(product: try Self.code("7790002"), quantity: try Quantity("1000"))
            let request = QuoteRequest(cart: SaleRequest(lines: [line], purpose: .offer))
            let quote = try JSONBody(try await live.shop.quotes.create(request, live.context, key: nil))
            #expect(quote["total"] == "100000.00" && quote["lines.0.packaging.quantity"] == "1000")
            let quoteID = try required(QuoteID(try required(quote["id"])))
            _ = try await live.shop.quotes.send(quoteID, live.context, key: nil)
            try await Self.reprice(id, to: "110", live)
            let paid = SaleConfirmation(payments: [try card("100000")])
            let sale = try JSONBody(try await live.shop.quotes.convert(quoteID, paid, live.context, key: nil))
            #expect(sale["total"] == "100000.00" && sale["due"] == "0.00")
            #expect(sale["lines.0.packaging.price"] == "100.00" && sale["lines.0.quantity"] == "12000")
            #expect(try await live.violations() == [])
        }
    }

    /// Describes the codes of two scales, and makes what they weigh.
    private static func weigh(_ live: LiveShop) async throws {
        let unit = try await live.shop.units.create(
            UnitFields(name: "Kilo", symbol: "kg", decimals: 3),
            live.context
        )
        let kilo = try required(UnitID(try required(try JSONBody(unit)["id"])))
        for (name, prefix, measure, decimals) in [
            ("Balanza", "21", ScalePattern.Measure.weight, 3), ("Balanza 2", "22", .price, 2),
        ] {
            var fields = ScaleCodeFields()
            fields.name = .set(name)
            fields.prefix = .set(prefix)
            fields.itemDigits = .set(5)
            fields.valueDigits = .set(5)
            fields.measure = .set(measure)
            fields.decimals = .set(decimals)
            fields.active = .set(true)
            _ = try await live.shop.records(ScaleCode.self).create(fields, live.context)
        }
        try await make(
            ProductFields(
                sku: "12345",
                name: "Jamón",
                unitID: kilo,
                price: try Price("10.40"),
                oversell: .allow,
                barcodes: ["09506000134352"]
            ),
            live
        )
    }

    @Test("what a scale has printed is sold by its weight, or for its price to the cent")
    func scales() async throws {
        try await LiveShop.open { live in
            try await Self.weigh(live)
            // 1.250 kg; 12.99 of 10.40 are 1.249 kg; 0.500 kg by a code of GS1, three times.
            let sale = try await Self.sell(
                [("2112345012506", "1"), ("2212345012992", "2"), ("(01)09506000134352(3103)000500(10)A1", "3")],
                paid: "54.58",
                live
            )
            #expect(sale.texts("lines", "quantity") == ["1.25", "2.498", "1.5"])
            #expect(sale.texts("lines", "total") == ["13.00", "25.98", "15.60"])
            #expect(sale["lines.1.packaging.price"] == "12.99")
            #expect(sale["lines.1.packaging.name"] == nil)
            #expect(sale["lines.0.packaging.quantity"] == nil)
            let looked = try JSONBody(
                try await live.answer(live.shop.products.lookUp(ProductCode("2212345012992"), live.caller))
            )
            #expect(looked["data.0.name"] == "Jamón")
            #expect(looked["data.0.scanned.amount"] == "12.99")
            #expect(try await live.violations() == [])
        }
    }

    @Test("a wrong check digit is told and sells nothing, unless the catalogue has the code as it is")
    func checkDigits() async throws {
        try await LiveShop.open { live in
            try await Self.weigh(live)
            let refused = await problem {
                try await Self.sell([("2112345012507", "1"), ("(01)09506000134353(3103)000500", "1")], paid: "1", live)
            }
            #expect(
                refused?.errors.map { "\($0.pointer) \($0.code)" } == [
                    "/lines/0/code check_digit", "/lines/1/code check_digit",
                ]
            )
            let looked = await problem {
                try await live.answer(live.shop.products.lookUp(ProductCode("2112345012507"), live.caller))
            }
            #expect(looked?.code == .validationFailed)
            #expect(looked?.errors.map(\.pointer) == ["/code"])
            try await Self.make(
                ProductFields(name: "De 13", price: try Price("1"), oversell: .allow, barcodes: ["2112345012507"]),
                live
            )
            #expect(try await Self.sell([("2112345012507", "1")], paid: "1", live)["lines.0.name"] == "De 13")
            // A scale that is no longer read so leaves its codes to the catalogue.
            #expect(
                try JSONBody(
                    try await live.answer(live.shop.products.lookUp(ProductCode("2312345012500"), live.caller))
                )
                .count("data") == 0
            )
        }
    }

    @Test("purchases, movements, counts and transfers take packagings, and keep units")
    func otherDocuments() async throws {
        try await LiveShop.open { live in
            let id = try await Self.make(try Self.water(), live)
            _ = try await live.shop.stock.record(
                MovementsRequest(movements: [
                    .init(
                        product: try Self.code("7790002"),
                        type: .opening,
                        quantity: try Quantity("2"),
                        reason: "Apertura",
                        unitCost: try Price("60")
                    )
                ]),
                live.context,
                key: nil
            )
            #expect(
                try JSONBody(try await live.answer(live.shop.products.one(id, live.caller)))["cost"] == "5.00"
            )
            let supplier = ID<Supplier>.make()
            _ = try await live.database.psql(
                "INSERT INTO stock.supplier (tenant_id, id, name) VALUES (\(live.context.tenant), '\(supplier)', 'Ñ')"
            )
            var fields = PurchaseFields()
            fields.supplierID = .set(supplier)
            fields.lines = .set([
                .init(product: try Self.code("7790002"), quantity: try Quantity("1000"), unitCost: try Price("100"))
            ])
            let purchase = try JSONBody(
                try await live.shop.purchases.create(PurchaseRequest(fields: fields), live.context, key: nil)
            )
            #expect(purchase["total"] == "100000.00")
            #expect(purchase["lines.0.quantity"] == "12000")
            #expect(purchase["lines.0.unit_cost"] == "8.333333")
            #expect(purchase["lines.0.packaging.name"] == "Caja")
            #expect(purchase["lines.0.packaging.price"] == "100.00")
            let opened = try JSONBody(try await live.shop.counts.open(CountRequest(), live.context, key: nil))
            let count = try required(StockCountID(try required(opened["id"])))
            let entered = try JSONBody(
                try await live.shop.counts.enter(
                    count,
                    [CountedProduct(product: try Self.code("7790002"), counted: try Quantity("3"))],
                    live.context
                )
            )
            #expect(entered["data.0.counted"] == "36")
            #expect(entered["data.0.difference"] == "12")
            #expect(try await live.violations() == [])
        }
    }
}
