import Domain
import Kernel
import Testing

@Suite("Periods of a balance series")
struct BalancePeriodsTests {
    private func range(_ from: String, _ to: String, _ view: BalanceView) throws -> BalanceRange {
        try BalanceRange(
            from: #require(BusinessDay(from)),
            to: #require(BusinessDay(to)),
            view: view
        )
    }

    @Test("a sum over a range is one period, however long the range is")
    func sum() throws {
        let from = try #require(BusinessDay("0001-01-01"))
        let to = try #require(BusinessDay("9999-12-31"))
        #expect(try BalanceRange(from: from, to: to).from == from)
        #expect(throws: Problem.self) { try BalanceRange(from: to, to: from) }
        #expect(throws: Problem.self) { try BalanceRange(from: from, to: to, view: .yearly) }
    }

    @Test("weeks are ISO's, also week 53")
    func weeks() throws {
        let periods = try range("2020-12-27", "2021-01-05", .weekly).periods(.weekly)
        #expect(periods == ["2020-W52", "2020-W53", "2021-W01"])
    }

    @Test("months and years are cut by the range, days are all there")
    func others() throws {
        #expect(try range("2026-01-31", "2026-03-01", .monthly).periods(.monthly) == ["2026-01", "2026-02", "2026-03"])
        #expect(try range("2024-12-31", "2026-01-01", .yearly).periods(.yearly) == ["2024", "2025", "2026"])
        #expect(try range("2024-02-28", "2024-03-01", .daily).periods(.daily).count == 3)
        #expect(try range("2026-01-01", "2026-01-01", .weekly).periods(.weekly) == ["2026-W01"])
    }

    @Test("every day of a range falls into one of its periods, in order", arguments: BalanceView.allCases)
    func cover(view: BalanceView) throws {
        let range = try range("2019-11-13", "2022-02-02", view)
        var names: [String] = []
        var day: BusinessDay? = range.from
        while let current = day, current <= range.to {
            let name = view.period(of: current)
            if names.last != name { names.append(name) }
            day = current.adding(days: 1)
        }
        #expect(names == range.periods(view))
    }

    @Test("a reversed range and one of too many periods are refused")
    func refused() throws {
        #expect(throws: Problem.self) { try range("2026-01-02", "2026-01-01", .daily) }
        #expect(throws: Problem.self) { try range("2000-01-01", "2026-01-01", .daily) }
        #expect(throws: Never.self) { try range("2000-01-01", "2026-01-01", .weekly) }
        #expect(throws: Never.self) { try range("0001-01-01", "3000-12-31", .yearly) }
    }
}

@Suite("Rights and passwords")
struct RightsTests {
    @Test("an owner may do all, a viewer only read, nobody but an owner administers")
    func roles() {
        #expect(Role.owner.scopes == Set(Scope.allCases))
        #expect(Role.viewer.scopes.allSatisfy { $0.rawValue.hasSuffix(":read") })
        #expect(Role.allCases.filter { $0.scopes.contains(.admin) } == [.owner])
        #expect(!Role.cashier.scopes.contains(.catalogWrite))
        #expect(Role.allCases.filter { $0.mayGrant(.viewer) } == [.owner])
    }

    @Test(
        "weak passwords are refused",
        arguments: ["short", "password", "PASSWORD123", "12345678", "aaaaaaaa", "abababab", "ana@example.com"]
    )
    func weak(password: String) {
        #expect(PasswordRules.fault(of: password, email: "ana@example.com") != nil)
    }

    @Test("long and unusual ones are accepted, up to 128 characters")
    func strong() {
        #expect(PasswordRules.fault(of: "correct horse battery staple", email: "a@b") == nil)
        #expect(PasswordRules.fault(of: String(repeating: "añb1", count: 32), email: "a@b") == nil)
        #expect(PasswordRules.fault(of: String(repeating: "añb1", count: 33), email: "a@b")?.code == .tooLong)
    }

    @Test("a loss takes away however it is signed, an opening only adds")
    func movements() throws {
        #expect(EnteredMovement.loss.signed(try Quantity("2")) == (try Quantity("-2")))
        #expect(EnteredMovement.loss.signed(try Quantity("-2")) == (try Quantity("-2")))
        #expect(EnteredMovement.opening.signed(try Quantity("-2")) == nil)
        #expect(EnteredMovement.adjustment.signed(try Quantity("-2")) == (try Quantity("-2")))
        #expect(EnteredMovement.adjustment.signed(.zero) == nil)
    }
}
