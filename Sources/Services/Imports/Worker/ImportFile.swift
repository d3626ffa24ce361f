import Cache
import Domain
import Kernel
import Postgres

/// What of an import's file keeps it from being read to its end.
struct ImportFileFault: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// The bytes of a file that was sent by parts, in portions, read no faster than they are taken.
///
/// Before each portion what was rejected of those before is kept, so that none of it gathers in memory, and tills go first.
struct ImportFile: AsyncSequence {
    typealias Element = [UInt8]

    /// Bytes of a portion, as of the files that the command reads.
    private static let portion: Int32 = 1 << 17

    /// How long a statement of the worker's own may take.
    static let patience: Duration = .seconds(10)

    let postgres: PostgresClient
    let tenant: TenantID
    let id: ImportRequestID
    /// What is told while it is read; nil when it is read once more.
    let ledger: ImportLedger?
    /// Rows it may have; nil for any number.
    let mostRows: Int?

    func makeAsyncIterator() -> Iterator { Iterator(file: self) }

    struct Iterator: AsyncIteratorProtocol {
        private let file: ImportFile
        private var part: Int32 = 1
        private var offset: Int32 = 0
        private var hasBegun = false

        fileprivate init(file: ImportFile) { self.file = file }

        mutating func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
            if let ledger = file.ledger {
                try await ledger.keepRejections(of: file.id, tenant: file.tenant, in: file.postgres)
                await file.giveWay()
                if let most = file.mostRows, ledger.progress.rows > most {
                    throw ImportFileFault("the file has more than \(most) rows; send it as several")
                }
            }
            while true {
                try Task.checkCancellation()
                let slice = ReadImportPart(id: file.id, number: part, offset: offset, count: ImportFile.portion)
                let rows = try await file.postgres.query(
                    slice,
                    tenant: file.tenant.rawValue,
                    deadline: .now + ImportFile.patience
                )
                guard let bytes = rows.first?.bytes else { return nil }
                guard !bytes.isEmpty else {
                    part += 1
                    offset = 0
                    continue
                }
                if !hasBegun, bytes.starts(with: [0x1F, 0x8B]) {
                    throw ImportFileFault("the file is compressed; send it as it is")
                }
                hasBegun = true
                offset += Int32(clamping: bytes.count)
                file.ledger?.read(bytes: bytes.count)
                Failpoint.reach("import_portion")
                return bytes
            }
        }
    }

    /// Waits while others wait for a connection, for a second at most: an import that never went on would hold its own for ever.
    private func giveWay() async {
        for _ in 0..<50 {
            guard await postgres.statistics().exclusive.waiting > 0 else { return }
            // A pause that is meant: nothing tells when nobody waits any more.
            do { try await Task.sleep(for: .milliseconds(20)) } catch { return }
        }
    }
}

extension ImportLedger {
    /// Rejected rows of one statement.
    private static let rejectionsAtOnce = 5_000

    /// Keeps what was rejected and not kept yet.
    ///
    /// - Parameters:
    ///   - id: Which import.
    ///   - tenant: Whose.
    ///   - postgres: Where to.
    /// - Throws: `PostgresError`.
    func keepRejections(of id: ImportRequestID, tenant: TenantID, in postgres: PostgresClient) async throws {
        let rejections = takeRejections()
        for start in stride(from: 0, to: rejections.count, by: Self.rejectionsAtOnce) {
            let some = rejections[start..<min(start + Self.rejectionsAtOnce, rejections.count)]
            var unit = UnitOfWork(tenant: tenant.rawValue, access: .write)
            try unit.add(KeepRejections(id: id, rejections: some))
            _ = try await postgres.perform(unit, on: .exclusive, deadline: .now + ImportFile.patience)
        }
    }
}
