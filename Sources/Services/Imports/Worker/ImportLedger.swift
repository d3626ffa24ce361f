import Domain
import Synchronization

/// What is known of an import while it runs: how far it is, and what it has rejected and nobody has kept yet.
///
/// The engines tell it as they go and can not wait; whoever reads the file for them, and whoever says how far it is, can.
final class ImportLedger: Sendable {
    /// How far an import is.
    struct Progress: Sendable {
        var phase = "reading"
        /// Bytes of the file, as it was sent.
        var bytesRead = 0
        var rows = 0
        var rowsWritten = 0
        /// Rows that go in; nil as long as that is not known.
        var rowsToWrite: Int?
    }

    private struct State {
        var progress = Progress()
        var rejections: [RowRejection] = []
        /// Rows that were told as rejected.
        var rejected = 0
    }

    /// Rejected rows that are kept; of what is above only the number is told.
    static let mostRejections = 100_000

    private let state = Mutex(State())

    /// How far it is.
    var progress: Progress { state.withLock { $0.progress } }

    /// How many rows were rejected.
    var rejected: Int { state.withLock { $0.rejected } }

    /// Notes a row that was rejected.
    func reject(_ rejection: RowRejection) {
        state.withLock { state in
            if state.rejected < Self.mostRejections { state.rejections.append(rejection) }
            state.rejected += 1
        }
    }

    /// Notes how far the engine is.
    func note(_ progress: ImportProgress) {
        state.withLock { state in
            switch progress {
            case .reading(let rows):
                state.progress.rows = rows
            case .checking(let rows):
                state.progress.phase = "checking"
                state.progress.rows = rows
            case .writing(let rows, let total):
                // Records are read and written by turns, so that reading ends where it is known how many there are.
                if total != nil { state.progress.phase = "writing" }
                state.progress.rowsWritten = rows
                state.progress.rowsToWrite = total
            }
        }
    }

    /// Notes bytes that were read.
    func read(bytes: Int) { state.withLock { $0.progress.bytesRead += bytes } }

    /// Takes what was rejected since it was asked last.
    func takeRejections() -> [RowRejection] {
        state.withLock { state in
            defer { state.rejections.removeAll() }
            return state.rejections
        }
    }
}

/// What came of an import, of whichever kind.
struct ImportFigures: Sendable {
    var rows = 0
    var blankRows = 0
    var created = 0
    var updated = 0
    var unchanged = 0
    var rejected = 0
    var unusedColumns: [String] = []
}

extension ImportFigures {
    /// Of records.
    init(_ report: RecordsImport.Report) {
        self.init(
            rows: report.rows,
            blankRows: report.blankRows,
            created: report.created,
            updated: report.updated,
            unchanged: report.unchanged,
            rejected: report.rejectedRows,
            unusedColumns: report.unusedColumns
        )
    }

    /// Of sales, whose rows are written or there already.
    init(_ report: SalesImport.Report) {
        self.init(
            rows: report.rows,
            blankRows: report.blankRows,
            created: report.applied,
            unchanged: report.unchanged,
            rejected: report.rejectedRows,
            unusedColumns: report.unusedColumns
        )
    }
}

/// How an import ended.
struct ImportEnd: Sendable {
    var status: String
    var error: String?
    var figures = ImportFigures()
    /// What the file of its rejected rows begins with; nil without one.
    var rejectedHead: [UInt8]?
}

/// That the database kept an import from going on.
struct ImportHindrance: Sendable {
    /// What happened, for people.
    var reason: String
    /// How far the import had come: a number that grows while it runs, and is the same at the same place of each run, whichever of them
    /// wrote what is there.
    var reached: Int
    /// What is known of it.
    var figures: ImportFigures
    /// Whether the server may have ended by what the import asked of it.
    var mayBeItsOwn = false

    /// - Parameters:
    ///   - reason: what happened, for people.
    ///   - bytes: how much of the file was read.
    ///   - figures: what is known of it.
    init(_ reason: String, read bytes: Int, _ figures: ImportFigures) {
        self.reason = reason
        reached = bytes + figures.created + figures.updated + figures.unchanged
        self.figures = figures
    }
}
