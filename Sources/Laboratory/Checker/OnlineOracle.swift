import Synchronization

/// A row of the log as the online oracle follows it.
package struct CheckedLogRow: Sendable {
    /// Its number.
    package let sequence: Int64
    /// Whose.
    package let tenant: Int64
    /// The module's name.
    package let module: String
    /// The transactions.
    package let xids: [UInt64]

    /// Makes a row.
    package init(sequence: Int64, tenant: Int64, module: String, xids: [UInt64]) {
        self.sequence = sequence
        self.tenant = tenant
        self.module = module
        self.xids = xids
    }
}

/// What the online oracle asks PostgreSQL; never Redis.
package protocol CoherenceDatabase: Sendable {
    /// Rows of the log after a number, in order; with nil the newest alone.
    func logRows(after sequence: Int64?) async throws -> [CheckedLogRow]
    /// Whether a row of the log still is there, and its transaction committed.
    func isLogged(_ row: CheckedLogRow) async throws -> Bool
    /// Rows waiting in the outbox.
    func outboxRows() async throws -> Int
}

/// Follows the log and asks each instance, 1, 5 and 60 seconds after a row, what it would serve.
///
/// Sees what readers might miss: a wrong entry that nobody happens to read. Only if an instance would serve something that misses a
/// logged write is PostgreSQL asked again, as the log may have been replaced meanwhile.
package actor OnlineOracle {
    private struct Check {
        let due: ContinuousClock.Instant
        let rows: [CheckedLogRow]
    }

    private let shop: CheckedShop
    private let tenant: Int64
    private let clients: [HTTPClient]
    private let database: any CoherenceDatabase
    private let judge: CoherenceJudge
    private var last: Int64?
    private var checks: [Check] = []
    private var random = CheckerRandom(seed: 7)
    /// Answers of explain that were compared with the log.
    package private(set) var compared = 0
    /// Of them, those by which a cache would serve.
    package private(set) var cached = 0
    /// Times PostgreSQL had to be asked.
    package private(set) var mismatches = 0

    init(
        shop: CheckedShop,
        tenant: Int64,
        ports: [Int],
        database: any CoherenceDatabase,
        judge: CoherenceJudge
    ) {
        self.shop = shop
        self.tenant = tenant
        clients = ports.map { HTTPClient(port: $0) }
        self.database = database
        self.judge = judge
    }

    /// Follows until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            await follow()
            while let check = checks.first, check.due <= .now {
                checks.removeFirst()
                await ask(check)
            }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    private func follow() async {
        // An unreachable database is a fault of the run, not of this oracle: the rows are still there later.
        guard let rows = try? await database.logRows(after: last) else { return }
        if last == nil {
            last = rows.last?.sequence ?? 0
            return
        }
        guard let newest = rows.last else {
            // Fewer rows than before: the database was replaced.
            if let known = try? await database.logRows(after: nil).last, known.sequence < last ?? 0 {
                last = known.sequence
                checks = []
            }
            return
        }
        last = newest.sequence
        let ours = rows.filter { $0.tenant == tenant }
        guard !ours.isEmpty else { return }
        let now = ContinuousClock.now
        for delay in [1, 5, 60] { checks.append(Check(due: now + .seconds(delay), rows: ours)) }
        checks.sort { $0.due < $1.due }
        // Bounded however long the database was away.
        if checks.count > 1_000 { checks.removeLast(checks.count - 1_000) }
    }

    private func ask(_ check: Check) async {
        var byModule: [String: [CheckedLogRow]] = [:]
        for row in check.rows { byModule[row.module, default: []].append(row) }
        for (module, rows) in byModule {
            let paths = shop.paths.filter { $0.module == module && $0.key != "list" }
            guard !paths.isEmpty else { continue }
            let path = paths[random.below(paths.count)]
            for (instance, client) in clients.enumerated() {
                guard let explanation = await explain(path, client) else { continue }
                compared += 1
                guard let missed = Self.missed(rows, by: explanation) else {
                    if explanation["would_serve"].string != "database" { cached += 1 }
                    continue
                }
                mismatches += 1
                // Only if the row is still what it was is the answer wrong.
                guard (try? await database.isLogged(missed)) == true, let again = await explain(path, client),
                    Self.missed([missed], by: again) != nil
                else { continue }
                judge.report(
                    Incoherence(
                        rule: .explain,
                        start: judge.now,
                        end: judge.now,
                        instance: instance,
                        subject: -1,
                        required: missed.sequence,
                        seen: 0,
                        source: again["would_serve"].string == "l2" ? .l2 : .l1,
                        detail:
                            "\(path.text) would be served without log row \(missed.sequence), transactions \(missed.xids)"
                    )
                )
            }
        }
    }

    private func explain(_ path: CheckedShop.Path, _ client: HTTPClient) async -> JSON? {
        let answer = try? await client.send(
            "GET",
            "/v1/cache/explain?module=\(path.module)&key=\(path.key)",
            headers: ["Authorization": "Bearer \(shop.key)"]
        )
        guard let answer, answer.status == 200 else { return nil }
        return answer.json
    }

    /// The first row that an answer, if served as explained, would miss; nil if none or if the database would be asked.
    static func missed(_ rows: [CheckedLogRow], by explanation: JSON) -> CheckedLogRow? {
        switch explanation["would_serve"].string {
        case "l1":
            guard let text = explanation["l1"]["snapshot"].string, let snapshot = SeenSnapshot(text) else { return nil }
            return rows.first { row in !row.xids.allSatisfy { snapshot.sees($0) } }
        case "l2":
            guard let watermark = explanation["lane"]["wm"].int else { return nil }
            return rows.first { $0.sequence > Int64(watermark) }
        default:
            return nil
        }
    }
}

/// A snapshot in the form PostgreSQL writes: `xmin:xmax:xip,xip`.
struct SeenSnapshot {
    let xmin: UInt64
    let xmax: UInt64
    /// Nil if the running transactions are not known.
    let running: [UInt64]?

    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let xmin = UInt64(parts[0]), let xmax = UInt64(parts[1]) else { return nil }
        self.xmin = xmin
        self.xmax = xmax
        let words = parts[2].split(separator: ",")
        let numbers = words.compactMap { UInt64($0) }
        running = numbers.count == words.count ? numbers : nil
    }

    /// Whether it certainly does not miss a committed transaction.
    func sees(_ xid: UInt64) -> Bool {
        if xid < xmin { return true }
        if xid >= xmax { return false }
        // Not known: no claim that it is missed.
        return running.map { !$0.contains(xid) } ?? true
    }
}
