import Foundation
import HTTPTypes
import Kernel
import Logging
import NIOCore
import Services
import Synchronization
import TestSupport
import Testing

@testable import API

@Suite("Every operation, walked through")
struct ContractWalkTests {
    static func journey(
        _ name: String = #function,
        recordsEvents: Bool = false,
        _ body: (Journey) async throws -> Void
    ) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        let shop = try await TestShop(url: database.appURL, runs: true)
        do {
            let journey = await Journey(shop, database)
            journey.recordsEvents = recordsEvents
            try await journey.open()
            try await body(journey)
            await shop.stop()
        } catch {
            await shop.stop()
            throw error
        }
    }

    @Test(
        "every documented success and property comes from a shop that uses its own examples, and no read is stale after a change"
    )
    func everything() async throws {
        try await Self.journey(recordsEvents: true) { journey in
            journey.comparesReads = true
            try await self.identity(journey)
            try await self.people(journey)
            try await Self.trade(journey)
            try await self.refusals(journey)
            try await self.records(journey)
            try await self.operations(journey)
            try await self.imports(journey)
            try await self.webhooks(journey)
            // What is deleted in the end must be named by nothing.
            try await journey.call("createCustomer", body: #"{"name":"Nobody"}"#)
            try await journey.call("recordCashEntry")
            try await journey.call("closeCashSession")
            try await journey.call("createSupplier", body: #"{"name":"Nobody"}"#)
            try await journey.callTheRest(but: ["logOut"])
            try await journey.call("logOut", body: #"{"everywhere":true}"#)

            try EventsOfCommands.check(journey)
            let coverage = journey.contract.coverage
            #expect(journey.contract.successes.subtracting(coverage.answers).sorted() == [])
            #expect(journey.contract.properties.subtracting(coverage.properties).sorted() == [])
        }
    }

    private func identity(_ journey: Journey) async throws {
        try await journey.call("logIn")
        let refresh = try #require(journey.answers["logIn"]?["refresh_token"].string)
        try await journey.call("refresh", body: #"{"refresh_token":"\#(refresh)"}"#)
        try await journey.call("switchTenant")
        try await journey.call("readMe")
        try await journey.call("createAPIKey")
        let key = try #require(journey.answers["createAPIKey"]?["secret"].string)
        try await journey.call("readMe", token: key)
        try await journey.call("listAPIKeys")
        try await journey.call("revokeAPIKey")
        try await journey.call("readTenant")
        try await journey.call("changeTenant")
        try await journey.call("listRegisters")
        try await journey.call("readUser")
        try await journey.call("changeUser")
    }

    private func people(_ journey: Journey) async throws {
        try await journey.call("inviteUser", body: #"{"email":"cy@example.com","role":"viewer"}"#)
        for name in ["readInvitation", "listInvitations", "renewInvitation", "revokeInvitation"] {
            try await journey.call(name)
        }
        let owner = journey.token
        try await journey.call(
            "signUp",
            body: """
                {"tenant_name":"Other","slug":"other","email":"di@example.com","password":"a long enough one",\
                "currency":"EUR","timezone":"Europe/Berlin"}
                """
        )
        let guest = journey.token
        try await journey.call(
            "inviteUser",
            body: #"{"email":"di@example.com","role":"viewer"}"#,
            token: owner
        )
        let invitation = try #require(journey.answers["inviteUser"]?["invitation_token"].string)
        try await journey.call("acceptMyInvitation", body: #"{"token":"\#(invitation)"}"#, token: guest)
        let reset = try await journey.shop.shop.identity.openReset(
            of: "di@example.com",
            from: Origin(requestID: "test", address: "192.0.2.1"),
            deadline: .now + .seconds(60)
        )
        try await journey.call("resetPassword", body: #"{"token":"\#(reset)","password":"a better one still"}"#)
        try await journey.call("logIn")
        try await journey.call("changePassword")
        try await journey.call("listAudit")
    }

    /// The place that every shop has, as a movement names it.
    private static let main = #""location_id":"00000000-0000-7000-8000-000000000001""#

    private static let papers = """
        {"name":"Filter papers","sku":"FI-001","price":"2.50",\
        "packagings":[{"name":"Two","factor":"2","price":"4.50","barcodes":["40170725"]}]}
        """

    static func trade(_ journey: Journey) async throws {
        try await journey.call("moveStock")
        try await journey.call("confirmSale")
        try await journey.call("createProduct", body: Self.papers)
        let customer = try #require(journey.answers["createCustomer"]?["id"].string)
        let lines = #"[{"sku":"FI-001","quantity":"1"}]"#
        let opening =
            #"{"movements":[{"sku":"FI-001","type":"opening","quantity":"10","reason":"first count",\#(main)}]}"#
        try await journey.call("moveStock", body: opening)
        try await journey.call("priceSale")
        try await Self.drafts(journey)
        try await Self.quotes(journey)
        try await Self.approval(journey)
        try await Self.undo(journey)
        try await journey.call(
            "confirmSale",
            body: #"{"lines":[{"code":"40170725","quantity":"1"}],"payments":[{"method":"card","amount":"4.50"}]}"#
        )
        try await journey.call("confirmSale", body: #"{"customer_id":"\#(customer)","lines":\#(lines)}"#)
        let sale = try #require(journey.answers["confirmSale"]?["id"].string)
        for name in ["readReceivables", "readCustomerAgeing", "readCustomerStatement"] { try await journey.call(name) }
        let payment = #"{"direction":"in","method":"cash","amount":"2.50","tendered":"5.00","sale_id":"\#(sale)"}"#
        try await journey.call("registerPayment", body: payment)
        try await journey.call("readSale")
        for type in ["application/json", "text/html", "text/plain"] {
            try await journey.call("readSaleReceipt", ["Accept": type])
        }
        let product = try #require(journey.answers["createProduct"]?["id"].string)
        try await journey.call("setPlaceMinimum", at: "/v1/products/\(product)/stock")
        try await journey.call("readProductStock", at: "/v1/products/\(product)/stock")
        try await Self.takeBack(journey)
        try await journey.call("listSales")
        try await journey.call("readPayment")
        try await journey.call("listPayments")
        for name in ["readTopProducts", "readMargins", "readTaxReport", "readStockValue"] {
            try await journey.call(name)
        }
        try await journey.call("createProduct", body: #"{"name":"Old tins","sku":"OL-001","price":"2.50"}"#)
        try await journey.call("moveStock", body: opening.replacingOccurrences(of: "FI-001", with: "OL-001"))
        try await journey.call("listDeadStock", query: "days=1")
        try await Self.counts(journey)
        try await Self.transfers(journey)
        try await Self.buying(journey)
        try await journey.sellOffline("FI-001")
        for price in ["2.75", "2.50"] {
            try await journey.call("changeProduct", at: "/v1/products/\(product)", body: #"{"price":"\#(price)"}"#)
        }
        try await journey.call("listPriceHistory", at: "/v1/products/\(product)/price-history")
    }

    /// A cart is put away, is refused when its price has changed, and sold; another one is given up.
    private static func drafts(_ journey: Journey) async throws {
        let body = #"{"status":"draft","lines":[{"sku":"FI-001","quantity":"1"}]}"#
        let paid = #"{"payments":[{"method":"card","amount":"2.50"}]}"#
        try await journey.call("changeTenant", body: #"{"draft_reservation_minutes":30}"#)
        try await journey.call("confirmSale", body: body)
        try await journey.call("listReservations")
        try await journey.call("discardDraft")
        try await journey.call("changeTenant", body: #"{"draft_reservation_minutes":null}"#)
        try await journey.call("confirmSale", body: body)
        try await journey.call("readSale")
        try await journey.call("changeSale", body: #"{"lines":[{"sku":"FI-001","quantity":"1"}]}"#)
        try await journey.call("listSales", query: "status=draft")
        try await journey.call("changeProduct", body: #"{"price":"3.00"}"#)
        let refused = try await journey.call("confirmDraft", body: paid, gives: 409)
        #expect(refused.json["code"].string == "price_changed")
        try await journey.call("changeProduct", body: #"{"price":"2.50"}"#)
        try await journey.call("confirmDraft", body: paid)
    }

    /// A quote is changed, sent, accepted and sold; another one is cancelled, and a third one stays a draft.
    private static func quotes(_ journey: Journey) async throws {
        let body = #"{"valid_until":"2035-12-31","lines":[{"sku":"FI-001","quantity":"1"}]}"#
        try await journey.call("createQuote", body: body)
        try await journey.call("changeQuote", body: #"{"discount":"0.50"}"#)
        try await journey.call("sendQuote")
        try await journey.call("acceptQuote")
        let sold = #"{"payments":[{"method":"card","amount":"2.00"}]}"#
        try await journey.call("convertQuote", body: sold)
        try await journey.call("readQuote")
        try await journey.call("listQuotes", query: "status=accepted")
        try await journey.call("createQuote", body: body)
        try await journey.call("cancelQuote")
        try await journey.call("createQuote", body: body)
    }

    /// Somebody approves of a sale, which tells of it.
    private static func approval(_ journey: Journey) async throws {
        try await journey.call("approve")
        let given = try #require(journey.answers["approve"]?["approval"].string)
        let cheap = #"{"sku":"FI-001","quantity":"1","unit_price":"2.40"}"#
        try await journey.call(
            "confirmSale",
            body: #"{"approval":"\#(given)","lines":[\#(cheap)],"payments":[{"method":"card","amount":"2.40"}]}"#
        )
    }

    /// Files are sent, given up, resumed and imported but for a row each; nothing of them is kept, as no read is held against a worker.
    private func imports(_ journey: Journey) async throws {
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let worker = ImportWorker(postgres: journey.shop.postgres, logger: logger)
        let rows = "sku,name,price,colour\nIM-1,Imported,1,red\nIM-2,,1,blue\n"
        let objects = #"{"name":"Imported"}"# + "\n[]\n"
        for (options, file) in [
            (#""kind":"products""#, rows), (#""kind":"suppliers","mapping":{"format":"ndjson"}"#, objects),
        ] {
            try await journey.call("createImport", body: "{\(options),\"dry_run\":true}")
            try await journey.call("sendImportPart", body: file)
            try await journey.call("startImport", body: #"{"parts":1,"bytes":\#(file.utf8.count)}"#)
            try await journey.call("cancelImport")
            try await journey.call("resumeImport")
            while try await worker.serveNext() {}
            for name in ["readImport", "listImports", "listImportErrors", "readRejectedRows"] {
                try await journey.call(name)
            }
            #expect(journey.answers["readImport"]?["rejected"].int == 1)
        }
    }

    /// Takes messages that go nowhere, and answers as a test says.
    private final class Answering: WebhookSender {
        let code = Mutex<Int?>(200)

        func send(_ message: WebhookMessage, to url: WebhookURL) async -> WebhookReply {
            let code = self.code.withLock { $0 }
            return WebhookReply(code: code, fault: code == nil ? .timeout : nil, answer: code.map { "\($0)" })
        }
    }

    /// Events are sent, fail, are sent again and skipped; what becomes of one for which the receiver is away shows what waits.
    private func webhooks(_ journey: Journey) async throws {
        let sender = Answering()
        let worker = WebhookWorker(
            postgres: journey.shop.postgres,
            sender: sender,
            secrets: WebhookSecrets(of: [TestShop.secret]),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        try await journey.call("createWebhook", body: #"{"url":"https://example.com/all"}"#)
        try await journey.call("readWebhook")
        let head = try #require(journey.answers["readWebhook"]?["head"].int)
        try await journey.call("redeliverWebhookEvent", body: #"{"seq":\#(head)}"#)
        try await journey.call("testWebhook")
        try await worker.serveDue()
        sender.code.withLock { $0 = nil }
        try await journey.call("redeliverWebhookEvent", body: #"{"seq":\#(head)}"#)
        try await worker.serveDue()
        try await journey.call("listWebhookDeliveries")
        try await journey.call("skipWebhookEvent", body: #"{"seq":\#(head)}"#)
        try await journey.call("rotateWebhookSecret")
        try await journey.call("changeWebhook")
        try await journey.call("listWebhooks")
        let sent = journey.answers["listWebhookDeliveries"]?["data"].elements ?? []
        #expect(sent.map { $0["status"].string } == ["failed", "delivered", "delivered"], "\(sent)")
    }

    /// Counts what is at the first place, in two counts at once.
    private static func counts(_ journey: Journey) async throws {
        try await journey.call("enterStockCountLines", body: #"{"lines":[{"sku":"FI-001","counted":"7"}]}"#)
        try await journey.call("listStockCountLines", query: "differs=true")
        let first = try #require(journey.places["/v1/stock/counts/{id}"])
        try await journey.call("openStockCount", body: "{\(main)}")
        let claimed = #"{"lines":[{"sku":"FI-001","counted":"8"}]}"#
        try await journey.call("enterStockCountLines", body: claimed, gives: 409)
        try await journey.call("cancelStockCount")
        try await journey.call("closeStockCount", at: "\(first)/close")
        try await journey.call("readStockCount")
        try await journey.call("listStockCounts", query: "status=closed")
        try await journey.call("listMovements", query: "type=count")
    }

    /// Carries goods to the second place, and drafts two more transfers, one of which is given up.
    private static func transfers(_ journey: Journey) async throws {
        let lines = #""lines":[{"sku":"FI-001","quantity":"2"}]"#
        try await journey.call("changeTransfer", body: "{\(lines)}")
        try await journey.call("sendTransfer")
        let line = try #require(journey.answers["sendTransfer"]?["lines"].elements.first?["id"].string)
        let part = #"{"line_id":"\#(line)","quantity":"1"}"#
        try await journey.call("receiveTransfer", body: #"{"lines":[\#(part)]}"#)
        try await journey.call("receiveTransfer")
        try await journey.call("readTransfer")
        try await journey.call("listTransfers", query: "status=received")
        let second = try #require(journey.answers["createTransfer"]?["to_location_id"].string)
        let another = #"{"from_\#(main.dropFirst()),"to_location_id":"\#(second)",\#(lines)}"#
        try await journey.call("createTransfer", body: another)
        try await journey.call("cancelTransfer")
        try await journey.call("createTransfer", body: another)
    }

    /// A sale is paid, and was none.
    private static func undo(_ journey: Journey) async throws {
        let body = #"{"lines":[{"sku":"FI-001","quantity":"2"}],"payments":[{"method":"card","amount":"5.00"}]}"#
        try await journey.call("confirmSale", body: body)
        let paid = try #require(journey.answers["confirmSale"]?["payments"].elements.first?["id"].string)
        try await journey.call("reversePayment", at: "/v1/payments/\(paid)/reverse")
        try await journey.call("cancelSale")
    }

    /// Goods come back, with their sale and without.
    private static func takeBack(_ journey: Journey) async throws {
        let sold = try #require(journey.answers["readSale"])
        let line = try #require(sold["lines"].elements.first?["id"].string)
        let money = #""payments":[{"method":"cash","amount":"2.50"}]"#
        try await journey.call(
            "returnSale",
            body: #"{"note":"Too small","lines":[{"sale_line_id":"\#(line)","quantity":"1"}],\#(money)}"#
        )
        try await journey.call("readSale")
        try await journey.call("readReturn")
        try await journey.call("readReturnReceipt")
        try await journey.call("listReturns")
        for name in ["listSales", "readSale", "listReturns", "readReturn"] {
            try await journey.call(name, query: "expand=customer,user,register")
        }
        for name in ["listPayments", "readPayment"] { try await journey.call(name, query: "expand=user,customer") }
        try await journey.call("changeTenant", body: #"{"returns_without_sale":"allow"}"#)
        try await journey.call(
            "returnUnsold",
            body: #"{"lines":[{"sku":"FI-001","quantity":"1","unit_price":"2.50"}],\#(money)}"#
        )
    }

    /// What was drafted when the shop opened is ordered, comes in parts and is paid; a second purchase is cancelled.
    private static func buying(_ journey: Journey) async throws {
        try await journey.call("changeSupplier")
        try await journey.call("changePurchase", body: #"{"reference":"F-2026-0042","note":"By the back door."}"#)
        try await journey.call("orderPurchase")
        let order = try #require(journey.answers["orderPurchase"])
        let (id, supplier) = (try #require(order["id"].string), try #require(order["supplier_id"].string))
        let line = try #require(order["lines"].elements.first?["id"].string)
        try await journey.call("receivePurchase", body: #"{"lines":[{"line_id":"\#(line)","quantity":"1"}]}"#)
        try await journey.call("receivePurchase", body: "{}")
        let payment = #"{"direction":"out","method":"card","amount":"1.00","supplier_id":"\#(supplier)"}"#
        try await journey.call("registerPayment", body: payment)
        try await journey.call("readPayment")
        try await journey.call("readPayables")
        try await journey.call("readSupplier", at: "/v1/suppliers/\(supplier)")
        try await journey.call("listPayments", query: "purchase_id=\(id)")
        try await journey.call("readPurchase")
        try await journey.call("listPurchases", query: "overdue=true")
        let refused = try await journey.call("cancelPurchase", gives: 409)
        #expect(refused.json["code"].string == "in_use")
        try await journey.buy()
        try await journey.call("cancelPurchase", body: #"{"reason":"Zweimal bestellt."}"#)
    }

    /// What problems tell of the fields they are about.
    private func refusals(_ journey: Journey) async throws {
        let customer = try #require(journey.answers["createCustomer"]?["id"].string)
        let sale = try #require(journey.answers["confirmSale"]?["id"].string)
        try await journey.call(
            "confirmSale",
            body: #"{"lines":[{"sku":"FI-001","quantity":"99"}],"payments":[{"method":"card","amount":"247.50"}]}"#,
            gives: 409
        )
        try await journey.call(
            "moveStock",
            body:
                #"{"movements":[{"sku":"FI-001","type":"loss","quantity":"1","reason":"torn","expect_on_hand":"3",\#(Self.main)}]}"#,
            gives: 409
        )
        try await journey.call(
            "registerPayment",
            body: #"{"direction":"in","method":"card","amount":"1.00","sale_id":"\#(sale)"}"#,
            gives: 409
        )
        try await journey.call("changeCustomer", body: #"{"credit_limit":"1.00"}"#)
        try await journey.call(
            "confirmSale",
            body: #"{"customer_id":"\#(customer)","lines":[{"sku":"FI-001","quantity":"1"}]}"#,
            gives: 409
        )
        try await journey.call("createAPIKey", body: #"{"name":"till","scopes":["sales:write"]}"#)
        let till = try #require(journey.answers["createAPIKey"]?["secret"].string)
        try await journey.call(
            "confirmSale",
            body:
                #"{"lines":[{"sku":"FI-001","quantity":"1","unit_price":"1.00"}],"payments":[{"method":"card","amount":"1.00"}]}"#,
            token: till,
            gives: 403
        )
        let second = try #require(journey.answers["createTransfer"]?["to_location_id"].string)
        try await journey.call("changeLocation", at: "/v1/locations/\(second)", body: #"{"active":false}"#, gives: 409)
        try await journey.call("listEvents", query: "after=999999999", gives: 410)
        try await journey.aside { try await elsewhere(journey) }
        for name in ["deleteProduct", "deleteCustomer"] {
            let refused = try await journey.call(name, gives: 409)
            #expect(refused.json["code"].string == "in_use", "\(name)")
        }
    }

    /// What is refused of a place that others name, and of a till without a session.
    private func elsewhere(_ journey: Journey) async throws {
        let opened = try await journey.call("createLocation", body: #"{"name":"Gdańsk"}"#)
        let place = try #require(opened.json["id"].string)
        let register = try await journey.call(
            "createRegister",
            body: #"{"name":"Kasa 2",\#(Self.main),"requires_session":true}"#
        )
        try await journey.call(
            "confirmSale",
            body: """
                {"register_id":"\(register.json["id"].string ?? "")","lines":[{"sku":"FI-001","quantity":"1"}],
                "payments":[{"method":"cash","amount":"2.50"}]}
                """,
            gives: 409
        )
        let me = try #require(try await journey.call("readMe").json["user"]["id"].string)
        try await journey.call("changeUser", at: "/v1/users/\(me)", body: #"{"location_ids":["\#(place)"]}"#)
        let worked = try await journey.call("deleteLocation", at: "/v1/locations/\(place)", gives: 409)
        #expect(worked.json["errors"][0]["user_id"].string == me)
        try await journey.call("changeUser", at: "/v1/users/\(me)", body: #"{"location_ids":[]}"#)
        let supplier = try #require(journey.answers["orderPurchase"]?["supplier_id"].string)
        try await journey.call(
            "createPurchase",
            body: """
                {"supplier_id":"\(supplier)","location_id":"\(place)",
                "lines":[{"sku":"BE-1","quantity":"1","unit_cost":"1"}]}
                """
        )
        let bought = try await journey.call("deleteLocation", at: "/v1/locations/\(place)", gives: 409)
        #expect(bought.json["errors"][0]["purchase_id"].string != nil)
    }

    private func records(_ journey: Journey) async throws {
        try await journey.call("changeProduct", body: #"{"name":"Filters"}"#)
        try await journey.call("lookUpProducts", query: "code=co-001")
        try await journey.call(
            "upsertProducts",
            body: #"{"products":[{"sku":"CO-001","price":"22.90"},{"sku":"NEW-1","name":"New","price":"1"}]}"#
        )
        let place = "/v1/products/\(ProductID.make())"
        let product = #"{"name":"Milk","price":"1.20","sku":"MI-1"}"#
        try await journey.call("putProduct", at: place, ["If-None-Match": "*"], body: product, gives: 201)
        try await journey.call("putProduct", at: place, ["If-Match": "*"], body: product)
        try await journey.call("readBalanceSeries", query: "view=monthly")
        try await journey.call("readBalanceSummary", query: "from=2026-01-01&to=2026-01-31")
        try await journey.call("readDashboard")
    }

    private func operations(_ journey: Journey) async throws {
        try await journey.call("invalidateCache", body: #"{"module":"products"}"#)
        try await journey.call("readCacheStatistics")
        try await journey.call("explainCacheKey", query: "module=products&key=list")
        try await journey.call("testCache")
        try await journey.call("clearCache")
        for name in [
            "health", "healthLive", "healthReady", "healthCache", "version", "explainProblems", "explainProblem",
            "openAPI",
        ] { try await journey.call(name) }
        try await journey.call("explainProblems", ["Accept": "application/json"])
        for path in ["/metrics", "/health/detailed", "/openapi.json"] {
            #expect(await journey.shop.sendToOperations(path).status == .ok)
        }
    }

    @Test("the tag of a GET is accepted by If-Match wherever something is changed, plain or compressed")
    func tags() async throws {
        try await Self.journey { journey in
            // A sale of what is not deleted below.
            let product = #"{"sku":"SO-1","name":"Sold","price":"1.00","tracks_stock":false}"#
            try await journey.call("upsertProducts", body: #"{"products":[\#(product)]}"#)
            let payment = #"{"method":"card","amount":"1.00"}"#
            try await journey.call(
                "confirmSale",
                body: #"{"lines":[{"sku":"SO-1","quantity":"1"}],"payments":[\#(payment)]}"#
            )
            let editable = journey.shop.api.routes.filter { $0.needsMatch || $0.isUpsert }
            #expect(editable.count > 10)
            // Deletions last: what is gone has no tag.
            for route in editable.sorted(by: { $0.method != .delete && $1.method == .delete }) {
                let place = try #require(
                    journey.places[route.path],
                    "make one of what \(route.method) \(route.path) changes in Journey.open()"
                )
                for encoding in ["identity", "gzip"] where route.method != .delete || encoding == "gzip" {
                    let read = await journey.shop.send(
                        .get,
                        place,
                        token: journey.token,
                        ["Accept-Encoding": encoding]
                    )
                    let tag = try #require(read["etag"], "\(place): \(read.text)")
                    try await journey.call(route.name, ["If-Match": tag])
                }
            }
        }
    }

    @Test("a POST heeds an Idempotency-Key if and only if it is documented to")
    func keys() async throws {
        try await Self.journey { journey in
            let body = #"{"name":"Twice","symbol":"tw","decimals":0}"#
            let first = try await journey.call("createUnit", ["Idempotency-Key": "twice"], body: body)
            let second = try await journey.call("createUnit", ["Idempotency-Key": "twice"], body: body)
            #expect(second["idempotency-replayed"] == "true")
            #expect(second.text == first.text)
            for route in journey.shop.api.routes where route.takesKey {
                let place = journey.place(of: route.path)
                var fields = ["Idempotency-Key": "a b"]
                if case .open = route.access { continue }
                fields["If-Match"] = "*"
                let reply = await journey.shop.send(
                    route.method,
                    place,
                    token: journey.token,
                    fields,
                    body: String(decoding: route.body?.exampleBytes ?? [], as: UTF8.self)
                )
                #expect(reply.status == .badRequest, "\(route.name) does not read its Idempotency-Key: \(reply.text)")
            }
        }
    }
}
