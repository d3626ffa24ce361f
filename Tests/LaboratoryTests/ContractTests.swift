import TestSupport
import Testing

@Suite("The check of answers against the contract")
struct ContractTests {
    /// One operation in a document of our kind.
    private static let document = """
        {"openapi":"3.1.0","paths":{"/v1/things/{id}":{"get":{"operationId":"readThing","responses":{
          "200":{"headers":{"ETag":{"$ref":"#/components/headers/ETag"},"Age":{"schema":{"type":"integer","minimum":0}}},
                 "content":{"application/json":{"schema":{"$ref":"#/components/schemas/Thing"}}}},
          "204":{},
          "404":{"$ref":"#/components/responses/not_found"}}}},
          "/v1/things/all":{"get":{"operationId":"readAll","responses":{"200":{"content":{"text/plain":{"schema":{"type":"string"}}}}}}}},
         "components":{
          "headers":{"ETag":{"required":true,"schema":{"type":"string","pattern":"^\\".*\\"$"}}},
          "responses":{"not_found":{"content":{"application/problem+json":{
             "schema":{"$ref":"#/components/schemas/Problem"},"examples":{"not_found":{}}}}}},
          "schemas":{
          "Problem":{"type":"object","properties":{"code":{"type":"string"}},"required":["code"],"additionalProperties":false},
          "Thing":{"type":"object","properties":{
             "id":{"type":"string","format":"uuid"},"price":{"type":["string","null"],"pattern":"^[0-9.]+$"},
             "state":{"type":"string","enum":["on","off"]},"size":{"type":"integer","minimum":1,"maximum":9},
             "tags":{"type":"array","items":{"type":"string","maxLength":3},"maxItems":2},
             "part":{"anyOf":[{"$ref":"#/components/schemas/Thing"},{"type":"null"}]}},
             "required":["id","price"],"additionalProperties":false}}}}
        """
    private static let id = "018f3b6e-1c2d-7000-8000-0123456789ab"

    private let contract = Contract(document: Array(Self.document.utf8))

    private func faults(
        _ body: String,
        status: Int = 200,
        method: String = "GET",
        target: String = "/v1/things/1?a=b",
        fields: [(name: String, value: String)] = [("ETag", "\"1\"")],
        type: String = "application/json"
    ) -> [String] {
        let exchange = Contract.Exchange(
            method: method,
            target: target,
            status: status,
            fields: fields + [("Content-Type", type)],
            body: Array(body.utf8)
        )
        return contract.faults(of: exchange)
    }

    @Test("an answer as documented has no fault, and what it showed is known")
    func good() {
        let part = #"{"id":"\#(Self.id)","price":"1.5"}"#
        let whole = #"{"id":"\#(Self.id)","price":null,"state":"on","size":9,"tags":["a"],"part":\#(part)}"#
        #expect(faults(whole) == [])
        #expect(contract.coverage.answers == ["readThing 200"])
        #expect(contract.successes == ["readThing 200", "readThing 204", "readAll 200"])
        #expect(contract.properties.isSuperset(of: contract.coverage.properties))
        #expect(contract.coverage.properties.count == 6)
        #expect(contract.properties.subtracting(contract.coverage.properties).count == 1, "the code of a problem")
    }

    @Test(
        "a body that is not as documented is told by its place",
        arguments: [
            (#"{"id":"\#(Self.id)"}"#, "/price is missing"),
            (#"{"id":"x","price":null}"#, "/id is no uuid: x"),
            (#"{"id":"\#(Self.id)","price":1}"#, "/price is number, not string or null"),
            (#"{"id":"\#(Self.id)","price":"1,5"}"#, "/price does not match ^[0-9.]+$: 1,5"),
            (#"{"id":"\#(Self.id)","price":"1","more":1}"#, "/more is not in the schema"),
            (#"{"id":"\#(Self.id)","price":"1","state":"half"}"#, "/state is not one of the names: string(\"half\")"),
            (#"{"id":"\#(Self.id)","price":"1","size":10}"#, "/size is more than 9.0"),
            (#"{"id":"\#(Self.id)","price":"1","size":1.5}"#, "/size is number, not integer"),
            (#"{"id":"\#(Self.id)","price":"1","tags":["abcd"]}"#, "/tags/0 has more than 3 characters"),
            (#"{"id":"\#(Self.id)","price":"1","tags":["a","b","c"]}"#, "/tags has more than 2 elements"),
            ("[]", "the value is array, not object"),
        ]
    )
    func bodies(body: String, fault: String) {
        #expect(faults(body) == ["readThing 200: \(fault)"])
    }

    @Test("none of the alternatives is a fault of each")
    func alternatives() {
        #expect(faults(#"{"id":"\#(Self.id)","price":"1","part":3}"#).count == 2)
    }

    @Test("a status, a field, a type and a code that are not documented are faults")
    func undocumented() {
        let body = #"{"id":"\#(Self.id)","price":null}"#
        #expect(faults(body, status: 202) == ["readThing documents no status 202"])
        #expect(
            faults(body, fields: [("ETag", "\"1\""), ("X-Secret", "1")])
                == ["readThing 200 documents no field X-Secret"]
        )
        #expect(faults(body, fields: []) == ["readThing 200 comes without ETag"])
        #expect(faults(body, fields: [("etag", "1")]).count == 1)
        #expect(faults(body, fields: [("ETag", "\"1\""), ("Age", "-1")]).count == 1)
        #expect(faults(body, fields: [("ETag", "\"1\""), ("Age", "old")]).count == 1)
        #expect(faults(body, type: "text/html") == ["readThing 200 documents no body of type text/html"])
        #expect(faults("x", status: 204, fields: []) == ["readThing 204 documents no body"])
        let problem = "application/problem+json"
        #expect(faults(#"{"code":"not_found"}"#, status: 404, fields: [], type: problem) == [])
        #expect(
            faults(#"{"code":"gone"}"#, status: 404, fields: [], type: problem)
                == ["readThing 404 documents no code gone"]
        )
    }

    @Test("a fixed path goes before a varying one, and what is nowhere may only be a problem")
    func paths() {
        #expect(faults("anything", target: "/v1/things/all", fields: [], type: "text/plain") == [])
        #expect(faults("{}", target: "/v1/other", fields: []).count == 2)
        let problem = #"{"code":"not_found"}"#
        #expect(faults(problem, status: 404, target: "/v1/other", fields: [], type: "application/problem+json") == [])
        #expect(
            faults(problem, status: 405, method: "PUT", fields: [("Allow", "GET")], type: "application/problem+json")
                == []
        )
        #expect(faults(problem, status: 405, method: "PUT", fields: [], type: "application/problem+json").count == 1)
    }

    @Test("a keyword nobody checks is a fault of the schema")
    func keywords() {
        let schema = JSON(parsing: Array(#"{"type":"string","contentEncoding":"base64"}"#.utf8))
        let result = JSONSchema(schema, at: "", in: .null).validate(.string("a"))
        #expect(result.faults == ["the value has a schema with the keyword contentEncoding, which nothing checks"])
        let lost = JSON(parsing: Array(##"{"$ref":"#/components/schemas/Lost"}"##.utf8))
        #expect(JSONSchema(lost, at: "", in: .null).validate(.null).faults.count == 1)
    }
}
