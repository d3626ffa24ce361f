import Domain
import Kernel
import Services

extension CategoryDraft {
    /// Reads the body of `POST /v1/categories`.
    static func read(_ reader: inout JSONObjectReader) -> CategoryDraft {
        CategoryDraft(
            name: reader.text("name"),
            parentID: reader.optionalID("parent_id"),
            active: reader.optionalBool("active") ?? true,
            externalID: reader.optionalText("external_id", .externalID)
        )
    }
}

extension CategoryPatch {
    /// Reads the body of `PATCH /v1/categories/{id}`.
    static func read(_ reader: inout JSONObjectReader) -> CategoryPatch {
        var patch = CategoryPatch()
        patch.name = reader.change("name", .text(.name))
        patch.parentID = reader.clearableChange("parent_id", .id())
        patch.active = reader.change("active", .bool)
        patch.externalID = reader.clearableText("external_id", .externalID)
        return patch
    }
}

extension UnitDraft {
    /// Reads the body of `POST /v1/units`.
    static func read(_ reader: inout JSONObjectReader) -> UnitDraft {
        UnitDraft(
            name: reader.text("name"),
            symbol: reader.text("symbol", .symbol),
            decimals: reader.optional("decimals", .integer(0...6)) ?? 0,
            externalID: reader.optionalText("external_id", .externalID)
        )
    }
}

extension UnitPatch {
    /// Reads the body of `PATCH /v1/units/{id}`.
    static func read(_ reader: inout JSONObjectReader) -> UnitPatch {
        var patch = UnitPatch()
        patch.name = reader.change("name", .text(.name))
        patch.symbol = reader.change("symbol", .text(.symbol))
        patch.decimals = reader.change("decimals", .integer(0...6))
        patch.externalID = reader.clearableText("external_id", .externalID)
        return patch
    }
}

extension ProductDraft {
    /// Reads the body of `POST /v1/products` and `PUT /v1/products/{id}`.
    static func read(_ reader: inout JSONObjectReader) -> ProductDraft {
        ProductDraft(
            sku: reader.optionalText("sku", .sku),
            name: reader.text("name", .productName),
            categoryID: reader.optionalID("category_id"),
            unitID: reader.optionalID("unit_id"),
            price: reader.price("price"),
            taxRate: reader.optional("tax_rate", .decimal(.notNegative)) ?? .zero,
            tracksStock: reader.optionalBool("tracks_stock") ?? true,
            oversell: reader.optionalChoice("oversell") ?? .inherit,
            minStock: reader.optionalQuantity("min_stock", .notNegative) ?? .zero,
            status: reader.optionalChoice("status") ?? .active,
            externalID: reader.optionalText("external_id", .externalID),
            barcodes: reader.values("barcodes", count: TextRule.barcodesOfProduct, .text(.barcode))
        )
    }
}

extension ProductPatch {
    /// Reads the body of `PATCH /v1/products/{id}`.
    static func read(_ reader: inout JSONObjectReader) -> ProductPatch {
        var patch = ProductPatch()
        patch.sku = reader.clearableText("sku", .sku)
        patch.name = reader.change("name", .text(.productName))
        patch.categoryID = reader.clearableChange("category_id", .id())
        patch.unitID = reader.change("unit_id", .id())
        patch.price = reader.change("price", .decimal(.notNegative))
        patch.taxRate = reader.change("tax_rate", .decimal(.notNegative))
        patch.tracksStock = reader.change("tracks_stock", .bool)
        patch.oversell = reader.change("oversell", .oneOf())
        patch.minStock = reader.change("min_stock", .decimal(.notNegative))
        patch.status = reader.change("status", .oneOf())
        patch.externalID = reader.clearableText("external_id", .externalID)
        if reader.contains("barcodes") {
            // Null means none, as an array cannot be taken away.
            patch.barcodes = .set(reader.values("barcodes", count: TextRule.barcodesOfProduct, .text(.barcode)))
        }
        return patch
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
            reader.fail("sku", "required", "Give sku or external_id, by which the product is found.")
        }
        upsert.name = reader.optional("name", .text(.productName))
        upsert.categoryID = reader.optionalID("category_id")
        upsert.unitID = reader.optionalID("unit_id")
        upsert.price = reader.optionalPrice("price")
        upsert.taxRate = reader.optional("tax_rate", .decimal(.notNegative))
        upsert.tracksStock = reader.optionalBool("tracks_stock")
        upsert.oversell = reader.optionalChoice("oversell")
        upsert.minStock = reader.optionalQuantity("min_stock", .notNegative)
        upsert.status = reader.optionalChoice("status")
        upsert.barcodes = reader.optionalValues("barcodes", count: TextRule.barcodesOfProduct, .text(.barcode))
        return upsert
    }
}
