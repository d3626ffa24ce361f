import Foundation

/// The tenant under check: what is written to, what is read, and how revisions are found in the bytes of answers.
package struct CheckedShop: Sendable {
    /// A path that is read.
    struct Path: Sendable {
        enum Kind: Sendable {
            case product(Int)
            case category
            case list
            case series
        }

        let kind: Kind
        /// Path and query.
        let text: String
        /// What the body begins with if it is of what was asked for.
        let beginning: [UInt8]
        /// The module and key of the answer in the cache, for explain.
        let module: String
        let key: String
    }

    /// The credential, an API key.
    package let key: String
    /// The products written to.
    package let products: [String]
    /// The category they are in, and which is written to.
    package let category: String
    /// The product that is sold.
    let goods: String
    let paths: [Path]
    /// What is searched.
    let text: CheckedText
    /// What is traded.
    let trade: CheckedTrade
    /// Income of the tenant before the first sale of this run, in units.
    let incomeBefore: Int64
    /// Revisions when the run begins, by subject.
    let revisions: [Int64]
    /// Places of the products by eight bytes of their ids.
    private let places: [UInt64: Int]

    /// The number of the category among the subjects; products come first.
    package var categorySubject: Int { products.count }
    /// The number of the series among the subjects.
    package var seriesSubject: Int { products.count + 1 }

    var categoryPath: Int { products.count }
    var seriesPath: Int { products.count + 2 }

    /// The list of the products, or a search that finds them all, spelled as the next person spells it.
    func listPath(_ random: inout CheckerRandom) -> Int {
        let search = random.below(Self.searches.count + 1)
        return search == 0 ? products.count + 1 : seriesPath + search
    }

    /// What every product is called, beside its number: a word that each of two ways of folding writes otherwise.
    static let word = "ΚΑΦΕΣ"

    /// Spellings of words that are in every product's name, as a query has them.
    private static let searches = [
        "checked", "CHECKED", "\u{A0}Checked", "καφεσ", "ΚΑΦΕΣ", "Καφες checked", "καφές",
    ]
    .map(query)

    /// A text as a value of a query.
    private static func query(_ text: String) -> String {
        text.utf8.map { byte in
            let digits = String(byte, radix: 16)
            return byte.isLetter ? String(UnicodeScalar(byte)) : "%" + (digits.count < 2 ? "0" : "") + digits
        }
        .joined()
    }

    /// The kinds and names of the subjects, in their order.
    package var subjects: [(kind: SubjectKind, name: String)] {
        products.map { (.product, $0) } + [(.category, category), (.series, "series")]
    }

    /// Makes products and a category in a tenant that is the checker's own.
    ///
    /// - Throws: ``CheckerFailure`` with the answer that was not expected.
    package static func make(client: HTTPClient, key: String, products count: Int) async throws -> CheckedShop {
        let run = String(UInt32.random(in: 0...UInt32.max), radix: 36)
        let setup = Setup(client: client, key: key)
        let units = try await setup.send("GET", "/v1/units")
        let unit: String
        if let known = units["data"].elements.first(where: { $0["decimals"].int == 0 })?["id"].string {
            unit = known
        } else {
            unit = try await setup.make("/v1/units", #"{"name":"Piece \#(run)","symbol":"pc\#(run)","decimals":0}"#)
        }
        let category = try await setup.make("/v1/categories", #"{"name":"Checked \#(run)"}"#)
        var products: [String] = []
        for number in 0..<count {
            products.append(
                try await setup.make(
                    "/v1/products",
                    """
                    {"sku":"C\(number)-\(run)","name":"Checked \(number) \(Self.word)","unit_id":"\(unit)","price":"1.00",\
                    "tax_rate":"0","tracks_stock":false,"category_id":"\(category)"}
                    """
                )
            )
        }
        let goods = try await setup.make(
            "/v1/products",
            """
            {"sku":"S-\(run)","name":"Sold","unit_id":"\(unit)","price":"1.00","tax_rate":"0","tracks_stock":false}
            """
        )
        let searched = try await setup.make("/v1/categories", #"{"name":"Searched \#(run)"}"#)
        for (number, name) in CheckedText.names.enumerated() {
            _ = try await setup.make(
                "/v1/products",
                """
                {"sku":"\(name.prefix(4))-\(number)-\(run)","name":"\(name)","unit_id":"\(unit)","price":"1.00",\
                "tax_rate":"0","tracks_stock":true,"category_id":"\(searched)"}
                """
            )
            _ = try await setup.make("/v1/customers", #"{"name":"\#(name)"}"#)
        }
        let trade = try await CheckedTrade.make(setup, run: run, unit: unit)
        // Days around today, whatever the tenant's time zone, and whether midnight comes or not: the sum is what counts.
        let day = ISO8601DateFormatter()
        day.formatOptions = [.withFullDate]
        let from = day.string(from: Date(timeIntervalSinceNow: -86_400))
        let to = day.string(from: Date(timeIntervalSinceNow: 2 * 86_400))
        var paths = products.indices.map { index in
            Path(
                kind: .product(index),
                text: "/v1/products/\(products[index])",
                beginning: Array(#"{"id":"\#(products[index])""#.utf8),
                module: "products",
                key: "id:\(products[index])"
            )
        }
        paths.append(
            Path(
                kind: .category,
                text: "/v1/categories/\(category)",
                beginning: Array(#"{"id":"\#(category)""#.utf8),
                module: "categories",
                key: "id:\(category)"
            )
        )
        paths.append(
            Path(
                kind: .list,
                text: "/v1/products?category_id=\(category)&limit=50",
                beginning: Array(#"{"data":["#.utf8),
                module: "products",
                key: "list"
            )
        )
        paths.append(
            Path(
                kind: .series,
                text: "/v1/balance/series?view=daily&from=\(from)&to=\(to)",
                beginning: Array(#"{"view":"daily""#.utf8),
                module: "balance",
                key: "series:daily:\(from):\(to):all"
            )
        )
        for search in Self.searches {
            paths.append(
                Path(
                    kind: .list,
                    text: "/v1/products?q=\(search)&category_id=\(category)&limit=50",
                    beginning: Array(#"{"data":["#.utf8),
                    module: "products",
                    key: "list"
                )
            )
        }
        var revisions: [Int64] = []
        for path in paths[0...count] {
            revisions.append(Int64(try await setup.send("GET", path.text)["version"].int ?? 0))
        }
        let series = try await setup.send("GET", paths[count + 2].text)
        let income = series["data"].elements.reduce(Int64(0)) { sum, period in
            sum + (Int64((period["income"].string ?? "0").prefix { $0 != "." }) ?? 0)
        }
        return CheckedShop(
            key: key,
            products: products,
            category: category,
            goods: goods,
            paths: paths,
            text: CheckedText(category: searched),
            trade: trade,
            incomeBefore: income,
            revisions: revisions + [0],
            places: Dictionary(uniqueKeysWithValues: products.indices.map { (Self.tail(products[$0]), $0) })
        )
    }

    /// The last eight bytes of an id, the most random ones.
    private static func tail(_ id: String) -> UInt64 {
        Array(id.utf8.suffix(8)).withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    }

    // MARK: - Revisions in bytes

    /// Finds the revisions an answer to a path shows; false if the body is not of what was asked for.
    func sightings(in body: UnsafeRawBufferPointer, path number: Int, _ sightings: inout [Sighting]) -> Bool {
        sightings.removeAll(keepingCapacity: true)
        let path = paths[number]
        let begins = path.beginning.withUnsafeBytes { beginning in
            guard let expected = beginning.baseAddress, let found = body.baseAddress, body.count >= beginning.count
            else { return false }
            return memcmp(expected, found, beginning.count) == 0
        }
        guard begins else { return false }
        switch path.kind {
        case .product(let subject):
            guard let version = Self.version(in: body, from: 0) else { return false }
            sightings.append(Sighting(subject: subject, revision: version))
        case .category:
            guard let version = Self.version(in: body, from: 0) else { return false }
            sightings.append(Sighting(subject: categorySubject, revision: version))
        case .list:
            var place = 0
            while let found = CheckerConnection.find(#"{"id":""#, in: body, from: place) {
                guard found + 43 <= body.count, let version = Self.version(in: body, from: found) else { return false }
                let tail = body.loadUnaligned(fromByteOffset: found + 35, as: UInt64.self)
                guard let subject = places[tail] else { return false }
                sightings.append(Sighting(subject: subject, revision: version))
                place = found + 43
            }
            return sightings.count == products.count
        case .series:
            var sum: Int64 = 0
            var place = 0
            while let found = CheckerConnection.find(#""income":""#, in: body, from: place) {
                let digits = UnsafeRawBufferPointer(rebasing: body[(found + 10)...])
                sum += Int64(CheckerConnection.number(digits) ?? 0)
                place = found + 10
            }
            sightings.append(Sighting(subject: seriesSubject, revision: sum - incomeBefore))
        }
        return true
    }

    static func version(in body: UnsafeRawBufferPointer, from start: Int) -> Int64? {
        guard let found = CheckerConnection.find(#""version":"#, in: body, from: start) else { return nil }
        return CheckerConnection.number(UnsafeRawBufferPointer(rebasing: body[(found + 10)...])).map { Int64($0) }
    }
}

extension CheckedShop {
    /// Requests that make a shop; each is to succeed.
    struct Setup {
        let client: HTTPClient
        let key: String

        func send(
            _ method: String,
            _ path: String,
            _ body: String? = nil,
            key idempotencyKey: String? = nil
        )
            async throws -> JSON
        {
            var headers = ["Authorization": "Bearer \(key)", "Cache-Control": "no-cache"]
            if body != nil { headers["Content-Type"] = "application/json" }
            headers["Idempotency-Key"] = idempotencyKey
            for _ in 0..<100 {
                let answer = try await client.send(method, path, headers: headers, body: body)
                if answer.status == 503 || answer.status == 429 {
                    try await Task.sleep(for: .milliseconds(100))
                    continue
                }
                guard (200..<300).contains(answer.status) else {
                    throw CheckerFailure("\(method) \(path): \(answer.status) \(answer.text)")
                }
                return answer.json
            }
            throw CheckerFailure("\(method) \(path) is refused again and again")
        }

        func make(_ path: String, _ body: String) async throws -> String {
            let made = try await send("POST", path, body)
            guard let id = made["id"].string else { throw CheckerFailure("\(path): no id in the answer") }
            return id
        }
    }
}

/// Why a check cannot be made.
package struct CheckerFailure: Error, CustomStringConvertible {
    /// A sentence.
    package let description: String

    /// Makes one of a sentence.
    package init(_ description: String) {
        self.description = description
    }
}

extension UInt8 {
    /// Whether it is a letter of ASCII.
    fileprivate var isLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) && self < 0x80 }
}
