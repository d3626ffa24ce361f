import Cache
import Kernel
import TestSupport
import Testing

@testable import Services

/// What is stored is found.
@Suite("Search")
struct SearchTests {
    /// Words of one script with marks on some letters, any blank between them.
    private struct Writer {
        var random: SplitMix
        let scripts: [[Unicode.Scalar]]
        let blanks = Letters.known.filter(\.properties.isWhitespace)
        let marks: [Unicode.Scalar] = ["\u{301}", "\u{308}", "\u{323}", "\u{345}", "\u{20DD}", "\u{FE0F}"]

        init(seed: UInt64) {
            random = SplitMix(seed: seed)
            // A block of Unicode is as good as a script here.
            scripts = Dictionary(grouping: Letters.cased) { $0.value >> 8 }.sorted { $0.key < $1.key }.map(\.value)
        }

        mutating func pick<T>(_ values: [T]) -> T { values[Int(random.next() % UInt64(values.count))] }

        mutating func word(_ script: [Unicode.Scalar]) -> String {
            var word = ""
            for _ in 0..<(2 + random.next() % 5) {
                word.unicodeScalars.append(pick(script))
                if random.next().isMultiple(of: 4) { word.unicodeScalars.append(pick(marks)) }
            }
            return word
        }

        /// Two to four words.
        mutating func name(_ script: [Unicode.Scalar]) -> [String] {
            (0..<(2 + random.next() % 3)).map { _ in word(script) }
        }

        /// Words behind one another, blanks of any kind between.
        mutating func joined(_ words: [String]) -> String {
            var text = ""
            for (index, word) in words.enumerated() {
                if index > 0 {
                    for _ in 0...(random.next() % 2) { text.unicodeScalars.append(pick(blanks)) }
                }
                text += word
            }
            return text
        }
    }

    /// A thing that is stored, and the words it is stored by.
    private struct Stored {
        let id: String
        let words: [String]
        let code: String
    }

    @Test("a product is found by its own name in any case and by any of its words, in both lists")
    func products() async throws {
        try await LiveShop.open { live in
            var writer = Writer(seed: 3)
            var upserts: [ProductUpsert] = []
            var words: [[String]] = []
            for (number, script) in writer.scripts.enumerated() {
                let name = writer.name(script)
                // What lines may not hold separates words of a search only.
                let text = try TextRule.productName.read(name.joined(separator: "\u{3000}")).get()
                var upsert = ProductUpsert(sku: try TextRule.sku.read("\(writer.word(script))\(number)").get())
                upsert.name = text
                upsert.price = .zero
                upsert.barcodes = [try TextRule.barcode.read("\(number)\(writer.word(script))").get()]
                upserts.append(upsert)
                words.append(name)
            }
            let answer = try await live.shop.products.upsert(upserts, live.context, key: nil)
            let ids = try JSONBody(answer).texts("data", "id").compactMap { $0 }
            #expect(ids.count == upserts.count)
            for (index, upsert) in upserts.enumerated() {
                let stored = Stored(id: ids[index], words: words[index], code: upsert.sku ?? "")
                try await expectFound(stored, &writer, "products") { search in
                    try await live.answer(
                        live.shop.products.list(ProductFilter(q: search), Page(limit: 200), live.caller)
                    )
                }
                try await expectFound(stored, &writer, member: "product_id", "stock") { search in
                    var filter = StockLevelFilter()
                    filter.q = search
                    return try await live.answer(live.shop.stock.levels(filter, Page(limit: 200), live.caller))
                }
                for code in [upsert.sku, upsert.barcodes?.first].compactMap({ $0 }).flatMap(Letters.forms) {
                    let found = try await live.answer(
                        live.shop.products.lookUp(ProductCode("\t\(code)\r"), live.caller)
                    )
                    #expect(try JSONBody(found).texts("data", "id").contains(stored.id), "look-up of \(code)")
                    let listed = try await live.answer(
                        live.shop.products.list(
                            ProductFilter(q: SearchText(code)),
                            Page(limit: 200),
                            live.caller
                        )
                    )
                    #expect(try JSONBody(listed).texts("data", "id").contains(stored.id), "search for \(code)")
                }
            }
        }
    }

    @Test("a customer is found by their own name in any case and by any of its words")
    func customers() async throws {
        try await LiveShop.open { live in
            var writer = Writer(seed: 4)
            for script in writer.scripts {
                let name = writer.name(script)
                let text = try TextRule.name.read(name.joined(separator: " ")).get()
                let made = try await live.shop.customers.create(CustomerFields(name: text), live.context)
                let stored = Stored(id: try required(try JSONBody(made)["id"]), words: name, code: "")
                try await expectFound(stored, &writer, "customers") { search in
                    try await live.answer(
                        live.shop.customers.list(CustomerFilter(q: search), Page(limit: 200), live.caller)
                    )
                }
            }
        }
    }

    @Test("words may come in any order and be parts of words; what looks like a pattern is text")
    func words() async throws {
        try await LiveShop.open { live in
            for (name, sku, barcode) in [
                ("Café crème", "C-1", "LOT-A7X"), ("Müller beans espresso", "M_2", "5"), ("100 % cotton", "P\\3", "6"),
            ] {
                var draft = ProductFields(name: name, price: .zero)
                draft.sku = .set(sku)
                draft.barcodes = .set([barcode])
                _ = try await live.shop.products.create(draft, live.context)
            }
            func find(_ text: String) async throws -> [String?] {
                let filter = ProductFilter(q: SearchText(text))
                let products = try JSONBody(try await live.answer(live.shop.products.list(filter, Page(), live.caller)))
                var levels = StockLevelFilter()
                levels.q = SearchText(text)
                let stock = try JSONBody(try await live.answer(live.shop.stock.levels(levels, Page(), live.caller)))
                #expect(products.texts("data", "id") == stock.texts("data", "product_id"), "\(text)")
                let byPrice = ProductFilter(q: SearchText(text), sort: .priceDescending)
                let sorted = try JSONBody(try await live.answer(live.shop.products.list(byPrice, Page(), live.caller)))
                #expect(Set(products.texts("data", "id")) == Set(sorted.texts("data", "id")), "\(text)")
                return products.texts("data", "name")
            }
            for text in ["cafe", "CREME caf", "lot-a7x", "LOT-A7X", "a7x", " Café\u{A0}", "crème  café", "c-1 a7"] {
                #expect(try await find(text) == ["Café crème"], "\(text)")
            }
            for text in ["muller", "espresso beans", "ESPRESSO\u{2003}mul", "m_2"] {
                #expect(try await find(text) == ["Müller beans espresso"], "\(text)")
            }
            #expect(try await find("%") == ["100 % cotton"])
            #expect(try await find("\\") == ["100 % cotton"])
            #expect(try await find("_") == ["Müller beans espresso"])
            #expect(try await find("cafe espresso") == [])
            for code in ["lot-a7x", "LOT-A7X", " lot-A7x\t", "\u{A0}c-1"] {
                let found = try await live.answer(live.shop.products.lookUp(ProductCode(code), live.caller))
                #expect(try JSONBody(found).texts("data", "name") == ["Café crème"], "\(code)")
            }
            let part = try await live.answer(live.shop.products.lookUp(ProductCode("a7x"), live.caller))
            #expect(try JSONBody(part).count("data") == 0, "a code is looked up as a whole")
        }
    }

    @Test("a customer is found by a telephone number however it is written, and by each part of it")
    func telephones() async throws {
        try await LiveShop.open { live in
            for (name, phone) in [("Ana", "+49 (30) 123 45-67"), ("Bea", "030/765 43 21"), ("Cay", "+19.8888.7777")] {
                _ = try await live.shop.customers.create(CustomerFields(name: name, phone: phone), live.context)
            }
            func find(_ text: String) async throws -> [String?] {
                let filter = CustomerFilter(q: SearchText(text))
                let found = try await live.answer(live.shop.customers.list(filter, Page(), live.caller))
                return try JSONBody(found).texts("data", "name")
            }
            for text in [
                "+49301234567", "301234567", "30 1234567", "123-45-67", "(30) 123", "4567", "30/123.4567", "67 123 ana",
            ] {
                #expect(try await find(text) == ["Ana"], "\(text)")
            }
            for text in [
                "0307654321", "030 7654321", "030-765-43-21", "030/7654321", "(030)7654321", "(030) 765", "43 21 765",
            ] {
                #expect(try await find(text) == ["Bea"], "\(text)")
            }
            #expect(try await find("+1988887777") == ["Cay"])
            #expect(try await find("0307654322") == [])
        }
    }

    @Test("a product is found by a code that another keyboard writes, and by no other's")
    func typography() async throws {
        try await LiveShop.open { live in
            let products = live.shop.products
            for (name, sku) in [("L\u{2019}Oréal \u{2013} crème", "AB\u{2011}12-3"), ("Other", "AB-1-23")] {
                _ = try await products.create(ProductFields(sku: sku, name: name, price: .zero), live.context)
            }
            for text in ["l'oreal", "L\u{2BC}ORÉAL", "oreal - creme", "ab-12-3", "AB\u{2010}12\u{2013}3"] {
                let found = try await live.answer(
                    products.list(ProductFilter(q: SearchText(text)), Page(), live.caller)
                )
                #expect(try JSONBody(found).texts("data", "sku") == ["AB\u{2011}12-3"], "\(text)")
            }
            let found = try await live.answer(products.lookUp(ProductCode("ab\u{2212}12-3"), live.caller))
            #expect(try JSONBody(found).texts("data", "sku") == ["AB\u{2011}12-3"])
        }
    }

    private func expectFound(
        _ stored: Stored,
        _ writer: inout Writer,
        member: String = "id",
        _ list: String,
        _ find: (SearchText?) async throws -> CachedAnswer
    ) async throws {
        var texts = Letters.forms(writer.joined(stored.words)) + [writer.joined(stored.words.reversed())]
        for word in stored.words { texts += Letters.forms(word).prefix(4) }
        for text in texts {
            let found = try JSONBody(try await find(SearchText(text))).texts("data", member)
            #expect(found.contains(stored.id), "\(list): \(text) of \(stored.words)")
        }
    }
}

/// A small random number generator that repeats itself.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
