import Foundation
import HTTPTypes
import Kernel
import Logging
import Postgres
import Services
import Synchronization
import TestSupport
import Testing

@testable import API

@Suite("A tenant that has moved")
struct MovedTenantTests {
    /// What takes an export, and gives it again as a file.
    private final class Taken: Sendable {
        let bytes = Mutex<[UInt8]>([])
    }

    private struct File: AsyncSequence, AsyncIteratorProtocol {
        var bytes: [UInt8]?

        func makeAsyncIterator() -> Self { self }

        mutating func next() async -> [UInt8]? { bytes.take() }
    }

    /// What is about a deployment and not about the shop.
    private static let elsewhere = ["/v1/cache", "/v1/imports", "/v1/webhooks", "/v1/events/stream"]

    /// Every read of a tenant, by its path: status and body, with the tenant's number left out.
    private func reads(_ journey: Journey, tenant: TenantID) async -> [String: String] {
        var reads: [String: String] = [:]
        // What is told of who came in since is compared by itself.
        for route in journey.shop.api.routes where route.method == .get && route.name != "listAudit" {
            if case .open = route.access { continue }
            guard !Self.elsewhere.contains(where: route.path.hasPrefix) else { continue }
            let query = journey.query(of: route)
            let path = journey.place(of: route.path) + (query.isEmpty ? "" : "?\(query)")
            let reply = await journey.shop.send(.get, path, token: journey.token, ["Cache-Control": "no-cache"])
            guard reply.status == .ok else { continue }
            reads["\(route.name) \(path)"] = reply.text.replacing("\"id\":\(tenant),", with: "\"id\":0,")
        }
        return reads
    }

    private func audit(_ journey: Journey) async -> [JSON] {
        await journey.shop.send(.get, "/v1/audit?limit=200", token: journey.token).json["data"].elements
    }

    @Test("every read answers what it answered before, and the shop sells, takes back and closes its till")
    func answers() async throws {
        try await ContractWalkTests.journey { journey in
            try await ContractWalkTests.trade(journey)
            try await journey.call("createAPIKey")
            let sale = #"{"lines":[{"sku":"ol-001","quantity":"1"}],"payments":[{"method":"card","amount":"2.50"}]}"#
            let answered = try await journey.call("confirmSale", ["Idempotency-Key": "sent-before"], body: sale)
            try await journey.call("readMe")
            let me = try #require(journey.answers["readMe"])
            let tenant = TenantID(rawValue: Int64(try #require(me["tenant"]["id"].int)))
            let email = try #require(me["user"]["email"].string)
            try await eventually("every event has its number") {
                try await journey.database.psql("SELECT count(*) FROM stock.domain_event WHERE seq IS NULL") == "0"
            }

            let there = try await PostgresServer.shared().database(named: "moved_to")
            let shop = try await TestShop(url: there.appURL, runs: true)
            _ = try await shop.signUp(slug: "another", email: "zo@example.com")
            let taken = Taken()
            _ = try await TenantExport(postgres: journey.shop.postgres)
                .run(tenant, deadline: .now + .seconds(60)) { portion in taken.bytes.withLock { $0 += portion } }
            let moved = try await Self.asOwner(of: there) { client in
                try await TenantImport(postgres: client).run(
                    File(bytes: taken.bytes.withLock { $0 }),
                    options: TenantImport.Options(),
                    deadline: .now + .seconds(60)
                ) { _ in }
            }
            #expect(moved.tenant != tenant && moved.accountsMade == 2)

            // A password of before opens nothing here.
            let password = "yet another horse"
            let refused = await shop.send(.post, "/v1/auth/login", body: Self.logIn(email, "a long enough one"))
            #expect(refused.status == .unauthorized, "\(refused.text)")
            try await shop.shop.identity.setPassword(
                of: email,
                to: password,
                from: Origin(requestID: "test"),
                deadline: .now + .seconds(60)
            )
            let session = await shop.send(.post, "/v1/auth/login", body: Self.logIn(email, password))
            let token = try #require(session.json["access_token"].string, "\(session.text)")
            let going = await journey.moved(to: shop, there, token: token)

            let before = await reads(journey, tenant: tenant)
            let after = await reads(going, tenant: moved.tenant)
            #expect(before.count > 60)
            #expect(Set(before.keys).symmetricDifference(after.keys).sorted() == [])
            for (path, text) in before { #expect(after[path] == text, "\(path)") }

            // What was sent before the move and is repeated behind it is not done twice.
            let repeated = try await going.call("confirmSale", ["Idempotency-Key": "sent-before"], body: sale)
            #expect(repeated.text == answered.text && repeated["idempotency-replayed"] == "true")

            let told = await audit(journey)
            #expect(told.count > 20 && told.count < 190)
            // What came since: a password, and a log-in.
            #expect(Array(await audit(going).dropFirst(2)) == told)

            // A till goes on with its key, once that names the new number.
            let key = try #require(journey.answers["createAPIKey"]?["secret"].string)
            let renumbered = key.replacing("_\(tenant)_", with: "_\(moved.tenant)_")
            #expect(await shop.send(.get, "/v1/products", token: renumbered).status == .ok)
            #expect(await shop.send(.get, "/v1/products", token: key).status == .unauthorized)

            try await going.call(
                "createProduct",
                body: #"{"name":"Rösten","sku":"RÖ-1","price":"3.00","tracks_stock":false}"#
            )
            let sold = try await going.call(
                "confirmSale",
                body: #"{"lines":[{"sku":"rö-1","quantity":"2"}],"payments":[{"method":"cash","amount":"6.00"}]}"#
            )
            let line = try #require(sold.json["lines"].elements.first?["id"].string)
            let money = #""payments":[{"method":"cash","amount":"3.00"}]"#
            try await going.call(
                "returnSale",
                body: #"{"lines":[{"sale_line_id":"\#(line)","quantity":"1"}],\#(money)}"#
            )
            try await going.call("recordCashEntry")
            try await going.call("closeCashSession")
            for postgres in [journey.shop.postgres, shop.postgres] {
                #expect(try await Verification(postgres: postgres).run(deadline: .now + .seconds(120)) == [])
            }
            await shop.stop()
        }
    }

    private static func logIn(_ email: String, _ password: String) -> String {
        #"{"email":"\#(email)","password":"\#(password)"}"#
    }

    private static func asOwner<Value: Sendable>(
        of database: TestDatabase,
        _ body: (PostgresClient) async throws -> Value
    ) async throws -> Value {
        let shop = try await TestShop(url: database.ownerURL, runs: false)
        let running = Task { await shop.postgres.run() }
        let result: Result<Value, any Error>
        do { result = .success(try await body(shop.postgres)) } catch { result = .failure(error) }
        running.cancel()
        await running.value
        await shop.stop()
        return try result.get()
    }
}
