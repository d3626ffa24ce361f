import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Tenants do not see each other")
    struct TenancyTests {
        @Test("a foreign id answers exactly as one that does not exist, on every route that takes one")
        func foreignIDs() async throws {
            let deployment = try await Deployment.start(instances: 1)
            let mine = try await deployment.tenant(slug: "mine")
            let theirs = try await deployment.tenant(slug: "theirs")
            let product = try await theirs.product(sku: "CANARY-THEIRS", price: "1.00", onHand: 5)
            let unit = try await theirs.pieces()
            let category = try #require(
                try await theirs.send("POST", "/v1/categories", body: #"{"name":"CANARY-THEIRS"}"#).json["id"].string
            )
            let customer = try #require(
                try await theirs.send("POST", "/v1/customers", body: #"{"name":"CANARY-THEIRS"}"#).json["id"].string
            )
            let invited = try await theirs.send(
                "POST",
                "/v1/users",
                body: #"{"email":"canary-theirs@example.com","role":"viewer"}"#
            )
            let invitation = try #require(invited.json["id"].string, "\(invited.text)")
            let key = try #require(
                try await theirs.send("POST", "/v1/api-keys", body: #"{"name":"CANARY","scopes":["admin"]}"#).json["id"]
                    .string
            )
            let user = try #require(try await theirs.get("/v1/me").json["user"]["id"].string)
            let sold = try await theirs.post("/v1/sales", Tenant.sale([(product, 1)], total: "1.00"))
            let sale = try #require(sold.json["id"].string)
            let nobody = "01890000-0000-7000-8000-000000000000"

            for (path, id) in [
                ("/v1/products/", product), ("/v1/units/", unit), ("/v1/categories/", category),
                ("/v1/customers/", customer), ("/v1/sales/", sale),
            ] {
                #expect(try await theirs.get(path + id).status == 200, "\(path)")
                for (method, body) in [("GET", nil), ("PATCH", #"{"name":"x"}"#), ("DELETE", nil)]
                    as [(String, String?)]
                {
                    guard method == "GET" || path != "/v1/sales/" else { continue }
                    let headers = method == "GET" ? [:] : ["If-Match": "\"1\""]
                    let foreign = try await mine.send(method, path + id, headers: headers, body: body)
                    let missing = try await mine.send(method, path + nobody, headers: headers, body: body)
                    #expect(foreign.status == 404, "\(method) \(path): \(foreign.text)")
                    #expect(missing.status == 404, "\(method) \(path): \(missing.text)")
                    #expect(foreign.json["code"] == missing.json["code"])
                    #expect(foreign.json["title"] == missing.json["title"])
                    #expect(!foreign.text.contains("CANARY"))
                }
            }
            // Accounts: who is invited, whose key it is, who is a member.
            for (method, path, body) in [
                ("GET", "/v1/invitations/{id}", nil), ("POST", "/v1/invitations/{id}/renew", nil),
                ("DELETE", "/v1/invitations/{id}", nil), ("DELETE", "/v1/api-keys/{id}", nil),
                ("GET", "/v1/users/{id}", nil), ("PATCH", "/v1/users/{id}", #"{"role":"viewer"}"#),
            ] as [(String, String, String?)] {
                let id = path.contains("api-keys") ? key : path.contains("users") ? user : invitation
                func send(_ id: String) async throws -> HTTPResponse {
                    let path = path.replacingOccurrences(of: "{id}", with: id)
                    return try await mine.send(method, path, headers: ["If-Match": "*"], body: body)
                }
                let foreign = try await send(id)
                let missing = try await send(nobody)
                #expect(foreign.status == 404, "\(method) \(path): \(foreign.text)")
                #expect(missing.status == 404, "\(method) \(path): \(missing.text)")
                #expect(foreign.json["detail"] == missing.json["detail"])
            }
            // Ids inside bodies.
            let bodies = [
                ("/v1/sales", Tenant.sale([(product, 1)], total: "1.00"), Tenant.sale([(nobody, 1)], total: "1.00")),
                (
                    "/v1/payments",
                    #"{"direction":"in","method":"cash","amount":"1.00","sale_id":"\#(sale)"}"#,
                    #"{"direction":"in","method":"cash","amount":"1.00","sale_id":"\#(nobody)"}"#
                ),
                (
                    "/v1/stock/movements",
                    #"{"movements":[{"product_id":"\#(product)","type":"adjustment","quantity":"1","reason":"x"}]}"#,
                    #"{"movements":[{"product_id":"\#(nobody)","type":"adjustment","quantity":"1","reason":"x"}]}"#
                ),
            ]
            for (path, foreignBody, missingBody) in bodies {
                let foreign = try await mine.post(path, foreignBody)
                let missing = try await mine.post(path, missingBody)
                #expect(foreign.status == missing.status, "\(path): \(foreign.text) \(missing.text)")
                #expect((400..<500).contains(foreign.status), "\(path): \(foreign.text)")
                #expect(foreign.json["code"] == missing.json["code"])
                #expect(!foreign.text.contains("CANARY"))
            }
            // Lists, searches and reports.
            for path in [
                "/v1/products", "/v1/products?q=CANARY", "/v1/products/lookup?code=CANARY-THEIRS", "/v1/stock",
                "/v1/sales",
                "/v1/payments", "/v1/customers", "/v1/categories", "/v1/stock/movements", "/v1/me", "/v1/cache/stats",
                "/v1/users", "/v1/invitations", "/v1/api-keys", "/v1/audit",
                "/v1/balance/series?view=daily",
            ] {
                let answer = try await mine.get(path)
                #expect(answer.status == 200, "\(path): \(answer.text)")
                #expect(!answer.text.contains("CANARY"), "\(path)")
            }
            #expect(try await mine.incomeToday().income == "0.00")
            #expect(try await theirs.onHand(product) == "4")
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        static let audit = SourceTree.root + "/sql/audit/tenancy_audit.sql"

        @Test("the audit of roles, ownership, policies and keys finds nothing in a migrated database")
        func auditFindsNothing() async throws {
            let deployment = try await Deployment.start(instances: 0, withRedis: false)
            let findings = try await run(
                "psql",
                [
                    "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", deployment.database.superuserURL, "-f",
                    Self.audit,
                ]
            )
            #expect(findings.isEmpty, "CALL stock.secure_table for a new table")
            try await deployment.stop()
        }

        @Test("no credential, a broken one and one of another kind are all 401")
        func credentials() async throws {
            let deployment = try await Deployment.start(instances: 1)
            let tenant = try await deployment.tenant()
            for credential in ["", "Bearer", "Bearer x", "Bearer \(tenant.token)x", "Basic b3duZXI6cHc=", tenant.token]
            {
                let answer = try await tenant.get("/v1/products", headers: ["Authorization": credential])
                #expect(answer.status == 401, "\(credential.prefix(12)): \(answer.status)")
                #expect(answer.json["code"].string == "unauthenticated")
            }
            try await deployment.stop()
        }
    }
}
