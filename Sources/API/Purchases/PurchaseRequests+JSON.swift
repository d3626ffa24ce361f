import Domain
import Kernel
import Services

extension PurchaseFields: RecordFields {
    static func read(_ reader: inout RecordReader) -> PurchaseFields {
        var fields = PurchaseFields()
        fields.supplierID = reader.required("supplier_id", isShown: false, .id())
        fields.locationID = reader.kept("location_id", .id())
        fields.reference = reader.optionalText("reference", .externalID)
        fields.dueOn = reader.optional("due_on", .date)
        fields.note = reader.optionalText("note", .note)
        fields.lines = reader.objects("lines", of: "PurchaseLine", count: 1...DocumentLimits.lines, isShown: false) {
            line in
            Line(product: .read(&line), quantity: line.quantity("quantity"), unitCost: line.price("unit_cost"))
        }
        fields.costs = reader.objects("costs", of: "PurchaseCost", count: 0...50) { cost in
            Cost(name: cost.text("name"), amount: cost.money("amount", .positive))
        }
        return fields
    }
}

extension PurchaseRequest {
    /// Reads the body of `POST /v1/purchases`.
    static func read(_ reader: inout JSONObjectReader) -> PurchaseRequest {
        PurchaseRequest(fields: .made(&reader), occurredAt: reader.optionalTimestamp("occurred_at"))
    }
}

extension ReceiptRequest {
    /// Reads the body of `POST /v1/purchases/{id}/receive`.
    static func read(_ reader: inout JSONObjectReader) -> ReceiptRequest {
        ReceiptRequest(
            lines: reader.linesOrAll("ReceiptLineRequest") { line in
                Line(lineID: line.id("line_id"), quantity: line.quantity("quantity"))
            },
            note: reader.optionalText("note", .reason),
            occurredAt: reader.optionalTimestamp("occurred_at")
        )
    }
}

extension ReorderRequest {
    /// Reads the body of `POST /v1/purchases/reorder`.
    static func read(_ reader: inout JSONObjectReader) -> ReorderRequest {
        ReorderRequest(
            supplierID: reader.optionalID("supplier_id"),
            locationID: reader.optionalID("location_id", isShown: true),
            note: reader.optionalText("note", .note)
        )
    }
}

extension PurchaseFilter {
    /// Reads what `GET /v1/purchases` asks for.
    static func read(_ query: inout Query) -> PurchaseFilter {
        var filter = PurchaseFilter()
        filter.status = query.choice("status", "In this state only.")
        filter.supplierID = query.id("supplier_id", "Of this supplier only.")
        filter.isOverdue = query.flag("overdue", "What should have been paid before today only, if true.") ?? false
        filter.days = query.days()
        filter.sort = query.order("the newest first")
        return filter
    }
}
