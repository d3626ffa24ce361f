import Foundation
import HTTPTypes
import Kernel
import TestSupport
import Testing

@testable import API

/// A walk through the operations of a shop, each called by its name with the example of its own documentation.
///
/// What is answered is held against a contract of the walk's own, which knows afterwards what was shown.
final class Journey {
    let shop: TestShop
    let database: TestDatabase
    let contract: Contract
    /// The owner's access token.
    private(set) var token = ""
    /// The body of the last success by operation.
    private(set) var answers: [String: JSON] = [:]
    /// Paths of what was made, by the path that it is edited at: `/v1/products/{id}`.
    private(set) var places: [String: String] = [:]
    private var keys = 0
    /// Whether every cached read is compared with the database after each change.
    var comparesReads = false

    /// The types of events that each operation has written, once ``recordsEvents``.
    private(set) var events: [String: Set<String>] = [:]
    /// Whether it is kept which events each change writes.
    var recordsEvents = false
    private var lastEvent = "0"

    /// What opens a session of the owner.
    private static let ofTheOwner: Set<String> = ["signUp", "logIn", "refresh", "switchTenant"]

    init(_ shop: TestShop, _ database: TestDatabase) async {
        self.shop = shop
        self.database = database
        self.contract = Contract(document: await shop.send(.get, "/openapi.json").json)
    }

    /// Goes on elsewhere, with what was made and answered so far.
    ///
    /// - Parameters:
    ///   - shop: where the same tenant is, too.
    ///   - database: its database.
    ///   - token: the owner's there.
    /// - Returns: the walk from there on.
    func moved(to shop: TestShop, _ database: TestDatabase, token: String) async -> Journey {
        let journey = await Journey(shop, database)
        journey.token = token
        journey.answers = answers
        journey.places = places
        journey.keys = keys
        return journey
    }

    /// The route of an operation.
    func route(_ name: String) throws -> Route {
        try #require(shop.api.routes.first { $0.name == name }, "there is no operation \(name)")
    }

    /// Calls an operation.
    ///
    /// - Parameters:
    ///   - name: the operation.
    ///   - place: the path, if it is not the route's own.
    ///   - query: what stands behind the question mark.
    ///   - fields: further header fields; an Idempotency-Key and `If-Match: *` are added where they are needed.
    ///   - body: another body than the documented example.
    ///   - token: another credential than the owner's.
    ///   - status: what has to come; the documented success unless said.
    /// - Returns: the answer.
    /// - Throws: when there is no such operation.
    @discardableResult
    func call(
        _ name: String,
        at place: String? = nil,
        query: String = "",
        _ fields: [String: String] = [:],
        body: String? = nil,
        token: String? = nil,
        gives status: Int? = nil
    ) async throws -> Reply {
        let route = try self.route(name)
        var fields = fields
        if route.needsKey, fields["Idempotency-Key"] == nil {
            keys += 1
            fields["Idempotency-Key"] = "journey-\(keys)"
        }
        if route.needsMatch, fields["If-Match"] == nil { fields["If-Match"] = "*" }
        var body = body
        if body == nil, let example = route.body, !route.isBodyOptional {
            body = String(decoding: example.exampleBytes, as: UTF8.self)
        }
        let path = place ?? self.place(of: route.path)
        var credential: String? = token ?? self.token
        if case .open = route.access { credential = nil }
        let target = query.isEmpty ? path : "\(path)?\(query)"
        let reply = await shop.send(route.method, target, token: credential, fields, body: body)
        #expect(contract.faults(of: reply.exchange(route.method, target)) == [], "\(name)")
        #expect(reply.status.code == status ?? route.status.code, "\(name): \(reply.text)")
        if reply.status.code < 300 { answers[name] = reply.json }
        if let location = reply["location"], reply.status == .created {
            let template = location.split(separator: "/").dropLast().joined(separator: "/")
            places["/\(template)/{id}"] = location
        }
        if Self.ofTheOwner.contains(name), let token = reply.json["access_token"].string { self.token = token }
        if recordsEvents, route.method != .get, reply.status.code < 300 {
            let told = try await database.psql(
                "SELECT max(id), string_agg(DISTINCT type, ',') FROM stock.domain_event WHERE id > \(lastEvent)"
            ).split(separator: "|")
            if let last = told.first { lastEvent = String(last) }
            let types = told.count > 1 ? told[1].split(separator: ",").map { String($0) } : []
            events[name, default: []].formUnion(types)
        }
        // Who reset the password has no session any more to read with.
        if comparesReads, route.method != .get, reply.status.code < 300, name != "resetPassword" {
            await compareReads(after: name)
        }
        return reply
    }

    /// The query of a route: what it must be given.
    func query(of route: Route) -> String {
        route.parameters.filter(\.isRequired).map { "\($0.name)=CO-001" }.joined(separator: "&")
    }

    /// Holds every cached read that has a place against what the database says.
    private func compareReads(after name: String) async {
        for route in shop.api.routes where route.isCached {
            let path = place(of: route.path)
            let query = query(of: route)
            let target = query.isEmpty ? path : "\(path)?\(query)"
            let cached = await shop.send(.get, target, token: token)
            let asked = await shop.send(.get, target, token: token, ["Cache-Control": "no-cache"])
            #expect(cached.status == asked.status, "\(target) after \(name)")
            guard cached.status == .ok else { continue }
            #expect(cached.text == asked.text, "\(target) after \(name)")
            #expect(cached["etag"] == asked["etag"], "\(target) after \(name)")
        }
    }

    /// Where a route is asked: at what was made last, or below it.
    func place(of path: String) -> String {
        if let place = places[path] { return place }
        guard let end = path.range(of: "{id}")?.upperBound, let made = places[String(path[..<end])] else { return path }
        return made + path[end...].replacing("{part}", with: "1")
    }

    /// Opens the shop, and makes one of everything that can be edited.
    func open() async throws {
        try await self.call("signUp")
        self.places["/v1/tenant"] = "/v1/tenant"
        self.places["/problems/{code}"] = "/problems/not_found"
        try await self.buy()
        for route in shop.api.routes where route.isRecordMaking { try await self.call(route.name) }
        try await self.call("openStockCount")
        try await self.openTransfer()
        for name in ["createImport", "createWebhook", "recordExpense", "recordLedgerEntry", "inviteUser"] {
            try await self.call(name)
        }
        let invitation = try #require(self.answers["inviteUser"]?["invitation_token"].string)
        try await self.call(
            "acceptInvitation",
            body: #"{"token":"\#(invitation)","password":"another horse battery","name":"Bo"}"#
        )
        try await self.call("listUsers")
        let members = self.answers["listUsers"]?["data"].elements ?? []
        let member = try #require(members.first { $0["email"].string == "bo@example.com" }?["id"].string)
        self.places["/v1/users/{id}"] = "/v1/users/\(member)"
        // Not at the register that was made, which can then not be deleted.
        try await self.call("listRegisters")
        let registers = self.answers["listRegisters"]?["data"].elements ?? []
        let register = try #require(registers.first { $0["is_default"] == .bool(true) }?["id"].string)
        try await self.call("openCashSession", at: "/v1/registers/\(register)/sessions")
    }

    /// Drafts a transfer of a product of its own to a location of its own, so that those made before are named by nothing.
    private func openTransfer() async throws {
        let places = self.places
        try await self.call("createLocation", body: #"{"name":"Łódź"}"#)
        try await self.call("createProduct", body: #"{"name":"Ñandú","sku":"ÑA-1","price":"1"}"#)
        let second = try #require(self.answers["createLocation"]?["id"].string)
        try await self.call(
            "createTransfer",
            body: """
                {"from_location_id":"00000000-0000-7000-8000-000000000001","to_location_id":"\(second)",\
                "lines":[{"sku":"ña-1","quantity":"1"}]}
                """
        )
        try await self.call("createQuote", body: #"{"lines":[{"sku":"ña-1","quantity":"1"}]}"#)
        for path in ["/v1/locations/{id}", "/v1/products/{id}"] { self.places[path] = places[path] }
    }

    /// Writes down sales of more than there is, which leaves exceptions.
    func sellOffline(_ sku: String) async throws {
        func fact() -> String {
            """
            {"recorded":"offline","id":"\(UUIDv7.make())","occurred_at":"2026-01-05T10:00:00Z",\
            "lines":[{"sku":"\(sku)","quantity":"1000","unit_price":"2.50"}],\
            "payments":[{"method":"card","amount":"2500.00"}]}
            """
        }
        try await self.call("confirmSale", body: fact())
        try await self.call("confirmSales", body: #"{"sales":[{"key":"offline-1","sale":\#(fact())}]}"#)
        try await self.call("listExceptions")
        let exception = try #require(self.answers["listExceptions"]?["data"].elements.first?["id"].string)
        self.places["/v1/exceptions/{id}"] = "/v1/exceptions/\(exception)"
    }

    /// Makes a draft of a purchase, of a product and from a supplier that nothing else names.
    func buy() async throws {
        let name = "BE-\(answers["createPurchase"] == nil ? 1 : 2)"
        try await self.call("createSupplier", body: #"{"name":"Rösterei \#(name)"}"#)
        try await self.call("createProduct", body: #"{"name":"Beans","sku":"\#(name)","price":"9.00"}"#)
        let supplier = try #require(self.answers["createSupplier"]?["id"].string)
        try await self.call(
            "createPurchase",
            body: """
                {"supplier_id":"\(supplier)","location_id":"00000000-0000-7000-8000-000000000001","due_on":"2026-03-01",\
                "lines":[{"sku":"\(name)","quantity":"4","unit_cost":"2.50"}],"costs":[{"name":"Freight","amount":"1.00"}]}
                """
        )
    }

    /// Makes what the walk does not come back to.
    func aside(_ steps: () async throws -> Void) async throws {
        let places = self.places
        try await steps()
        self.places = places
    }

    /// Calls every operation that was not called yet by its own example, deletions last, but for those that end the walk.
    func callTheRest(but last: Set<String>) async throws {
        let rest = shop.api.routes.filter { answers[$0.name] == nil && !last.contains($0.name) }
        for route in rest where route.method != .delete { try await self.call(route.name) }
        for route in rest where route.method == .delete { try await self.call(route.name) }
    }
}

extension Route {
    /// Whether it makes a record that people edit.
    var isRecordMaking: Bool { self.method == .post && self.takesKey && !self.needsKey }
}
