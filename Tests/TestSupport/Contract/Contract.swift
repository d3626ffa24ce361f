import Foundation
import Synchronization

/// What an OpenAPI document promises of every answer: its status, fields, body and codes.
///
/// The test clients hold each answer they get against it, so that neither document nor service can move alone.
package final class Contract: Sendable {
    /// An answer, and what was asked.
    package struct Exchange: Sendable {
        package var method: String
        /// The path as it was sent, perhaps with a query.
        package var target: String
        package var status: Int
        package var fields: [(name: String, value: String)]
        package var body: [UInt8]

        /// Notes an exchange.
        package init(
            method: String,
            target: String,
            status: Int,
            fields: [(name: String, value: String)],
            body: [UInt8]
        ) {
            self.method = method
            self.target = target
            self.status = status
            self.fields = fields
            self.body = body
        }

        fileprivate var path: String { String(target.prefix { $0 != "?" && $0 != "#" }) }

        fileprivate func field(_ name: String) -> String? {
            fields.first { $0.name.lowercased() == name.lowercased() }?.value
        }
    }

    /// What answers have shown so far.
    package struct Coverage: Sendable {
        /// `operationId status`.
        package var answers: Set<String> = []
        /// Pointers to the properties that were there.
        package var properties: Set<String> = []
    }

    private struct Operation {
        let name: String
        let segments: [Substring]
        let responses: JSON
    }

    private let document: JSON
    private let operations: [String: [Operation]]
    private let record = Mutex(Coverage())

    /// Reads a document.
    ///
    /// - Parameter bytes: an OpenAPI document as it was served.
    package convenience init(document bytes: [UInt8]) {
        self.init(document: JSON(parsing: bytes))
    }

    /// Takes a document.
    package init(document: JSON) {
        self.document = document
        var operations: [String: [Operation]] = [:]
        let paths = document["paths"]
        for path in paths.names {
            for method in paths[path].names {
                let operation = paths[path][method]
                operations[method.uppercased(), default: []].append(
                    Operation(
                        name: operation["operationId"].string ?? "\(method) \(path)",
                        segments: path.split(separator: "/", omittingEmptySubsequences: false),
                        responses: operation["responses"]
                    )
                )
            }
        }
        self.operations = operations
    }

    /// The contract of a document that was read before, parsed once.
    ///
    /// - Parameter bytes: an OpenAPI document as it was served.
    /// - Returns: one contract for equal bytes.
    package static func shared(document bytes: [UInt8]) -> Contract {
        known.withLock { known in
            if let contract = known[bytes] { return contract }
            let contract = Contract(document: bytes)
            known[bytes] = contract
            return contract
        }
    }

    private static let known = Mutex<[[UInt8]: Contract]>([:])

    // MARK: Coverage

    /// What the answers held against the contract have shown.
    package var coverage: Coverage { record.withLock { $0 } }

    /// `operationId status` of every success that the document lists.
    package var successes: Set<String> {
        var found: Set<String> = []
        for operation in operations.values.joined() {
            for status in operation.responses.names where status.hasPrefix("2") {
                found.insert("\(operation.name) \(status)")
            }
        }
        return found
    }

    /// Pointers to every property that an answer may have.
    package var properties: Set<String> {
        var found: Set<String> = []
        for operation in operations.values.joined() {
            for status in operation.responses.names {
                let response = resolve(operation.responses[status])
                for type in response["content"].names {
                    let place = Self.place(operation.name, status)
                    found.formUnion(
                        JSONSchema(response["content"][type]["schema"], at: place, in: document).properties
                    )
                }
            }
        }
        return found
    }

    // MARK: Holding

    /// What is wrong with an answer.
    ///
    /// - Parameter exchange: the answer and what was asked.
    /// - Returns: a sentence each; none if it is as promised.
    package func faults(of exchange: Exchange) -> [String] {
        guard let operation = operation(exchange.method, exchange.path) else {
            return strayFaults(exchange)
        }
        let status = String(exchange.status)
        guard operation.responses.names.contains(status) else {
            return ["\(operation.name) documents no status \(status)"]
        }
        record.withLock { _ = $0.answers.insert("\(operation.name) \(status)") }
        let response = resolve(operation.responses[status])
        return fieldFaults(exchange, response, operation.name) + bodyFaults(exchange, response, operation.name)
    }

    /// What is wrong with an answer that belongs to no operation: only problems may be.
    private func strayFaults(_ exchange: Exchange) -> [String] {
        if isOfConsole(exchange) { return [] }
        let path = exchange.path.split(separator: "/", omittingEmptySubsequences: false)
        let isKnown = operations.values.joined().contains { Self.matches($0.segments, path) }
        var faults: [String] = []
        if isKnown {
            // Requests that are no requests are refused before anybody asks what they want.
            if ![405, 400, 414, 431, 505].contains(exchange.status) {
                faults.append("\(exchange.method) \(exchange.path) is not documented, and answered \(exchange.status)")
            }
            if exchange.status == 405, exchange.field("Allow") == nil { faults.append("405 comes without Allow") }
        } else if ![400, 404, 414, 431, 505].contains(exchange.status) {
            faults.append("\(exchange.path) is not documented, and answered \(exchange.status)")
        }
        guard exchange.method != "HEAD" else { return faults }
        return faults + problemFaults(exchange)
    }

    /// Whether an answer is a file of the console, or leads to it: that is for people, and none of the API's.
    private func isOfConsole(_ exchange: Exchange) -> Bool {
        ["/", "/console"].contains(exchange.path) && exchange.status == 302
            || exchange.path.hasPrefix("/console/") && [200, 304].contains(exchange.status)
    }

    /// What is wrong with a problem document, whatever it answers.
    package func problemFaults(_ exchange: Exchange) -> [String] {
        let type = exchange.field("Content-Type") ?? "nothing"
        guard type == "application/problem+json" else { return ["\(exchange.status) is \(type), no problem document"] }
        let schema = JSONSchema(
            document["components"]["schemas"]["Problem"],
            at: "/components/schemas/Problem",
            in: document
        )
        let result = schema.validate(JSON(parsing: exchange.body))
        record.withLock { $0.properties.formUnion(result.seen) }
        return result.faults
    }

    /// Fields that every answer has, or that HTTP itself is about.
    private static let common: Set<String> = [
        "content-type", "content-length", "date", "connection", "cache-control", "x-content-type-options",
        "content-security-policy", "referrer-policy", "transfer-encoding", "keep-alive", "x-accel-buffering",
    ]

    private func fieldFaults(_ exchange: Exchange, _ response: JSON, _ name: String) -> [String] {
        var faults: [String] = []
        let headers = response["headers"]
        let documented = Dictionary(headers.names.map { ($0.lowercased(), $0) }) { first, _ in first }
        for (field, value) in exchange.fields where !Self.common.contains(field.lowercased()) {
            guard let known = documented[field.lowercased()] else {
                faults.append("\(name) \(exchange.status) documents no field \(field)")
                continue
            }
            let schema = resolve(headers[known])["schema"]
            let isNumber = schema["type"].string == "integer"
            let typed = isNumber ? Double(value).map { JSON.number($0) } ?? .string(value) : .string(value)
            let result = JSONSchema(schema, at: "", in: document).validate(typed)
            faults += result.faults.map { "\(name) \(exchange.status): \(field): \($0)" }
        }
        for header in headers.names.sorted() where resolve(headers[header])["required"] == .bool(true) {
            if exchange.field(header) == nil { faults.append("\(name) \(exchange.status) comes without \(header)") }
        }
        return faults
    }

    private func bodyFaults(_ exchange: Exchange, _ response: JSON, _ name: String) -> [String] {
        guard exchange.method != "HEAD" else { return [] }
        let content = response["content"]
        guard !content.names.isEmpty else {
            return exchange.body.isEmpty ? [] : ["\(name) \(exchange.status) documents no body"]
        }
        let given = exchange.field("Content-Type") ?? ""
        let type = String(given.prefix { $0 != ";" })
        guard content.names.contains(type) else {
            return ["\(name) \(exchange.status) documents no body of type \(given)"]
        }
        // What is compressed says the same; tests of compression compare the two.
        if exchange.field("Content-Encoding") != nil { return [] }
        let isText = type.hasPrefix("text/") || type == "application/x-ndjson"
        let value = isText ? .string(String(decoding: exchange.body, as: UTF8.self)) : JSON(parsing: exchange.body)
        let place = Self.place(name, String(exchange.status))
        let result = JSONSchema(content[type]["schema"], at: place, in: document).validate(value)
        record.withLock { $0.properties.formUnion(result.seen) }
        var faults = result.faults.map { "\(name) \(exchange.status): \($0)" }
        let codes = content[type]["examples"].names
        if type == "application/problem+json", let code = value["code"].string, !codes.contains(code) {
            faults.append("\(name) \(exchange.status) documents no code \(code)")
        }
        return faults
    }

    // MARK: Finding

    private static func place(_ operation: String, _ status: String) -> String { "/\(operation)/\(status)" }

    /// The operation of a path: fixed segments go before varying ones, as in the router.
    private func operation(_ method: String, _ path: String) -> Operation? {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        let found = (operations[method == "HEAD" ? "GET" : method] ?? []).filter { Self.matches($0.segments, segments) }
        return found.min { $0.segments.count { $0.hasPrefix("{") } < $1.segments.count { $0.hasPrefix("{") } }
    }

    private static func matches(_ pattern: [Substring], _ path: [Substring]) -> Bool {
        pattern.count == path.count
            && zip(pattern, path).allSatisfy { $0.hasPrefix("{") ? !$1.isEmpty : $0 == $1 }
    }

    /// What a reference object stands for.
    private func resolve(_ value: JSON) -> JSON {
        guard let reference = value["$ref"].string, reference.hasPrefix("#/") else { return value }
        var target = document
        for step in reference.dropFirst(2).split(separator: "/") { target = target[String(step)] }
        return target
    }
}
