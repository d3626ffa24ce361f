import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

@Suite("Time zones of places")
struct PlaceZonesTests {
    /// A shop in Berlin, with a place in Havana and a till there.
    private func open(
        _ name: String = #function,
        _ body: (TestShop, _ place: LocationID, _ till: RegisterID) async throws -> Void
    ) async throws {
        try await TestShop.open(name, timezone: "Europe/Berlin", currency: "EUR", onHand: 10) { (shop) async throws in
            let place = try await shop.openLocation("La Habana ñ")
            try await shop.asTenant("UPDATE stock.location SET timezone = 'America/Havana' WHERE id = '\(place)'")
            try await body(shop, place, try await shop.openRegister(at: place))
        }
    }

    /// Sells a service for cash.
    private func sell(_ shop: TestShop, at moment: String, till: RegisterID? = nil) async throws -> JSONObjectBody {
        var request = try shop.request([("S", "1")], paid: [try cash("10.00")])
        request.registerID = till
        request.occurredAt = Timestamp(moment)
        return try await shop.sell(request)
    }

    @Test("23:59:59.999 and 00:00, both DST days, and a midnight that does not exist are of the day that it is there")
    func days() async throws {
        try await open { shop, _, till in
            for (moment, there, here) in [
                // That night clocks go from midnight to 01:00.
                ("2026-03-08T04:59:59.999Z", "2026-03-07", "2026-03-08"),
                ("2026-03-08T05:00:00Z", "2026-03-08", "2026-03-08"),
                // That night they go from 01:00 back to midnight, which comes twice.
                ("2026-11-01T03:59:59.999Z", "2026-10-31", "2026-11-01"),
                ("2026-11-01T04:00:00Z", "2026-11-01", "2026-11-01"),
                ("2026-11-01T05:30:00Z", "2026-11-01", "2026-11-01"),
                // Berlin's own: from 02:00 to 03:00, and from 03:00 back to 02:00.
                ("2026-03-28T23:00:00Z", "2026-03-28", "2026-03-29"),
                ("2026-10-24T22:00:00Z", "2026-10-24", "2026-10-25"),
            ] {
                #expect(try await sell(shop, at: moment, till: till)["business_day"] == there, "\(moment)")
                #expect(try await sell(shop, at: moment)["business_day"] == here, "\(moment)")
            }
            let written = try await shop.psql(
                """
                SELECT count(*) FROM stock.sale s
                JOIN stock.payment p ON p.sale_id = s.id
                JOIN stock.ledger_entry l ON l.source_id = p.id
                WHERE s.register_id = '\(till)' AND (p.business_day, l.business_day) = (s.business_day, s.business_day)
                """
            )
            #expect(written == "7")
            #expect(try await shop.violations() == [])
        }
    }

    @Test("the books of a place are closed up to its own day")
    func closed() async throws {
        try await open { shop, _, till in
            try await shop.asTenant("UPDATE stock.tenant SET closed_until = '2026-03-07'")
            let moment = "2026-03-08T04:59:59.999Z"
            let refused = await refusal { try await sell(shop, at: moment, till: till) }
            #expect(refused?.code == .periodClosed)
            #expect(try await sell(shop, at: moment)["business_day"] == "2026-03-08")
        }
    }

    @Test("goods are of their place's day, too; places of two zones are two requests")
    func goods() async throws {
        try await open { shop, place, _ in
            let main = try TestShop.main()
            typealias Movement = MovementsRequest.Movement
            func movement(_ location: LocationID, _ type: EnteredMovement = .adjustment) throws -> Movement {
                Movement(
                    product: .sku("A"),
                    type: type,
                    quantity: try Quantity("1"),
                    reason: "because",
                    locationID: location
                )
            }
            let moment = Timestamp("2026-03-08T04:59:59.999Z")
            let one = MovementsRequest(movements: [try movement(place, .opening)], occurredAt: moment)
            _ = try await shop.stock.record(one, shop.context, key: nil)
            let day = try await shop.psql(
                "SELECT business_day FROM stock.stock_movement WHERE location_id = '\(place)'"
            )
            #expect(day == "2026-03-07")
            let both = MovementsRequest(movements: [try movement(main), try movement(place), try movement(main)])
            let refused = await refusal { try await shop.stock.record(both, shop.context, key: nil) }
            #expect(refused?.code == .validationFailed)
            #expect(refused?.errors.map(\.pointer) == ["/movements/1/location_id"])
            #expect(refused?.errors.first?.detail.contains("America/Havana") == true)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a place's new zone counts for later rows, and is none that nobody knows, nor one of what is in transit")
    func changed() async throws {
        try await open { shop, place, till in
            let moment = "2026-03-08T04:59:59.999Z"
            _ = try await sell(shop, at: moment, till: till)
            try await shop.asTenant("UPDATE stock.location SET timezone = 'Asia/Tokyo' WHERE id = '\(place)'")
            #expect(try await sell(shop, at: moment, till: till)["business_day"] == "2026-03-08")
            try await shop.asTenant("UPDATE stock.location SET timezone = NULL WHERE id = '\(place)'")
            #expect(try await sell(shop, at: "2026-03-07T23:00:00Z", till: till)["business_day"] == "2026-03-08")
            #expect(try await shop.violations() == [])
            let transit = try TestShop.transit()
            for (zone, location) in [("America/Habana", place), ("Asia/Tokyo", transit)] {
                let change = "UPDATE stock.location SET timezone = '\(zone)' WHERE id = '\(location)'"
                let state = try await shop.database.refusal(
                    of: "SELECT set_config('stock.tenant_id', '1', false); \(change)"
                )
                #expect(state == "ST001", "\(zone)")
            }
        }
    }

    @Test("verify tells of a sale that is of the shop's day, and not of its place's (I16)")
    func verified() async throws {
        // More than a day apart, whatever time it is.
        try await TestShop.open(timezone: "Etc/GMT-14", onHand: 0) { (shop) async throws in
            let place = try await shop.openLocation("Ñuñoa")
            try await shop.asTenant("UPDATE stock.location SET timezone = 'Etc/GMT+12' WHERE id = '\(place)'")
            let till = try await shop.openRegister(at: place)
            var request = try shop.request([("S", "1")], paid: [])
            request.registerID = till
            request.payments = [try cash("10.00")]
            let sale = try await shop.sell(request)
            #expect(try await shop.violations() == [])
            try await shop.asTenant(
                """
                UPDATE stock.sale SET business_day = (occurred_at AT TIME ZONE 'Etc/GMT-14')::date
                WHERE id = '\(sale["id"] ?? "")'
                """
            )
            #expect(try await shop.violations().map(\.invariant) == ["I16"])
        }
    }
}
