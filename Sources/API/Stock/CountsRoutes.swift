import Domain
import HTTPTypes
import Kernel
import Services

/// Counts of what is at a location.
struct CountsRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let (store, counts) = (shop.store, shop.counts)
        return [
            .page(
                "/v1/stock/counts",
                "listStockCounts",
                "Counts, the last opened first",
                area: "stock",
                access: .scope(.stockRead),
                answer: .reference("StockCount"),
                query: { CountFilter.read(&$0) },
                reading: { (filter, page, caller) throws(Problem) in try counts.list(filter, page, caller) }
            ),
            .command(
                "/v1/stock/counts",
                "openStockCount",
                "Open a count of what is at a location",
                area: "stock",
                access: .scope(.stockWrite),
                key: .required,
                store: store,
                body: Body("StockCountRequest") { CountRequest.read(&$0) },
                answer: .reference("StockCount")
            ) { (request, context, key) throws(Problem) in try await counts.open(request, context, key: key) },
            .one(
                "/v1/stock/counts/{id}",
                "readStockCount",
                "One count",
                area: "stock",
                access: .scope(.stockRead),
                answer: .reference("StockCount")
            ) { counts.count($0, $1) },
            .parts(
                "/v1/stock/counts/{id}/lines",
                "listStockCountLines",
                "What was counted, by product",
                area: "stock",
                access: .scope(.stockRead),
                answer: .reference("StockCountLine"),
                query: { $0.flag("differs", "Whether something else was found than should have been there.") },
                reading: { (id, differs, page, caller) throws(Problem) in
                    try counts.lines(of: id, differs: differs, page, caller)
                }
            ),
            .action(
                "/v1/stock/counts/{id}/lines",
                "enterStockCountLines",
                "Enter what was counted; of each product the last count holds",
                area: "stock",
                access: .scope(.stockWrite),
                key: nil,
                store: store,
                body: Body("StockCountLines") { CountedProduct.readLines(&$0) },
                answer: .object([.required("data", .array(.reference("StockCountLine")))]),
                givesTag: false,
                problems: [.invalidState, .duplicate, .quantityPrecision]
            ) { (id, lines, context, _) throws(Problem) in try await counts.enter(id, lines, context) },
            .action(
                "/v1/stock/counts/{id}/close",
                "closeStockCount",
                "Move the differences of a count, and end it",
                area: "stock",
                access: .scope(.stockWrite),
                key: .required,
                store: store,
                body: Body(isOptional: true) { _ in },
                answer: .reference("StockCount"),
                problems: [.invalidState, .insufficientStock]
            ) { (id, _, context, key) throws(Problem) in try await counts.close(id, context, key: key) },
            .action(
                "/v1/stock/counts/{id}/cancel",
                "cancelStockCount",
                "End a count that moves nothing",
                area: "stock",
                access: .scope(.stockWrite),
                key: .required,
                store: store,
                body: Body(isOptional: true) { _ in },
                answer: .reference("StockCount"),
                problems: [.invalidState]
            ) { (id, _, context, key) throws(Problem) in try await counts.cancel(id, context, key: key) },
        ]
    }
}

extension CountRequest {
    /// Reads the body of `POST /v1/stock/counts`.
    static func read(_ reader: inout JSONObjectReader) -> CountRequest {
        CountRequest(
            locationID: reader.optional("location_id", .id()),
            note: reader.optionalText("note", .note)
        )
    }
}

extension CountedProduct {
    /// Reads the body of `POST /v1/stock/counts/{id}/lines`.
    static func readLines(_ reader: inout JSONObjectReader) -> [CountedProduct] {
        reader.objects("lines", of: "StockCountLineRequest", count: 1...DocumentLimits.lines) { line in
            CountedProduct(product: .read(&line), counted: line.quantity("counted", .notNegative))
        }
    }
}

extension CountFilter {
    /// Reads what `GET /v1/stock/counts` asks for.
    static func read(_ query: inout Query) -> CountFilter {
        var filter = CountFilter()
        filter.status = query.choice("status", "In this state only.")
        filter.locationID = query.id("location_id", "At this location only.")
        return filter
    }
}
