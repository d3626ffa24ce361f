import Cache
import Domain
import HTTPTypes
import Kernel
import TestSupport
import Testing

@testable import API
@testable import Postgres
@testable import Services

/// A cached answer is the answer to the question that was asked, never to one that only looks like it.
@Suite("Cached answers and their questions")
struct CacheAgreementTests {
    /// Texts that fold alike, or nearly: by case, accents, blanks, composition, and of what is left out.
    static let texts = [
        "ΚΑΦΕΣ", "καφες", "καφεσ", "Καφεσ", "ΚΑΦΈΣ", "caf\u{E9}", "cafe\u{301}", "CAFE\u{301}", "cafe", "Cafe", "CAFÉ",
        " cafe",
        "cafe\u{A0}", "\u{3000}cafe\t", "ca fe", "ca  fe", "ca\u{A0}fe", "fe ca", "straße", "STRASSE", "strasse",
        "%", "_", "\\", "a_b", "a%b", "*", ":", "a:b", "", " ", "i", "I", "İ", "ı", "K", "\u{212A}",
    ]

    // MARK: Keys and parameters

    /// A question as a key and the parameters of its statement.
    private struct Asked: Hashable {
        let key: String
        let statement: String
        let parameters: [UInt8]
    }

    private static func bound<S: Statement>(_ statement: S) throws -> (String, [UInt8]) {
        var parameters = Parameters()
        parameters.begin(S.parameterTypes)
        try statement.bind(&parameters)
        var bytes: [UInt8] = []
        for place in parameters.places {
            bytes += Array("\(place.length):".utf8)
            if place.length > 0 { bytes += parameters.arena[Int(place.offset)..<Int(place.offset + place.length)] }
        }
        return (S.name, bytes)
    }

    private static func asked(_ read: CachedRead) throws -> Asked {
        switch read {
        case .known(let key, let fill):
            let (name, parameters) = try bound(fill.statement)
            return Asked(key: "\(key.module) \(key.key)", statement: name, parameters: parameters)
        case .dated(_, let read):
            return try asked(read(try #require(BusinessDay("2026-03-31"))))
        case .scanned(_, let read):
            return try asked(read([]))
        }
    }

    /// What a route reads, asked with a query.
    private static func read(_ route: Route, _ reading: Route.Reading, query: String) throws -> CachedRead {
        let caller = Caller.member(.owner)
        return try reading(
            Call(
                route: route,
                exchange: Exchange(getting: "\(route.path)?\(query)"),
                segments: route.pathParameters.map { _ in "01a1fdf2-b270-76bb-9b75-63983f68fe97" },
                deadline: .now,
                bodyLimit: 0,
                caller: caller,
                token: nil,
                cache: nil,
                rates: nil
            ),
            caller
        )
    }

    /// Spellings of one parameter; the first two of each ask the same.
    private static func spellings(_ parameter: Route.Parameter) throws -> [String] {
        let name = parameter.name
        switch name {
        case "cursor":
            return ["", "cursor="]
        case "limit":
            return ["limit=50", "", "limit=51"]
        case "expand":
            return ["expand=customer,user", "expand=user,%20customer", "expand=user", ""]
        case "ids":
            let ids = ["018f3b6e-1c2d-7000-8000-0123456789ab", "018f3b6e-1c2d-7000-8000-0123456789ac"]
            return ["", "ids=", "ids=\(ids[0]),\(ids[1])", "ids=\(ids[1]),\(ids[0].uppercased())", "ids=\(ids[1])"]
        case "updated_since":
            return [
                "", "updated_since=", "updated_since=2026-01-01T00:00:00Z", "updated_since=2026-01-01T01:00:00%2B01:00",
            ]
        case "days":
            return ["days=90", "", "days=30"]
        case "number":
            return ["number=1", "number=%201%20", "number=2", ""]
        case "q", "code", "barcode", "reason", "category":
            return Self.texts.map { "\(name)=\(Self.encoded($0))" }
        case "from", "to", "date":
            return ["\(name)=2026-03-01", "\(name)=+2026-03-01", "\(name)=2026-03-02"]
        case "active", "has_balance", "differs", "overdue":
            return ["\(name)=true", "\(name)=true%20", "\(name)=false", ""]
        case "method":
            // Where every method may be asked for, it stands for itself when it is left out.
            return parameter.description.contains("or all")
                ? ["method=all", "", "method=cash", "method=vale_2"]
                : ["method=cash", "method=%20cash%20", "method=vale_2", ""]
        case _ where name.hasSuffix("_id"):
            let id = "018f3b6e-1c2d-7000-8000-0123456789ab"
            return ["\(name)=\(id)", "\(name)=\(id.uppercased())", "", "\(name)=\(id.dropLast())c"]
        default:
            guard case .choice(let names) = parameter.schema, let first = names.first else {
                throw Problem(.internalError, "\(name) asks for its spellings")
            }
            // What stands for itself when it is left out.
            let standard = ["sort": first, "view": "daily", "width": "80", "by": "revenue"][name]
            return ["\(name)=\(standard ?? first)", standard == nil ? "\(name)=\(first)" : ""]
                + names.map { "\(name)=\($0)" } + [""]
        }
    }

    private static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain = byte < 0x80 && (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            return isPlain ? String(UnicodeScalar(byte)) : "%" + Hexadecimal.text([byte])
        }
        .joined()
    }

    @Test("wherever two requests have one key, their statements bind the same parameters")
    func structural() async throws {
        let shop = try await TestShop(url: "postgres://nobody@localhost/nothing", runs: false)
        // A receipt as data takes no heed of how it would be printed.
        let routes = shop.api.routes.filter {
            $0.isCached && !$0.parameters.isEmpty && !$0.path.hasSuffix("/receipt")
        }
        var random = SystemRandomNumberGenerator()
        for route in routes {
            guard case .read(let reading) = route.service else { continue }
            let spellings = try route.parameters.map(Self.spellings)
            var asked: [String: Asked] = [:]
            var shared = 0
            var queries: [[String]] = []
            // Each spelling of each parameter beside the first ones of the others, and then of any two.
            for (index, choices) in spellings.enumerated() {
                for choice in choices {
                    var parts = spellings.map { $0[0] }
                    parts[index] = choice
                    queries.append(parts)
                }
            }
            for _ in 0..<2_000 {
                var parts = spellings.map { $0[0] }
                for _ in 0..<2 {
                    let index = Int.random(in: 0..<spellings.count, using: &random)
                    parts[index] = spellings[index].randomElement(using: &random) ?? ""
                }
                queries.append(parts)
            }
            for parts in queries {
                let text = parts.filter { !$0.isEmpty }.shuffled(using: &random).joined(separator: "&")
                guard let this = try? Self.asked(Self.read(route, reading, query: text)) else { continue }
                if let other = asked[this.key] {
                    shared += 1
                    #expect(this == other, "\(route.path)?\(text)")
                }
                asked[this.key] = this
            }
            #expect(shared > 50, "\(route.path) was not asked the same twice")
            #expect(asked.count > 1, "\(route.path) was asked one thing only")
        }
        await shop.stop()
    }

    // MARK: Bytes

    @Test("what memory answers is what the database answers, on every cached route, whatever was asked before")
    func bytes() async throws {
        let database = try await PostgresServer.shared().database(named: "agreement")
        let shop = try await TestShop(url: database.appURL, runs: true)
        do {
            try await eventually("the cache is in use") { shop.cache.isUsable }
            try await self.walk(shop, try await shop.signUp())
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    private func walk(_ shop: TestShop, _ token: String) async throws {
        func make(_ path: String, _ body: String) async throws -> String {
            let key = "\(path) \(body.hashValue)".filter { !$0.isWhitespace }
            let reply = await shop.send(.post, path, token: token, ["Idempotency-Key": key], body: body)
            try #require(reply.status == .created, "\(path): \(reply.text)")
            return reply.json["id"].string ?? ""
        }
        var ids: [String: String] = [:]
        for (number, name) in ["ΚΑΦΕΣ ΕΛΛΗΝΙΚΟΣ", "Café crème", "ca fe", "Straße a_b", "Kilo % \\\\ : *"].enumerated() {
            ids["/v1/products/{id}"] = try await make(
                "/v1/products",
                #"{"name":"\#(name)","sku":"S\#(number)","price":"1","barcodes":["\#(name)"]}"#
            )
            ids["/v1/customers/{id}"] = try await make("/v1/customers", #"{"name":"\#(name)"}"#)
            ids["/v1/categories/{id}"] = try await make("/v1/categories", #"{"name":"\#(name)"}"#)
        }
        for route in shop.api.routes where route.isRecordMaking && ids[route.path + "/{id}"] == nil {
            let example = try #require(route.body).exampleBytes
            ids[route.path + "/{id}"] = try await make(route.path, String(decoding: example, as: UTF8.self))
        }
        ids["/v1/invitations/{id}"] = try await make("/v1/users", #"{"email":"new@example.com","role":"viewer"}"#)
        let product = try #require(ids["/v1/products/{id}"])
        _ = try await make(
            "/v1/stock/movements",
            #"{"movements":[{"product_id":"\#(product)","type":"opening","quantity":"9","reason":"start","location_id":"00000000-0000-7000-8000-000000000001"}]}"#
        )
        for path in ["stock", "price-history"] { ids["/v1/products/{id}/\(path)"] = product }
        ids["/v1/sales/{id}"] = try await make(
            "/v1/sales",
            #"{"lines":[{"product_id":"\#(product)","quantity":"1"}],"payments":[{"method":"cash","amount":"1.00"}]}"#
        )
        let sale = try #require(ids["/v1/sales/{id}"])
        let sold = await shop.send(.get, "/v1/sales/\(sale)", token: token)
        let line = try #require(sold.json["lines"][0]["id"].string, "\(sold.text)")
        ids["/v1/returns/{id}"] = try await make(
            "/v1/sales/\(sale)/returns",
            #"{"lines":[{"sale_line_id":"\#(line)","quantity":"1"}],"payments":[{"method":"cash","amount":"1.00"}]}"#
        )
        for path in ["/v1/sales/{id}", "/v1/returns/{id}"] { ids[path + "/receipt"] = ids[path] }
        ids["/v1/quotes/{id}"] = try await make(
            "/v1/quotes",
            #"{"lines":[{"product_id":"\#(product)","quantity":"1"}]}"#
        )
        for path in ["statement", "ageing"] { ids["/v1/customers/{id}/\(path)"] = ids["/v1/customers/{id}"] }
        let count = try await make("/v1/stock/counts", #"{"location_id":"00000000-0000-7000-8000-000000000001"}"#)
        for path in ["", "/lines"] { ids["/v1/stock/counts/{id}\(path)"] = count }
        ids["/v1/transfers/{id}"] = try await make(
            "/v1/transfers",
            #"{"from_location_id":"00000000-0000-7000-8000-000000000001","lines":[{"product_id":"\#(product)","quantity":"1"}]}"#
        )
        let supplier = try #require(ids["/v1/suppliers/{id}"])
        ids["/v1/purchases/{id}"] = try await make(
            "/v1/purchases",
            """
            {"supplier_id":"\(supplier)","location_id":"00000000-0000-7000-8000-000000000001",\
            "lines":[{"product_id":"\(product)","quantity":"1","unit_cost":"1"}]}
            """
        )
        for (path, direction) in [("/v1/expenses", ""), ("/v1/ledger-entries", #""direction":"income","#)] {
            let body = #"{\#(direction)"category":"Straße","amount":"1.00","method":"cash"}"#
            ids["\(path)/{id}"] = try await make(path, body)
        }
        for list in ["/v1/payments", "/v1/users"] {
            let reply = await shop.send(.get, list, token: token)
            let id = try #require(reply.json["data"][0]["id"].string, "\(reply.text)")
            ids[list + "/{id}"] = id
        }

        var hits = 0
        for route in shop.api.routes where route.isCached {
            var paths = [route.path]
            if route.path.contains("{id}") {
                let id = try #require(ids[route.path], "\(route.path) asks for an example")
                paths = [id, id.uppercased()].map { route.path.replacing("{id}", with: $0) }
            }
            // One parameter after the other in all its spellings: each finds what the ones before it left.
            for parameter in route.parameters {
                paths += try Self.spellings(parameter).filter { !$0.isEmpty }.map { "\(route.path)?\($0)" }
            }
            if route.path == "/v1/sales" {
                paths += ["/v1/sales?from=2020-01-01&number=1", "/v1/sales?number=1&from=2020-01-01"]
            }
            var fromMemory: [String: Reply] = [:]
            for path in paths + paths { fromMemory[path] = await shop.send(.get, path, token: token) }
            for path in paths {
                let hit = try #require(fromMemory[path])
                let fresh = await shop.send(.get, path, token: token, ["Cache-Control": "no-cache"])
                #expect(hit.status == fresh.status, "\(path)")
                if hit.status == .ok {
                    #expect(fresh["cache-status"]?.contains("bypass") == true)
                    #expect(hit.text == fresh.text, "\(path)")
                    if hit["cache-status"] == "stock-l1; hit" { hits += 1 }
                }
            }
        }
        #expect(hits > 100, "memory answered \(hits) times")
        let numbered = await shop.send(.get, "/v1/sales?number=1", token: token)
        #expect(numbered.json["data"][0]["id"].string == ids["/v1/sales/{id}"], "\(numbered.text)")
        #expect(await shop.send(.get, "/v1/sales?number=2", token: token).json["data"].elements.count == 0)
    }

    // MARK: Readings

    @Test("a list or report whose range ends before it begins is refused, and both days are named")
    func reversed() async throws {
        let database = try await PostgresServer.shared().database(named: "reversed")
        let shop = try await TestShop(url: database.appURL, runs: true)
        let token = try await shop.signUp()
        let routes = shop.api.routes.filter { route in route.parameters.contains { $0.name == "from" } }
        #expect(routes.count >= 5)
        let customer = await shop.send(.post, "/v1/customers", token: token, body: #"{"name":"Ana"}"#)
        let id = try #require(customer.json["id"].string)
        for route in routes {
            let path = route.path.replacing("{id}", with: id)
            let reply = await shop.send(.get, "\(path)?from=2026-02-01&to=2026-01-01", token: token)
            #expect(reply.status == .unprocessableContent, "\(route.path): \(reply.text)")
            #expect(reply.json["errors"][0]["pointer"].string == "?from")
            #expect(reply.json["errors"][1]["pointer"].string == "?to")
            let day = await shop.send(.get, "\(path)?from=2026-02-01&to=2026-02-01", token: token)
            #expect(day.status == .ok, "\(route.path): \(day.text)")
        }
        let century = await shop.send(.get, "/v1/balance/summary?from=2000-01-01", token: token)
        #expect(century.status == .ok, "a summary has one period: \(century.text)")
        await shop.stop()
    }

    @Test("a code with what a scanner puts behind it is found, and one fault is told once")
    func scanned() async throws {
        let database = try await PostgresServer.shared().database(named: "scanned")
        let shop = try await TestShop(url: database.appURL, runs: true)
        let token = try await shop.signUp()
        let made = await shop.send(
            .post,
            "/v1/products",
            token: token,
            body: #"{"name":"Tea","price":"1","barcodes":["LOT-A7X"]}"#
        )
        #expect(made.status == .created, "\(made.text)")
        for code in ["LOT-A7X%0D", "%09lot-a7x%0D%0A", "%C2%A0LOT-a7x"] {
            let found = await shop.send(.get, "/v1/products/lookup?code=\(code)", token: token)
            #expect(found.json["data"].elements.count == 1, "\(code): \(found.text)")
        }
        for code in ["code=", "code=%0D", "", "code=a%07b", "code=\(String(repeating: "1", count: 101))"] {
            let refused = await shop.send(.get, "/v1/products/lookup?\(code)", token: token)
            #expect(refused.status == .badRequest, "\(code)")
            #expect(refused.json["errors"].elements.count == 1, "\(code): \(refused.text)")
        }
        await shop.stop()
    }

    @Test("what a column cannot hold is refused with its field and the limit")
    func limits() async throws {
        let database = try await PostgresServer.shared().database(named: "limits")
        let shop = try await TestShop(url: database.appURL, runs: true)
        let token = try await shop.signUp()
        var requests = 0
        func post(_ path: String, _ body: String) async -> Reply {
            requests += 1
            return await shop.send(.post, path, token: token, ["Idempotency-Key": "k\(requests)"], body: body)
        }
        let product = await post("/v1/products", #"{"name":"Tea","price":"1","sku":"T","oversell":"allow"}"#)
        #expect(product.status == .created, "\(product.text)")
        func move(_ quantity: String, at: String? = nil) async -> Reply {
            let time = at.map { #","occurred_at":"\#($0)""# } ?? ""
            return await post(
                "/v1/stock/movements",
                #"{"movements":[{"sku":"T","type":"adjustment","quantity":"\#(quantity)","reason":"x"}]\#(time)}"#
            )
        }
        #expect(await move("999999999999").status == .created)
        let more = await move("1")
        #expect(more.status == .unprocessableContent)
        #expect(more.json["errors"][0]["pointer"].string == "/movements/0/quantity")
        #expect(more.json["errors"][0]["detail"].string?.contains("999999999999.999999") == true, "\(more.text)")
        #expect(await move("-999999999999").status == .created)
        #expect(await move("-999999999999").status == .created)
        let sale = await post(
            "/v1/sales",
            #"{"lines":[{"sku":"T","quantity":"1"}],"payments":[{"method":"cash","amount":"1.00"}]}"#
        )
        #expect(sale.status == .unprocessableContent, "\(sale.text)")
        #expect(sale.json["errors"][0]["pointer"].string == "/lines/0/quantity")

        let customer = await post("/v1/customers", #"{"name":"Ana"}"#)
        let id = try #require(customer.json["id"].string)
        let dear = #"{"lines":[{"sku":"T","quantity":"1","unit_price":"999999999999"}],"customer_id":"\#(id)"}"#
        _ = try await database.psql("UPDATE stock.customer_account SET balance = 99999999999999")
        _ = await move("9")
        let credit = await post("/v1/sales", dear)
        #expect(credit.status == .unprocessableContent, "\(credit.text)")
        #expect(credit.json["errors"][0]["pointer"].string == "/customer_id")
        for (path, body, pointer) in [
            ("/v1/products", #"{"name":"X","price":"1000000000000"}"#, "/price"),
            ("/v1/products", #"{"name":"X","price":"1","tax_rate":"1000"}"#, "/tax_rate"),
            ("/v1/products", #"{"name":"X","price":"1","min_stock":"1000000000000"}"#, "/min_stock"),
            ("/v1/customers", #"{"name":"X","credit_limit":"100000000000000"}"#, "/credit_limit"),
        ] {
            let refused = await post(path, body)
            #expect(refused.status == .unprocessableContent, "\(body)")
            #expect(refused.json["errors"][0]["pointer"].string == pointer)
            #expect(refused.json["errors"][0]["detail"].string?.contains("999") == true, "\(refused.text)")
        }
        await shop.stop()
    }

    @Test(
        "a time no calendar of a shop holds is refused on every route that takes one",
        arguments: ["0001-01-01", "1899-12-31", "9999-12-31"]
    )
    func moments(day: String) async throws {
        let database = try await PostgresServer.shared().database(named: "moments")
        let shop = try await TestShop(url: database.appURL, runs: true)
        let token = try await shop.signUp()
        let product = await shop.send(.post, "/v1/products", token: token, body: #"{"name":"T","price":"1","sku":"T"}"#)
        #expect(product.status == .created)
        let customer = await shop.send(.post, "/v1/customers", token: token, body: #"{"name":"Ana"}"#)
        let id = try #require(customer.json["id"].string)
        let time = #""occurred_at":"\#(day)T00:00:00Z""#
        let movement = #"{"sku":"T","type":"adjustment","quantity":"1","reason":"x"}"#
        for (path, body) in [
            ("/v1/sales", #"{"lines":[{"sku":"T","quantity":"1"}],"customer_id":"\#(id)",\#(time)}"#),
            ("/v1/stock/movements", #"{"movements":[\#(movement)],\#(time)}"#),
            ("/v1/payments", #"{"direction":"in","customer_id":"\#(id)","method":"cash","amount":"1.00",\#(time)}"#),
        ] {
            let refused = await shop.send(.post, path, token: token, ["Idempotency-Key": "a"], body: body)
            #expect(refused.status == .unprocessableContent, "\(path): \(refused.text)")
            #expect(refused.json["errors"][0]["pointer"].string == "/occurred_at", "\(path)")
        }
        await shop.stop()
    }
}
