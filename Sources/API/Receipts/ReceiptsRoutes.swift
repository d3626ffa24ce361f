import HTTPTypes
import Kernel
import Services

/// Receipts, as JSON, as text and as pages to be printed.
struct ReceiptsRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let receipts = shop.receipts
        return [
            .receipt(
                "/v1/sales/{id}/receipt",
                "readSaleReceipt",
                "The receipt of a sale; as text or as a page in the words of a language",
                answer: .reference("Receipt")
            ) { (id: SaleID, form, caller) in receipts.receipt(of: id, as: form, caller) },
            .receipt(
                "/v1/returns/{id}/receipt",
                "readReturnReceipt",
                "The receipt of a return; as text or as a page in the words of a language",
                answer: .reference("ReturnReceipt")
            ) { (id: SaleReturnID, form, caller) in receipts.receipt(of: id, as: form, caller) },
        ]
    }
}

extension Route {
    /// A receipt, in the form that `Accept` chooses.
    fileprivate static func receipt<Kind>(
        _ path: String,
        _ name: String,
        _ summary: String,
        answer: Schema,
        reading: @escaping @Sendable (ID<Kind>, ReceiptForm, Caller) -> CachedRead
    ) -> Route {
        let asked: @Sendable (inout Query) -> ReceiptStyle = { ReceiptStyle.read(&$0) }
        return Route(
            .get,
            path,
            name,
            summary,
            area: "sales",
            access: .scope(.salesRead),
            takes: Route.Input(parameters: Query.parameters(of: asked)),
            gives: Route.Output(answer: answer, others: [(.html, .text), (.plain, .text)]),
            service: .read { call, caller in
                let style = try call.query(asked)
                let form: ReceiptForm =
                    switch try call.answerType() {
                    case .html: .page(style)
                    case .plain: .text(style)
                    default: .data
                    }
                return reading(try call.id(), form, caller)
            }
        )
    }
}

extension ReceiptStyle {
    /// Reads how a receipt is to look; of JSON nothing of it is to be seen.
    static func read(_ query: inout Query) -> ReceiptStyle {
        ReceiptStyle(
            width: query.choice(
                "width",
                "What text and pages are printed on: a roll of 58 or 80 mm, which is the standard, or A4."
            ) ?? .wideRoll,
            language: query.choice("lang", "The language of text and pages; that of the tenant's locale if left out.")
        )
    }
}
