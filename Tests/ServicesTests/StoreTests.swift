import Cache
import Kernel
import NIOCore
import Postgres
import TestSupport
import Testing

@testable import Services

@Suite("Idempotency and refusals", .serialized)
struct StoreTests {
    @Test("the same key answers the same bytes, sixteen times at once, with one effect")
    func storm() async throws {
        try await LiveShop.open { live in
            let draft = ProductFields(name: "Once", price: try Price("1"))
            let key = live.key("k")
            let answers = await withTaskGroup(of: Result<Answer, Problem>.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        do throws(Problem) {
                            return .success(try await live.shop.products.create(draft, live.context, key: key))
                        } catch {
                            return .failure(error)
                        }
                    }
                }
                var all: [Result<Answer, Problem>] = []
                for await answer in group { all.append(answer) }
                return all
            }
            var bodies = Set<ByteBuffer>()
            var fresh = 0
            for answer in answers {
                switch answer {
                case .success(let answer):
                    #expect(answer.status == 201)
                    #expect(answer.location != nil)
                    #expect(answer.etag == "\"1.0\"")
                    bodies.insert(answer.body)
                    fresh += answer.replayed ? 0 : 1
                case .failure(let problem):
                    #expect(problem.code == .idempotencyInProgress)
                }
            }
            #expect(bodies.count == 1)
            #expect(fresh == 1)
            #expect(try await live.database.psql("SELECT count(*) FROM stock.product") == "1")
        }
    }

    @Test("another body under the same key is refused, another route or tenant is another key")
    func reused() async throws {
        try await LiveShop.open { live in
            let draft = ProductFields(name: "One", price: try Price("1"))
            _ = try await live.shop.products.create(draft, live.context, key: live.key("k", hash: 1))
            let other = await problem {
                try await live.shop.products.create(draft, live.context, key: live.key("k", hash: 2))
            }
            #expect(other?.code == .idempotencyKeyReused)
            let elsewhere = try await live.shop.products.create(
                draft,
                live.context,
                key: live.key("k", route: "POST /v1/else", hash: 2)
            )
            #expect(!elsewhere.replayed)
        }
    }

    @Test("a remembered refusal is the answer to the same request, and to its twin")
    func refusals() async throws {
        try await LiveShop.open { live in
            let key = live.key("r")
            let refusal = Answer(status: 409, body: ByteBuffer(string: "{\"code\":\"insufficient_stock\"}"))
            let first = try await live.shop.store.remember(refusal, live.context, key: key)
            #expect(first.body == refusal.body)
            let twin = Answer(status: 409, body: ByteBuffer(string: "{\"code\":\"other\"}"))
            let second = try await live.shop.store.remember(twin, live.context, key: key)
            #expect(second.body == refusal.body)
            #expect(second.replayed)
            let other = await problem {
                try await live.shop.store.remember(twin, live.context, key: live.key("r", hash: 2))
            }
            #expect(other?.code == .idempotencyKeyReused)
            let replayed = try await live.shop.products.create(
                ProductFields(name: "Never", price: .zero),
                live.context,
                key: key
            )
            #expect(replayed.status == 409)
            #expect(replayed.body == refusal.body)
        }
    }

    @Test("a key held by somebody else is in progress")
    func inProgress() async throws {
        try await LiveShop.open { live in
            let statement = TakeKey(key: live.key("held"))
            try await live.postgres.withLease(deadline: live.deadline) { lease in
                try await lease.begin(tenant: live.owner.tenant.id.rawValue)
                var unit = UnitOfWork(tenant: live.owner.tenant.id.rawValue, access: .write)
                try unit.add(statement)
                _ = try await lease.perform(unit)
                let refused = await problem {
                    try await live.shop.products.create(
                        ProductFields(name: "Second", price: .zero),
                        live.context,
                        key: live.key("held")
                    )
                }
                #expect(refused?.code == .idempotencyInProgress)
                #expect(refused?.retryAfter == 1)
                let refusal = Answer(status: 409, body: ByteBuffer(string: "{\"code\":\"ñ\"}"))
                let unstored = try await live.shop.store.remember(refusal, live.context, key: live.key("held"))
                #expect(unstored.body == refusal.body, "what cannot be stored is answered all the same")
                #expect(!unstored.replayed)
                try await lease.rollback()
            }
        }
    }

    @Test("nobody sees or changes another tenant's rows by their ids")
    func tenancy() async throws {
        try await LiveShop.open { live in
            let made = try await live.shop.products.create(ProductFields(name: "Mine", price: .zero), live.context)
            let id = try required(ProductID(try required(try JSONBody(made)["id"])))
            let other = try await live.shop.identity.createTenant(
                SignupRequest(
                    tenantName: "Other",
                    slug: "other",
                    email: "bea@example.com",
                    password: LiveShop.password,
                    currency: try required(Currency(code: "USD")),
                    timezone: "UTC"
                ),
                from: .test,
                deadline: live.deadline
            )
            var context = live.context
            context.caller.tenant = other
            let foreign = context
            #expect(
                await problem { try await live.answer(live.shop.products.one(id, foreign.caller), foreign) }?.code
                    == .notFound
            )
            #expect(
                await problem { try await live.shop.products.delete(id, expected: .any, foreign) }?.code == .notFound
            )
            #expect(
                try JSONBody(
                    try await live.answer(live.shop.products.list(ProductFilter(), Page(), foreign.caller), foreign)
                )
                .count("data") == 0
            )
            #expect(try await live.answer(live.shop.products.one(id, live.caller)).body == made.body)
        }
    }
}

@Suite("Cursors and entity tags")
struct CursorTests {
    private let cursors = PageCursors(secret: Array(repeating: 1, count: 32))
    private let tenant = TenantID(rawValue: 1)

    @Test("a place reads back, for its tenant, query and secret only")
    func roundTrip() throws {
        let text = cursors.encode(["ñ", "\u{1F600}\"\\"], tenant: tenant, query: "q")
        #expect(try cursors.decode(text, count: 2, tenant: tenant, query: "q") == ["ñ", "\u{1F600}\"\\"])
        #expect(try cursors.decode(nil, count: 2, tenant: tenant, query: "q") == nil)
        #expect(throws: Problem.self) { try cursors.decode(text, count: 2, tenant: tenant, query: "p") }
        #expect(throws: Problem.self) { try cursors.decode(text, count: 1, tenant: tenant, query: "q") }
        #expect(throws: Problem.self) {
            try cursors.decode(text, count: 2, tenant: TenantID(rawValue: 12), query: "q")
        }
        let others = PageCursors(secret: Array(repeating: 2, count: 32))
        #expect(throws: Problem.self) { try others.decode(text, count: 2, tenant: tenant, query: "q") }
        for bad in ["", "A", "!!!!", String(text.dropLast()), String(repeating: "A", count: 10_000)] {
            #expect(throws: Problem.self) { try cursors.decode(bad, count: 2, tenant: tenant, query: "q") }
        }
    }

    @Test("If-Match compares the row version alone")
    func ifMatch() throws {
        #expect(try ExpectedVersion(ifMatch: "\"3\"") == .oneOf([3]))
        #expect(try ExpectedVersion(ifMatch: "\"3.17\"") == .oneOf([3]))
        #expect(try ExpectedVersion(ifMatch: " * ") == .any)
        #expect(try ExpectedVersion(ifMatch: "\"3.17\", \"4\"") == .oneOf([3, 4]))
        #expect(try ExpectedVersion(ifMatch: "W/\"3\"") == .oneOf([]))
        #expect(try ExpectedVersion(ifMatch: "\"abc\"") == .oneOf([]))
        #expect(throws: Problem.self) { try ExpectedVersion(ifMatch: "3") }
        #expect(throws: Problem.self) { try ExpectedVersion(ifMatch: "") }
    }
}
