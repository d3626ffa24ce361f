import Kernel
import Services

extension CustomerDraft {
    /// Reads the body of `POST /v1/customers`.
    static func read(_ reader: inout JSONObjectReader) -> CustomerDraft {
        CustomerDraft(
            name: reader.text("name"),
            taxID: reader.optionalText("tax_id", .taxID),
            phone: reader.optionalText("phone", .phone),
            email: reader.optional("email", .email),
            creditLimit: reader.optionalMoney("credit_limit"),
            active: reader.optionalBool("active") ?? true,
            externalID: reader.optionalText("external_id", .externalID)
        )
    }
}

extension CustomerPatch {
    /// Reads the body of `PATCH /v1/customers/{id}`.
    static func read(_ reader: inout JSONObjectReader) -> CustomerPatch {
        var patch = CustomerPatch()
        patch.name = reader.change("name", .text(.name))
        patch.taxID = reader.clearableText("tax_id", .taxID)
        patch.phone = reader.clearableText("phone", .phone)
        patch.email = reader.clearableChange("email", .email)
        patch.creditLimit = reader.clearableChange("credit_limit", .decimal(.notNegative))
        patch.active = reader.change("active", .bool)
        patch.externalID = reader.clearableText("external_id", .externalID)
        return patch
    }
}
