import HTTPTypes
import Kernel

/// The OpenAPI 3.1 document of a table of routes, made once.
///
/// Every answer of every test is held against it, so what it says is what is answered.
package enum OpenAPIDocument {
    /// Writes the document.
    ///
    /// - Parameters:
    ///   - routes: the table.
    ///   - version: the program's version.
    /// - Returns: JSON in UTF-8.
    package static func make(routes: [Route], version: String) -> [UInt8] {
        var writer = JSONWriter(capacity: 256 * 1024)
        writer.object { writer in
            writer.member("openapi", "3.1.0")
            writer.name("info")
            writer.object { writer in
                writer.member("title", "Stock")
                writer.member("version", version)
                writer.member("description", Self.description)
                writer.name("license")
                writer.object { writer in
                    writer.member("name", "Apache-2.0")
                    writer.member("identifier", "Apache-2.0")
                }
            }
            writer.name("servers")
            writer.array { writer in
                writer.object { writer in
                    writer.member("url", "/")
                    writer.member("description", "Where this document came from.")
                }
            }
            writer.name("paths")
            writer.object { writer in
                for path in Self.paths(of: routes) {
                    writer.name(path)
                    writer.object { writer in
                        for route in routes where route.path == path {
                            writer.name(route.method.rawValue.lowercased())
                            Self.write(route, to: &writer)
                        }
                    }
                }
            }
            writer.name("webhooks")
            writer.object { writer in Self.writeWebhook(to: &writer) }
            writer.name("components")
            writer.object { writer in Self.writeComponents(of: routes, to: &writer) }
        }
        return writer.bytes
    }

    private static let description = """
        Stock and sales of a shop. Amounts, prices and quantities are strings with a decimal point; errors are RFC 9457 \
        problems, whose type is a page that explains the code. A path that is not listed answers 404, a method that is not \
        listed 405 with Allow; what is no HTTP/1.1 at all is refused with 400, 414, 431 or 505. HEAD answers what GET does.
        """

    /// The paths in the order of their first route.
    private static func paths(of routes: [Route]) -> [String] {
        var paths: [String] = []
        for route in routes where !paths.contains(route.path) { paths.append(route.path) }
        return paths
    }

    /// What is sent to the endpoints of `/v1/webhooks`.
    private static func writeWebhook(to writer: inout JSONWriter) {
        let headers = [
            ("webhook-id", "The same for every try of an event.", "01a1fdf2-b270-76bb-9b75-63983f68fe97_4711"),
            ("webhook-timestamp", "When this try was made, in seconds since 1970.", "1769879700"),
            (
                "webhook-signature",
                "v1, and base64 of the HMAC-SHA256 over id.timestamp.body; several are separated by spaces, and one has to fit.",
                "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="
            ),
        ]
        writer.name("event")
        writer.object { writer in
            writer.name("post")
            writer.object { writer in
                writer.member("operationId", "receiveEvent")
                writer.member("summary", "An event, as GET /v1/events answers it, signed by Standard Webhooks")
                writer.name("tags")
                writer.array { writer in writer.string("webhooks") }
                writer.name("parameters")
                writer.array { writer in
                    for (name, description, example) in headers {
                        writer.object { writer in
                            writer.member("name", name)
                            writer.member("in", "header")
                            writer.member("required", true)
                            writer.member("description", description)
                            writer.name("schema")
                            writer.object { writer in writer.member("type", "string") }
                            writer.member("example", example)
                        }
                    }
                }
                writer.name("requestBody")
                writer.object { writer in
                    writer.member("required", true)
                    writer.name("content")
                    writer.object { writer in
                        Self.writeContent("application/json", EventsRoutes.event, to: &writer)
                    }
                }
                writer.name("responses")
                writer.object { writer in
                    writer.name("2XX")
                    writer.object { writer in writer.member("description", "The event was taken over.") }
                    writer.name("default")
                    writer.object { writer in writer.member("description", "It is sent again.") }
                }
            }
        }
    }

    // MARK: Operations

    private static func write(_ route: Route, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("operationId", route.name)
            writer.member("summary", route.summary)
            writer.member("description", route.explanation)
            writer.name("tags")
            writer.array { writer in writer.string(route.area) }
            Self.writeAccess(route.access, to: &writer)
            Self.writeParameters(of: route, to: &writer)
            if let body = route.body {
                writer.name("requestBody")
                writer.object { writer in
                    writer.member("required", !route.isBodyOptional)
                    writer.name("content")
                    writer.object { writer in
                        if route.method == .patch {
                            Self.writeContent("application/merge-patch+json", body, to: &writer)
                        }
                        let type = route.takes.isBodyRaw ? "application/octet-stream" : "application/json"
                        Self.writeContent(type, body, to: &writer)
                    }
                }
            }
            writer.name("responses")
            writer.object { writer in Self.writeAnswers(of: route, to: &writer) }
        }
    }

    private static func writeAccess(_ access: Route.Access, to writer: inout JSONWriter) {
        writer.name("security")
        writer.array { writer in
            switch access {
            case .open:
                break
            case .authenticated:
                writer.object { writer in Self.writeScheme("session", [], to: &writer) }
                writer.object { writer in Self.writeScheme("key", [], to: &writer) }
            case .members(let roles, let scope):
                let names = Role.allCases.filter(roles.contains).map(\.rawValue)
                writer.object { writer in Self.writeScheme("session", names, to: &writer) }
                if let scope {
                    writer.object { writer in Self.writeScheme("key", [scope.rawValue], to: &writer) }
                }
            }
        }
    }

    private static func writeScheme(_ name: String, _ requirements: [String], to writer: inout JSONWriter) {
        writer.name(name)
        writer.array { writer in
            for requirement in requirements { writer.string(requirement) }
        }
    }

    // MARK: Parameters

    private static func writeParameters(of route: Route, to writer: inout JSONWriter) {
        let headers = Self.headerParameters(of: route)
        guard !route.pathParameters.isEmpty || !route.parameters.isEmpty || !headers.isEmpty else { return }
        writer.name("parameters")
        writer.array { writer in
            for name in route.pathParameters {
                let segment = route.takes.segments[name]
                let parameter = Route.Parameter(
                    name,
                    segment ?? .id,
                    segment == nil ? "The id." : "The \(name).",
                    isRequired: true
                )
                Self.writeParameter(parameter, in: "path", to: &writer)
            }
            for parameter in route.parameters { Self.writeParameter(parameter, in: "query", to: &writer) }
            for parameter in headers { Self.writeParameter(parameter, in: "header", to: &writer) }
        }
    }

    /// The header fields of requests, made once; each is written where it is heeded.
    private static func headerParameters(of route: Route) -> [Route.Parameter] {
        var parameters: [Route.Parameter] = []
        if route.takesKey {
            parameters.append(
                Route.Parameter(
                    "Idempotency-Key",
                    .pattern(#"^[!-~]{1,255}$"#, description: "Visible ASCII characters, quoted or not."),
                    "The same key and body give the same answer, however often they are sent.",
                    isRequired: route.needsKey
                )
            )
        }
        if route.needsMatch || route.isUpsert {
            parameters.append(
                Route.Parameter(
                    "If-Match",
                    .string(description: "Entity tags, or *."),
                    route.isUpsert
                        ? "The ETag that was read, to replace; compared by its version."
                        : "The ETag that was read; compared by its version.",
                    isRequired: !route.isUpsert
                )
            )
        }
        if route.isUpsert {
            parameters.append(Route.Parameter("If-None-Match", .choice(["*"]), "To make what is not there yet."))
        } else if route.method == .get, route.isCached {
            parameters.append(
                Route.Parameter("If-None-Match", .string(description: "Entity tags."), "The ETag you have.")
            )
        }
        if route.takes.isBodyRaw {
            let digest = Schema.string(description: "The SHA-256 of the body: sha-256=:...: (RFC 9530).")
            let description = "A body that is another than it says is refused, and can be sent again."
            parameters.append(Route.Parameter("Content-Digest", digest, description))
        }
        if route.takes.resumes {
            let description = "The id of the last event that came; what came after it is sent first."
            parameters.append(Route.Parameter("Last-Event-ID", .integer(minimum: 0), description))
        }
        if route.takesConsistency {
            let description =
                "What the last answer said, and behind a comma what a stream said last: nothing older than either is answered."
            parameters.append(Route.Parameter("Stock-Consistency", .text, description))
        }
        return parameters
    }

    private static func writeParameter(_ parameter: Route.Parameter, in place: String, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("name", parameter.name)
            writer.member("in", place)
            writer.member("required", parameter.isRequired)
            writer.member("description", parameter.description)
            writer.name("schema")
            parameter.schema.write(to: &writer)
            writer.name("example")
            parameter.schema.writeExample(of: parameter.name, to: &writer)
        }
    }

    // MARK: Answers

    private static func writeAnswers(of route: Route, to writer: inout JSONWriter) {
        if route.isUpsert {
            Self.writeSuccess(.created, of: route, isCreation: true, to: &writer)
            Self.writeSuccess(route.status, of: route, isCreation: false, to: &writer)
        } else {
            Self.writeSuccess(route.status, of: route, isCreation: true, to: &writer)
        }
        if route.isCached {
            writer.name("304")
            writer.object { writer in
                writer.member("description", "Not Modified")
                Self.writeHeaders(
                    route.headers(isCreation: false).filter { $0.header != .contentEncoding },
                    to: &writer
                )
            }
        }
        for codes in Self.problems(of: route) {
            writer.name(String(codes[0].status))
            writer.object { writer in
                writer.member("$ref", "#/components/responses/\(Self.name(of: codes))")
            }
        }
    }

    private static func writeSuccess(
        _ status: HTTPResponse.Status,
        of route: Route,
        isCreation: Bool,
        to writer: inout JSONWriter
    ) {
        writer.name(String(status.code))
        writer.object { writer in
            writer.member("description", status.reasonPhrase)
            Self.writeHeaders(route.headers(isCreation: isCreation), to: &writer)
            if let answer = route.answer {
                writer.name("content")
                writer.object { writer in
                    Self.writeContent(route.answerType.mediaType, answer, to: &writer)
                    for other in route.gives.others {
                        Self.writeContent(other.type.mediaType, other.answer, to: &writer)
                    }
                }
            }
        }
    }

    private static func writeHeaders(_ headers: AnswerHeader.List, to writer: inout JSONWriter) {
        writer.name("headers")
        writer.object { writer in
            for (header, isAlways) in headers {
                writer.name(header.rawValue)
                writer.object { writer in
                    writer.member("$ref", "#/components/headers/\(header.rawValue)\(isAlways ? "" : Self.sometimes)")
                }
            }
        }
    }

    private static func writeContent(_ type: String, _ schema: Schema, to writer: inout JSONWriter) {
        writer.name(type)
        writer.object { writer in
            writer.name("schema")
            schema.write(to: &writer)
            writer.name("example")
            schema.writeExample(to: &writer)
        }
    }

    /// The problems of a route by status, each list in the order of names.
    private static func problems(of route: Route) -> [[Problem.Code]] {
        Dictionary(grouping: route.allProblems, by: \.status)
            .sorted { $0.key < $1.key }
            .map { $0.value.sorted { $0.rawValue < $1.rawValue } }
    }

    /// Answers with the same codes are one component, named by them.
    private static func name(of codes: [Problem.Code]) -> String {
        codes.map(\.rawValue).joined(separator: ".")
    }

    // MARK: Components

    /// The schemas that the routes refer to, by whatever way, by their names; problems are everywhere.
    private static func schemas(of routes: [Route]) -> [(name: String, schema: Schema)] {
        let bodies = routes.flatMap { [$0.body, $0.answer].compactMap { $0 } + $0.gives.others.map(\.answer) }
        var defined = Schemas.named
        for (name, schema) in bodies.flatMap(\.definitions) { defined[name] = schema }
        var names: Set<String> = []
        var open = ["Problem"] + bodies.flatMap(\.references)
        while let name = open.popLast() {
            if names.insert(name).inserted { open += defined[name]?.references ?? [] }
        }
        return names.sorted().compactMap { name in defined[name].map { (name, $0) } }
    }

    /// What the name of a field that may be missing ends in.
    private static let sometimes = ".sometimes"

    private static func writeComponents(of routes: [Route], to writer: inout JSONWriter) {
        writer.name("securitySchemes")
        writer.object { writer in
            for (name, description) in [
                ("session", "An access token of POST /v1/auth/login; roles are listed as scopes."),
                ("key", "An API key, beginning with stk_; scopes are listed."),
            ] {
                writer.name(name)
                writer.object { writer in
                    writer.member("type", "http")
                    writer.member("scheme", "bearer")
                    writer.member("description", description)
                }
            }
        }
        writer.name("schemas")
        writer.object { writer in
            for (name, schema) in Self.schemas(of: routes) {
                writer.name(name)
                schema.write(to: &writer)
            }
        }
        writer.name("headers")
        writer.object { writer in
            for header in AnswerHeader.allCases {
                for isAlways in [true, false] {
                    writer.name(header.rawValue + (isAlways ? "" : Self.sometimes))
                    writer.object { writer in
                        writer.member("description", header.description)
                        writer.member("required", isAlways)
                        writer.name("schema")
                        header.schema.write(to: &writer)
                        writer.name("example")
                        if case .integer = header.schema {
                            writer.raw(header.example.utf8)
                        } else {
                            writer.string(header.example)
                        }
                    }
                }
            }
        }
        writer.name("responses")
        writer.object { writer in
            var known: Set<String> = []
            for codes in routes.flatMap({ Self.problems(of: $0) }) where known.insert(Self.name(of: codes)).inserted {
                writer.name(Self.name(of: codes))
                writer.object { writer in Self.writeProblem(codes, to: &writer) }
            }
        }
        writer.name("examples")
        writer.object { writer in
            for code in Problem.Code.allCases {
                writer.name(code.rawValue)
                writer.object { writer in
                    writer.member("summary", code.title)
                    writer.member("description", code.explanation)
                    writer.name("value")
                    writer.raw(Problem(code, code.explanation).document(requestID: "stp2cqjb", instance: "/v1/sales"))
                }
            }
        }
    }

    /// One answer for some codes of a status: its examples are these codes.
    private static func writeProblem(_ codes: [Problem.Code], to writer: inout JSONWriter) {
        writer.member("description", "Problem: \(codes.map(\.rawValue).joined(separator: ", "))")
        Self.writeHeaders(Route.headers(of: Set(codes)), to: &writer)
        writer.name("content")
        writer.object { writer in
            writer.name(ContentType.problem.mediaType)
            writer.object { writer in
                writer.name("schema")
                Schema.reference("Problem").write(to: &writer)
                writer.name("examples")
                writer.object { writer in
                    for code in codes {
                        writer.name(code.rawValue)
                        writer.object { writer in
                            writer.member("$ref", "#/components/examples/\(code.rawValue)")
                        }
                    }
                }
            }
        }
    }
}
