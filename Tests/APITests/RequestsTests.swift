import HTTPTypes
import Kernel
import Testing

@testable import API

@Suite("Query")
struct QueryTests {
    @Test("parameters are decoded once, whatever their order")
    func reading() throws {
        var query = Query("b=2&q=caf%C3%A9+con%20leche&empty=")
        #expect(query.text("q") == "café con leche")
        #expect(query.integer("b", 1...9) == 2)
        #expect(query.integer("limit", 1...200) == nil)
        #expect(query.text("empty") == nil)
        try query.finish()
    }

    @Test("all faults come at once, unknown names among them")
    func faults() {
        var query = Query("limit=0&from=2026-02-30&view=hourly&nonsense=1")
        _ = query.integer("limit", 1...200)
        _ = query.day("from")
        #expect(throws: Problem.self) { try query.finish() }
        do throws(Problem) {
            try query.finish()
        } catch {
            #expect(error.code == .invalidRequest)
            #expect(Set(error.errors.map(\.pointer)).isSuperset(of: ["?limit", "?from", "?view", "?nonsense"]))
        }
    }

    @Test(
        "a parameter given twice and broken percent-encoding are refused",
        arguments: ["a=1&a=2", "a=%", "a=%zz", "a=%ff"]
    )
    func malformed(text: String) {
        var query = Query(text[...])
        _ = query.text("a")
        #expect(throws: Problem.self) { try query.finish() }
    }
}

@Suite("PercentEncoding")
struct PercentEncodingTests {
    @Test(
        "a path is told as part of a URI, whatever came and wherever it was cut",
        arguments: [
            ("/v1/a-b_c.d~e:@!$&'()*+,;=", "/v1/a-b_c.d~e:@!$&'()*+,;="), ("/%C3%b3", "/%C3%b3"), ("/a%", "/a%25"),
            ("/a%C", "/a%25C"), ("/a%C…", "/a%25C%e2%80%a6"), ("/a%zz", "/a%25zz"), ("/a b^", "/a%20b%5e"),
            ("/%%41", "/%25%41"),
        ]
    )
    func path(came: String, told: String) {
        #expect(PercentEncoding.path(came) == told)
    }

    @Test("what is repeated of a path that is too long is a URI at every length")
    func excerpts() {
        for length in 0..<120 {
            let path = "/" + String(repeating: "a", count: length) + String(repeating: "%C3%B3", count: 30)
            let told = PercentEncoding.path(Text.excerpt(path))
            #expect(told.wholeMatch(of: /(?:[\/a]|%[0-9A-Fa-f]{2}|%25[0-9A-F])*/) != nil, "\(told)")
        }
    }
}

@Suite("RequestID")
struct RequestIDTests {
    @Test("a plain id of the client's is kept, any other replaced")
    func given() {
        #expect(RequestID.of("abc-123_X.y") == "abc-123_X.y")
        for text in ["", "a b", "a\r\nX: y", String(repeating: "a", count: 129), "é"] {
            #expect(RequestID.of(text) != text)
        }
    }

    @Test("ids made here are all different and short")
    func made() {
        let ids = (0..<10_000).map { _ in RequestID.make() }
        #expect(Set(ids).count == ids.count)
        #expect(ids.allSatisfy { $0.utf8.count <= 15 })
    }
}

@Suite("RequestFields")
struct RequestFieldsTests {
    @Test("no-cache is found among other directives")
    func noCache() {
        for value in ["no-cache", "max-age=0, no-cache", "No-Cache", "no-store"] {
            #expect(RequestFields([.cacheControl: value]).bypassesCache, "\(value)")
        }
        for value in ["max-age=0", "only-if-cached", "x-no-cache"] {
            #expect(!RequestFields([.cacheControl: value]).bypassesCache, "\(value)")
        }
    }

    @Test("a credential sent twice is noticed")
    func repeated() {
        var fields = HTTPFields()
        fields.append(HTTPField(name: .authorization, value: "Bearer a"))
        fields.append(HTTPField(name: .authorization, value: "Bearer b"))
        #expect(RequestFields(fields).repeated == "Authorization")
    }
}

@Suite("HTTPDate")
struct HTTPDateTests {
    @Test("dates are those of RFC 9110")
    func format() {
        #expect(HTTPDate.format(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDate.format(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
        #expect(HTTPDate.format(1_709_164_800) == "Thu, 29 Feb 2024 00:00:00 GMT")
    }
}
