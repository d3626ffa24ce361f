import Foundation
import HTTPTypes
import Kernel
import TestSupport
import Testing

@testable import API

@Suite("The OpenAPI document")
struct OpenAPIDocumentTests {
    /// What is served, asked for and read once: either takes seconds in a build for tests.
    private static let served = Task {
        let shop = try await TestShop(url: "postgres://nobody@localhost/nothing", runs: false)
        let reply = await shop.send(.get, "/openapi.json")
        await shop.stop()
        return (routes: shop.api.routes, text: reply.text, document: reply.json)
    }

    private func resolve(_ value: JSON, in document: JSON) -> JSON {
        guard let reference = value["$ref"].string else { return value }
        var target = document
        for step in reference.dropFirst(2).split(separator: "/") { target = target[String(step)] }
        return target
    }

    @Test("every body, asked for or answered, has an example that is one")
    func examples() async throws {
        let (routes, _, document) = try await Self.served.value
        for route in routes {
            let operation = document["paths"][route.path][route.method.rawValue.lowercased()]
            var contents: [(String, JSON)] = [("request", operation["requestBody"]["content"])]
            for status in operation["responses"].names {
                contents.append((status, self.resolve(operation["responses"][status], in: document)["content"]))
            }
            for (name, content) in contents {
                for type in content.names {
                    var examples = content[type]["examples"].names.map {
                        self.resolve(content[type]["examples"][$0], in: document)["value"]
                    }
                    if examples.isEmpty { examples = [content[type]["example"]] }
                    for example in examples {
                        let schema = JSONSchema(content[type]["schema"], at: "", in: document)
                        #expect(schema.validate(example).faults == [], "\(route.name) \(name)")
                    }
                }
            }
        }
    }

    @Test("every operation says what it does and who may ask, and every parameter has an example that is one")
    func explanations() async throws {
        let (routes, _, document) = try await Self.served.value
        for route in routes {
            let operation = document["paths"][route.path][route.method.rawValue.lowercased()]
            #expect(operation["summary"].string == route.summary)
            let description = operation["description"].string ?? ""
            #expect(description.hasPrefix(route.summary + "."), "\(route.name)")
            if case .members(let roles, let scope) = route.access {
                let behind = description.dropFirst(route.summary.count)
                for role in Role.allCases {
                    #expect(behind.contains(role.rawValue) == roles.contains(role), "\(route.name) \(role)")
                }
                #expect(scope == nil || description.contains(scope?.rawValue ?? ""), "\(route.name)")
            }
            for parameter in operation["parameters"].elements {
                let schema = JSONSchema(parameter["schema"], at: "", in: document)
                let faults = schema.validate(parameter["example"]).faults
                #expect(faults == [], "\(route.name) \(parameter["name"].string ?? "")")
            }
        }
    }

    @Test("a body that is taken in two media types has one name, so that generated clients have one type for it")
    func namedBodies() async throws {
        let (routes, _, document) = try await Self.served.value
        for route in routes {
            let operation = document["paths"][route.path][route.method.rawValue.lowercased()]
            let content = operation["requestBody"]["content"]
            guard content.names.count > 1 else { continue }
            for type in content.names {
                #expect(content[type]["schema"]["$ref"].string != nil, "\(route.name) \(type)")
            }
        }
    }

    @Test("every reference leads somewhere, and nothing is defined that nobody uses")
    func references() async throws {
        let (_, text, document) = try await Self.served.value
        let components = document["components"]
        var used: Set<String> = []
        for part in text.components(separatedBy: "\"#/components/").dropFirst() {
            let steps = part.prefix { $0 != "\"" }.split(separator: "/").map(String.init)
            #expect(steps.count == 2)
            #expect(components[steps[0]].names.contains(steps[1]), "\(steps)")
            used.insert(steps.joined(separator: "/"))
        }
        for kind in ["schemas", "responses"] {
            for name in components[kind].names {
                #expect(used.contains("\(kind)/\(name)"), "\(kind)/\(name) is used by nothing")
            }
        }
    }

    @Test("it says where it is served, and how keys and conditions are sent")
    func parameters() async throws {
        let (routes, _, document) = try await Self.served.value
        #expect(document["servers"][0]["url"].string == "/")
        for route in routes {
            let operation = document["paths"][route.path][route.method.rawValue.lowercased()]
            let headers = operation["parameters"].elements.filter { $0["in"].string == "header" }
            let key = headers.first { $0["name"].string == "Idempotency-Key" }
            #expect((key != nil) == route.takesKey, "\(route.name)")
            #expect(key == nil || key?["required"] == .bool(route.needsKey), "\(route.name)")
            let match = headers.first { $0["name"].string == "If-Match" }
            #expect((match != nil) == (route.needsMatch || route.isUpsert), "\(route.name)")
        }
    }

    @Test("the guide lists every code, with its status and what it means", arguments: Problem.Code.allCases)
    func guide(code: Problem.Code) throws {
        let guide = try String(contentsOfFile: SourceTree.root + "/docs/guide.md", encoding: .utf8)
        #expect(guide.contains("| \(code.status) | `\(code.rawValue)` | \(code.title) |\n"))
    }

    @Test("the type of every problem leads to a page that explains its code, what to do, and who answers with it")
    func problems() async throws {
        let shop = try await TestShop(url: "postgres://nobody@localhost/nothing", runs: false)
        let problem = await shop.send(.get, "/nothing")
        #expect(problem.json["type"].string == "/problems/not_found")
        let index = await shop.send(.get, "/problems")
        for code in Problem.Code.allCases {
            #expect(index.text.contains("<a href=\"\(code.type)\">"), "\(code)")
            // Problems that were kept with their keys before each code had a page of its own.
            #expect(index.text.contains("id=\"\(code.rawValue)\""), "\(code)")
            let page = await shop.send(.get, code.type)
            #expect(page.status == .ok)
            #expect(page["content-type"] == "text/html; charset=utf-8")
            #expect(page.text.contains("<h1>\(code.rawValue)</h1>"))
            #expect(page.text.contains(code.explanation) && page.text.contains(code.repetition))
        }
        let shortage = await shop.send(.get, Problem.Code.insufficientStock.type)
        #expect(shortage.text.contains("<code>POST /v1/sales</code>"))
        #expect(!shortage.text.contains("<code>GET /v1/sales</code>"))
        #expect(await shop.send(.get, "/problems/nothing_of_the_kind").status == .notFound)
        await shop.stop()
    }
}
