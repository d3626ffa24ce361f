import Kernel
import Services

/// Where goods are, and the registers that sell them there.
struct LocationsRoutes: Area {
    static let records: [any Record.Type] = [Location.self, Register.self]

    let shop: Shop

    var routes: [Route] {
        RecordRoutes<Location>(
            reading: .stockRead,
            writing: .admin,
            deletable: "never had goods or a register",
            changeProblems: [.inUse]
        ).routes(shop.records(), shop.store)
            + RecordRoutes<Register>(
                reading: .salesRead,
                writing: .admin,
                deletable: "never numbered a document",
                figures: [.required("is_default", .boolean), .required("session_id", .nullable(.id))],
                changeProblems: [.invalidState]
            ).routes(shop.records(), shop.store)
    }
}

extension LocationFields: RecordFields {
    static func read(_ reader: inout RecordReader) -> LocationFields {
        var fields = LocationFields()
        fields.name = reader.text("name")
        fields.code = reader.optionalText("code", .code)
        fields.kind = reader.value("kind", or: .branch, .oneOf())
        fields.address = reader.optionalText("address", .address)
        fields.timezone = reader.optionalText("timezone", .timezone)
        fields.active = reader.value("active", or: true, .bool)
        fields.externalID = reader.optionalText("external_id", .externalID)
        return fields
    }
}

extension RegisterFields: RecordFields {
    static func read(_ reader: inout RecordReader) -> RegisterFields {
        var fields = RegisterFields()
        fields.name = reader.text("name")
        fields.locationID = reader.kept("location_id", .id())
        fields.requiresSession = reader.value("requires_session", or: false, .bool)
        fields.active = reader.value("active", or: true, .bool)
        return fields
    }
}
