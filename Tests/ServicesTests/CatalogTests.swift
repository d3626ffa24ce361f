import Cache
import Domain
import Kernel
import NIOCore
import TestSupport
import Testing

@testable import Services

@Suite("Catalog", .serialized)
struct CatalogTests {
    private func draft(_ name: String, sku: String? = nil, price: String = "1.00") throws -> ProductFields {
        ProductFields(sku: sku, name: name, price: try Price(price))
    }

    private func id(_ answer: Answer) throws -> ProductID {
        try required(ProductID(try required(try JSONBody(answer)["id"])))
    }

    @Test("a product is created, read from memory, patched under its version, and deleted")
    func lifeOfAProduct() async throws {
        try await LiveShop.open { live in
            var first = try draft(" Té ", sku: "a1", price: "12.345678")
            first.barcodes = .set(["779", "0012"])
            let created = try await live.shop.products.create(first, live.context)
            #expect(created.status == 201)
            #expect(created.etag == "\"1.0\"")
            let id = try id(created)
            #expect(created.location == "/v1/products/\(id)")
            let read = try await live.answer(live.shop.products.one(id, live.caller))
            #expect(read.body == created.body)
            #expect(read.etag == created.etag)
            let body = try JSONBody(read)
            #expect(body["price"] == "12.345678")
            #expect(body["on_hand"] == "0")
            #expect(body["barcodes.0"] == "0012")
            #expect(body["category_id"] == nil)

            var patch = ProductFields()
            patch.name = .set("Café")
            patch.barcodes = .set([])
            let patched = try await live.shop.products.change(
                id,
                patch,
                expected: ExpectedVersion(ifMatch: "\"1.0\""),
                live.context
            )
            #expect(patched.etag == "\"2.0\"")
            #expect(try JSONBody(try await live.answer(live.shop.products.one(id, live.caller)))["name"] == "Café")
            let stale = await problem {
                try await live.shop.products.change(id, patch, expected: .oneOf([1]), live.context)
            }
            #expect(stale?.code == .versionMismatch)
            let deleted = try await live.shop.products.delete(id, expected: .oneOf([2]), live.context)
            #expect(deleted.status == 204)
            #expect(await problem { try await live.answer(live.shop.products.one(id, live.caller)) }?.code == .notFound)
            #expect(
                await problem { try await live.shop.products.delete(id, expected: .any, live.context) }?.code
                    == .notFound
            )
        }
    }

    @Test("a second read comes from memory, a write makes the next one miss")
    func cached() async throws {
        try await LiveShop.open { live in
            let id = try id(try await live.shop.products.create(try draft("A"), live.context))
            try await usable(live)
            _ = try await live.answer(live.shop.products.one(id, live.caller))
            try await eventually("the change is seen") {
                try await live.answer(live.shop.products.one(id, live.caller)).status == .l1Hit
            }
            var patch = ProductFields()
            patch.price = .set(try Price("2"))
            _ = try await live.shop.products.change(id, patch, expected: .any, live.context)
            let after = try await live.answer(live.shop.products.one(id, live.caller))
            #expect(after.status != .l1Hit)
            #expect(try JSONBody(after)["price"] == "2.00")
            var bypass = live.context
            bypass.bypassCache = true
            #expect(try await live.answer(live.shop.products.one(id, bypass.caller), bypass).status == .bypass)
        }
    }

    @Test("SKUs compare without case and form, blank ones are none")
    func skus() async throws {
        try await LiveShop.open { live in
            _ = try await live.shop.products.create(try draft("A", sku: "Ñ1"), live.context)
            // The same letter as N and a combining tilde, in lower case.
            let twin = await problem {
                try await live.shop.products.create(try draft("B", sku: "n\u{0303}1"), live.context)
            }
            #expect(twin?.code == .duplicate)
            #expect(twin?.errors.map(\.pointer) == ["/sku"])
            _ = try await live.shop.products.create(try draft("C"), live.context)
            _ = try await live.shop.products.create(try draft("D"), live.context)
        }
    }

    @Test("look-up by SKU or barcode answers every product that has it")
    func lookup() async throws {
        try await LiveShop.open { live in
            var one = try draft("One", sku: "779")
            one.barcodes = .set(["500"])
            var two = try draft("Two")
            two.barcodes = .set(["779", "500"])
            _ = try await live.shop.products.create(one, live.context)
            _ = try await live.shop.products.create(two, live.context)
            #expect(
                try JSONBody(try await live.answer(live.shop.products.lookUp(ProductCode("779"), live.caller))).texts(
                    "data",
                    "name"
                )
                    == ["One", "Two"]
            )
            #expect(
                try JSONBody(try await live.answer(live.shop.products.lookUp(ProductCode(" 500\r"), live.caller)))
                    .count("data")
                    == 2
            )
            #expect(
                try JSONBody(try await live.answer(live.shop.products.lookUp(ProductCode("0779"), live.caller))).count(
                    "data"
                ) == 0
            )
            #expect(throws: ReadingFault.self) { try ProductCode(" ") }
        }
    }

    @Test("lists walk every order by cursor without gap or repetition", arguments: ProductSort.allCases)
    func cursors(sort: ProductSort) async throws {
        try await LiveShop.open { live in
            for index in 0..<7 {
                _ = try await live.shop.products.create(
                    try draft("P\(index % 3)", sku: "s\(6 - index)", price: "\(index % 4).5"),
                    live.context
                )
            }
            var seen: [String?] = []
            var cursor: String?
            repeat {
                let page = try JSONBody(
                    try await live.answer(
                        live.shop.products.list(
                            ProductFilter(sort: sort),
                            Page(limit: 2, cursor: cursor),
                            live.caller
                        )
                    )
                )
                seen += page.texts("data", "sku")
                cursor = page["next_cursor"]
            } while cursor != nil
            #expect(seen.count == 7)
            #expect(Set(seen).count == 7)
            if sort == .sku { #expect(seen == (0..<7).map { "s\($0)" }) }
            if sort == .skuDescending { #expect(seen == (0..<7).reversed().map { "s\($0)" }) }
        }
    }

    @Test("a cursor belongs to its query")
    func foreignCursor() async throws {
        try await LiveShop.open { live in
            for name in ["A", "B", "C"] { _ = try await live.shop.products.create(try draft(name), live.context) }
            let page = try JSONBody(
                try await live.answer(live.shop.products.list(ProductFilter(), Page(limit: 1), live.caller))
            )
            let cursor = try required(page["next_cursor"])
            let other = await problem {
                try await live.answer(
                    live.shop.products.list(
                        ProductFilter(status: .active),
                        Page(limit: 1, cursor: cursor),
                        live.caller
                    )
                )
            }
            #expect(other?.code == .cursorMismatch)
            let changed = await problem {
                try await live.answer(
                    live.shop.products.list(ProductFilter(), Page(limit: 1, cursor: cursor + "A"), live.caller)
                )
            }
            #expect(changed?.code == .cursorMismatch)
            #expect(
                await problem { try await live.answer(live.shop.categories.list(Page(cursor: cursor), live.caller)) }?
                    .code
                    == .cursorMismatch
            )
        }
    }

    @Test("filters find by text, barcode, category, status and stock; wildcards are letters")
    func filters() async throws {
        try await LiveShop.open { live in
            let category = try required(
                CategoryID(
                    try required(
                        try JSONBody(try await live.shop.categories.create(CategoryFields(name: "Tea"), live.context))[
                            "id"
                        ]
                    )
                )
            )
            var one = try draft("100 % ÑANDÚ", sku: "a_b")
            one.categoryID = .set(category)
            one.barcodes = .set(["999"])
            var two = try draft("Plain", sku: "acb")
            two.status = .set(.archived)
            two.tracksStock = .set(false)
            _ = try await live.shop.products.create(one, live.context)
            _ = try await live.shop.products.create(two, live.context)
            func names(_ filter: ProductFilter) async throws -> [String?] {
                try JSONBody(try await live.answer(live.shop.products.list(filter, Page(), live.caller))).texts(
                    "data",
                    "name"
                )
            }
            #expect(try await names(ProductFilter(q: SearchText("ñandú"))) == ["100 % ÑANDÚ"])
            #expect(try await names(ProductFilter(q: SearchText("%"))) == ["100 % ÑANDÚ"])
            #expect(try await names(ProductFilter(q: SearchText("A_B"))) == ["100 % ÑANDÚ"])
            #expect(try await names(ProductFilter(q: SearchText("\\"))).isEmpty)
            #expect(try await names(ProductFilter(barcode: ProductCode("999"))) == ["100 % ÑANDÚ"])
            #expect(try await names(ProductFilter(categoryID: category)) == ["100 % ÑANDÚ"])
            #expect(try await names(ProductFilter(status: .archived)) == ["Plain"])
            #expect(try await names(ProductFilter(stock: .out)) == ["100 % ÑANDÚ"])
            #expect(try await names(ProductFilter(stock: .ok)) == ["Plain"])
            #expect(try await names(ProductFilter(stock: .low)).isEmpty)
            let tag = try await live.answer(live.shop.categories.one(category, live.caller)).etag
            #expect(tag == "\"1.1\"")
            let inUse = await problem { try await live.shop.categories.delete(category, expected: .any, live.context) }
            #expect(inUse?.code == .inUse)
        }
    }

    @Test("a client's id creates once, then only replaces under If-Match")
    func put() async throws {
        try await LiveShop.open { live in
            let id = ProductID.make()
            let created = try await live.shop.products.put(
                id,
                try draft("A", sku: "x"),
                condition: .absent,
                live.context
            )
            #expect(created.status == 201)
            let again = await problem {
                try await live.shop.products.put(id, try draft("B"), condition: .absent, live.context)
            }
            #expect(again?.code == .versionMismatch)
            let replaced = try await live.shop.products.put(
                id,
                try draft("B"),
                condition: .matching(.oneOf([1])),
                live.context
            )
            #expect(replaced.status == 200)
            #expect(try JSONBody(replaced)["sku"] == nil)
            let missing = await problem {
                try await live.shop.products.put(.make(), try draft("B"), condition: .matching(.any), live.context)
            }
            #expect(missing?.code == .notFound)
        }
    }

    @Test("categories do not lie within themselves, names are unique without case")
    func categories() async throws {
        try await LiveShop.open { live in
            func make(_ name: String, in parent: CategoryID? = nil) async throws -> CategoryID {
                let answer = try await live.shop.categories.create(
                    CategoryFields(name: name, parentID: parent),
                    live.context
                )
                return try required(CategoryID(try required(try JSONBody(answer)["id"])))
            }
            let top = try await make("Top")
            let middle = try await make("Middle", in: top)
            let low = try await make("Low", in: middle)
            var patch = CategoryFields()
            patch.parentID = .set(low)
            let cycle = await problem {
                try await live.shop.categories.change(top, patch, expected: .any, live.context)
            }
            #expect(cycle?.code == .validationFailed)
            #expect(cycle?.errors.map(\.pointer) == ["/parent_id"])
            let twin = await problem { try await make("TOP") }
            #expect(twin?.code == .duplicate)
            let dangling = await problem { try await make("Else", in: .make()) }
            #expect(dangling?.errors.map(\.pointer) == ["/parent_id"])
            #expect(
                try JSONBody(try await live.answer(live.shop.categories.list(Page(), live.caller))).texts(
                    "data",
                    "name"
                ) == [
                    "Low", "Middle", "Top",
                ]
            )
        }
    }

    @Test("a category counts its active products, whatever comes, moves, is archived or goes")
    func counts() async throws {
        try await LiveShop.open { live in
            func make(_ name: String) async throws -> CategoryID {
                let answer = try await live.shop.categories.create(CategoryFields(name: name), live.context)
                return try required(CategoryID(try required(try JSONBody(answer)["id"])))
            }
            let (tea, coffee) = (try await make("Tée"), try await make("Coffee"))
            func counted() async throws -> [String?] {
                var counts: [String?] = []
                for category in [tea, coffee] {
                    counts.append(try await live.answer(live.shop.categories.one(category, live.caller)).etag)
                }
                return counts
            }
            var products: [ProductID] = []
            for name in ["A", "B", "C"] {
                var fields = try draft(name)
                fields.categoryID = .set(name == "C" ? nil : tea)
                let answer = try await live.shop.products.create(fields, live.context)
                products.append(try required(ProductID(try required(try JSONBody(answer)["id"]))))
            }
            #expect(try await counted() == ["\"1.2\"", "\"1.0\""])
            func change(_ product: ProductID, _ change: (inout ProductFields) throws -> Void) async throws {
                var patch = ProductFields()
                try change(&patch)
                _ = try await live.shop.products.change(product, patch, expected: .any, live.context)
            }
            try await change(products[0]) { $0.price = .set(try Price("7")) }
            #expect(try await counted() == ["\"1.2\"", "\"1.0\""])
            try await change(products[0]) { $0.categoryID = .set(coffee) }
            try await change(products[2]) { $0.categoryID = .set(coffee) }
            #expect(try await counted() == ["\"1.1\"", "\"1.2\""])
            try await change(products[1]) { $0.status = .set(.archived) }
            #expect(try await counted() == ["\"1.0\"", "\"1.2\""])
            try await change(products[1]) { ($0.status, $0.categoryID) = (.set(.active), .set(nil)) }
            _ = try await live.shop.products.delete(products[2], expected: .any, live.context)
            #expect(try await counted() == ["\"1.0\"", "\"1.1\""])
            // What counts nothing is in nobody's way.
            _ = try await live.shop.categories.delete(tea, expected: .any, live.context)
        }
    }

    @Test("a unit in use stays, its decimals do not shrink below the data")
    func units() async throws {
        try await LiveShop.open { live in
            let answer = try await live.shop.units.create(
                UnitFields(name: "Litre", symbol: "l", decimals: 3),
                live.context
            )
            let unit = try required(UnitID(try required(try JSONBody(answer)["id"])))
            var milk = try draft("Milk")
            milk.unitID = .set(unit)
            milk.minStock = .set(try Quantity("0.25"))
            _ = try await live.shop.products.create(milk, live.context)
            var patch = UnitFields()
            patch.decimals = .set(1)
            let shrunk = await problem { try await live.shop.units.change(unit, patch, expected: .any, live.context) }
            #expect(shrunk?.code == .invalidState)
            patch.decimals = .set(2)
            #expect(try await live.shop.units.change(unit, patch, expected: .any, live.context).status == 200)
            #expect(
                await problem { try await live.shop.units.delete(unit, expected: .any, live.context) }?.code == .inUse
            )
            milk.minStock = .set(try Quantity("0.125"))
            #expect(
                await problem { try await live.shop.products.create(milk, live.context) }?.code == .quantityPrecision
            )
            #expect(
                try JSONBody(try await live.answer(live.shop.units.list(Page(), live.caller))).texts("data", "symbol")
                    == [
                        "kg", "l", "pc",
                    ]
            )
        }
    }

    @Test("a batch creates, updates and leaves alone; an unchanged row writes nothing")
    func batch() async throws {
        try await LiveShop.open { live in
            var one = ProductUpsert(sku: "A", externalID: "e1")
            one.name = "One"
            one.price = try Price("1")
            one.barcodes = ["1", "2"]
            var two = ProductUpsert(sku: "B")
            two.name = "Two"
            two.price = try Price("2")
            let first = try JSONBody(
                try await live.shop.products.upsert([one, two], live.context, key: live.key("b1"))
            )
            #expect(first.texts("data", "outcome") == ["created", "created"])
            let again = try JSONBody(
                try await live.shop.products.upsert([one, two], live.context, key: live.key("b2"))
            )
            #expect(again.texts("data", "outcome") == ["unchanged", "unchanged"])
            #expect(again.texts("data", "id") == first.texts("data", "id"))
            #expect(again.texts("data", "version") == ["1", "1"])
            one.barcodes = ["2"]
            var renamed = ProductUpsert(sku: "b")
            renamed.name = "Two and a half"
            let third = try JSONBody(
                try await live.shop.products.upsert([one, renamed], live.context, key: live.key("b3"))
            )
            #expect(third.texts("data", "outcome") == ["updated", "updated"])
            #expect(third.texts("data", "version") == ["2", "2"])
            #expect(
                try JSONBody(try await live.answer(live.shop.products.lookUp(ProductCode("1"), live.caller))).count(
                    "data"
                ) == 0
            )
        }
    }

    @Test("a batch is refused with every row that cannot be applied, and nothing is")
    func batchRefused() async throws {
        try await LiveShop.open { live in
            var good = ProductUpsert(sku: "A")
            good.name = "One"
            good.price = try Price("1")
            var nameless = ProductUpsert(sku: "B")
            nameless.categoryID = .make()
            var twin = ProductUpsert(sku: "a")
            twin.name = "Twin"
            twin.price = try Price("1")
            let refused = await problem {
                try await live.shop.products.upsert([good, nameless, twin], live.context, key: live.key("b"))
            }
            #expect(refused?.code == .validationFailed)
            // Faults of one kind make the problem that they make of a product alone.
            let twins = await problem {
                try await live.shop.products.upsert([good, twin], live.context, key: live.key("t"))
            }
            #expect(
                twins?.code == .duplicate && twins?.errors.map(\.pointer) == ["/products/1"],
                "\(String(describing: twins))"
            )
            #expect(
                Set(refused?.errors.map(\.pointer) ?? []) == [
                    "/products/1/name", "/products/1/price", "/products/1/category_id", "/products/2",
                ]
            )
            #expect(
                try JSONBody(try await live.answer(live.shop.products.list(ProductFilter(), Page(), live.caller)))
                    .count(
                        "data"
                    ) == 0
            )
        }
    }
}
