import Domain
import HTTPTypes
import Kernel
import NIOCore
import Services

/// Everything of a kind at once, written as it is read.
struct ExportsRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] { ExportKind.allCases.map { Self.route(of: $0, shop.exports) } }

    /// What the query asks for.
    private struct Asked {
        let format: FileFormat?
        let after: String?
        let showsCursor: Bool
        let hasByteOrderMark: Bool

        static func read(_ query: inout Query) -> Asked {
            Asked(
                format: query.choice(
                    "format",
                    "How rows are written; if left out as Accept says, csv if that says nothing."
                ),
                after: query.text("after", "Behind which row to go on, and then without a header: its `cursor`."),
                showsCursor: query.flag("cursor", "Whether each row ends in its place, to go on from.") ?? false,
                hasByteOrderMark: query.flag("bom", "Whether CSV begins with a byte order mark, for spreadsheets.")
                    ?? false
            )
        }
    }

    private static func route(of kind: ExportKind, _ exports: ExportService) -> Route {
        Route(
            .get,
            "/v1/exports/\(kind.rawValue)",
            "export\(kind.rawValue.prefix(1).uppercased())\(kind.rawValue.dropFirst())",
            kind.summary,
            area: "exports",
            access: .scope(kind.scope),
            takes: Route.Input(parameters: Query.parameters(of: Asked.read)),
            gives: Route.Output(
                answer: .text,
                type: .csv,
                others: [(.ndjson, .text)],
                problems: [.cursorMismatch]
            )
        ) { call in
            let asked = try call.query(Asked.read)
            let accepted = try call.answerType()
            let format = asked.format ?? (accepted == .ndjson ? .ndjson : .csv)
            let request = try ExportRequest(
                kind,
                format: format,
                showsCursor: asked.showsCursor,
                hasByteOrderMark: asked.hasByteOrderMark,
                after: asked.after
            )
            let export = try exports.stream(request, of: try call.context().tenant)
            var reply = Reply(.ok, body: ByteBuffer(), type: format == .csv ? .csv : .ndjson)
            reply.append(.eventSequence, String(try await export.open()))
            reply.stream = AsyncThrowingStream(unfolding: { try await export.next().map { ByteBuffer(bytes: $0) } })
            return reply
        }
    }
}
