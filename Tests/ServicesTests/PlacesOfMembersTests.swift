import Domain
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("Members who work at some places")
struct PlacesOfMembersTests {
    @Test("neither sell from, count, move nor send what is elsewhere; each refusal says where")
    func elsewhere() async throws {
        try await TestShop.open(onHand: 10) { (shop) async throws in
            let (main, second) = (try TestShop.main(), try await shop.openLocation("Łódź"))
            try await shop.move("A", .opening, "5", at: second)
            let (here, there) = (try await shop.openRegister(at: second), try await shop.openRegister(at: main))
            var context = shop.context
            context.caller.workplaces = .only([second])
            let limited = context
            func carry(from: LocationID, to: LocationID, _ context: CallContext) async throws -> TransferID {
                let request = TransferRequest(
                    fromLocationID: from,
                    toLocationID: to,
                    lines: [.init(product: .sku("A"), quantity: try Quantity("1"))]
                )
                let body = try await shop.transfers.draft(request, context, key: nil).body
                return try #require(TransferID(JSONObjectBody(body)["id"] ?? ""))
            }
            func count(at location: LocationID, _ context: CallContext) async throws -> StockCountID {
                let body = try await shop.counts.open(CountRequest(locationID: location), context, key: nil).body
                return try #require(StockCountID(JSONObjectBody(body)["id"] ?? ""))
            }
            func sell(at register: RegisterID?) async throws {
                var request = try shop.request([("A", "1")], paid: [try cash("2.50")])
                request.registerID = register
                _ = try await shop.sales.confirm(request, limited, key: nil)
            }
            func lose(at location: LocationID?) async throws {
                let lost = MovementsRequest.Movement(
                    product: .sku("A"),
                    type: .loss,
                    quantity: try Quantity("1"),
                    reason: "torn",
                    locationID: location
                )
                _ = try await shop.stock.record(MovementsRequest(movements: [lost]), limited, key: nil)
            }
            // What somebody else has begun there.
            let (leaving, counting) = (
                try await carry(from: main, to: second, shop.context), try await count(at: main, shop.context)
            )
            let coming = try await carry(from: second, to: main, shop.context)
            let found = CountedProduct(product: .sku("A"), counted: try Quantity("1"))
            let minimum = PlaceMinimum(locationID: main, minStock: try Quantity("1"))
            let product = try #require(ProductID(TestShop.product("A")))
            var patch = TransferPatch()
            patch.fromLocationID = .set(main)
            let moved = patch
            _ = try await shop.transfers.send(coming, limited, key: nil)
            let refusals: [(Problem?, String)] = [
                (await refusal { try await sell(at: there) }, "/register_id"),
                (await refusal { try await sell(at: nil) }, "/register_id"),
                (await refusal { try await lose(at: main) }, "/movements/0/location_id"),
                (await refusal { try await count(at: main, limited) }, "/location_id"),
                (await refusal { try await shop.counts.enter(counting, [found], limited) }, "/location_id"),
                (await refusal { try await shop.counts.close(counting, limited, key: nil) }, "/location_id"),
                (await refusal { try await shop.counts.cancel(counting, limited, key: nil) }, "/location_id"),
                (await refusal { try await carry(from: main, to: second, limited) }, "/from_location_id"),
                (await refusal { try await shop.transfers.send(leaving, limited, key: nil) }, "/from_location_id"),
                (
                    await refusal { try await shop.transfers.change(leaving, moved, expected: .any, limited) },
                    "/from_location_id"
                ),
                (await refusal { try await shop.transfers.cancel(leaving, limited, key: nil) }, "/from_location_id"),
                (await refusal { try await shop.transfers.receive(coming, [], limited, key: nil) }, "/to_location_id"),
                (await refusal { try await shop.stock.setMinimum(of: product, minimum, limited) }, "/location_id"),
            ]
            for (index, (problem, pointer)) in refusals.enumerated() {
                #expect(problem?.code == .forbidden, "\(index)")
                #expect(problem?.errors.map(\.pointer) == [pointer], "\(index)")
            }
            // What is not said where is refused as for everybody; what is not there is not found.
            #expect(await refusal { try await lose(at: nil) }?.code == .validationFailed)
            #expect(await refusal { try await shop.counts.close(.make(), limited, key: nil) }?.code == .notFound)
            // Here all of it is done.
            try await sell(at: here)
            try await lose(at: second)
            let mine = try await count(at: second, limited)
            _ = try await shop.counts.enter(mine, [found], limited)
            _ = try await shop.counts.close(mine, limited, key: nil)
            _ = try await shop.transfers.send(leaving, shop.context, key: nil)
            _ = try await shop.transfers.receive(leaving, [], limited, key: nil)
            #expect(try await shop.onHand("A", at: second) == "2")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("are refused for the place before what is wrong with a cart, whatever an instance remembers of its products")
    func placeFirst() async throws {
        try await TestShop.open(onHand: 10) { (shop) async throws in
            let second = try await shop.openLocation("Łódź")
            var context = shop.context
            context.caller.workplaces = .only([second])
            let limited = context
            let request = try shop.request([("A", "1")], paid: [try cash("2.50")])
            let draft = try shop.id(try await shop.put(try shop.request([("A", "1")], paid: [])))
            // Now they are in memory, as active ones.
            _ = try await shop.sell(request)
            try await shop.asTenant(
                "UPDATE stock.product SET status = 'archived', version = version + 1 WHERE sku = 'A'"
            )
            var put = request
            (put.purpose, put.payments) = (.draft, [])
            let away = put
            let paid = SaleConfirmation(payments: request.payments)
            for round in 1...2 {
                let refusals: [Problem?] = [
                    await refusal { try await shop.sales.confirm(request, limited, key: nil) },
                    await refusal { try await shop.sales.draft(away, limited, key: nil) },
                    await refusal { try await shop.sales.confirm(draft, paid, limited, key: nil) },
                ]
                for (index, problem) in refusals.enumerated() {
                    #expect(problem?.code == .forbidden, "round \(round), \(index): \(String(describing: problem))")
                }
                // Read anew, and remembered as archived.
                #expect(await refusal { try await shop.sell(request) }?.code == .productInactive)
            }
        }
    }

    @Test("neither undo a sale, take goods back, buy, pay nor open a drawer that is elsewhere")
    func tills() async throws {
        try await TestShop.open(onHand: 10) { (shop) async throws in
            let supplier = try await shop.supplier()
            let purchase = try await shop.order(supplier, [("A", "1", "1")])
            let second = try await shop.openLocation("Łódź")
            let sold = try await shop.sell(try shop.request([("A", "1")], paid: [try cash("2.50")]))
            let sale = try required(SaleID(required(sold["id"])))
            let line = ReturnRequest.Line(saleLineID: .make(), quantity: try Quantity("1"))
            let register = try required(RegisterID(TestShop.register))
            let payment = try required(PaymentID(required(sold.list("payments")[0]["id"])))
            let debt = PaymentRequest(tender: try cash("1.00"), customerID: shop.customerID)
            let entry = MoneyEntryRequest(category: "Rent", registerID: register, amount: try Money("1"), method: .card)
            var fields = PurchaseFields()
            (fields.supplierID, fields.locationID) = (.set(supplier), .set(try TestShop.main()))
            let wanted = PurchaseRequest(fields: fields)
            var context = shop.context
            context.caller.workplaces = .only([second])
            let limited = context
            let refusals: [Problem?] = [
                await refusal { try await shop.sales.cancel(sale, reason: "x", limited, key: nil) },
                await refusal { try await shop.sales.takeBack(sale, ReturnRequest(lines: [line]), limited, key: nil) },
                await refusal {
                    try await shop.sales.takeBack(UnsoldReturnRequest(lines: [], payments: []), limited, key: nil)
                },
                await refusal { try await shop.purchases.create(wanted, limited, key: nil) },
                await refusal {
                    try await shop.purchases.receive(purchase, ReceiptRequest(lines: []), limited, key: nil)
                },
                await refusal { try await shop.expenses.record(entry, limited, key: nil) },
                await refusal { try await shop.payments.register(debt, limited, key: nil) },
                await refusal { try await shop.payments.reverse(payment, reason: "x", limited, key: nil) },
                await refusal {
                    try await shop.cash.open(register, CashSessionOpening(float: .zero), limited, key: nil)
                },
            ]
            for (index, problem) in refusals.enumerated() { #expect(problem?.code == .forbidden, "\(index)") }
            // What is not there is not found, here as elsewhere.
            let missing = await refusal { try await shop.payments.reverse(.make(), reason: "x", limited, key: nil) }
            #expect(missing?.code == .notFound)
        }
    }

    @Test("have no file read that names places, and none that somebody else has sent")
    func files() async throws {
        try await LiveShop.open { live in
            func request(_ kind: String) throws -> ImportRequest {
                var reader = try JSONObjectReader(body: try JSONValue.parse(Array(#"{"kind":"\#(kind)"}"#.utf8)))
                let request = ImportRequest.read(&reader)
                try reader.finish()
                return request
            }
            var context = live.context
            context.caller.workplaces = .only([try TestShop.main()])
            let limited = context
            for kind in ["sales", "stock", "purchases", "payments", "expenses"] {
                let asked = try request(kind)
                let problem = await refusal { try await live.shop.imports.ask(asked, limited, key: nil) }
                #expect(problem?.code == .forbidden, "\(kind)")
            }
            let asked = try request("stock")
            let made = try JSONBody(try await live.shop.imports.ask(asked, live.context, key: nil))
            let id = try #require(ImportRequestID(made["id"] ?? ""))
            let file = SentFile(parts: 0, bytes: 0)
            #expect(await refusal { try await live.shop.imports.start(id, file, limited) }?.code == .forbidden)
            #expect(await refusal { try await live.shop.imports.resume(id, limited) }?.code == .forbidden)
            _ = try await live.shop.imports.ask(try request("products"), limited, key: nil)
        }
    }

    @Test("a place where a member works is not deleted, which would have them work everywhere")
    func deleted() async throws {
        try await LiveShop.open { live in
            var fields = LocationFields()
            fields.name = .set("Ñuñoa")
            fields.kind = .set(.warehouse)
            fields.active = .set(true)
            let locations = live.shop.records(Location.self)
            let made = try JSONBody(try await locations.create(fields, live.context))
            let place = try required(LocationID(try required(made["id"])))
            func work(at places: [LocationID]) async throws {
                var patch = MemberPatch()
                patch.locations = .set(places)
                _ = try await live.shop.identity.updateMember(live.owner.user, patch, expected: .any, live.context)
            }
            func close() async throws {
                var fields = LocationFields()
                fields.active = .set(false)
                _ = try await locations.change(place, fields, expected: .any, live.context)
            }
            try await work(at: [place])
            let refused = await refusal { try await locations.delete(place, expected: .any, live.context) }
            #expect(refused?.code == .inUse)
            #expect(refused?.errors.first?.extra.map { "\($0.name) \($0.json)" } == ["user_id \"\(live.owner.user)\""])
            try await close()
            #expect(await refusal { try await locations.delete(place, expected: .any, live.context) }?.code == .inUse)
            try await work(at: [])
            _ = try await locations.delete(place, expected: .any, live.context)
        }
    }

    @Test("an owner says where a member works; it counts at once, is noted, and names places that are there")
    func administered() async throws {
        try await LiveShop.open { live in
            let main = try TestShop.main()
            func place(_ locations: [LocationID]) async throws -> JSONBody {
                var patch = MemberPatch()
                patch.locations = .set(locations)
                return try JSONBody(
                    try await live.shop.identity.updateMember(live.owner.user, patch, expected: .any, live.context)
                )
            }
            func caller() async throws -> Caller {
                try await live.shop.identity.caller(
                    session: live.owner.session,
                    user: live.owner.user,
                    tenant: live.owner.tenant.id,
                    deadline: live.deadline
                )
            }
            #expect(try await caller().workplaces == .everywhere)
            #expect(try await place([main])["location_ids.0"] == main.description)
            #expect(try await caller().workplaces == .only([main]))
            let unknown = await refusal { try await place([main, .make()]) }
            #expect(unknown?.errors.map(\.pointer) == ["/location_ids/1"])
            let transit = try TestShop.transit()
            #expect(await refusal { try await place([transit]) }?.code == .validationFailed)
            var patch = MemberPatch()
            patch.active = .set(true)
            let kept = try await live.shop.identity.updateMember(live.owner.user, patch, expected: .any, live.context)
            #expect(try JSONBody(kept).count("location_ids") == 1)
            #expect(try await place([]).count("location_ids") == 0)
            #expect(try await caller().workplaces == .everywhere)
            let noted = try await live.database.psql(
                "SELECT count(*) FROM stock.audit_log WHERE action = 'member.locations_changed'"
            )
            #expect(noted == "2")
        }
    }
}
