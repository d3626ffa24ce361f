import Domain
import Kernel
import Services

/// The ways in which a shop is paid.
struct PaymentMethodsRoutes: Area {
    static let records: [any Record.Type] = [PaymentMethod.self]

    let shop: Shop

    var routes: [Route] {
        RecordRoutes<PaymentMethod>(
            reading: .salesRead,
            writing: .admin,
            deletable: "no document names",
            changeProblems: [.invalidState]
        ).routes(shop.records(), shop.store)
    }
}

extension PaymentMethodFields: RecordFields {
    static func read(_ reader: inout RecordReader) -> PaymentMethodFields {
        var fields = PaymentMethodFields()
        fields.code = reader.fixed("code", .paymentMethod)
        fields.name = reader.text("name")
        fields.kind = reader.required("kind", .oneOf())
        fields.opensDrawer = reader.value("opens_drawer", or: false, .bool)
        fields.active = reader.value("active", or: true, .bool)
        fields.position = reader.value("position", or: 0, .integer(0...32_767))
        return fields
    }
}
