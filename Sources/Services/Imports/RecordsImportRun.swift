import Domain
import Kernel
import Postgres

/// One run of an import of records on one connection.
final class RecordsImportRun<Rows: ImportedRows> {
    private var kind: Rows
    private let session: ImportSession
    private let options: RecordsImport.Options
    private let figures: RecordsImport.Figures
    private let onReject: (RowRejection) throws -> Void
    private let onProgress: (ImportProgress) -> Void

    private var isOpen = false
    /// Rows that were read and not applied yet, from `next` on.
    private var pending: [Rows.Row] = []
    private var next = 0
    private var seen: Set<String> = []

    init(
        _ kind: Rows,
        session: ImportSession,
        options: RecordsImport.Options,
        figures: RecordsImport.Figures,
        onReject: @escaping (RowRejection) throws -> Void,
        onProgress: @escaping (ImportProgress) -> Void
    ) {
        self.kind = kind
        self.session = session
        self.options = options
        self.figures = figures
        self.onReject = onReject
        self.onProgress = onProgress
    }

    /// Imports the file.
    func run<Source: AsyncSequence>(_ source: Source) async throws where Source.Element == [UInt8] {
        try await kind.prepare(session)
        // Whatever is all or nothing is read to its end before anything is written.
        let isWhole = options.onError == .abort || options.isDryRun
        do {
            try await read(source, applying: !isWhole)
        } catch let fault as ImportMapping.Fault {
            throw ImportFailure.mapping(fault)
        }
        if isWhole {
            try await applyWhole()
        } else {
            while try await applyBatch(isWhole: true) {}
        }
    }

    // MARK: Reading

    private func read<Source: AsyncSequence>(
        _ source: Source,
        applying: Bool
    ) async throws where Source.Element == [UInt8] {
        var transcoder = UTF16Transcoder(encoding: options.mapping.encoding)
        var parser = ImportParser(options.mapping, fields: options.kind.shape.fields)
        var chunks = source.makeAsyncIterator()
        while let chunk = try await chunks.next(isolation: #isolation) {
            try parser.consume(transcoder.decode(chunk)) { try take($0) }
            figures.report.blankRows = parser.blankRecords
            onProgress(.reading(rows: figures.report.rows))
            while applying, pending.count - next >= kind.batchRows, try await applyBatch(isWhole: false) {}
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
            let row = try kind.read(record)
            let keys = kind.keys(of: row)
            guard seen.isDisjoint(with: keys) else {
                let reason = "an earlier row names this \(kind.noun)"
                throw RowRejection(line: record.line, code: .duplicate, reason: reason)
            }
            seen.formUnion(keys)
            pending.append(row)
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

    /// Applies the next rows as a transaction of their own; whether there were any.
    private func applyBatch(isWhole: Bool) async throws -> Bool {
        let batch = kind.batch(of: pending[next...], isWhole: isWhole)
        if batch.isEmpty { return false }
        let outcomes = try await session.retried {
            try await kind.apply(batch, in: session)
        }
        try count(outcomes, of: batch)
        next += batch.count
        onProgress(.writing(rows: written, of: nil))
        return true
    }

    /// Applies all rows as one transaction: kept if the run is none that is dry and no row was refused, or may be.
    private func applyWhole() async throws {
        // Told only when the transaction has come to its end: a try that is repeated says nothing.
        let outcomes = try await session.retried {
            try await session.lease.begin(tenant: session.tenant)
            do {
                var outcomes: [[ImportedRow]] = []
                var place = 0
                while place < pending.count {
                    let batch = kind.batch(of: pending[place...], isWhole: true)
                    outcomes.append(try await kind.apply(batch, in: session))
                    place += batch.count
                    onProgress(.writing(rows: place, of: pending.count))
                }
                let isRefused =
                    options.onError == .abort
                    && (figures.report.rejectedRows > 0 || outcomes.joined().contains { $0.errors != nil })
                if options.isDryRun || isRefused {
                    try await session.lease.rollback()
                } else {
                    try await session.lease.commit()
                }
                return outcomes
            } catch {
                try? await session.lease.rollback()
                throw error
            }
        }
        for (index, batch) in outcomes.enumerated() {
            let start = outcomes[..<index].reduce(0) { $0 + $1.count }
            try count(batch, of: pending[start..<start + batch.count])
        }
        if options.onError == .abort, figures.report.rejectedRows > 0 {
            throw ImportFailure.refused(rows: figures.report.rejectedRows)
        }
    }

    private var written: Int { figures.report.created + figures.report.updated + figures.report.unchanged }

    private func count(_ outcomes: [ImportedRow], of batch: ArraySlice<Rows.Row>) throws {
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
        // Behind the figures, which tell all that was written.
        try TooManyRejections.check(figures.report.rejectedRows, most: options.maxErrors)
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
        case ("unit_id", "not_found"): .unitUnknown
        case ("category_id", "not_found"), ("parent", "not_found"): .categoryUnknown
        default: Code(rawValue: code) ?? .valueInvalid
        }
    }
}
