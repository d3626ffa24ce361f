package import Cache
import Domain
import Kernel
package import Logging
package import Postgres

/// Runs the imports that were asked for over HTTP, one at a time.
///
/// It takes turns between tenants, of whom one import each runs, and says once a second how far it is and that it lives. An import whose
/// worker is silent for ``importLeaseSeconds`` is taken up by another, from its beginning: what was written is compared and left alone. One
/// with which three workers died is set aside, as the fourth would. One that the database interrupts is given back by a worker that lives,
/// which is no death; it is tried again after a pause, and fails once that has led nowhere again and again.
package struct ImportWorker: Sendable {
    /// Workers that may die with an import.
    private static let mostDeaths: Int32 = 3

    /// How often in a row the database may interrupt an import that comes no further than it was before.
    private static let mostInterruptions: Int32 = 10

    /// The same where the server may have ended by what the import asked of it.
    private static let mostCrashes: Int32 = 3

    /// How often the server may refuse to hear what became of an import, before that is left to whoever finds its time over.
    private static let mostRefusals = 10

    /// How long nothing is begun once the database is back.
    ///
    /// Who has an import and was cut off as well tells of it within that: by its silence alone it would be taken for dead.
    private static let grace: Duration = .seconds(5)

    /// How often it is looked for work that was queued elsewhere, and how often progress is told.
    private static let interval: Duration = .seconds(1)

    private let postgres: PostgresClient
    private let bell: Doorbell
    private let logger: Logger
    private let worker = UUIDv7.make()

    /// Makes a worker; ``run()`` is to be run.
    ///
    /// - Parameters:
    ///   - postgres: Where the imports are, and where they go.
    ///   - bell: Rings when there may be work.
    ///   - logger: Told what was begun and how it ended.
    package init(postgres: PostgresClient, bell: Doorbell = Doorbell(), logger: Logger) {
        self.postgres = postgres
        self.bell = bell
        self.logger = logger
    }

    /// Works until the task is cancelled; what is under way then is given back.
    package func run() async {
        guard postgres.lentConnections > 1 else {
            // It holds one for as long as an import takes, and says by another that it lives.
            logger.notice("no imports are run: there are too few connections")
            return
        }
        var sweep = Sweep()
        var wasAway = false
        while !Task.isCancelled {
            do {
                if wasAway {
                    try await knock()
                    // A pause that is meant: nothing tells when the others have told theirs.
                    try await Task.sleep(for: Self.grace)
                    wasAway = false
                }
                let served = try await serve()
                wasAway = served == .interrupted
                if served != .nothing { continue }
                if try await go(on: &sweep) { continue }
            } catch {
                wasAway = true
                logger.notice("imports can not be looked for", metadata: ["error": "\(error)"])
            }
            _ = await bell.wait(atMost: Self.interval)
        }
    }

    /// Runs the next import to its end.
    ///
    /// - Returns: False if none waits.
    /// - Throws: `PostgresError` if it can not be asked for.
    package func serveNext() async throws -> Bool {
        try await serve() != .nothing
    }

    /// What became of a turn.
    private enum Served {
        case nothing, done
        /// The database was away.
        case interrupted
    }

    private func serve() async throws -> Served {
        var unit = UnitOfWork(tenant: nil, access: .write)
        let slot = try unit.add(ClaimImport(worker: worker, deaths: Self.mostDeaths))
        let claimed = try await postgres.perform(unit, on: .exclusive, deadline: .now + ImportFile.patience)
        guard let claim = try claimed.rows(slot).first else { return .nothing }
        var about = logger
        about[metadataKey: "import"] = "\(claim.id)"
        about[metadataKey: "tenant"] = "\(claim.tenant)"
        about.info("import begins", metadata: ["kind": "\(claim.kind)"])
        let ledger = ImportLedger()
        guard let conclusion = await outcome(of: claim, ledger, about) else { return .done }
        switch conclusion {
        case .end(let end):
            about.info("import ends", metadata: ["status": "\(end.status)"])
            // One that did not come to its end has not told all that it rejected.
            if end.status != "queued" {
                try? await ledger.keepRejections(of: claim.id, tenant: claim.tenant, in: postgres)
            }
            let isHeard = await tell(EndImport(worker: worker, id: claim.id, end: end), of: claim.tenant, about)
            return isHeard ? .done : .interrupted
        case .hindrance(let hindrance):
            about.notice("import is interrupted", metadata: ["reason": "\(hindrance.reason)"])
            let statement = GiveBackImport(
                worker: worker,
                id: claim.id,
                hindrance: hindrance,
                tries: hindrance.mayBeItsOwn ? Self.mostCrashes : Self.mostInterruptions
            )
            _ = await tell(statement, of: claim.tenant, about)
            return .interrupted
        }
    }

    /// Asks the database for nothing, behind all tenants: whether it is there.
    private func knock() async throws {
        var unit = UnitOfWork(tenant: nil, access: .write)
        try unit.add(SweepImports(after: .max))
        _ = try await postgres.perform(unit, on: .exclusive, deadline: .now + ImportFile.patience)
    }

    /// A round through the tenants that have imported, once an hour.
    private struct Sweep {
        static let interval: Duration = .seconds(3_600)

        /// The last tenant that was looked at.
        var after: Int64 = 0
        var due: ContinuousClock.Instant = .now
    }

    /// Removes what nobody goes on with, of some tenants; false if none is to be looked at now.
    private func go(on sweep: inout Sweep) async throws -> Bool {
        guard sweep.due <= .now else { return false }
        var unit = UnitOfWork(tenant: nil, access: .write)
        let slot = try unit.add(SweepImports(after: sweep.after))
        let swept = try await postgres.perform(unit, on: .exclusive, deadline: .now + ImportFile.patience)
        guard let last = try swept.one(slot).value else {
            sweep = Sweep(due: .now + Sweep.interval)
            return false
        }
        sweep.after = last
        return true
    }

    // MARK: One import

    /// Why an import is ended from outside.
    private enum Word {
        /// Whoever asked for it does not want it any more.
        case cancelled
        /// Another worker has it.
        case lost
        /// The database was not heard for so long that another worker may have it.
        case silent
    }

    /// What is told of an import that runs no more.
    private enum Conclusion {
        /// It has ended, or its worker is to stop.
        case end(ImportEnd)
        /// The database has interrupted it.
        case hindrance(ImportHindrance)
    }

    private enum Event {
        case ran(Result<ImportEnd, any Error>)
        case told(Word?)
    }

    /// Runs an import; nil if it is somebody else's by now.
    private func outcome(
        of claim: ClaimImport.Row,
        _ ledger: ImportLedger,
        _ logger: Logger
    ) async -> Conclusion? {
        let (result, word) = await withTaskGroup(of: Event.self) { group in
            group.addTask {
                do { return .ran(.success(try await self.work(on: claim, ledger))) } catch {
                    return .ran(.failure(error))
                }
            }
            group.addTask { .told(await self.beat(claim, ledger)) }
            var result: Result<ImportEnd, any Error>?
            var word: Word?
            for await event in group {
                switch event {
                case .ran(let ran): result = ran
                case .told(let told): word = told
                }
                group.cancelAll()
            }
            return (result, word)
        }
        switch (result, word) {
        case (_, .lost):
            logger.notice("import is lost to another worker")
            return nil
        case (.success(let end), _):
            return .end(end)
        case (_, .cancelled):
            return .end(ImportEnd(status: "cancelled", figures: ImportFigures(ledger)))
        case _ where Task.isCancelled:
            return .end(ImportEnd(status: "queued"))
        case (_, .silent):
            let reason = "the database did not answer"
            return .hindrance(ImportHindrance(reason, read: ledger.progress.bytesRead, ImportFigures(ledger)))
        case (.failure(let error), nil):
            return conclusion(of: claim, by: error, ledger, logger)
        case (nil, nil):
            return nil
        }
    }

    /// Says how far an import is until it has ended, or is to end.
    private func beat(_ claim: ClaimImport.Row, _ ledger: ImportLedger) async -> Word? {
        // The lease is the database's, from when it heard of us; counted here from before it could.
        let lease: Duration = .seconds(Int(importLeaseSeconds) - 5)
        var heard = ContinuousClock.now
        while true {
            // A pause that is meant: the interval of the beat.
            do { try await Task.sleep(for: Self.interval) } catch { return nil }
            let asked = ContinuousClock.now
            do {
                var unit = UnitOfWork(tenant: claim.tenant.rawValue, access: .write)
                let slot = try unit.add(BeatImport(worker: worker, id: claim.id, progress: ledger.progress))
                let answer = try await postgres.perform(unit, on: .exclusive, deadline: asked + .seconds(5))
                heard = asked
                switch try answer.one(slot).value {
                case "cancelled": return .cancelled
                case "lost": return .lost
                default: break
                }
            } catch {
                if Task.isCancelled { return nil }
            }
            if ContinuousClock.now - heard > lease { return .silent }
        }
    }

    /// What an error means for an import.
    private func conclusion(
        of claim: ClaimImport.Row,
        by error: any Error,
        _ ledger: ImportLedger,
        _ logger: Logger
    ) -> Conclusion {
        var figures = ImportFigures(ledger)
        var cause = error
        switch error {
        case let interruption as ImportInterruption<RecordsImport.Report>:
            figures = ImportFigures(interruption.report)
            cause = interruption.cause
        case let interruption as ImportInterruption<SalesImport.Report>:
            figures = ImportFigures(interruption.report)
            cause = interruption.cause
        default:
            break
        }
        if let error = cause as? PostgresError, error.isHindrance {
            logger.notice("the database interrupts", metadata: ["error": "\(error)"])
            let reason = error.sqlState.map { "SQLSTATE \($0)" } ?? error.message
            if figures.created > 0, Self.onlyInserts(claim) {
                // Tried again it would find its own rows, and reject them as what was there before.
                var end = ImportEnd(status: "failed", figures: figures)
                end.error = "The database interrupted it: \(reason). What was written stays; resumed, it rejects that."
                return .end(end)
            }
            var hindrance = ImportHindrance(reason, read: ledger.progress.bytesRead, figures)
            hindrance.mayBeItsOwn = error.code == .connectionLost || error.sqlState == .crashShutdown
            return .hindrance(hindrance)
        }
        return .end(end(ImportEnd(status: "failed", figures: figures), of: claim, by: cause, logger))
    }

    /// Whether an import makes what is not there, and rejects what is.
    private static func onlyInserts(_ claim: ClaimImport.Row) -> Bool { options(of: claim)?.mode == .insert }

    /// How an import was asked for; nil if a later version of the program has asked.
    private static func options(of claim: ClaimImport.Row) -> ImportOptions? {
        guard let kind = ImportKind(rawValue: claim.kind) else { return nil }
        return try? ImportOptions(kept: Array(claim.options.utf8), of: kind)
    }

    private func end(
        _ known: ImportEnd,
        of claim: ClaimImport.Row,
        by cause: any Error,
        _ logger: Logger
    ) -> ImportEnd {
        var end = known
        switch cause {
        case ImportFailure.mapping(let fault):
            end.error = "\(fault)"
        case ImportFailure.refused(let rows):
            end.error = "\(rows) rows were rejected, so nothing was imported."
            end.figures.rejected = rows
        case ImportFailure.conflict(let text), ImportFailure.notResumable(let text):
            end.error = text
        case let fault as ImportFileFault:
            end.error = "\(fault)"
        case let problem as Problem:
            end.error = problem.detail
        default:
            logger.error("import fails", metadata: ["error": "\(cause)"])
            let isTrial = Self.options(of: claim)?.isDryRun == true
            let rest = isTrial ? "nothing was written" : "what was written stays"
            end.error = "Something went wrong on our side; \(rest)."
        }
        return end
    }

    /// Tells the database what became of an import, once more if this worker is to stop.
    ///
    /// As long as the database is away it is told again: what nobody hears of is taken for a death. Told twice it does nothing, as the turn
    /// is not this worker's any more.
    ///
    /// - Returns: Whether it was heard at once.
    private func tell<S: Statement>(_ statement: S, of tenant: TenantID, _ logger: Logger) async -> Bool {
        var isFirst = true
        var refusals = 0
        while true {
            // A task of its own, which is not cancelled with the worker.
            let failure = await Task { () async -> PostgresError? in
                do throws(PostgresError) {
                    var unit = UnitOfWork(tenant: tenant.rawValue, access: .write)
                    try unit.add(statement)
                    _ = try await postgres.perform(unit, on: .exclusive, deadline: .now + ImportFile.patience)
                    return nil
                } catch {
                    return error
                }
            }.value
            guard let failure else { return isFirst }
            isFirst = false
            logger.notice("what became of an import is not told", metadata: ["error": "\(failure)"])
            // A server that answers is there, and may have its reason to refuse this for ever.
            if failure.sqlState?.isConnectionFailure == false { refusals += 1 }
            // Its time runs out else, and whoever claims it then finds done what was done.
            guard !Task.isCancelled, failure.isHindrance, failure.code != .closed, refusals < Self.mostRefusals
            else { return false }
            // A pause that is meant: the interval of tries. A worker that is stopped meanwhile tries once more at once.
            try? await Task.sleep(for: Self.interval)
        }
    }

    // MARK: The work

    private func work(on claim: ClaimImport.Row, _ ledger: ImportLedger) async throws -> ImportEnd {
        guard let kind = ImportKind(rawValue: claim.kind) else {
            throw ImportFileFault("files of \(claim.kind) are not known to this version of the program")
        }
        let options = try ImportOptions(kept: Array(claim.options.utf8), of: kind)
        let file = ImportFile(
            postgres: postgres,
            tenant: claim.tenant,
            id: claim.id,
            ledger: ledger,
            mostRows: kind.mostRows
        )
        var end = ImportEnd(status: "completed")
        do {
            end.figures = try await figures(of: file, kind, options, claim, ledger)
        } catch ImportFailure.refused(let rows) {
            end.status = "failed"
            end.error = "\(rows) rows were rejected, so nothing was imported."
            end.figures = ImportFigures(ledger)
        } catch {
            guard let (limit, figures) = Self.rejectionLimit(in: error) else { throw error }
            end.status = "failed"
            end.error = "\(limit.rows) rows were rejected, which is too many."
            end.figures = figures
        }
        try await ledger.keepRejections(of: claim.id, tenant: claim.tenant, in: postgres)
        if end.figures.rejected > 0 {
            if end.error == nil { end.status = "completed_with_errors" }
            end.rejectedHead = try await copyRejected(file, kind, options)
        }
        return end
    }

    /// That an import ended as too many rows were rejected, and what came of it until then; nil if it ended otherwise.
    private static func rejectionLimit(in error: any Error) -> (TooManyRejections, ImportFigures)? {
        switch error {
        case let end as ImportInterruption<RecordsImport.Report>:
            (end.cause as? TooManyRejections).map { ($0, ImportFigures(end.report)) }
        case let end as ImportInterruption<SalesImport.Report>:
            (end.cause as? TooManyRejections).map { ($0, ImportFigures(end.report)) }
        default: nil
        }
    }

    private func figures(
        of file: ImportFile,
        _ kind: ImportKind,
        _ options: ImportOptions,
        _ claim: ClaimImport.Row,
        _ ledger: ImportLedger
    ) async throws -> ImportFigures {
        func note(_ progress: ImportProgress) {
            ledger.note(progress)
            if case .writing = progress { Failpoint.reach("import_written") }
        }
        switch kind {
        case .records(let kind):
            var choices = RecordsImport.Options(
                kind: kind,
                tenant: claim.tenant,
                mapping: options.mapping,
                onError: options.onError,
                isDryRun: options.isDryRun
            )
            choices.insertsOnly = options.mode == .insert
            choices.readsStatus = options.readsStatus
            choices.maxErrors = options.maxErrors
            // The other connections are the tills'.
            choices.isAssisted = false
            let records = RecordsImport(postgres: postgres)
            return ImportFigures(
                try await records.run(file, options: choices, onReject: { ledger.reject($0) }, onProgress: note)
            )
        case .sales:
            var choices = SalesImport.Options(
                tenant: claim.tenant,
                mapping: options.mapping,
                createsProducts: options.createsProducts,
                method: options.method,
                allowsOverselling: options.oversell == .allow,
                onError: options.onError,
                isDryRun: options.isDryRun,
                fileName: claim.name,
                chunkRows: Self.chunkRows,
                // The other connections are the tills'.
                isAssisted: false
            )
            choices.maxErrors = options.maxErrors
            let sales = SalesImport(postgres: postgres)
            return ImportFigures(
                try await sales.run(file, options: choices, onReject: { ledger.reject($0) }, onProgress: note)
            )
        }
    }

    /// Rows of sales that go in at once: fewer than by the command, as a shop sells meanwhile.
    private static let chunkRows = 1_000

    /// Reads the file once more and keeps its rejected rows as they stand in it.
    ///
    /// Of the reasons those are in memory that a portion can have rows of: of the lines that it ends, and those before it.
    ///
    /// - Returns: What the file of them begins with.
    private func copyRejected(
        _ file: ImportFile,
        _ kind: ImportKind,
        _ options: ImportOptions
    ) async throws -> [UInt8] {
        let again = ImportFile(
            postgres: postgres,
            tenant: file.tenant,
            id: file.id,
            ledger: nil,
            mostRows: file.mostRows
        )
        let copy = RejectedCopy(options.mapping, fields: kind.shape.fields, limits: .asRead)
        var head: [UInt8] = []
        var reasons: [Int: RowRejection] = [:]
        var records: [(line: Int, bytes: [UInt8])] = []
        var lines = 1
        func take(_ line: Int?, _ bytes: [UInt8]) {
            guard let line else { return head = bytes }
            reasons[line] = nil
            records.append((line, bytes))
        }
        func loadReasons(upTo last: Int, after first: Int) async throws {
            let rows = try await postgres.query(
                RejectionsOfLines(id: file.id, after: Int32(clamping: first), last: Int32(clamping: last)),
                tenant: file.tenant.rawValue,
                deadline: .now + ImportFile.patience
            )
            for row in rows { reasons[row.rejection.line] = row.rejection }
        }
        func keepRecords() async throws {
            guard !records.isEmpty else { return }
            var unit = UnitOfWork(tenant: file.tenant.rawValue, access: .write)
            try unit.add(KeepRecords(id: file.id, records: records))
            _ = try await postgres.perform(unit, on: .exclusive, deadline: .now + ImportFile.patience)
            records.removeAll(keepingCapacity: true)
        }
        try await loadReasons(upTo: lines, after: -1)
        for try await chunk in again {
            // A line ends with one of them, or both: more is asked for than there can be, and none is missed.
            let last = lines + chunk.count { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
            if last > lines { try await loadReasons(upTo: last, after: lines) }
            lines = last
            try copy.read(chunk, { reasons[$0] }, take)
            try await keepRecords()
        }
        try copy.finish({ reasons[$0] }, take)
        try await keepRecords()
        return head
    }
}

extension ImportFigures {
    /// What is known of an import that did not come to its end.
    fileprivate init(_ ledger: ImportLedger) {
        let progress = ledger.progress
        self.init(rows: progress.rows, created: progress.rowsWritten, rejected: ledger.rejected)
    }
}

extension PostgresError {
    /// Whether the database, or the way to it, kept an import from going on, so that another try may come further.
    fileprivate var isHindrance: Bool {
        if let sqlState { return sqlState.isConnectionFailure || sqlState.isOverload }
        switch code {
        // What is sent and how it is read is the same in each try.
        case .encoding, .decoding, .unexpectedRowCount, .invalidConfiguration: return false
        default: return true
        }
    }
}
