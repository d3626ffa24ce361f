import Domain
import Kernel
import Services

/// Taxes, and the groups of them that products name.
struct TaxesRoutes: Area {
    static let records: [any Record.Type] = [Tax.self, TaxGroup.self]

    let shop: Shop

    var routes: [Route] {
        RecordRoutes<Tax>(
            reading: .catalogRead,
            writing: .catalogWrite,
            deletable: "no group has named",
            changeProblems: [.inUse]
        ).routes(shop.records(), shop.store)
            + RecordRoutes<TaxGroup>(
                reading: .catalogRead,
                writing: .catalogWrite,
                deletable: "no product names"
            ).routes(shop.records(), shop.store)
    }
}

extension TaxFields: RecordFields {
    static func read(_ reader: inout RecordReader) -> TaxFields {
        var fields = TaxFields()
        fields.name = reader.text("name")
        fields.kind = reader.value("kind", or: .percent, .oneOf())
        fields.rate = reader.required("rate", .decimal(.notNegative))
        fields.included = reader.optional("included", .bool)
        fields.compound = reader.value("compound", or: false, .bool)
        fields.active = reader.value("active", or: true, .bool)
        return fields
    }
}

extension TaxGroupFields: RecordFields {
    static func read(_ reader: inout RecordReader) -> TaxGroupFields {
        var fields = TaxGroupFields()
        fields.name = reader.text("name")
        fields.taxes = reader.kept("taxes", isShown: false, .ids(1...10))
        return fields
    }
}

extension FieldReading {
    /// Some ids, each of them as text; that none is named twice is for the database to say, which knows them.
    fileprivate static func ids<Kind>(_ count: ClosedRange<Int>) -> FieldReading where Value == [ID<Kind>] {
        FieldReading(.array(.id, maximum: count.upperBound)) { value, pointer, errors in
            guard case .array(let elements) = value else {
                errors.add(FieldError(pointer, .type, "Must be an array, not \(value.kind)."))
                return nil
            }
            guard count.contains(elements.count) else {
                let bounds = "\(count.lowerBound) to \(count.upperBound)"
                errors.add(
                    FieldError(pointer, .tooMany, "Must have \(bounds) elements, not \(elements.count).")
                )
                return nil
            }
            var ids: [ID<Kind>] = []
            for (index, element) in elements.enumerated() {
                if case .string(let text) = element, let id = ID<Kind>(text) {
                    ids.append(id)
                } else {
                    errors.add(
                        FieldError(
                            "\(pointer)/\(index)",
                            .format,
                            "Must be a UUID like \"018f3b6e-1c2d-7000-8000-0123456789ab\"."
                        )
                    )
                }
            }
            return ids.count == elements.count ? ids : nil
        }
    }
}
