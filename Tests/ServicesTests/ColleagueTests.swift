import Cache
import Kernel
import NIOCore
import TestSupport
import Testing

@testable import Services

@Suite("Colleagues")
struct ColleagueTests {
    private func names(_ live: LiveShop, _ caller: Caller) async throws -> String {
        String(buffer: try #require(try await live.answer(live.shop.identity.colleagues(caller)).body))
    }

    @Test("are known by name to everybody, those who left among them, and to no other tenant")
    func colleagues() async throws {
        try await LiveShop.open { live in
            let (left, here) = (UserID.make(), UserID.make())
            let tenant = live.caller.tenant
            for (id, name) in [(left, "Éva"), (here, "ana")] {
                try await live.database.psql(
                    """
                    INSERT INTO stock.app_user (id, email, password_hash, name) VALUES ('\(id)', '\(id)@x.org', 'x', '\(name)');
                    INSERT INTO stock.membership (tenant_id, user_id, role) VALUES (\(tenant.rawValue), '\(id)', 'cashier')
                    """
                )
            }
            try await eventually("they are told") {
                try await names(live, live.caller).contains(#"{"id":"\#(left)","name":"Éva"}"#)
            }
            try await live.database.psql(
                """
                UPDATE stock.membership SET active = false WHERE user_id = '\(left)';
                UPDATE stock.app_user SET name = 'Ángel' WHERE id = '\(here)'
                """
            )
            try await eventually("the change is told, and who left is not forgotten") {
                let text = try await names(live, live.caller)
                return text.contains("Éva") && text.contains("Ángel")
            }
            var other = live.caller
            other.tenant = TenantID(rawValue: tenant.rawValue + 1000)
            #expect(try await names(live, other) == #"{"data":[],"next_cursor":null}"#)
        }
    }
}
