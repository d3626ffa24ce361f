import Domain
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("An approval")
struct ApprovalTests {
    /// Somebody of a role.
    private func somebody(_ role: Role, in shop: TestShop) -> CallContext {
        var context = shop.context
        context.caller.role = role
        context.caller.user = UserID(TestShop.owner)
        return context
    }

    private func give(_ request: ApprovalRequest, by context: CallContext, in shop: TestShop) async throws -> String {
        let body = try JSONObjectBody(try await shop.sales.approve(request, context).body)
        guard let text = body["approval"] else { throw ShopFault(text: body.text) }
        return text
    }

    @Test("lets a cashier sell further below the list price, once, and the sale tells who approved")
    func discount() async throws {
        try await TestShop.open { (shop) async throws in
            let cashier = somebody(.cashier, in: shop)
            var request = try shop.request([("A", "4")], paid: [try cash("9.00")])
            request.discount = try Money("1.00")
            let cheap = request
            let refused = await refusal { try await shop.sales.confirm(cheap, cashier, key: nil) }
            #expect(refused?.code == .discountLimit)
            let approved = ApprovalRequest(discountLimit: try Percent("5"), note: "Größe S, Kratzer")
            request.approval = try await give(approved, by: somebody(.manager, in: shop), in: shop)
            let little = request
            let still = await refusal { try await shop.sales.confirm(little, cashier, key: nil) }
            #expect(still?.code == .discountLimit)
            #expect(try await shop.psql("SELECT count(*) FROM stock.approval WHERE used_at IS NULL") == "1")
            let more = ApprovalRequest(discountLimit: try Percent("10"), note: "Größe S, Kratzer")
            request.approval = try await give(more, by: somebody(.manager, in: shop), in: shop)
            let enough = request
            let sale = try JSONObjectBody(try await shop.sales.confirm(enough, cashier, key: shop.key("k")).body)
            #expect(sale["total"] == "9.00")
            #expect(sale.text.contains(#""approval":{"user_id" : "\#(TestShop.owner)", "discount_limit" : "10""#))
            #expect(sale.text.contains("Größe S, Kratzer"))
            let twice = await refusal { try await shop.sales.confirm(enough, cashier, key: nil) }
            #expect(twice?.code == .validationFailed)
            #expect(twice?.errors.map(\.pointer) == ["/approval"])
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is used by one of several tills that hold it, and not by a sale that is refused")
    func once() async throws {
        try await TestShop.open(onHand: 2) { (shop) async throws in
            let cashier = somebody(.cashier, in: shop)
            var request = try shop.request([("A", "3")], paid: [try cash("6.00")])
            request.lines[0].unitPrice = try Price("2.00")
            let approved = ApprovalRequest(discountLimit: try Percent("20"))
            request.approval = try await give(approved, by: somebody(.owner, in: shop), in: shop)
            let short = request
            let refused = await refusal { try await shop.sales.confirm(short, cashier, key: nil) }
            #expect(refused?.code == .insufficientStock)
            request.lines[0].quantity = try Quantity("1")
            request.payments = [try cash("2.00")]
            let one = request
            let codes = await withTaskGroup(of: Problem.Code?.self) { group in
                for _ in 0..<4 {
                    group.addTask { await refusal { try await shop.sales.confirm(one, cashier, key: nil) }?.code }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes.count { $0 == nil } == 1)
            #expect(codes.count { $0 == .validationFailed } == 3)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("lets a customer owe more than their limit, as far as was approved of")
    func credit() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.asTenant("UPDATE stock.customer SET credit_limit = 10, version = version + 1")
            try await shop.asTenant("UPDATE stock.tenant SET manager_credit_limit = 25, version = version + 1")
            let manager = somebody(.manager, in: shop)
            let much = ApprovalRequest(creditLimit: try Percent("26"))
            let refused = await refusal { try await shop.sales.approve(much, manager) }
            #expect(refused?.code == .forbidden)
            #expect(refused?.errors.map(\.pointer) == ["/credit_limit"])
            let approved = ApprovalRequest(creditLimit: try Percent("25"))
            let draft = try await shop.put(try shop.request([("A", "5")], paid: [], customer: true))
            var confirmation = SaleConfirmation()
            confirmation.approval = try await give(approved, by: manager, in: shop)
            let sale = try await shop.confirm(draft, confirmation)
            #expect(sale["due"] == "12.50")
            #expect(sale.text.contains(#""credit_limit" : "25""#))
            var request = try shop.request([("S", "1")], paid: [], customer: true)
            request.approval = try await give(approved, by: manager, in: shop)
            let beyond = request
            let over = await refusal { try await shop.sales.confirm(beyond, shop.context, key: nil) }
            #expect(over?.code == .creditLimitExceeded)
            #expect(try await shop.violations() == [])
        }
    }

    /// What comes back of which no sale is known, for so much.
    private func unsold(_ amount: String) throws -> UnsoldReturnRequest {
        UnsoldReturnRequest(
            lines: [.init(product: .sku("A"), quantity: try Quantity("1"), unitPrice: try Price(amount))],
            payments: try Money(amount).isZero ? [] : [Refund(method: .card, amount: try Money(amount))]
        )
    }

    @Test("lets somebody give back more without a sale than their role may, once, and the return tells who approved")
    func returns() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.asTenant(
                "UPDATE stock.tenant SET returns_without_sale = 'allow', manager_return_limit = 50, version = version + 1"
            )
            let (cashier, manager) = (somebody(.cashier, in: shop), somebody(.manager, in: shop))
            // Who may give nothing back takes nothing either, at whatever price.
            for amount in ["0", "5.00"] {
                let request = try unsold(amount)
                let refused = await refusal { try await shop.sales.takeBack(request, cashier, key: nil) }
                #expect(refused?.code == .returnLimit, "\(amount)")
                #expect(refused?.errors.map(\.pointer) == ["/lines"])
            }
            #expect(try await shop.onHand("A") == "1000")
            try await shop.asTenant("UPDATE stock.tenant SET cashier_return_limit = 5, version = version + 1")
            let little = try unsold("5.00")
            let own = try JSONObjectBody(try await shop.sales.takeBack(little, cashier, key: nil).body)
            #expect(own.text.contains(#""approval":null"#))

            var request = try unsold("5.01")
            let much = request
            let refused = await refusal { try await shop.sales.takeBack(much, cashier, key: nil) }
            #expect(refused?.code == .returnLimit)
            #expect(refused?.errors.first?.extra.map(\.json) == ["\"5.01\"", "\"5.00\""])
            let beyond = await refusal {
                try await shop.sales.approve(ApprovalRequest(returnLimit: try Money("50.01")), manager)
            }
            #expect(beyond?.code == .forbidden)
            #expect(beyond?.errors.map(\.pointer) == ["/return_limit"])
            let fine = await refusal {
                try await shop.sales.approve(ApprovalRequest(returnLimit: try Money("1.005")), manager)
            }
            #expect(fine?.errors.map(\.pointer) == ["/return_limit"])
            // One of something else is no leave, and is not used up.
            let discount = try await give(ApprovalRequest(discountLimit: try Percent("50")), by: manager, in: shop)
            request.approval = discount
            let other = request
            let still = await refusal { try await shop.sales.takeBack(other, cashier, key: nil) }
            #expect(still?.code == .returnLimit)
            let approved = ApprovalRequest(returnLimit: try Money("50"), note: "Без чека")
            request.approval = try await give(approved, by: manager, in: shop)
            let enough = request
            let back = try JSONObjectBody(try await shop.sales.takeBack(enough, cashier, key: nil).body)
            #expect(back["total"] == "5.01")
            #expect(back.text.contains(#""return_limit" : "50.00", "note" : "Без чека""#))
            let twice = await refusal { try await shop.sales.takeBack(enough, cashier, key: nil) }
            #expect(twice?.errors.map(\.pointer) == ["/approval"])
            #expect(try await shop.psql("SELECT count(*) FROM stock.approval WHERE used_at IS NULL") == "1")

            let most = try unsold("50.00")
            _ = try await shop.sales.takeBack(most, manager, key: nil)
            let over = try unsold("50.01")
            #expect(await refusal { try await shop.sales.takeBack(over, manager, key: nil) }?.code == .returnLimit)
            _ = try await shop.sales.takeBack(over, somebody(.owner, in: shop), key: nil)
            var program = shop.context
            program.caller = Caller(tenant: program.tenant, scopes: [.salesWrite], name: "key")
            let key = program
            #expect(await refusal { try await shop.sales.takeBack(little, key, key: nil) }?.code == .returnLimit)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("lets a quote go below the list price, and holds for it while it is changed and when it is sold")
    func quotes() async throws {
        try await TestShop.open { (shop) async throws in
            let cashier = somebody(.cashier, in: shop)
            var request = try shop.quoteRequest([("A", "4")], discount: "1.00")
            let cheap = request
            let refused = await refusal { try await shop.quotes.create(cheap, cashier, key: nil) }
            #expect(refused?.code == .discountLimit)
            let tenth = ApprovalRequest(discountLimit: try Percent("10"), note: "Stammkundin")
            request.cart.approval = try await give(tenth, by: somebody(.manager, in: shop), in: shop)
            let approved = request
            let quote = try JSONObjectBody(try await shop.quotes.create(approved, cashier, key: nil).body)
            #expect(quote["total"] == "9.00" && quote.text.contains("Stammkundin"))
            let twice = await refusal { try await shop.quotes.create(approved, cashier, key: nil) }
            #expect(twice?.errors.map(\.pointer) == ["/approval"])

            let id = try shop.quoteID(quote)
            var patch = QuotePatch()
            patch.cart.note = .set("Bis Freitag")
            let noted = patch
            let changed = try JSONObjectBody(
                try await shop.quotes.change(id, noted, expected: .any, cashier).body
            )
            #expect(changed["total"] == "9.00" && changed.text.contains("Stammkundin"))
            patch.cart.discount = .set(try Money("2.00"))
            let more = patch
            let beyond = await refusal { try await shop.quotes.change(id, more, expected: .any, cashier) }
            #expect(beyond?.code == .discountLimit)
            let fifth = ApprovalRequest(discountLimit: try Percent("20"), note: "Zwanzig")
            patch.approval = try await give(fifth, by: somebody(.manager, in: shop), in: shop)
            let raised = patch
            let cheaper = try JSONObjectBody(
                try await shop.quotes.change(id, raised, expected: .any, cashier).body
            )
            #expect(cheaper["total"] == "8.00" && cheaper.text.contains("Zwanzig"))
            _ = try await shop.quotes.send(id, cashier, key: nil)
            let paid = SaleConfirmation(payments: [try cash("8.00")])
            let sale = try JSONObjectBody(try await shop.quotes.convert(id, paid, cashier, key: nil).body)
            #expect(sale["total"] == "8.00" && sale.text.contains(#""approval":null"#))
            #expect(try await shop.violations() == [])
        }
    }

    @Test("is of somebody who may, of something, and good for five minutes")
    func refused() async throws {
        try await TestShop.open { (shop) async throws in
            try await shop.asTenant("UPDATE stock.tenant SET manager_discount_limit = 10, version = version + 1")
            let more = ApprovalRequest(discountLimit: try Percent("11"))
            let manager = somebody(.manager, in: shop)
            let refused = await refusal { try await shop.sales.approve(more, manager) }
            #expect(refused?.code == .forbidden)
            let nothing = await refusal { try await shop.sales.approve(ApprovalRequest(), manager) }
            #expect(nothing?.code == .validationFailed)
            let program = await refusal { try await shop.sales.approve(more, shop.context) }
            #expect(program?.code == .forbidden)
            var request = try shop.request([("A", "1")], paid: [try cash("2.50")])
            for text in ["", "apv_1_x_y", "stk_1_00_00"] {
                request.approval = text
                let none = request
                let problem = await refusal { try await shop.sales.confirm(none, shop.context, key: nil) }
                #expect(problem?.errors.map(\.pointer) == ["/approval"], "\(text)")
            }
            request.approval = try await give(more, by: somebody(.owner, in: shop), in: shop)
            try await shop.asTenant("UPDATE stock.approval SET expires_at = now()")
            let late = request
            let expired = await refusal { try await shop.sales.confirm(late, shop.context, key: nil) }
            #expect(expired?.errors.map(\.pointer) == ["/approval"])
            #expect(try await shop.psql("SELECT bool_and(length(secret_hash) = 32) FROM stock.approval") == "t")
            #expect(try await shop.violations() == [])
        }
    }
}
