import Domain
import HTTPTypes
import Kernel
import NIOCore
import Services

/// Imports: asked for, sent by parts, started, looked at, cancelled and resumed.
struct ImportsRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    private static let access = Route.Access.scope(.importsWrite)
    private static let answer = Schema.reference("Import")

    var routes: [Route] {
        let (store, imports) = (shop.store, shop.imports)
        return [
            .command(
                "/v1/imports",
                "createImport",
                "Ask for a file to be imported, whose parts are sent next",
                area: "imports",
                access: Self.access,
                key: .required,
                store: store,
                body: Body("ImportRequest") { ImportRequest.read(&$0) },
                answer: Self.answer,
                givesTag: false,
                problems: [.invalidState]
            ) { (request, context, key) throws(Problem) in try await imports.ask(request, context, key: key) },
            Route(
                .get,
                "/v1/imports",
                "listImports",
                "Imports, the last asked for first",
                area: "imports",
                access: Self.access,
                takes: Route.Input(parameters: Query.parameters { $0.page() }),
                gives: Route.Output(answer: .page(Self.answer), problems: [.cursorMismatch])
            ) { call in
                let page = try call.query { $0.page() }
                let context = try call.context()
                return try await call.fresh(imports.list(page, context.caller), context, store)
            },
            .freshOne(
                "/v1/imports/{id}",
                "readImport",
                "One import with how far it is, and what came of it",
                area: "imports",
                access: Self.access,
                store: store,
                answer: Self.answer
            ) { imports.one($0, $1) },
            Self.part(imports),
            .action(
                "/v1/imports/{id}/start",
                "startImport",
                "Queue an import whose file is sent",
                area: "imports",
                access: Self.access,
                key: nil,
                store: store,
                body: Body("SentFile") { SentFile.read(&$0) },
                answer: Self.answer,
                givesTag: false,
                problems: [.invalidState]
            ) { (id, file, context, _) throws(Problem) in try await imports.start(id, file, context) },
            .action(
                "/v1/imports/{id}/cancel",
                "cancelImport",
                "End an import; what it has written stays",
                area: "imports",
                access: Self.access,
                key: nil,
                store: store,
                body: Body(isOptional: true) { _ in },
                answer: Self.answer,
                givesTag: false,
                problems: [.invalidState]
            ) { (id, _, context, _) throws(Problem) in try await imports.cancel(id, context) },
            .action(
                "/v1/imports/{id}/resume",
                "resumeImport",
                "Queue an import again that has failed, was cancelled or set aside",
                area: "imports",
                access: Self.access,
                key: nil,
                store: store,
                body: Body(isOptional: true) { _ in },
                answer: Self.answer,
                givesTag: false,
                problems: [.invalidState]
            ) { (id, _, context, _) throws(Problem) in try await imports.resume(id, context) },
            Route(
                .get,
                "/v1/imports/{id}/errors",
                "listImportErrors",
                "The rows that an import rejected, in the order of its file",
                area: "imports",
                access: Self.access,
                takes: Route.Input(parameters: Query.parameters { $0.page() }),
                gives: Route.Output(answer: .page(.reference("ImportError")), problems: [.cursorMismatch])
            ) { call in
                let page = try call.query { $0.page() }
                let context = try call.context()
                return try await call.fresh(imports.rejections(call.id(), page, context.caller), context, store)
            },
            Self.rejectedRows(imports),
        ]
    }

    private static func part(_ imports: ImportsService) -> Route {
        Route(
            .put,
            "/v1/imports/{id}/parts/{part}",
            "sendImportPart",
            "Send a part of the file of an import; the same once more changes nothing",
            area: "imports",
            access: access,
            takes: Route.Input(
                segments: ["part": .integer(minimum: 1, maximum: ImportsService.mostParts)],
                body: .string(description: "Bytes of the file, cut anywhere: 1 MiB at most."),
                isBodyRaw: true
            ),
            gives: Route.Output(answer: answer, givesTag: false, problems: [.invalidState, .duplicate])
        ) { call in
            let id: ImportRequestID = try call.id()
            guard let segment = call.segments.last, let number = Int(segment), "\(number)" == segment,
                (1...ImportsService.mostParts).contains(number)
            else { throw Problem.notFound }
            let content = try await call.bytes()
            guard !content.isEmpty else {
                throw Problem(.invalidRequest, "A part has one byte at least.")
            }
            return try call.reply(await imports.receive(id, number, content, call.context()))
        }
    }

    private static func rejectedRows(_ imports: ImportsService) -> Route {
        Route(
            .get,
            "/v1/imports/{id}/rejected",
            "readRejectedRows",
            "The rows that an import rejected as they stand in its file, with the reasons: corrected, they are imported like the first",
            area: "imports",
            access: access,
            gives: Route.Output(
                answer: .text,
                type: .csv,
                others: [(.ndjson, .text)],
                problems: [.invalidState]
            )
        ) { call in
            let file = try await imports.rejectedFile(call.id(), call.context())
            // As the file itself is written, which no Accept changes.
            var reply = Reply(.ok, body: ByteBuffer(), type: file.format == .csv ? .csv : .ndjson)
            if file.format == .csv, file.encoding != .utf8 {
                let type = "text/csv; charset=\(Self.charset(file.encoding)); header=present"
                reply.fields = [HTTPField(name: .contentType, value: type)]
            }
            let rows = file.makeAsyncIterator()
            let state = Portions(rows)
            reply.stream = AsyncThrowingStream(unfolding: { try await state.next() })
            return reply
        }
    }

    /// What an encoding is called on the web.
    ///
    /// UTF-16 is told by the mark that it begins with, whatever order was declared.
    private static func charset(_ encoding: TextEncoding) -> String {
        switch encoding {
        case .utf8: "utf-8"
        case .windows1252: "windows-1252"
        case .utf16, .utf16LittleEndian, .utf16BigEndian: "utf-16"
        }
    }

    /// The portions of a file, asked for one after the other.
    private actor Portions {
        private var rows: RejectedDownload.Iterator

        init(_ rows: RejectedDownload.Iterator) { self.rows = rows }

        func next() async throws -> ByteBuffer? {
            var rows = self.rows
            let portion = try await rows.next()
            self.rows = rows
            return portion.map { ByteBuffer(bytes: $0) }
        }
    }
}

extension SentFile {
    /// Reads the body of `POST /v1/imports/{id}/start`.
    static func read(_ reader: inout JSONObjectReader) -> SentFile {
        SentFile(
            parts: reader.required("parts", else: 1, .integer(1...ImportsService.mostParts)),
            bytes: reader.required("bytes", else: 1, .integer(1...(ImportsService.mostParts << 20)))
        )
    }
}
