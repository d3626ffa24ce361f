import Kernel
import Services

extension CustomerDraft {
    /// Reads the body of `POST /v1/customers`.
    static func read(_ reader: inout JSONObjectReader) -> CustomerDraft {
        CustomerDraft(
            name: reader.text("name"),
            taxID: reader.optionalText("tax_id", maximum: 50),
            phone: reader.optionalText("phone", maximum: 50),
            email: reader.optional("email", .email),
            creditLimit: reader.optionalMoney("credit_limit"),
            active: reader.optionalBool("active") ?? true,
            externalID: reader.optionalText("external_id")
        )
    }
}

extension CustomerPatch {
    /// Reads the body of `PATCH /v1/customers/{id}`.
    static func read(_ reader: inout JSONObjectReader) -> CustomerPatch {
        var patch = CustomerPatch()
        patch.name = reader.change("name", .text(maximum: 200))
        patch.taxID = reader.clearableText("tax_id", maximum: 50)
        patch.phone = reader.clearableText("phone", maximum: 50)
        patch.email = reader.clearableChange("email", .email)
        patch.creditLimit = reader.clearableChange("credit_limit", .decimal(.notNegative))
        patch.active = reader.change("active", .bool)
        patch.externalID = reader.clearableText("external_id", maximum: 200)
        return patch
    }
}
