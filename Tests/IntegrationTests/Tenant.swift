import Foundation
import TestSupport
import Testing

/// A tenant under test, and requests in its name to any of the instances.
struct Tenant: Sendable {
    static let password = "correct horse battery"

    let slug: String
    let id: Int
    let token: String
    let clients: [HTTPClient]

    /// Which instance a request goes to.
    enum Instance: Int, Sendable {
        case a
        case b
        case c
    }

    func send(
        _ method: String,
        _ path: String,
        to instance: Instance = .a,
        headers: [String: String] = [:],
        body: String? = nil
    ) async throws -> HTTPResponse {
        var headers = headers
        headers["Authorization"] = headers["Authorization"] ?? "Bearer \(token)"
        if body != nil { headers["Content-Type"] = headers["Content-Type"] ?? "application/json" }
        return try await clients[instance.rawValue].send(method, path, headers: headers, body: body)
    }

    func get(_ path: String, from instance: Instance = .a, headers: [String: String] = [:]) async throws -> HTTPResponse
    {
        try await send("GET", path, to: instance, headers: headers)
    }

    /// A POST with an Idempotency-Key, fresh unless one is given.
    func post(
        _ path: String,
        to instance: Instance = .a,
        key: String = UUID().uuidString,
        headers: [String: String] = [:],
        _ body: String
    ) async throws -> HTTPResponse {
        var headers = headers
        headers["Idempotency-Key"] = key
        return try await send("POST", path, to: instance, headers: headers, body: body)
    }

    /// The same tenant at other instances.
    func at(_ clients: [HTTPClient]) -> Tenant {
        Tenant(slug: slug, id: id, token: token, clients: clients)
    }

    // MARK: Things every test needs

    /// The unit most products are sold in, made when it is missing.
    func pieces() async throws -> String {
        let units = try await get("/v1/units")
        if let unit = units.json["data"].elements.first(where: { $0["decimals"].int == 0 }) {
            return try #require(unit["id"].string)
        }
        let made = try await send("POST", "/v1/units", body: #"{"name":"Piece","symbol":"pc","decimals":0}"#)
        return try #require(made.json["id"].string, "\(made.status) \(made.text)")
    }

    /// Makes a product, with stock if `onHand` is given; returns its id.
    func product(sku: String, price: String = "1.00", onHand: Int? = nil) async throws -> String {
        let unit = try await pieces()
        let made = try await send(
            "POST",
            "/v1/products",
            body: """
                {"sku":"\(sku)","name":"Product \(sku)","unit_id":"\(unit)","price":"\(price)","tax_rate":"0",\
                "tracks_stock":\(onHand != nil)}
                """
        )
        let id = try #require(made.json["id"].string, "\(made.status) \(made.text)")
        if let onHand, onHand > 0 {
            let opened = try await post(
                "/v1/stock/movements",
                #"{"movements":[{"product_id":"\#(id)","type":"opening","quantity":"\#(onHand)","reason":"first count"}]}"#
            )
            try #require(opened.status == 201, "\(opened.status) \(opened.text)")
        }
        return id
    }

    /// Renames a product, whatever its version; returns the answer.
    func rename(
        _ product: String,
        to name: String,
        at instance: Instance = .a,
        headers: [String: String] = [:]
    ) async throws -> HTTPResponse {
        var headers = headers
        headers["If-Match"] = "*"
        let answer = try await send(
            "PATCH",
            "/v1/products/\(product)",
            to: instance,
            headers: headers,
            body: #"{"name":"\#(name)"}"#
        )
        try #require(answer.status == 200, "\(answer.status) \(answer.text)")
        return answer
    }

    /// Reads a path until the instance answers it from its memory; returns that answer.
    @discardableResult
    func warm(_ path: String, at instance: Instance = .a) async throws -> HTTPResponse {
        var answer = try await get(path, from: instance)
        try await eventually("\(path) is answered from L1") {
            if answer[header: "Cache-Status"]?.hasPrefix("stock-l1; hit") == true { return true }
            answer = try await get(path, from: instance)
            return false
        }
        return answer
    }

    /// The body of a sale paid in cash to the full.
    static func sale(_ lines: [(product: String, quantity: Int)], total: String) -> String {
        let lines = lines.map { #"{"product_id":"\#($0.product)","quantity":"\#($0.quantity)"}"# }
        return #"{"lines":[\#(lines.joined(separator: ","))],"payments":[{"method":"cash","amount":"\#(total)"}]}"#
    }

    /// What is on hand of a product, as an instance answers it.
    func onHand(_ product: String, from instance: Instance = .a) async throws -> String? {
        try await get("/v1/products/\(product)", from: instance).json["on_hand"].string
    }

    /// Today's income, as an instance answers it.
    func incomeToday(
        from instance: Instance = .a,
        headers: [String: String] = [:]
    ) async throws -> (income: String?, cacheStatus: String) {
        let answer = try await get("/v1/balance/series?view=daily", from: instance, headers: headers)
        try #require(answer.status == 200, "\(answer.status) \(answer.text)")
        let income = answer.json["data"].elements.last?["income"].string
        return (income, answer[header: "Cache-Status"] ?? "")
    }
}
