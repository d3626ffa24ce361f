import HTTPTypes
import Kernel

/// The OpenAPI 3.1 document of a table of routes, made once.
package enum OpenAPIDocument {
    /// Writes the document.
    ///
    /// - Parameters:
    ///   - routes: the table.
    ///   - version: the program's version.
    /// - Returns: JSON in UTF-8.
    package static func make(routes: [Route], version: String) -> [UInt8] {
        var writer = JSONWriter(capacity: 64 * 1024)
        writer.object { writer in
            writer.member("openapi", "3.1.0")
            writer.name("info")
            writer.object { writer in
                writer.member("title", "Stock")
                writer.member("version", version)
                writer.member(
                    "description",
                    "Stock and sales of a shop. Amounts are strings; errors are RFC 9457 problems."
                )
                writer.name("license")
                writer.object { writer in
                    writer.member("name", "Apache-2.0")
                    writer.member("identifier", "Apache-2.0")
                }
            }
            writer.name("paths")
            writer.object { writer in
                for path in self.paths(of: routes) {
                    writer.name(path)
                    writer.object { writer in
                        for route in routes where route.path == path {
                            writer.name(route.method.rawValue.lowercased())
                            self.write(route, to: &writer)
                        }
                    }
                }
            }
            writer.name("components")
            writer.object { writer in self.writeComponents(to: &writer) }
        }
        return writer.bytes
    }

    /// The paths in the order of their first route.
    private static func paths(of routes: [Route]) -> [String] {
        var paths: [String] = []
        for route in routes where !paths.contains(route.path) { paths.append(route.path) }
        return paths
    }

    private static func write(_ route: Route, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("operationId", route.name)
            writer.member("summary", route.summary)
            writer.name("tags")
            writer.array { writer in writer.string(route.area) }
            self.writeAccess(route.access, to: &writer)
            self.writeParameters(of: route, to: &writer)
            if let body = route.body {
                writer.name("requestBody")
                writer.object { writer in
                    writer.member("required", true)
                    writer.name("content")
                    writer.object { writer in
                        if route.method == .patch {
                            self.writeContent("application/merge-patch+json", body, to: &writer)
                        }
                        self.writeContent("application/json", body, to: &writer)
                    }
                }
            }
            writer.name("responses")
            writer.object { writer in self.writeAnswers(of: route, to: &writer) }
        }
    }

    private static func writeAccess(_ access: Route.Access, to writer: inout JSONWriter) {
        writer.name("security")
        writer.array { writer in
            switch access {
            case .open:
                break
            case .authenticated:
                writer.object { writer in self.writeScheme("session", [], to: &writer) }
                writer.object { writer in self.writeScheme("key", [], to: &writer) }
            case .members(let roles, let scope):
                let names = Role.allCases.filter(roles.contains).map(\.rawValue)
                writer.object { writer in self.writeScheme("session", names, to: &writer) }
                if let scope {
                    writer.object { writer in self.writeScheme("key", [scope.rawValue], to: &writer) }
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

    private static func writeParameters(of route: Route, to writer: inout JSONWriter) {
        let isConditional = route.method == .get && route.isCached
        guard
            !route.pathParameters.isEmpty || !route.parameters.isEmpty || route.needsKey || route.needsMatch
                || isConditional || route.takesConsistency
        else { return }
        writer.name("parameters")
        writer.array { writer in
            for name in route.pathParameters {
                self.writeParameter(name, in: "path", .id, isRequired: true, "The id.", to: &writer)
            }
            for parameter in route.parameters {
                self.writeParameter(
                    parameter.name,
                    in: "query",
                    parameter.schema,
                    isRequired: parameter.isRequired,
                    parameter.description,
                    to: &writer
                )
            }
            if route.needsKey {
                let description = "1 to 255 visible ASCII characters; the same key and body give the same answer."
                self.writeParameter("Idempotency-Key", in: "header", .text, isRequired: true, description, to: &writer)
            }
            if route.needsMatch {
                let description = "The ETag that was read; compared by its version."
                self.writeParameter("If-Match", in: "header", .text, isRequired: true, description, to: &writer)
            }
            if route.takesConsistency {
                let description = "What the last answer said; nothing older than the client's writes is answered."
                self.writeParameter(
                    "Stock-Consistency",
                    in: "header",
                    .text,
                    isRequired: false,
                    description,
                    to: &writer
                )
            }
            if isConditional {
                self.writeParameter(
                    "If-None-Match",
                    in: "header",
                    .text,
                    isRequired: false,
                    "The ETag you have.",
                    to: &writer
                )
            }
        }
    }

    private static func writeParameter(
        _ name: String,
        in place: String,
        _ schema: Schema,
        isRequired: Bool,
        _ description: String,
        to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.member("name", name)
            writer.member("in", place)
            writer.member("required", isRequired)
            writer.member("description", description)
            writer.name("schema")
            schema.write(to: &writer)
        }
    }

    private static func writeAnswers(of route: Route, to writer: inout JSONWriter) {
        writer.name(String(route.status.code))
        writer.object { writer in
            writer.member("description", route.status.reasonPhrase)
            if route.takesConsistency {
                writer.name("headers")
                writer.object { writer in
                    writer.name("Stock-Consistency")
                    writer.object { writer in
                        writer.member("description", "To be sent with the next request, to any instance.")
                        writer.name("schema")
                        Schema.text.write(to: &writer)
                    }
                }
            }
            if let answer = route.answer {
                writer.name("content")
                writer.object { writer in self.writeContent(route.answerType.mediaType, answer, to: &writer) }
            }
        }
        if route.isCached {
            writer.name("304")
            writer.object { writer in writer.member("description", "Not Modified") }
        }
        var codes = Set(route.problems)
        codes.formUnion([.invalidRequest, .overloaded, .databaseUnavailable])
        if case .open = route.access {} else { codes.formUnion([.unauthenticated, .rateLimited]) }
        if case .members = route.access { codes.formUnion([.forbidden, .tenantSuspended]) }
        if !route.pathParameters.isEmpty { codes.insert(.notFound) }
        // A range of days may end before it begins.
        if route.parameters.contains(where: { $0.name == "from" }) { codes.insert(.validationFailed) }
        if route.body != nil { codes.formUnion([.validationFailed, .tooLarge, .unsupportedMediaType]) }
        if route.needsKey {
            codes.formUnion([.idempotencyKeyMissing, .idempotencyInProgress, .idempotencyKeyReused, .outcomeUnknown])
        }
        if route.needsMatch { codes.formUnion([.preconditionRequired, .versionMismatch]) }
        for status in Set(codes.map(\.status)).sorted() {
            writer.name(String(status))
            writer.object { writer in
                let names = codes.filter { $0.status == status }.map(\.rawValue).sorted()
                writer.member("description", "Problem: \(names.joined(separator: ", "))")
                writer.name("content")
                writer.object { writer in
                    self.writeContent("application/problem+json", .reference("Problem"), to: &writer)
                }
            }
        }
    }

    private static func writeContent(_ type: String, _ schema: Schema, to writer: inout JSONWriter) {
        writer.name(type)
        writer.object { writer in
            writer.name("schema")
            schema.write(to: &writer)
        }
    }

    private static func writeComponents(to writer: inout JSONWriter) {
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
            for (name, schema) in Schemas.all {
                writer.name(name)
                schema.write(to: &writer)
            }
        }
    }
}
