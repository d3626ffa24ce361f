import Domain
import Kernel
import Services

extension MovementsRequest {
    /// Reads the body of `POST /v1/stock/movements`.
    static func read(_ reader: inout JSONObjectReader) -> MovementsRequest {
        MovementsRequest(
            movements: reader.objects("movements", of: "MovementRequest", count: 1...DocumentLimits.lines) { row in
                Movement(
                    product: .read(&row),
                    type: row.choice("type", else: .adjustment),
                    quantity: row.quantity("quantity", .notZero),
                    reason: row.text("reason", .reason),
                    unitCost: row.optionalPrice("unit_cost"),
                    expectedOnHand: row.optional("expect_on_hand", isShown: false, .decimal()),
                    locationID: row.optional("location_id", .id())
                )
            },
            occurredAt: reader.optionalTimestamp("occurred_at")
        )
    }
}
