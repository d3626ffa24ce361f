import Domain
import HTTPTypes
import Kernel
import Services

/// Categories, units and products.
struct CatalogRoutes {
    let shop: Shop

    var routes: [Route] { self.categories + self.units + self.products }

    private var categories: [Route] {
        let shop = self.shop
        return [
            Route.read(
                "/v1/categories",
                "listCategories",
                "Categories, by name",
                area: "catalog",
                access: .scope(.catalogRead),
                parameters: Route.Parameter.page,
                answer: .page("Category"),
                problems: [.cursorMismatch]
            ) { call, caller in
                let page = try call.query { (query) throws(Problem) in query.page() }
                return try shop.catalog.categories(page, caller)
            },
            Route(
                .post,
                "/v1/categories",
                "createCategory",
                "Make a category",
                area: "catalog",
                access: .scope(.catalogWrite),
                takesKey: true,
                body: .reference("CategoryRequest"),
                status: .created,
                answer: .reference("Category"),
                problems: [.duplicate]
            ) { call in
                try call.noQuery()
                let (draft, key) = try await call.maybeKeyedBody { CategoryDraft.read(&$0) }
                return try await call.command(shop.store, key) { (context) throws(Problem) in
                    try await shop.catalog.createCategory(draft, key: key, context)
                }
            },
            Route.read(
                "/v1/categories/{id}",
                "readCategory",
                "One category",
                area: "catalog",
                access: .scope(.catalogRead),
                answer: .reference("Category")
            ) { call, caller in
                try call.noQuery()
                return try shop.catalog.category(call.id(), caller)
            },
            Route(
                .patch,
                "/v1/categories/{id}",
                "changeCategory",
                "Change a category",
                area: "catalog",
                access: .scope(.catalogWrite),
                needsMatch: true,
                body: .reference("CategoryPatch"),
                answer: .reference("Category"),
                problems: [.duplicate]
            ) { call in
                try call.noQuery()
                let expected = try call.expectedVersion()
                let patch = try await call.body { CategoryPatch.read(&$0) }
                return try call.reply(
                    await shop.catalog.updateCategory(call.id(), patch, expected: expected, call.context())
                )
            },
            Route(
                .delete,
                "/v1/categories/{id}",
                "deleteCategory",
                "Delete a category nothing is listed under",
                area: "catalog",
                access: .scope(.catalogWrite),
                needsMatch: true,
                status: .noContent,
                problems: [.inUse]
            ) { call in
                try call.noQuery()
                return try call.reply(
                    await shop.catalog.deleteCategory(call.id(), expected: call.expectedVersion(), call.context())
                )
            },
        ]
    }

    private var units: [Route] {
        let shop = self.shop
        return [
            Route.read(
                "/v1/units",
                "listUnits",
                "Units of measure, by name",
                area: "catalog",
                access: .scope(.catalogRead),
                parameters: Route.Parameter.page,
                answer: .page("Unit"),
                problems: [.cursorMismatch]
            ) { call, caller in
                let page = try call.query { (query) throws(Problem) in query.page() }
                return try shop.catalog.units(page, caller)
            },
            Route(
                .post,
                "/v1/units",
                "createUnit",
                "Make a unit of measure",
                area: "catalog",
                access: .scope(.catalogWrite),
                takesKey: true,
                body: .reference("UnitRequest"),
                status: .created,
                answer: .reference("Unit"),
                problems: [.duplicate]
            ) { call in
                try call.noQuery()
                let (draft, key) = try await call.maybeKeyedBody { UnitDraft.read(&$0) }
                return try await call.command(shop.store, key) { (context) throws(Problem) in
                    try await shop.catalog.createUnit(draft, key: key, context)
                }
            },
            Route.read(
                "/v1/units/{id}",
                "readUnit",
                "One unit of measure",
                area: "catalog",
                access: .scope(.catalogRead),
                answer: .reference("Unit")
            ) { call, caller in
                try call.noQuery()
                return try shop.catalog.unit(call.id(), caller)
            },
            Route(
                .patch,
                "/v1/units/{id}",
                "changeUnit",
                "Change a unit of measure",
                area: "catalog",
                access: .scope(.catalogWrite),
                needsMatch: true,
                body: .reference("UnitPatch"),
                answer: .reference("Unit"),
                problems: [.duplicate, .inUse]
            ) { call in
                try call.noQuery()
                let expected = try call.expectedVersion()
                let patch = try await call.body { UnitPatch.read(&$0) }
                return try call.reply(
                    await shop.catalog.updateUnit(call.id(), patch, expected: expected, call.context())
                )
            },
            Route(
                .delete,
                "/v1/units/{id}",
                "deleteUnit",
                "Delete a unit of measure no product is sold by",
                area: "catalog",
                access: .scope(.catalogWrite),
                needsMatch: true,
                status: .noContent,
                problems: [.inUse]
            ) { call in
                try call.noQuery()
                return try call.reply(
                    await shop.catalog.deleteUnit(call.id(), expected: call.expectedVersion(), call.context())
                )
            },
        ]
    }

    private var products: [Route] {
        let shop = self.shop
        return [
            Route.read(
                "/v1/products",
                "listProducts",
                "Products",
                area: "catalog",
                access: .scope(.catalogRead),
                parameters: [
                    .search("the name, the SKU or a barcode"),
                    .init("barcode", .text, "A whole barcode."),
                    .init("category_id", .id, "Of this category only."),
                    .choice("stock", StockFilter.self, "Out, low or ok only."),
                    .choice("status", ProductStatus.self, "In this state only."),
                    .choice("sort", ProductSort.self, "The order; name if left out."),
                ] + Route.Parameter.page,
                answer: .page("Product"),
                problems: [.cursorMismatch]
            ) { call, caller in
                let (filter, page) = try call.query { (query) throws(Problem) in
                    (ProductFilter.read(&query), query.page())
                }
                return try shop.catalog.products(filter, page, caller)
            },
            Route(
                .post,
                "/v1/products",
                "createProduct",
                "Make a product",
                area: "catalog",
                access: .scope(.catalogWrite),
                takesKey: true,
                body: .reference("ProductRequest"),
                status: .created,
                answer: .reference("Product"),
                problems: [.duplicate]
            ) { call in
                try call.noQuery()
                let (draft, key) = try await call.maybeKeyedBody { ProductDraft.read(&$0) }
                return try await call.command(shop.store, key) { (context) throws(Problem) in
                    try await shop.catalog.createProduct(draft, key: key, context)
                }
            },
            Route(
                .post,
                "/v1/products/batch",
                "upsertProducts",
                "Make or change up to 1,000 products, found by external_id or sku",
                area: "catalog",
                access: .scope(.catalogWrite),
                needsKey: true,
                body: .reference("ProductBatchRequest"),
                answer: .reference("ProductBatch"),
                problems: [.duplicate]
            ) { call in
                try call.noQuery()
                let (products, key) = try await call.keyedBody { reader in
                    reader.objects("products", count: 1...1000) { ProductUpsert.read(&$0) }
                }
                return try await call.command(shop.store, key) { (context) throws(Problem) in
                    try await shop.catalog.upsertProducts(products, key: key, context)
                }
            },
            Route.read(
                "/v1/products/lookup",
                "lookUpProducts",
                "Every product with this SKU or barcode",
                area: "catalog",
                access: .scope(.catalogRead),
                parameters: [
                    .init("code", .text, "A SKU or barcode; neither case nor accents count.", isRequired: true)
                ],
                answer: .page("Product")
            ) { call, caller in
                let code = try call.query { (query) throws(Problem) in query.code("code", isRequired: true) }
                guard let code else { throw Problem.notFound }
                return shop.catalog.lookUp(code, caller)
            },
            Route.read(
                "/v1/products/{id}",
                "readProduct",
                "One product",
                area: "catalog",
                access: .scope(.catalogRead),
                answer: .reference("Product")
            ) { call, caller in
                try call.noQuery()
                return try shop.catalog.product(call.id(), caller)
            },
            Route(
                .put,
                "/v1/products/{id}",
                "putProduct",
                "Make a product with an id of the client's (If-None-Match: *), or replace one (If-Match)",
                area: "catalog",
                access: .scope(.catalogWrite),
                isUpsert: true,
                body: .reference("ProductRequest"),
                answer: .reference("Product"),
                problems: [.duplicate, .inUse]
            ) { call in
                try call.noQuery()
                let condition: PutCondition =
                    call.exchange.fields.ifNoneMatch == "*" ? .absent : .matching(try call.expectedVersion())
                let draft = try await call.body { ProductDraft.read(&$0) }
                return try call.reply(
                    await shop.catalog.putProduct(call.id(), draft, condition: condition, call.context())
                )
            },
            Route(
                .patch,
                "/v1/products/{id}",
                "changeProduct",
                "Change a product",
                area: "catalog",
                access: .scope(.catalogWrite),
                needsMatch: true,
                body: .reference("ProductPatch"),
                answer: .reference("Product"),
                problems: [.duplicate, .inUse]
            ) { call in
                try call.noQuery()
                let expected = try call.expectedVersion()
                let patch = try await call.body { ProductPatch.read(&$0) }
                return try call.reply(
                    await shop.catalog.updateProduct(call.id(), patch, expected: expected, call.context())
                )
            },
            Route(
                .delete,
                "/v1/products/{id}",
                "deleteProduct",
                "Delete a product no document names",
                area: "catalog",
                access: .scope(.catalogWrite),
                needsMatch: true,
                status: .noContent,
                problems: [.inUse]
            ) { call in
                try call.noQuery()
                return try call.reply(
                    await shop.catalog.deleteProduct(call.id(), expected: call.expectedVersion(), call.context())
                )
            },
        ]
    }
}

extension ProductFilter {
    /// Reads what `GET /v1/products` asks for.
    static func read(_ query: inout Query) -> ProductFilter {
        ProductFilter(
            q: query.search("q"),
            barcode: query.code("barcode"),
            categoryID: query.id("category_id"),
            stock: query.choice("stock"),
            status: query.choice("status"),
            sort: query.choice("sort") ?? .name
        )
    }
}
