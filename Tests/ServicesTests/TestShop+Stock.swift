import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

extension TestShop {
    /// The place that every shop has.
    static func main() throws -> LocationID { try #require(LocationID("00000000-0000-7000-8000-000000000001")) }

    /// The way between places.
    static func transit() throws -> LocationID { try #require(LocationID("00000000-0000-7000-8000-000000000002")) }

    /// Opens a place beside the one that every shop has.
    func openLocation(_ name: String) async throws -> LocationID {
        let id = LocationID.make()
        try await asTenant("INSERT INTO stock.location (tenant_id, id, name) VALUES (1, '\(id)', '\(name)')")
        return id
    }

    /// A till at a place.
    func openRegister(at location: LocationID) async throws -> RegisterID {
        let id = RegisterID.make()
        try await asTenant(
            "INSERT INTO stock.register (tenant_id, id, name, location_id) VALUES (1, '\(id)', '\(id)', '\(location)')"
        )
        return id
    }

    /// Returns when a session waits for another.
    func waiting() async throws {
        try await eventually(within: .seconds(30), "the second waits for the first") {
            try await self.psql(
                """
                SELECT count(*) > 0 FROM pg_stat_activity
                WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0
                """
            ) == "t"
        }
    }

    /// Enters one movement, and gives what was recorded.
    @discardableResult
    func move(
        _ sku: String,
        _ type: EnteredMovement,
        _ quantity: String,
        at location: LocationID?,
        cost: String? = nil,
        expecting: String? = nil
    ) async throws -> [JSONObjectBody] {
        let movement = MovementsRequest.Movement(
            product: .sku(sku),
            type: type,
            quantity: try Quantity(quantity),
            reason: "because",
            unitCost: try cost.map { try Price($0) },
            expectedOnHand: try expecting.map { try Quantity($0) },
            locationID: location
        )
        let answer = try await stock.record(MovementsRequest(movements: [movement]), context, key: nil)
        return try JSONObjectBody(answer.body).list("data")
    }

    /// What is on hand of a product at a place.
    func onHand(_ sku: Character, at location: LocationID) async throws -> String {
        try await psql(
            """
            SELECT trim_scale(on_hand) FROM stock.location_level
            WHERE product_id = '\(Self.product(sku))' AND location_id = '\(location)'
            """
        )
    }

    /// Sells pieces of `A` for cash.
    func sellApples(_ quantity: Int, at register: RegisterID? = nil) async throws {
        let amount = try Money("\(Double(quantity) * 2.5)")
        var request = try request([("A", "\(quantity)")], paid: [Tender(method: .cash, amount: amount)])
        request.registerID = register
        try await sell(request)
    }
}
