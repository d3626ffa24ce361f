import Cache
import Crypto
package import Domain
package import Kernel
package import Postgres

/// A file that has been sent, as `POST /v1/imports/{id}/start` tells of it.
package struct SentFile: Sendable, Equatable {
    /// How many parts it has, which are numbered from 1 on.
    package var parts: Int
    /// How many bytes they have in all.
    package var bytes: Int

    /// Makes one.
    package init(parts: Int, bytes: Int) {
        self.parts = parts
        self.bytes = bytes
    }
}

/// Imports over HTTP: asked for, sent by parts, started, looked at, cancelled and resumed.
///
/// A part is a body like any other, so that nothing is held open for long and what was lost is sent again. The work is done by an
/// ``ImportWorker``, of whichever instance. Nothing of it is cached: it changes while it is read.
package struct ImportsService: Sendable {
    /// Parts that a file may have.
    package static let mostParts = 1_024

    /// How many imports of a tenant may be on their way: one that runs, and five that wait or are sent.
    private static let mostOpen: Int32 = 6

    let store: Store
    let cursors: PageCursors
    /// Rings when an import was queued here, so that a worker of this instance need not look for it.
    let bell: Doorbell

    /// Every statement of this service, prepared on each connection.
    package static let statements: [any Statement.Type] = [
        RefuseImportElsewhere.self, AskForImport.self, ReceiveImportPart.self, StartImport.self, ResumeImport.self,
        CancelImport.self,
        ListImports.self,
        ListImportRejections.self, ReadRejectedHead.self, ReadRejectedRecords.self,
        Conclude<RequestedImport>.self, ReadDocument<RequestedImport>.self,
    ]

    init(store: Store, cursors: PageCursors, bell: Doorbell) {
        self.store = store
        self.cursors = cursors
        self.bell = bell
    }

    /// Makes an import whose file is to come.
    ///
    /// - Parameters:
    ///   - request: What is to be imported, and how.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 201 with the import.
    /// - Throws: 403 `forbidden` for what is of places, if the caller works at some alone; 409 `invalid_state` if too many have not ended.
    package func ask(
        _ request: ImportRequest,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        let id = ImportRequestID.make()
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<RequestedImport> in
            try unit.refuseImportElsewhere(id, request.kind, context.caller)
            try unit.add(Act(actor: AuditActor(context)))
            try unit.add(AskForImport(id: id, request: request, most: Self.mostOpen))
            return .created(RequestedImport(id))
        }
    }

    /// Takes a part of a file; the same once more changes nothing.
    ///
    /// - Parameters:
    ///   - id: Which import.
    ///   - number: Which part, 1 ... ``mostParts``.
    ///   - content: Its bytes, at least one.
    ///   - context: Who asks.
    /// - Returns: 200 with the import.
    /// - Throws: 404 `not_found`, 409 `duplicate` if another part of that number is here, `invalid_state` if the import was started.
    package func receive(
        _ id: ImportRequestID,
        _ number: Int,
        _ content: [UInt8],
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        let digest = Array(SHA256.hash(data: content))
        return try await store.write(context) { (unit) throws(PostgresError) -> Effect<RequestedImport> in
            try unit.add(ReceiveImportPart(id: id, number: Int32(clamping: number), content: content, digest: digest))
            return .changed(RequestedImport(id))
        }
    }

    /// Queues an import whose file is here.
    ///
    /// - Parameters:
    ///   - id: Which one.
    ///   - file: What was sent of it.
    ///   - context: Who asks.
    /// - Returns: 200 with the import; as it is, if it was started before.
    /// - Throws: 403 `forbidden` as ``ask(_:_:key:)``, 404 `not_found`, 409 `invalid_state` if parts are missing, or it can only be resumed.
    package func start(
        _ id: ImportRequestID,
        _ file: SentFile,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        let answer = try await change(id, context) { (unit) throws(PostgresError) in
            try unit.refuseImportElsewhere(id, nil, context.caller)
            try unit.add(StartImport(id: id, file: file))
        }
        bell.ring()
        return answer
    }

    /// Queues an import again that has failed, was cancelled or set aside: what was written is compared and left alone.
    ///
    /// - Parameters:
    ///   - id: Which one.
    ///   - context: Who asks.
    /// - Returns: 200 with the import; as it is, if it is under way.
    /// - Throws: 403 `forbidden` as ``ask(_:_:key:)``, 404 `not_found`, 409 `invalid_state` if it is complete, or its file is not here any more.
    package func resume(_ id: ImportRequestID, _ context: CallContext) async throws(Problem) -> Answer {
        let answer = try await change(id, context) { (unit) throws(PostgresError) in
            try unit.refuseImportElsewhere(id, nil, context.caller)
            try unit.add(ResumeImport(id: id))
        }
        bell.ring()
        return answer
    }

    /// Ends an import; what it has written stays.
    ///
    /// - Parameters:
    ///   - id: Which one.
    ///   - context: Who asks.
    /// - Returns: 200 with the import, which ends within moments if it runs.
    /// - Throws: 404 `not_found`, 409 `invalid_state` if it has ended otherwise.
    package func cancel(_ id: ImportRequestID, _ context: CallContext) async throws(Problem) -> Answer {
        try await change(id, context) { (unit) throws(PostgresError) in
            try unit.add(Act(actor: AuditActor(context)))
            try unit.add(CancelImport(id: id))
        }
    }

    private func change(
        _ id: ImportRequestID,
        _ context: CallContext,
        _ command: (inout UnitOfWork) throws(PostgresError) -> Void
    ) async throws(Problem) -> Answer {
        try await store.write(context) { (unit) throws(PostgresError) -> Effect<RequestedImport> in
            try command(&unit)
            return .changed(RequestedImport(id))
        }
    }

    /// One import with how far it is.
    ///
    /// - Parameters:
    ///   - id: Its id.
    ///   - caller: Who asks.
    /// - Returns: The read of its body, to be answered fresh.
    package func one(_ id: ImportRequestID, _ caller: Caller) -> CachedRead {
        caller.read(.settings, RequestedImport(id), "import")
    }

    /// A page of imports, the last asked for first.
    ///
    /// - Parameters:
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page, to be answered fresh.
    /// - Throws: 400 `cursor_mismatch`.
    package func list(_ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        let builder = KeyBuilder("imports")
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .settings)
        return page.read(ListImports(after: page.afterMoment(), limit: page.limit))
    }

    /// A page of the rows that an import rejected, in the order of its file.
    ///
    /// - Parameters:
    ///   - id: Which import.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page, to be answered fresh.
    /// - Throws: 400 `cursor_mismatch`.
    package func rejections(_ id: ImportRequestID, _ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("import-errors")
        builder.add(id.description)
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .settings, count: 1)
        let after = page.values?.first.flatMap { Int32($0) } ?? -1
        return page.readParts(ListImportRejections(id: id, after: after, limit: page.limit))
    }

    /// The rejected rows of an import as a file that can be corrected and imported like the first.
    ///
    /// - Parameters:
    ///   - id: Which import.
    ///   - context: Who asks.
    /// - Returns: The file, which is read portion by portion.
    /// - Throws: 404 `not_found`, 409 `invalid_state` as long as it has not ended, or if it ended before its rejected rows were kept.
    package func rejectedFile(_ id: ImportRequestID, _ context: CallContext) async throws(Problem) -> RejectedDownload {
        let rows = try await store.query(ReadRejectedHead(id: id), tenant: context.tenant, deadline: context.deadline)
        guard let head = rows.first else { throw .notFound }
        guard !["receiving", "queued", "running"].contains(head.status) else {
            throw Problem(.invalidState, "The import is \(head.status): what it rejects is not known yet.")
        }
        guard head.isKept else {
            // An empty file would say that none was rejected.
            throw Problem(
                .invalidState,
                "The import ended before its rejected rows were kept; /errors lists those that are known."
            )
        }
        guard let kind = ImportKind(rawValue: head.kind),
            let options = try? ImportOptions(kept: Array(head.options.utf8), of: kind)
        else { throw Problem(.invalidState, "A later version of the program has made this import.") }
        return RejectedDownload(store: store, tenant: context.tenant, id: id, head: head.head, mapping: options.mapping)
    }
}

/// The file of an import's rejected rows, read portion by portion.
package struct RejectedDownload: AsyncSequence, Sendable {
    package typealias Element = [UInt8]

    fileprivate let store: Store
    fileprivate let tenant: TenantID
    fileprivate let id: ImportRequestID
    fileprivate let head: [UInt8]
    fileprivate let mapping: ImportMapping

    /// How it is written.
    package var format: FileFormat { mapping.format }

    /// How its letters are written.
    package var encoding: TextEncoding { mapping.encoding }

    package func makeAsyncIterator() -> Iterator { Iterator(file: self) }

    package struct Iterator: AsyncIteratorProtocol {
        /// How long a portion may take.
        private static let patience: Duration = .seconds(10)

        fileprivate let file: RejectedDownload
        private var line: Int32 = -1
        private var hasBegun = false

        fileprivate init(file: RejectedDownload) { self.file = file }

        package mutating func next() async throws -> [UInt8]? {
            let rows = try await file.store.query(
                ReadRejectedRecords(id: file.id, after: line),
                tenant: file.tenant,
                deadline: .now + Self.patience
            )
            let isFirst = !hasBegun
            hasBegun = true
            // Nothing rejected is an empty file, as there is none beside one whose rows are all in.
            guard let last = rows.last else { return nil }
            line = last.line
            var bytes = isFirst ? file.head : []
            for row in rows { bytes += row.record }
            return RejectedCopy.encoded(bytes, as: file.mapping.encoding, isFirst: isFirst)
        }
    }
}

extension UnitOfWork {
    /// Refuses an import of what is of places unless the caller works everywhere.
    fileprivate mutating func refuseImportElsewhere(
        _ id: ImportRequestID,
        _ kind: ImportKind?,
        _ caller: Caller
    ) throws(PostgresError) {
        if case .only = caller.workplaces { try add(RefuseImportElsewhere(id: id, kind: kind)) }
    }
}
