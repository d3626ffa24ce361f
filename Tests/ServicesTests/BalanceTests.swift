import Cache
import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

@Suite("Balance, settings and customers", .serialized)
struct BalanceTests {
    /// Ledger rows as an operator would write them: (day, direction, method, amount).
    private func post(_ rows: [(String, String, String, String)], _ live: LiveShop) async throws {
        let tenant = live.owner.tenant.id
        let values = rows.map { day, direction, method, amount in
            "(\(tenant), gen_random_uuid(), '\(direction)', \(amount), '\(method)', 'sale', 'payment', gen_random_uuid(), "
                + "'\(day) 12:00Z', '\(day)')"
        }
        try await live.database.psql(
            """
            INSERT INTO stock.ledger_entry (tenant_id, id, direction, amount, method, category, source_type, source_id,
                                            occurred_at, business_day)
            VALUES \(values.joined(separator: ", "))
            """
        )
    }

    private func day(_ text: String) throws -> BusinessDay { try required(BusinessDay(text)) }

    private func series(
        _ view: BalanceView,
        _ from: String,
        _ to: String,
        method: BalanceMethod = .all,
        _ live: LiveShop
    ) async throws -> JSONBody {
        try JSONBody(
            try await live.answer(
                live.shop.balance.series(
                    SeriesQuery(view: view, days: try DayRange(from: day(from), to: day(to)), method: method),
                    live.caller
                )
            )
        )
    }

    @Test("every period is present, cut ones count only the days inside")
    func periods() async throws {
        try await LiveShop.open { live in
            try await post(
                [
                    ("2020-12-27", "income", "cash", "5.00"), ("2020-12-28", "income", "cash", "10.00"),
                    ("2021-01-03", "income", "card", "20.50"), ("2021-01-03", "expense", "cash", "0.50"),
                    ("2021-01-04", "income", "transfer", "40"), ("2021-02-28", "income", "cash", "-1.25"),
                ],
                live
            )
            let weeks = try await series(.weekly, "2020-12-28", "2021-01-10", live)
            #expect(weeks.texts("data", "period") == ["2020-W53", "2021-W01"])
            #expect(weeks.texts("data", "net") == ["30.00", "40.00"])
            let days = try await series(.daily, "2021-01-02", "2021-01-04", live)
            #expect(days.texts("data", "period") == ["2021-01-02", "2021-01-03", "2021-01-04"])
            #expect(days.texts("data", "income") == ["0.00", "20.50", "40.00"])
            #expect(days.texts("data", "expense") == ["0.00", "0.50", "0.00"])
            let months = try await series(.monthly, "2020-12-28", "2021-03-01", method: .one(.cash), live)
            #expect(months.texts("data", "period") == ["2020-12", "2021-01", "2021-02", "2021-03"])
            #expect(months.texts("data", "net") == ["10.00", "-0.50", "-1.25", "0.00"])
            let years = try await series(.yearly, "2020-01-01", "2021-12-31", live)
            #expect(years.texts("data", "net") == ["15.00", "58.75"])
            #expect(years["timezone"] == "America/Montevideo")
            #expect(years["currency"] == "EUR")
            #expect(years["from"] == "2020-01-01")
            #expect(years["method"] == "all")
        }
    }

    @Test("PostgreSQL names the same periods as the domain, over years", arguments: BalanceView.allCases)
    func names(view: BalanceView) async throws {
        try await LiveShop.open { live in
            let body = try await series(view, "2019-12-29", "2026-01-05", live)
            let range = try BalanceRange(from: day("2019-12-29"), to: day("2026-01-05"), view: view)
            #expect(body.texts("data", "period") == range.periods(view).map { Optional($0) })
        }
    }

    @Test("days, weeks, months and years agree, methods sum to all, the summary says the same")
    func agreement() async throws {
        try await LiveShop.open(currency: "KWD") { live in
            var generator = SystemRandomNumberGenerator()
            let start = try day("2025-01-01")
            let rows = (0..<400).map { _ in
                (
                    start.adding(days: Int.random(in: 0...364, using: &generator))?.description ?? "2025-01-01",
                    Bool.random() ? "income" : "expense", ["cash", "card", "transfer"].randomElement() ?? "cash",
                    "\(Int.random(in: 1...99_999)).\(Int.random(in: 100...999))"
                )
            }
            try await post(rows, live)
            func net(_ view: BalanceView, _ method: BalanceMethod = .all) async throws -> Int64 {
                try await series(view, "2025-01-01", "2025-12-31", method: method, live).texts("data", "net")
                    .reduce(into: 0) { $0 += try Money(try required($1)).rawValue }
            }
            let days = try await net(.daily)
            #expect(try await net(.weekly) == days)
            #expect(try await net(.monthly) == days)
            #expect(try await net(.yearly) == days)
            let methods =
                try await net(.monthly, .one(.cash)) + net(.monthly, .one(.card)) + net(.monthly, .one(.transfer))
            #expect(methods == days)
            let summary = try JSONBody(
                try await live.answer(
                    live.shop.balance.summary(
                        DayRange(from: day("2025-01-01"), to: day("2025-12-31")),
                        live.caller
                    )
                )
            )
            #expect(try Money(try required(summary["net"])).rawValue == days)
            #expect(summary.texts("methods", "method") == ["cash", "card", "transfer"])
        }
    }

    @Test("without days the series ends today, in the tenant's zone")
    func defaults() async throws {
        try await LiveShop.open { live in
            let today = try await live.database.psql("SELECT (now() AT TIME ZONE 'America/Montevideo')::date")
            let body = try JSONBody(
                try await live.answer(live.shop.balance.series(SeriesQuery(view: .monthly), live.caller))
            )
            #expect(body["to"] == today)
            #expect(body.count("data") == 12)
            #expect(
                try JSONBody(try await live.answer(live.shop.balance.series(SeriesQuery(view: .daily), live.caller)))
                    .count("data")
                    == 30
            )
            #expect(
                try JSONBody(try await live.answer(live.shop.balance.series(SeriesQuery(view: .weekly), live.caller)))
                    .count("data")
                    == 12
            )
            #expect(
                try JSONBody(try await live.answer(live.shop.balance.series(SeriesQuery(view: .yearly), live.caller)))
                    .count("data")
                    == 5
            )
            try await post([(today, "income", "card", "7")], live)
            try await eventually("the change is seen") {
                try JSONBody(try await live.answer(live.shop.balance.dashboard(live.caller)))["net"] == "7.00"
            }
            let dashboard = try JSONBody(try await live.answer(live.shop.balance.dashboard(live.caller)))
            #expect(dashboard["date"] == today)
            #expect(dashboard["sales_count"] == "0")
        }
    }

    @Test("a day that ends while its answers are cached ends for them, too")
    func rollover() async throws {
        try await LiveShop.open { live in
            try await usable(live)
            // A zone in which it is ten seconds to midnight.
            try await live.database.psql(
                """
                UPDATE stock.tenant SET timezone = (
                    SELECT format('<late>-%s', make_interval(secs => mod(2 * 86400 - 10 - s::integer, 86400)))
                    FROM extract(epoch FROM (now() AT TIME ZONE 'UTC')::time) AS s)
                """
            )
            let day = "SELECT (now() AT TIME ZONE timezone)::date FROM stock.tenant"
            let first = try await live.database.psql(day)
            var hits = 0
            try await eventually(within: .seconds(60), "the next day begins") {
                let least = try await live.database.psql(day)
                let answer = try await live.answer(live.shop.balance.dashboard(live.caller))
                let date = try #require(try JSONBody(answer)["date"])
                #expect(date >= least, "it was \(least) already")
                if date == first, answer.status == .l1Hit { hits += 1 }
                return date > first
            }
            #expect(hits > 0)
        }
    }

    @Test("29 February is a day, days on which nothing happened are nothing, and a range of none of them is refused")
    func calendar() async throws {
        try await LiveShop.open { live in
            try await post([("2024-02-29", "income", "cash", "29.02")], live)
            let days = try await series(.daily, "2024-02-28", "2024-03-01", live)
            #expect(days.texts("data", "period") == ["2024-02-28", "2024-02-29", "2024-03-01"])
            #expect(days.texts("data", "net") == ["0.00", "29.02", "0.00"])
            let month = try await series(.monthly, "2024-02-01", "2024-02-29", live)
            #expect(month.texts("data", "net") == ["29.02"])
            let before = try await series(.weekly, "2023-02-01", "2023-02-28", live)
            #expect(Set(before.texts("data", "net")) == ["0.00"])
            #expect(BusinessDay("2023-02-29") == nil)
            #expect(throws: Problem.self) { try DayRange(from: self.day("2024-03-01"), to: self.day("2024-02-29")) }
        }
    }

    @Test("a series in memory is answered as a hit, and misses once the ledger moves")
    func cached() async throws {
        try await LiveShop.open { live in
            let query = SeriesQuery(
                view: .daily,
                days: try DayRange(from: day("2026-01-01"), to: day("2026-01-31"))
            )
            try await usable(live)
            try await eventually("the change is seen") {
                try await live.answer(live.shop.balance.series(query, live.caller)).status == .l1Hit
            }
            try await post([("2026-01-05", "income", "cash", "3")], live)
            try await eventually("the change is seen") {
                try JSONBody(try await live.answer(live.shop.balance.series(query, live.caller)))["data.4.net"]
                    == "3.00"
            }
        }
    }

    @Test("settings change under their version; what a document fixed stays")
    func settings() async throws {
        try await LiveShop.open { live in
            let tenants = live.shop.tenants
            var patch = TenantPatch()
            patch.currency = .set(try required(Currency(code: "JPY")))
            patch.timezone = .set("Asia/Tokyo")
            patch.oversell = .set(.allow)
            let changed = try await tenants.update(patch, expected: .oneOf([1]), live.context)
            #expect(changed.etag == "\"2\"")
            let settings = try #require(
                await live.shop.store.value(tenants.settings(of: live.owner.tenant.id), deadline: live.deadline)
            )
            #expect(settings.exponent == 0)
            #expect(settings.timezone == "Asia/Tokyo")
            #expect(settings.oversell == .allow)
            #expect(
                settings.today.description
                    == (try await live.database.psql("SELECT (now() AT TIME ZONE 'Asia/Tokyo')::date"))
            )
            #expect(
                await problem { try await tenants.update(patch, expected: .oneOf([1]), live.context) }?.code
                    == .versionMismatch
            )
            var zone = TenantPatch()
            zone.timezone = .set("Nowhere")
            let unknown = zone
            #expect(
                await problem { try await tenants.update(unknown, expected: .any, live.context) }?.errors.map(\.pointer)
                    == ["/timezone"]
            )
            var closed = TenantPatch()
            closed.closedUntil = .set(settings.today)
            let early = closed
            #expect(
                await problem { try await tenants.update(early, expected: .any, live.context) }?.errors.map(\.pointer)
                    == ["/closed_until"]
            )
            try await post([("2026-01-05", "income", "cash", "3")], live)
            patch = TenantPatch()
            patch.currency = .set(try required(Currency(code: "EUR")))
            let fixed = patch
            #expect(
                await problem { try await tenants.update(fixed, expected: .any, live.context) }?.code == .invalidState
            )
        }
    }

    @Test("a customer is created, found, patched and deleted; limits have the currency's decimals")
    func customers() async throws {
        try await LiveShop.open { live in
            let created = try await live.shop.customers.create(
                CustomerFields(
                    name: "Bea",
                    phone: "099 123",
                    email: "bea@example.com",
                    creditLimit: try Money("100.5")
                ),
                live.context
            )
            #expect(created.etag == "\"1.0\"")
            let body = try JSONBody(created)
            #expect(body["credit_limit"] == "100.50")
            #expect(body["balance"] == "0.00")
            let id = try required(CustomerID(try required(body["id"])))
            #expect(try await live.answer(live.shop.customers.one(id, live.caller)).body == created.body)
            var patch = CustomerFields()
            patch.creditLimit = .set(nil)
            patch.name = .set("Béa")
            let patched = try JSONBody(
                try await live.shop.customers.change(id, patch, expected: .oneOf([1]), live.context)
            )
            #expect(patched["credit_limit"] == nil)
            let found = try JSONBody(
                try await live.answer(
                    live.shop.customers.list(CustomerFilter(q: SearchText("BÉA")), Page(), live.caller)
                )
            )
            #expect(found.texts("data", "name") == ["Béa"])
            #expect(
                try JSONBody(
                    try await live.answer(
                        live.shop.customers.list(CustomerFilter(hasBalance: true), Page(), live.caller)
                    )
                )
                .count("data") == 0
            )
            patch.creditLimit = .set(try Money("1.005"))
            let precise = patch
            #expect(
                await problem { try await live.shop.customers.change(id, precise, expected: .any, live.context) }?
                    .errors
                    .map(\.pointer) == ["/credit_limit"]
            )
            #expect(try await live.shop.customers.delete(id, expected: .oneOf([2]), live.context).status == 204)
            #expect(
                await problem { try await live.answer(live.shop.customers.one(id, live.caller)) }?.code == .notFound
            )
        }
    }
}
