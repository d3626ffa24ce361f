import Cache
import Domain
import HTTPTypes
import Kernel
import Services
import Testing

@testable import API

/// Whatever comes, a parser answers with a value or a refusal; and what it took it gives back as it was.
@Suite("Fuzzing of parsers", .serialized)
struct ParserFuzzTests {
    private static let share = 1.0 / 14

    /// Tries mutations of a corpus.
    private func fuzz(
        _ target: String,
        _ corpus: [String],
        _ body: ([UInt8], UInt64) throws -> Void
    ) async throws {
        let texts = corpus.map { Array($0.utf8) }
        let tried = try await FuzzRun.run(target, share: Self.share) { seed in
            var mutator = Mutator(seed: seed)
            let text = texts.randomElement(using: &mutator.random) ?? []
            try body(mutator.mutate(text, others: texts), seed)
        }
        #expect(tried > 0)
    }

    @Test("a JSON body is read or refused, and its canonical form is one")
    func json() async throws {
        let schemas = Schemas.all.map(\.schema) + [Body { SaleRequest.read(&$0) }.schema]
        let corpus = schemas.map { String(decoding: $0.exampleBytes, as: UTF8.self) }
        try await self.fuzz("json", corpus) { bytes, seed in
            guard let value = try? JSONValue.parse(bytes) else { return }
            let canonical = value.canonicalBytes
            let again = try JSONValue.parse(canonical)
            #expect(again.canonicalBytes == canonical, "FUZZ_SEED=\(seed)")
            guard var reader = try? JSONObjectReader(body: value) else { return }
            _ = SaleRequest.read(&reader)
            try? reader.finish()
        }
    }

    @Test("a query is read or refused")
    func query() async throws {
        let corpus = [
            "q=espresso%20beans&limit=50&stock=low&sort=-price", "from=2026-01-01&to=2026-01-31&view=weekly",
            "category_id=018f3b6e-1c2d-7000-8000-0123456789ab&cursor=eyJhIjoxfQ&active=true", "code=4006381333931",
        ]
        try await self.fuzz("query", corpus) { bytes, _ in
            var query = Query(Substring(decoding: bytes, as: UTF8.self))
            _ = query.text("q")
            _ = query.page()
            _ = query.day("from")
            _ = query.day("to")
            _ = query.flag("active")
            let category: CategoryID? = query.id("category_id")
            let sort: ProductSort? = query.choice("sort")
            let view: BalanceView? = query.choice("view")
            _ = (category, sort, view)
            try? query.finish()
        }
    }

    @Test("header fields are read or refused")
    func fields() async throws {
        let corpus = [
            "Accept-Encoding: gzip;q=0.5, br, *;q=0\nCache-Control: no-cache, max-age=0",
            "If-Match: \"3.17-gzip\", W/\"2\", *\nIf-None-Match: \"1\", \"x\"\nContent-Length: 12",
            "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln\nIdempotency-Key: \"a-1\"",
            "Stock-Consistency: 1.b.811:812\nX-Request-Id: abc-1\nTransfer-Encoding: chunked",
        ]
        try await self.fuzz("fields", corpus) { bytes, _ in
            var fields = HTTPFields()
            for line in bytes.split(separator: UInt8(ascii: "\n")) {
                let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 1)
                guard let first = parts.first, let name = HTTPField.Name(String(decoding: first, as: UTF8.self)) else {
                    continue
                }
                let value = String(decoding: parts.dropFirst().first ?? [], as: UTF8.self)
                fields.append(HTTPField(name: name, value: value))
            }
            let read = RequestFields(fields)
            _ = (read.acceptsGzip, read.bypassesCache, read.bodyLength, RequestID.of(read.requestID))
            for value in fields.map(\.value) {
                _ = try? ExpectedVersion(ifMatch: value)
                _ = ConsistencyToken(parsing: value, tenant: 1)
                _ = AcceptEncoding.prefersGzip(value)
            }
        }
    }

    /// What a file's records are, by a parser that takes it in portions.
    private func records(_ portions: [[UInt8]], _ mapping: ImportMapping, fields: [String] = []) -> [String] {
        var found: [String] = []
        func note(_ record: borrowing FileRecord) {
            var text = "\(record.line)"
            if let fault = record.fault {
                text += " \(fault)"
            } else {
                for column in 0..<record.count { text += " \(Array(record[column]))" }
            }
            found.append(text)
        }
        var parser = ImportParser(mapping, fields: fields)
        for portion in portions { parser.consume(portion) { note($0) } }
        parser.finish { note($0) }
        return found
    }

    @Test("a CSV file has the same records, in whatever portions it comes")
    func csv() async throws {
        let corpus = [
            "sku,name,price\nA-1,\"Hat, \"\"red\"\"\",3.00\r\nB-2,Shoe,4.5\n", "\u{FEFF}a;b\r\n1;2\r\n;;\r\n",
            "a,b\n\"line\nbreak\",2\n\n3,4", "x\n\"open",
        ]
        try await self.fuzz("csv", corpus) { bytes, seed in
            var random = Mutator(seed: seed).random
            let cut = Int.random(in: 0...bytes.count, using: &random)
            let whole = self.records([bytes], ImportMapping())
            let parts = self.records([Array(bytes[..<cut]), Array(bytes[cut...])], ImportMapping())
            #expect(parts == whole, "FUZZ_SEED=\(seed), cut \(cut)")
        }
    }

    @Test("a file of objects has the same records, in whatever portions it comes")
    func ndjson() async throws {
        var mapping = ImportMapping()
        mapping.format = .ndjson
        let corpus = [
            #"{"sku":"A-1","name":"Hat, \"red\"","price":3.00}"# + "\r\n" + #"{"sku":"B","barcodes":["1","2 3"]}"#,
            #"{"SKU":null,"x":{"a":[1]},"line":1,"code":"a","reason":"b"}"# + "\n\n[]\n{}",
        ]
        try await self.fuzz("ndjson", corpus) { bytes, seed in
            var random = Mutator(seed: seed).random
            let cut = Int.random(in: 0...bytes.count, using: &random)
            let whole = self.records([bytes], mapping, fields: ProductRowReader.fields)
            let parts = [Array(bytes[..<cut]), Array(bytes[cut...])]
            #expect(
                self.records(parts, mapping, fields: ProductRowReader.fields) == whole,
                "FUZZ_SEED=\(seed), cut \(cut)"
            )
        }
    }

    @Test("a time is read or refused, and is the same when it is written and read again")
    func times() async throws {
        let corpus = [
            "2026-01-31T12:00:00.5+02:00", "2026-02-28T23:59:60Z", "2026-01-31", "2026-01-31 08:26",
            "1969-12-31T23:59:59Z",
        ]
        let patterns = ["dd/MM/yyyy HH:mm", "d.M.yyyy", "yyyy-MM-dd'T'HH:mm:ss"].compactMap { TimeFormat(pattern: $0) }
        try await self.fuzz("times", corpus) { bytes, seed in
            if let time = Timestamp(utf8: bytes) {
                #expect(Timestamp("\(time)") == time, "FUZZ_SEED=\(seed)")
            }
            if let day = BusinessDay(String(decoding: bytes, as: UTF8.self)) {
                #expect(BusinessDay("\(day)") == day, "FUZZ_SEED=\(seed)")
            }
            _ = TimeFormat.iso.parse(bytes[...])
            for pattern in patterns { _ = pattern.parse(bytes[...]) }
            _ = TimeFormat(pattern: String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test("a number is read or refused, and is the same when it is written and read again")
    func numbers() async throws {
        func check<Number: FixedPoint>(_ type: Number.Type, _ bytes: [UInt8], _ seed: UInt64) throws {
            guard let number = try? Number(utf8: bytes) else { return }
            #expect(try Number("\(number)") == number, "FUZZ_SEED=\(seed)")
        }
        let corpus = ["12.50", "-0.333333", "999999999999.999999", "0", "1,234.56", "1.234,5", "21"]
        try await self.fuzz("numbers", corpus) { bytes, seed in
            try check(Money.self, bytes, seed)
            try check(Price.self, bytes, seed)
            try check(Quantity.self, bytes, seed)
            try check(TaxRate.self, bytes, seed)
            try check(Percent.self, bytes, seed)
            for separator in [NumberFormat.DecimalSeparator.point, .comma] {
                _ = try? NumberFormat(decimal: separator).parse(bytes[...])
            }
        }
    }
}
