import Kernel
import Services

/// Suppliers.
struct SuppliersRoutes: Area {
    static let records: [any Record.Type] = [Supplier.self]

    let shop: Shop

    var routes: [Route] {
        RecordRoutes<Supplier>(
            reading: .stockRead,
            writing: .stockWrite,
            deletable: "no document names",
            figures: [.required("payable", .money)]
        ).routes(shop.records(), shop.store)
    }
}

extension SupplierFields: RecordFields {
    static func read(_ reader: inout RecordReader) -> SupplierFields {
        var fields = SupplierFields()
        fields.name = reader.text("name")
        fields.taxID = reader.optionalText("tax_id", .taxID)
        fields.contact = reader.optionalText("contact")
        fields.phone = reader.optionalText("phone", .phone)
        fields.email = reader.optional("email", .email)
        fields.active = reader.value("active", or: true, .bool)
        fields.externalID = reader.optionalText("external_id", .externalID)
        return fields
    }
}
