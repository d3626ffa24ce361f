import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("What bad input gets")
    struct BadInputTests {
        private struct Case: Sendable {
            var method = "POST"
            let path: String
            var headers: [String: String] = [:]
            var body: String?
            let status: Int
            let code: String
            var pointer: String?
        }

        @Test("a tour of bad requests: each a problem document with its code, none a 500")
        func tour() async throws {
            let deployment = try await Deployment.start(instances: 1)
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "GOOD", price: "1.00", onHand: 1)
            _ = try await tenant.product(sku: "TWO WORDS", price: "1.00", onHand: 1)
            let unit = try await tenant.pieces()
            let key = ["Idempotency-Key": "k"]
            let good = Tenant.sale([(product, 1)], total: "1.00")
            let cases: [Case] = [
                Case(method: "GET", path: "/v1/nothing", status: 404, code: "not_found"),
                Case(method: "GET", path: "/v1/products/not-a-uuid", status: 404, code: "not_found"),
                Case(method: "GET", path: "/v1/products?limit=0", status: 400, code: "invalid_request"),
                Case(method: "GET", path: "/v1/products?limit=201", status: 400, code: "invalid_request"),
                Case(method: "GET", path: "/v1/products?limit=x", status: 400, code: "invalid_request"),
                Case(method: "GET", path: "/v1/products?cursor=abc", status: 400, code: "cursor_mismatch"),
                Case(method: "GET", path: "/v1/balance/series?view=hourly", status: 400, code: "invalid_request"),
                Case(
                    method: "GET",
                    path: "/v1/balance/series?view=daily&from=2026-02-30",
                    status: 400,
                    code: "invalid_request"
                ),
                Case(
                    method: "GET",
                    path: "/v1/balance/series?view=daily&from=2026-03-01&to=2026-02-01",
                    status: 422,
                    code: "validation_failed"
                ),
                Case(path: "/v1/sales", body: good, status: 400, code: "idempotency_key_missing"),
                Case(path: "/v1/sales", headers: key, body: "{", status: 400, code: "invalid_request"),
                Case(path: "/v1/sales", headers: key, body: "", status: 400, code: "invalid_request"),
                Case(path: "/v1/sales", headers: key, body: "[]", status: 400, code: "invalid_request"),
                Case(
                    path: "/v1/sales",
                    headers: key,
                    body: #"{"lines":[],"lines":[]}"#,
                    status: 400,
                    code: "invalid_request"
                ),
                Case(
                    path: "/v1/sales",
                    headers: key,
                    body: #"{"lines":[],"colour":1}"#,
                    status: 400,
                    code: "invalid_request"
                ),
                Case(
                    path: "/v1/sales",
                    headers: key.merging(["Content-Type": "text/plain"]) { $1 },
                    body: good,
                    status: 415,
                    code: "unsupported_media_type"
                ),
                Case(
                    path: "/v1/sales",
                    headers: key,
                    body: #"{"lines":[{"product_id":"\#(product)","quantity":1}],"payments":[]}"#,
                    status: 422,
                    code: "validation_failed"
                ),
                Case(
                    path: "/v1/sales",
                    headers: key,
                    body: #"{"lines":[{"product_id":"\#(product)","quantity":"1.5"}],"payments":[]}"#,
                    status: 422,
                    code: "quantity_precision"
                ),
                Case(
                    path: "/v1/sales",
                    headers: key,
                    body: #"{"lines":[{"product_id":"\#(product)","quantity":"1"}],"payments":[]}"#,
                    status: 422,
                    code: "credit_needs_customer"
                ),
                Case(
                    path: "/v1/sales",
                    headers: key,
                    body: Tenant.sale([(product, 1)], total: "2.00"),
                    status: 422,
                    code: "payment_mismatch"
                ),
                Case(
                    path: "/v1/products",
                    body: #"{"sku":"GOOD","name":"Again","unit_id":"\#(unit)","price":"1.00"}"#,
                    status: 409,
                    code: "duplicate"
                ),
                Case(
                    path: "/v1/products",
                    body: #"{"sku":"TWO\u00a0 WORDS","name":"Again","unit_id":"\#(unit)","price":"1.00"}"#,
                    status: 409,
                    code: "duplicate"
                ),
                Case(
                    path: "/v1/products",
                    body: #"{"sku":"GO\u200bOD","name":"Again","unit_id":"\#(unit)","price":"1.00"}"#,
                    status: 422,
                    code: "validation_failed",
                    pointer: "/sku"
                ),
                Case(
                    path: "/v1/sales",
                    headers: key,
                    body: #"{"lines":[{"sku":"GO\u2060OD","quantity":"1"}],"payments":[]}"#,
                    status: 422,
                    code: "validation_failed",
                    pointer: "/lines/0/sku"
                ),
                Case(
                    path: "/v1/products/batch",
                    headers: key,
                    body: #"{"products":[{"sku":"GO\u00adOD","name":"Again","price":"1.00"}]}"#,
                    status: 422,
                    code: "validation_failed",
                    pointer: "/products/0/sku"
                ),
                Case(
                    method: "PATCH",
                    path: "/v1/products/\(product)",
                    body: #"{"name":"x"}"#,
                    status: 428,
                    code: "precondition_required"
                ),
                Case(
                    method: "PATCH",
                    path: "/v1/products/\(product)",
                    headers: ["If-Match": #""999""#],
                    body: #"{"name":"x"}"#,
                    status: 412,
                    code: "version_mismatch"
                ),
                Case(
                    path: "/v1/customers",
                    body: "{\"name\":\"a\\u0000b\"}",
                    status: 400,
                    code: "invalid_request"
                ),
                Case(path: "/v1/customers", body: #"{"name":" "}"#, status: 422, code: "validation_failed"),
                Case(
                    path: "/v1/customers",
                    body: #"{"name":"\#(String(repeating: "x", count: 1_100_000))"}"#,
                    status: 413,
                    code: "too_large"
                ),
            ]
            for one in cases {
                var headers = one.headers
                // A refusal is kept under its key like any other answer: each request has a key of its own.
                if headers["Idempotency-Key"] != nil { headers["Idempotency-Key"] = UUID().uuidString }
                let answer = try await tenant.send(one.method, one.path, headers: headers, body: one.body)
                let what = "\(one.method) \(one.path) \(one.body?.prefix(80) ?? ""): \(answer.status) \(answer.text)"
                #expect(answer.status == one.status, "\(what)")
                #expect(answer.json["code"].string == one.code, "\(what)")
                if let pointer = one.pointer {
                    #expect(answer.json["errors"].elements.map { $0["pointer"].string } == [pointer], "\(what)")
                }
                #expect(answer[header: "Content-Type"]?.hasPrefix("application/problem+json") == true, "\(what)")
                #expect(answer.json["request_id"].string == answer[header: "X-Request-Id"], "\(what)")
                #expect(!answer.text.contains("stock."), "no table or constraint is named: \(what)")
            }
            #expect(try await tenant.onHand(product) == "1")
            #expect(try await tenant.send("PUT", "/v1/balance/summary", body: "{}").status == 405)
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test("all errors of a body are named at once, each by its pointer")
        func allErrors() async throws {
            let deployment = try await Deployment.start(instances: 1)
            let tenant = try await deployment.tenant()
            let answer = try await tenant.post(
                "/v1/sales",
                #"{"lines":[{"product_id":"no","quantity":"0.1234567"},{"quantity":2}],"payments":[{"method":"I owe you €","amount":"x"}]}"#
            )
            #expect((400...422).contains(answer.status), "\(answer.text)")
            let pointers = Set(answer.json["errors"].elements.compactMap { $0["pointer"].string })
            #expect(
                pointers.isSuperset(of: [
                    "/lines/0/product_id", "/lines/0/quantity", "/lines/1/quantity", "/payments/0/method",
                    "/payments/0/amount",
                ]),
                "\(pointers)"
            )
            try await deployment.stop()
        }

        @Test(
            "bytes that are no request are refused and the connection closed; the instance goes on",
            arguments: [
                "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
                "NONSENSE\r\n\r\n",
            ]
        )
        func malformed(_ request: String) async throws {
            let deployment = try await Deployment.start(instances: 1)
            do {
                let answer = try await deployment.a.client.send(raw: Array(request.utf8))
                #expect(answer.status == 400, "\(answer.status) \(answer.text)")
            } catch HTTPClientError.closedBeforeAnswer {
                // Closing without an answer is a refusal as well.
            }
            #expect(try await deployment.a.client.send("GET", "/health/live").status == 200)
            try await deployment.stop()
        }

        @Test(
            "bad configuration stops the start with one line that names the variable",
            arguments: [
                ("DATABASE_URL", "mysql://x"), ("DATABASE_URL", ""), ("AUTH_SECRET", "short"), ("AUTH_SECRET", ""),
                ("STOCK_LISTEN", "nowhere"), ("CACHE_PRODUCTS_TTL", "soon"), ("CACHE_L1_BYTES", "-1"),
                ("LOG_LEVEL", "loud"),
                ("REDIS_URL", "http://x"), ("DATABASE_POOL_SIZE", "0"), ("TRUSTED_PROXIES", "proxy.example"),
                ("CORS_ORIGINS", "shop.example"), ("HTTP_CONNECTIONS_PER_ADDRESS", "0"),
                // Names that are nearly ours.
                ("RATE_LIMIT_TENNANT", "1"), ("CACHE_ENABLE", "false"), ("STOCK_LISTENS", "127.0.0.1:1"),
                ("AUTH_SERCET", "integration-tests-only-0123456789abcdef"),
            ]
        )
        func configuration(variable: String, value: String) async throws {
            let database = try await PostgresServer.shared().database(named: "configuration")
            var environment = [
                "DATABASE_URL": database.appURL, "AUTH_SECRET": "integration-tests-only-0123456789abcdef",
                "STOCK_LISTEN": "127.0.0.1:\(try FreePort.next())",
            ]
            environment[variable] = value
            let result = try await StockCommand.run(["serve"], environment: environment, within: .seconds(20))
            #expect(result.status == .exited(78), "\(result.status) \(result.errors)")
            let lines = result.errors.split(separator: "\n")
            #expect(lines.count == 1, "\(result.errors)")
            #expect(result.errors.contains(variable), "\(result.errors)")
        }

        @Test("a secret of few different bytes, two secrets at once and a key file that everybody can read are refused")
        func secrets() async throws {
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let good = "integration-tests-only-0123456789abcdef"
            func file(_ name: String, _ text: String, mode: Int) throws -> String {
                let path = folder.appendingPathComponent(name).path
                try text.write(toFile: path, atomically: true, encoding: .utf8)
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
                return path
            }
            let open = try file("open", "a:\(good)", mode: 0o644)
            let closed = try file("closed", "a:\(good)", mode: 0o600)
            let dull = try file("dull", "a:\(String(repeating: "ab", count: 30))", mode: 0o600)
            for (variables, named, why) in [
                (["AUTH_SECRET": String(repeating: "a", count: 32)], "AUTH_SECRET", "different bytes"),
                (["AUTH_SECRET": good, "AUTH_KEY_FILE": closed], "AUTH_KEY_FILE", "AUTH_SECRET"),
                (["AUTH_KEY_FILE": open], "AUTH_KEY_FILE", "everybody can read"),
                (["AUTH_KEY_FILE": dull], "AUTH_KEY_FILE", "different bytes"),
            ] {
                var environment = ["DATABASE_URL": "postgres://nobody@localhost/nothing"]
                environment.merge(variables) { $1 }
                let result = try await StockCommand.run(["serve"], environment: environment, within: .seconds(20))
                #expect(result.status == .exited(78), "\(result.status) \(result.errors)")
                #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
                #expect(result.errors.contains(named) && result.errors.contains(why), "\(result.errors)")
                #expect(!result.errors.contains(good))
            }
        }

        @Test("names that only begin as ours do are told of, and what a platform puts there by itself is left alone")
        func surroundings() async throws {
            let deployment = try await Deployment.start(settings: [
                "RATE_LIMIT_ENABLED": "false", "REDIS_TLS_URL": "redis://x", "REDISHOST": "x", "HTTP_PROXY": "http://x",
                // As Kubernetes does for services named redis and stock.
                "REDIS_PORT": "tcp://10.0.0.1:6379", "REDIS_SERVICE_HOST": "10.0.0.1", "REDIS_SERVICE_PORT": "6379",
                "STOCK_PORT": "tcp://10.0.0.2:8080", "STOCK_PORT_8080_TCP_ADDR": "10.0.0.2",
                "STOCK_PORT_8080_TCP": "tcp://10.0.0.2:8080",
            ])
            #expect(try await deployment.a.client.send("GET", "/health/ready").status == 200)
            let lines = deployment.a.log.split(separator: "\n").filter { $0.contains("is no variable of stock") }
            for name in ["RATE_LIMIT_ENABLED", "REDIS_TLS_URL", "REDISHOST"] {
                #expect(lines.contains { $0.contains("\(name) is no variable") }, "\(name): \(lines)")
            }
            #expect(lines.count == 3, "\(lines)")
            try await deployment.stop()
        }

        @Test(
            "bad usage of the command line is status 64 and says what is accepted",
            arguments: [
                ["frobnicate"], ["serve", "--nonsense"], ["import", "elephants", "x.csv"], ["import", "sales"],
                ["user", "invite", "--email", "a@b.example", "--role", "viewer"],
                ["key", "revoke", "--tenant", "a", "--tenant-id", "1", "00000000-0000-7000-8000-000000000001"],
            ]
        )
        func usage(arguments: [String]) async throws {
            let result = try await StockCommand.run(arguments, environment: [:], within: .seconds(20))
            #expect(result.status == .exited(64), "\(result.status) \(result.errors)")
            #expect(!result.errors.isEmpty)
        }
    }
}
