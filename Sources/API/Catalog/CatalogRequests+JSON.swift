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
            externalID: reader.optionalText("external_id")
        )
    }
}

extension CategoryPatch {
    /// Reads the body of `PATCH /v1/categories/{id}`.
    static func read(_ reader: inout JSONObjectReader) -> CategoryPatch {
        var patch = CategoryPatch()
        patch.name = reader.change("name", .text(maximum: 200))
        patch.parentID = reader.clearableChange("parent_id", .id())
        patch.active = reader.change("active", .bool)
        patch.externalID = reader.clearableText("external_id", maximum: 200)
        return patch
    }
}

extension UnitDraft {
    /// Reads the body of `POST /v1/units`.
    static func read(_ reader: inout JSONObjectReader) -> UnitDraft {
        UnitDraft(
            name: reader.text("name"),
            symbol: reader.text("symbol", maximum: 20),
            decimals: reader.optional("decimals", .integer(0...6)) ?? 0,
            externalID: reader.optionalText("external_id")
        )
    }
}

extension UnitPatch {
    /// Reads the body of `PATCH /v1/units/{id}`.
    static func read(_ reader: inout JSONObjectReader) -> UnitPatch {
        var patch = UnitPatch()
        patch.name = reader.change("name", .text(maximum: 200))
        patch.symbol = reader.change("symbol", .text(maximum: 20))
        patch.decimals = reader.change("decimals", .integer(0...6))
        patch.externalID = reader.clearableText("external_id", maximum: 200)
        return patch
    }
}

extension ProductDraft {
    /// Reads the body of `POST /v1/products` and `PUT /v1/products/{id}`.
    static func read(_ reader: inout JSONObjectReader) -> ProductDraft {
        ProductDraft(
            sku: reader.optionalText("sku", maximum: 100),
            name: reader.text("name", maximum: 300),
            categoryID: reader.optionalID("category_id"),
            unitID: reader.optionalID("unit_id"),
            price: reader.price("price"),
            taxRate: reader.optional("tax_rate", .decimal(.notNegative)) ?? .zero,
            tracksStock: reader.optionalBool("tracks_stock") ?? true,
            oversell: reader.optionalChoice("oversell") ?? .inherit,
            minStock: reader.optionalQuantity("min_stock", .notNegative) ?? .zero,
            status: reader.optionalChoice("status") ?? .active,
            externalID: reader.optionalText("external_id"),
            barcodes: reader.values("barcodes", count: 0...50, .text(maximum: 100))
        )
    }
}

extension ProductPatch {
    /// Reads the body of `PATCH /v1/products/{id}`.
    static func read(_ reader: inout JSONObjectReader) -> ProductPatch {
        var patch = ProductPatch()
        patch.sku = reader.clearableText("sku", maximum: 100)
        patch.name = reader.change("name", .text(maximum: 300))
        patch.categoryID = reader.clearableChange("category_id", .id())
        patch.unitID = reader.change("unit_id", .id())
        patch.price = reader.change("price", .decimal(.notNegative))
        patch.taxRate = reader.change("tax_rate", .decimal(.notNegative))
        patch.tracksStock = reader.change("tracks_stock", .bool)
        patch.oversell = reader.change("oversell", .oneOf())
        patch.minStock = reader.change("min_stock", .decimal(.notNegative))
        patch.status = reader.change("status", .oneOf())
        patch.externalID = reader.clearableText("external_id", maximum: 200)
        if reader.contains("barcodes") {
            // Null means none, as an array cannot be taken away.
            patch.barcodes = .set(reader.values("barcodes", count: 0...50, .text(maximum: 100)))
        }
        return patch
    }
}

extension ProductUpsert {
    /// Reads one element of `POST /v1/products/batch`.
    static func read(_ reader: inout JSONObjectReader) -> ProductUpsert {
        var upsert = ProductUpsert(
            sku: reader.optionalText("sku", maximum: 100),
            externalID: reader.optionalText("external_id")
        )
        if upsert.sku == nil, upsert.externalID == nil {
            reader.fail("sku", "required", "Give sku or external_id, by which the product is found.")
        }
        upsert.name = reader.optional("name", .text(maximum: 300))
        upsert.categoryID = reader.optionalID("category_id")
        upsert.unitID = reader.optionalID("unit_id")
        upsert.price = reader.optionalPrice("price")
        upsert.taxRate = reader.optional("tax_rate", .decimal(.notNegative))
        upsert.tracksStock = reader.optionalBool("tracks_stock")
        upsert.oversell = reader.optionalChoice("oversell")
        upsert.minStock = reader.optionalQuantity("min_stock", .notNegative)
        upsert.status = reader.optionalChoice("status")
        upsert.barcodes = reader.optionalValues("barcodes", count: 0...50, .text(maximum: 100))
        return upsert
    }
}
