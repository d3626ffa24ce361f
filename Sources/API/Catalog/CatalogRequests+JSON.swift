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
        fields.packagings = reader.objects(
            "packagings",
            of: "Packaging",
            count: TextRule.packagingsOfProduct,
            figures: [.required("id", .id)]
        ) { .read(&$0) }
        return fields
    }
}

extension Packaging {
    /// Reads one of `packagings[]` of a product.
    static func read(_ reader: inout JSONObjectReader) -> Packaging {
        Packaging(
            name: reader.text("name"),
            factor: reader.quantity("factor"),
            price: reader.optionalPrice("price"),
            barcodes: reader.optionalValues("barcodes", count: TextRule.barcodesOfProduct, .text(.barcode)) ?? []
        )
    }
}

extension ScaleCodeFields: RecordFields {
    static func read(_ reader: inout RecordReader) -> ScaleCodeFields {
        var fields = ScaleCodeFields()
        fields.name = reader.text("name")
        fields.prefix = reader.required("prefix", .scalePrefix)
        fields.itemDigits = reader.value("item_digits", or: 5, .integer(1...9))
        fields.valueDigits = reader.value("value_digits", or: 5, .integer(1...9))
        fields.measure = reader.required("measure", .oneOf())
        fields.decimals = reader.required("decimals", .integer(0...6))
        fields.active = reader.value("active", or: true, .bool)
        return fields
    }
}

extension FieldReading where Value == String {
    /// The two digits that codes of scales begin with.
    fileprivate static var scalePrefix: FieldReading {
        let pattern = "^2[0-9]$"
        return FieldReading<String>.string
            .described(as: .pattern(pattern, description: "The two digits in front, 20 to 29."))
            .map { text in
                text.count == 2 && Int(text).map { (20...29).contains($0) } == true
                    ? .success(text) : .failure(ReadingFault(.format, "Must be two digits, 20 to 29."))
            }
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
