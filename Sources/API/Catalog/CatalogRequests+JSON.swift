import Domain
import Kernel
import Services

extension CategoryFields: RecordFields {
    static func read(_ reader: inout RecordReader) -> CategoryFields {
        var fields = CategoryFields()
        fields.name = reader.text("name")
        fields.parentID = reader.optional("parent_id", .id())
        fields.active = reader.value("active", or: true, .bool)
        fields.externalID = reader.optionalText("external_id", .externalID)
        return fields
    }
}

extension UnitFields: RecordFields {
    static func read(_ reader: inout RecordReader) -> UnitFields {
        var fields = UnitFields()
        fields.name = reader.text("name")
        fields.symbol = reader.text("symbol", .symbol)
        fields.decimals = reader.value("decimals", or: 0, .integer(0...6))
        fields.externalID = reader.optionalText("external_id", .externalID)
        return fields
    }
}

extension ProductFields: RecordFields {
    static func read(_ reader: inout RecordReader) -> ProductFields {
        var fields = ProductFields()
        fields.sku = reader.optionalText("sku", .sku)
        fields.name = reader.text("name", .productName)
        fields.categoryID = reader.optional("category_id", isShown: false, .id())
        fields.unitID = reader.kept("unit_id", isShown: false, .id())
        fields.price = reader.required("price", .decimal(.notNegative))
        fields.taxRate = reader.optional("tax_rate", .decimal(.notNegative))
        fields.taxGroupID = reader.optional("tax_group_id", isShown: false, .id())
        fields.tracksStock = reader.value("tracks_stock", or: true, .bool)
        fields.oversell = reader.value("oversell", or: .inherit, .oneOf())
        fields.minStock = reader.value("min_stock", or: .zero, .decimal(.notNegative))
        fields.status = reader.value("status", or: .active, .oneOf())
        fields.externalID = reader.optionalText("external_id", .externalID)
        fields.barcodes = reader.values("barcodes", count: TextRule.barcodesOfProduct, .text(.barcode))
        return fields
    }
}

extension ProductUpsert {
    /// Reads one element of `POST /v1/products/batch`.
    static func read(_ reader: inout JSONObjectReader) -> ProductUpsert {
        let before = reader.errors.list.count
        var upsert = ProductUpsert(
            sku: reader.optionalText("sku", .sku),
            externalID: reader.optionalText("external_id", .externalID)
        )
        // A code that is refused is not a code that is missing.
        if upsert.sku == nil, upsert.externalID == nil, reader.errors.list.count == before {
            reader.fail("sku", .required, "Give sku or external_id, by which the product is found.")
        }
        upsert.name = reader.optional("name", .text(.productName))
        upsert.categoryID = reader.optionalID("category_id")
        upsert.unitID = reader.optionalID("unit_id")
        upsert.price = reader.optionalPrice("price")
        upsert.taxRate = reader.optional("tax_rate", .decimal(.notNegative))
        upsert.taxGroupID = reader.optionalID("tax_group_id")
        upsert.tracksStock = reader.optionalBool("tracks_stock")
        upsert.oversell = reader.optionalChoice("oversell")
        upsert.minStock = reader.optionalQuantity("min_stock", .notNegative)
        upsert.status = reader.optionalChoice("status")
        upsert.barcodes = reader.optionalValues("barcodes", count: TextRule.barcodesOfProduct, .text(.barcode))
        return upsert
    }
}
