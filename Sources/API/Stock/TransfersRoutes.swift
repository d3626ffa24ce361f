import Domain
import HTTPTypes
import Kernel
import Services

/// Transfers of goods from one location to another.
struct TransfersRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let (store, transfers) = (shop.store, shop.transfers)
        return [
            .page(
                "/v1/transfers",
                "listTransfers",
                "Transfers, the last made first",
                area: "stock",
                access: .scope(.stockRead),
                answer: .reference("TransferSummary"),
                query: { TransferFilter.read(&$0) },
                reading: { (filter, page, caller) throws(Problem) in try transfers.list(filter, page, caller) }
            ),
            .command(
                "/v1/transfers",
                "createTransfer",
                "Draft a transfer of goods to another location",
                area: "stock",
                access: .scope(.stockWrite),
                key: .required,
                store: store,
                body: Body("TransferRequest") { TransferRequest.read(&$0) },
                answer: .reference("Transfer"),
                problems: [.quantityPrecision]
            ) { (request, context, key) throws(Problem) in try await transfers.draft(request, context, key: key) },
            .one(
                "/v1/transfers/{id}",
                "readTransfer",
                "One transfer with its lines",
                area: "stock",
                access: .scope(.stockRead),
                answer: .reference("Transfer")
            ) { transfers.transfer($0, $1) },
            .change(
                "/v1/transfers/{id}",
                "changeTransfer",
                "Change a transfer that is a draft",
                area: "stock",
                access: .scope(.stockWrite),
                body: Body("TransferPatch") { TransferPatch.read(&$0) },
                answer: .reference("Transfer"),
                problems: [.invalidState, .quantityPrecision]
            ) { (id, patch, expected, context) throws(Problem) in
                try await transfers.change(id, patch, expected: expected, context)
            },
            .action(
                "/v1/transfers/{id}/send",
                "sendTransfer",
                "Send a draft: its goods are in transit from then on",
                area: "stock",
                access: .scope(.stockWrite),
                key: .required,
                store: store,
                body: Body(isOptional: true) { _ in },
                answer: .reference("Transfer"),
                problems: [.invalidState, .insufficientStock]
            ) { (id, _, context, key) throws(Problem) in try await transfers.send(id, context, key: key) },
            .action(
                "/v1/transfers/{id}/receive",
                "receiveTransfer",
                "Receive what is in transit, all of it or what is said, and tell what is lost",
                area: "stock",
                access: .scope(.stockWrite),
                key: .required,
                store: store,
                body: Body("TransferReceipt", isOptional: true) { ReceivedLine.readLines(&$0) },
                answer: .reference("Transfer"),
                problems: [.invalidState]
            ) { (id, lines, context, key) throws(Problem) in
                try await transfers.receive(id, lines, context, key: key)
            },
            .action(
                "/v1/transfers/{id}/cancel",
                "cancelTransfer",
                "Give up a transfer that is a draft",
                area: "stock",
                access: .scope(.stockWrite),
                key: .required,
                store: store,
                body: Body(isOptional: true) { _ in },
                answer: .reference("Transfer"),
                problems: [.invalidState]
            ) { (id, _, context, key) throws(Problem) in try await transfers.cancel(id, context, key: key) },
        ]
    }
}

extension TransferRequest {
    /// Reads the body of `POST /v1/transfers`.
    static func read(_ reader: inout JSONObjectReader) -> TransferRequest {
        TransferRequest(
            fromLocationID: reader.optional("from_location_id", .id()),
            toLocationID: reader.optionalID("to_location_id"),
            note: reader.optionalText("note", .note),
            lines: reader.objects("lines", of: "TransferLineRequest", count: 1...DocumentLimits.lines) { .read(&$0) }
        )
    }
}

extension TransferRequest.Line {
    /// Reads a line.
    fileprivate static func read(_ line: inout JSONObjectReader) -> Self {
        Self(product: .read(&line), quantity: line.quantity("quantity"))
    }
}

extension TransferPatch {
    /// Reads the body of `PATCH /v1/transfers/{id}`.
    static func read(_ reader: inout JSONObjectReader) -> TransferPatch {
        var patch = TransferPatch()
        patch.fromLocationID = reader.change("from_location_id", .id())
        patch.toLocationID = reader.change("to_location_id", isShown: false, .id())
        patch.note = reader.clearableText("note", .note)
        if reader.contains("lines") || reader.isRecording {
            // A patch need not name them; one that does leaves some.
            let count = (reader.isRecording ? 0 : 1)...DocumentLimits.lines
            patch.lines = .set(
                reader.objects("lines", of: "TransferLineRequest", count: count, isShown: false) { .read(&$0) }
            )
        }
        return patch
    }
}

extension ReceivedLine {
    /// Reads the body of `POST /v1/transfers/{id}/receive`.
    static func readLines(_ reader: inout JSONObjectReader) -> [ReceivedLine] {
        reader.linesOrAll("ReceivedLineRequest") { line in
            ReceivedLine(
                lineID: line.id("line_id"),
                quantity: line.quantity("quantity", .notNegative),
                lost: line.optionalQuantity("lost", .notNegative) ?? .zero,
                reason: line.optionalText("reason", .reason)
            )
        }
    }
}

extension TransferFilter {
    /// Reads what `GET /v1/transfers` asks for.
    static func read(_ query: inout Query) -> TransferFilter {
        var filter = TransferFilter()
        filter.status = query.choice("status", "In this state only.")
        filter.locationID = query.id("location_id", "From or to this location only.")
        return filter
    }
}
