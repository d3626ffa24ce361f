import Domain
import Kernel
import Postgres

/// One run of an import of records on one connection, or on two.
final class RecordsImportRun<Rows: ImportedRows> {
    private var kind: Rows
    private let session: ImportSession
    /// Takes every second batch of what may go in side by side.
    private let assistant: ImportSession?
    private let options: RecordsImport.Options
    private let figures: RecordsImport.Figures
    private let onReject: (RowRejection) throws -> Void
    private let onProgress: (ImportProgress) -> Void

    private var isOpen = false
    /// Rows that were read and not applied yet, from `next` on.
    private var pending: [Rows.Row] = []
    private var next = 0
    /// Whether the file is one transaction, and whether that is open.
    private var isWhole: Bool { options.onError == .abort || options.isDryRun }
    private var hasBegun = false
    /// Whether the batch before has made something: of a file that is there already no batch is tried beside another in vain.
    private var expectsNew = true

    init(
        _ kind: Rows,
        session: ImportSession,
        assistant: ImportSession?,
        options: RecordsImport.Options,
        figures: RecordsImport.Figures,
        onReject: @escaping (RowRejection) throws -> Void,
        onProgress: @escaping (ImportProgress) -> Void
    ) {
        self.kind = kind
        self.session = session
        self.assistant = assistant
        self.options = options
        self.figures = figures
        self.onReject = onReject
        self.onProgress = onProgress
    }

    /// Imports the file.
    func run<Source: AsyncSequence>(_ source: Source) async throws where Source.Element == [UInt8] {
        try await kind.prepare(session)
        let named = try await NamedKeys(session)
        do {
            try await read(source, named)
            while try await applyBatch(named, isLast: true) {}
            try await end()
        } catch {
            if hasBegun {
                try? await session.lease.rollback()
                figures.report.forgetWritten()
            }
            try? await named.close()
            if let fault = error as? ImportMapping.Fault { throw ImportFailure.mapping(fault) }
            throw error
        }
        try await named.close()
        if options.onError == .abort, figures.report.rejectedRows > 0 {
            throw ImportFailure.refused(rows: figures.report.rejectedRows)
        }
    }

    /// Keeps what was one transaction, if the run is none that is dry and no row was refused.
    private func end() async throws {
        guard hasBegun else { return }
        if options.isDryRun || figures.report.rejectedRows > 0 {
            try await session.lease.rollback()
        } else {
            try await session.lease.commit()
        }
        hasBegun = false
    }

    // MARK: Reading

    private func read<Source: AsyncSequence>(
        _ source: Source,
        _ named: NamedKeys
    ) async throws where Source.Element == [UInt8] {
        var transcoder = UTF16Transcoder(encoding: options.mapping.encoding)
        var parser = ImportParser(options.mapping, fields: options.kind.shape.fields)
        var chunks = source.makeAsyncIterator()
        while let chunk = try await chunks.next(isolation: #isolation) {
            try parser.consume(transcoder.decode(chunk)) { try take($0) }
            figures.report.blankRows = parser.blankRecords
            onProgress(.reading(rows: figures.report.rows))
            while pending.count - next >= rowsAtOnce, try await applyBatch(named, isLast: false) {}
            pending.removeFirst(next)
            next = 0
        }
        try parser.consume(transcoder.finish()) { try take($0) }
        try parser.finish { try take($0) }
        figures.report.blankRows = parser.blankRecords
        figures.report.unusedColumns += parser.unreadNames
        guard isOpen else { throw ImportMapping.Fault.emptyFile(options.mapping) }
    }

    private func take(_ record: borrowing FileRecord) throws {
        guard isOpen else {
            figures.report.unusedColumns = try kind.open(record)
            isOpen = true
            return
        }
        figures.report.rows += 1
        do throws(RowRejection) {
            pending.append(try kind.read(record))
        } catch {
            kind.note(refused: record)
            try reject(error)
            try TooManyRejections.check(figures.report.rejectedRows, most: options.maxErrors)
        }
    }

    private func reject(_ rejection: RowRejection) throws {
        figures.report.rejected[rejection.code, default: 0] += 1
        try onReject(rejection)
    }

    // MARK: Writing

    /// Applies the next rows, as a transaction of their own or as a part of the one that is the file; whether there were any.
    private func applyBatch(_ named: NamedKeys, isLast: Bool) async throws -> Bool {
        let rows =
            assistant == nil
            ? kind.batch(of: pending[next...], isLast: isLast) : pending[next...].prefix(rowsAtOnce)
        guard !rows.isEmpty else { return false }
        if isWhole, !hasBegun {
            try await session.lease.begin(tenant: session.tenant)
            hasBegun = true
        }
        let repeated = try await named.note(rows.map(kind.keys))
        var batch: [Rows.Row] = []
        for (place, row) in rows.enumerated() {
            if repeated.contains(place) {
                let reason = "an earlier row names this \(kind.noun)"
                try reject(RowRejection(line: kind.line(of: row), code: .duplicate, reason: reason))
            } else {
                batch.append(row)
            }
        }
        next += rows.count
        guard !batch.isEmpty else { return true }
        if let assistant, let makingNew = kind.makingNew, expectsNew, batch.count > kind.batchRows {
            try await write(batch, makingNew, beside: assistant)
        } else {
            // What may go in side by side may be cut anywhere.
            let size = assistant == nil ? batch.count : kind.batchRows
            for start in stride(from: 0, to: batch.count, by: size) {
                try await write(batch[start..<min(start + size, batch.count)])
            }
        }
        onProgress(.writing(rows: written, of: nil))
        return true
    }

    /// How many rows wait for each other.
    private var rowsAtOnce: Int { assistant == nil ? kind.batchRows : 2 * kind.batchRows }

    /// Writes a batch behind all that stand before it.
    private func write(_ batch: ArraySlice<Rows.Row>) async throws {
        let outcomes = try await session.retried {
            if isWhole {
                try await session.lease.nested { try await kind.apply(batch, in: session) }
            } else {
                try await kind.apply(batch, in: session)
            }
        }
        try count(outcomes, of: batch)
        // Behind the figures, which tell all that was written.
        try TooManyRejections.check(figures.report.rejectedRows, most: options.maxErrors)
    }

    /// Writes two batches side by side.
    ///
    /// Rows of a file name different products, so what is new does not depend on what stands before it. A batch that names a product that
    /// is there, or met somebody who was in its way, has written nothing, and follows in its place.
    private func write(
        _ rows: [Rows.Row],
        _ makingNew: @escaping MakingNew<Rows.Row>,
        beside assistant: ImportSession
    ) async throws {
        let (first, second) = (rows.prefix(kind.batchRows), rows.dropFirst(kind.batchRows))
        async let besides = Self.made(second, makingNew, assistant)
        let attempts = await [(first, Self.made(first, makingNew, session)), (second, besides)]
        // What was written is told, whatever becomes of the others.
        for case (let batch, .success(let outcomes?)) in attempts { try count(outcomes, of: batch) }
        for (batch, attempt) in attempts {
            try TooManyRejections.check(figures.report.rejectedRows, most: options.maxErrors)
            if try attempt.get() == nil { try await write(batch) }
        }
        try TooManyRejections.check(figures.report.rejectedRows, most: options.maxErrors)
    }

    private static func made(
        _ batch: ArraySlice<Rows.Row>,
        _ makingNew: MakingNew<Rows.Row>,
        _ session: ImportSession
    ) async -> Result<[ImportedRow]?, any Error> {
        do {
            return .success(try await makingNew(batch, session))
        } catch let error as PostgresError
            where error.sqlState?.isTransient == true || error.sqlState == .lockNotAvailable
        {
            return .success(nil)
        } catch {
            return .failure(error)
        }
    }

    private var written: Int { figures.report.created + figures.report.updated + figures.report.unchanged }

    private func count(_ outcomes: [ImportedRow], of batch: ArraySlice<Rows.Row>) throws {
        let before = figures.report.created
        defer { expectsNew = figures.report.created > before }
        for outcome in outcomes {
            switch outcome.outcome {
            case "created": figures.report.created += 1
            case "updated": figures.report.updated += 1
            case "unchanged": figures.report.unchanged += 1
            default:
                let index = batch.startIndex + Int(outcome.place)
                guard batch.indices.contains(index) else { continue }
                try reject(RowRejection(line: kind.line(of: batch[index]), errors: outcome.errors ?? "[]"))
            }
        }
    }
}

extension RowRejection {
    /// The rejection of a row of a batch.
    ///
    /// - Parameters:
    ///   - line: the row's line.
    ///   - errors: a JSON array of errors, as a batch's problem has them.
    fileprivate init(line: Int, errors: String) {
        var codes: [Code] = []
        var reasons: [String] = []
        if case .array(let members)? = try? JSONValue.parse(Array(errors.utf8)) {
            for case .object(let error) in members {
                guard case .string(let pointer)? = error["pointer"], case .string(let code)? = error["code"],
                    case .string(let detail)? = error["detail"]
                else { continue }
                let field = String(pointer.drop { $0 == "/" })
                codes.append(Self.code(field, code))
                reasons.append(field.isEmpty ? detail : "\(field): \(detail)")
            }
        }
        self.init(line: line, code: codes.first ?? .valueInvalid, reason: reasons.joined(separator: " "))
    }

    private static func code(_ field: String, _ code: String) -> Code {
        switch (field, code) {
        case ("name", "required"): .nameMissing
        case ("sku", "not_found"): .skuUnknown
        case ("on_hand", "required"): .quantityInvalid
        case ("sale", "required"): .saleMissing
        case ("price", "required"): .priceInvalid
        // What the lines of a document come to, as in files of sales.
        case ("unit_cost", "out_of_range"): .amountTooLarge
        case ("unit_id", "not_found"): .unitUnknown
        case ("category_id", "not_found"), ("parent", "not_found"): .categoryUnknown
        default: Code(rawValue: code) ?? .valueInvalid
        }
    }
}
