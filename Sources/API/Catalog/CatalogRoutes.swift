import Domain
import HTTPTypes
import Kernel
import Services

/// Categories, units, codes of scales and products.
struct CatalogRoutes: Area {
    static let records: [any Record.Type] = [
        Services.Category.self, Services.Unit.self, ScaleCode.self, Product.self,
    ]

    let shop: Shop

    var routes: [Route] { categories + units + scaleCodes + products }

    private var categories: [Route] {
        RecordRoutes<Services.Category>(
            reading: .catalogRead,
            writing: .catalogWrite,
            deletable: "nothing is listed under",
            figures: [.required("product_count", .integer(minimum: 0))]
        ).routes(shop.categories, shop.store)
    }

    private var units: [Route] {
        RecordRoutes<Services.Unit>(
            reading: .catalogRead,
            writing: .catalogWrite,
            deletable: "no product is sold by",
            changeProblems: [.invalidState]
        ).routes(shop.units, shop.store)
    }

    private var scaleCodes: [Route] {
        RecordRoutes<ScaleCode>(
            reading: .catalogRead,
            writing: .catalogWrite,
            deletable: "that no scale writes any more"
        ).routes(shop.records(), shop.store)
    }

    private var products: [Route] {
        let shop = self.shop
        let records = RecordRoutes<Product>(
            reading: .catalogRead,
            writing: .catalogWrite,
            deletable: "no document names",
            figures: [
                .required("cost", .price), .required("on_hand", .quantity), .required("reserved", .quantity),
                .required("available", .quantity),
            ],
            changeProblems: [.inUse]
        )
        let whole = Body("ProductRequest", ProductFields.made)
        let others: [Route] = [
            .command(
                "/v1/products/batch",
                "upsertProducts",
                "Make or change up to 1,000 products, found by external_id or sku",
                area: "catalog",
                access: .scope(.catalogWrite),
                key: .required,
                store: shop.store,
                body: Body("ProductBatchRequest") { reader in
                    reader.objects("products", of: "ProductUpsert", count: 1...1000) { ProductUpsert.read(&$0) }
                },
                status: .ok,
                answer: .reference("ProductBatch"),
                problems: [.duplicate, .invalidState]
            ) { (products, context, key) throws(Problem) in
                try await shop.products.upsert(products, context, key: key)
            },
            .read(
                "/v1/products/lookup",
                "lookUpProducts",
                "Every product with this SKU or barcode, and what the code stands for",
                area: "catalog",
                access: .scope(.catalogRead),
                answer: .page(.named("ScannedProduct", Self.scanned(records.members))),
                problems: [.validationFailed],
                query: {
                    $0.code(
                        "code",
                        "A SKU or barcode, of which neither case nor accents count; or a code of GS1 or of a scale.",
                        isRequired: true
                    )
                },
                reading: { (code, caller) throws(Problem) in
                    guard let code else { throw .notFound }
                    return shop.products.lookUp(code, caller)
                }
            ),
            .parts(
                "/v1/products/{id}/price-history",
                "listPriceHistory",
                "What a product's prices and its cost were, the last change first",
                area: "catalog",
                access: .scope(.catalogRead),
                answer: Self.priceChange,
                query: { (query) -> PriceKind? in query.choice("kind", "Of its price or of its cost only.") },
                reading: { (id, kind, page, caller) throws(Problem) in
                    try shop.products.priceHistory(of: id, kind, page, caller)
                }
            ),
            Route(
                .put,
                "/v1/products/{id}",
                "putProduct",
                "Make a product with an id of the client's (If-None-Match: *), or replace one (If-Match)",
                area: "catalog",
                access: .scope(.catalogWrite),
                takes: Route.Input(body: whole.schema, version: .put),
                gives: Route.Output(answer: records.answer, problems: [.duplicate, .inUse])
            ) { call in
                let condition: PutCondition =
                    call.exchange.fields.ifNoneMatch == "*" ? .absent : .matching(try call.expectedVersion())
                let fields = try await call.body(whole)
                return try call.reply(await shop.products.put(call.id(), fields, condition: condition, call.context()))
            },
        ]
        return records.routes(shop.products, shop.store) { product in
            .page(
                Product.collection,
                "listProducts",
                "Products",
                area: "catalog",
                access: .scope(.catalogRead),
                answer: product,
                query: { ProductFilter.read(&$0) },
                hasChanges: true,
                selecting: { (selected, _, page, caller) throws(Problem) in
                    try shop.products.list(selected, page, caller)
                },
                reading: { (filter, page, caller) throws(Problem) in try shop.products.list(filter, page, caller) }
            )
        } + others
    }
}

extension CatalogRoutes {
    /// One change of a price or a cost; null is what its units cost, of a packaging.
    private static let priceChange = Schema.named(
        "PriceChange",
        .object([
            .required("id", .id), .required("kind", .choice(PriceKind.allCases.map(\.rawValue))),
            .required("packaging", .nullable(.text)), .required("old", .nullable(.price)),
            .required("new", .nullable(.price)), .required("user_id", .nullable(.id)), .required("changed_at", .time),
        ])
    )

    /// A product as a code names it: its own shape, and what one such code stands for.
    private static func scanned(_ product: [Schema.Member]) -> Schema {
        .object(
            product + [
                .required(
                    "scanned",
                    .named(
                        "Scanned",
                        .object([
                            .required("packaging_id", .nullable(.id)), .required("packaging", .nullable(.text)),
                            .required("factor", .quantity), .required("price", .price),
                            .required("quantity", .nullable(.quantity)), .required("amount", .nullable(.money)),
                            .required("lot", .nullable(.text)), .required("expires_on", .nullable(.day)),
                        ])
                    )
                )
            ]
        )
    }
}

extension ProductFilter {
    /// Reads what `GET /v1/products` asks for.
    static func read(_ query: inout Query) -> ProductFilter {
        ProductFilter(
            q: query.search("q", in: "the name, the SKU or a barcode"),
            barcode: query.code("barcode", "A whole barcode."),
            categoryID: query.id("category_id", "Of this category only."),
            stock: query.choice("stock", "Out, low or ok only."),
            status: query.choice("status", "In this state only."),
            sort: query.order("name")
        )
    }
}
