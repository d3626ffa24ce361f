import Synchronization

/// One check: a workload on instances, faults if somebody makes them, and the report.
package final class CoherenceRun: Sendable {
    /// An instance under check.
    package struct Target: Sendable {
        /// Its name in the report.
        package let name: String
        /// Its port on 127.0.0.1.
        package let port: Int

        /// Names an instance.
        package init(name: String, port: Int) {
            self.name = name
            self.port = port
        }
    }

    private struct State {
        var faults: [String: Int] = [:]
        var recoveries = LagHistogram()
        var slow: [(fault: String, seconds: Double)] = []
        var remarks: [String] = []
        var explained = 0
        var explanations: [Task<Void, Never>] = []
        /// When the fault that ended last did.
        var endedAt: (name: String, at: ContinuousClock.Instant)?
    }

    /// The judge of this run.
    package let judge: CoherenceJudge
    /// The tenant under check.
    package let shop: CheckedShop
    private let targets: [Target]
    private let clients: [HTTPClient]
    private let plan: WorkloadPlan
    private let database: (any CoherenceDatabase)?
    private let tenant: Int64
    private let state = Mutex(State())
    private let workload = Mutex<CoherenceWorkload?>(nil)

    /// Prepares a check.
    ///
    /// - Parameters:
    ///   - targets: the instances.
    ///   - key: an API key of the tenant that is the checker's own.
    ///   - tenant: the tenant's number, for the online oracle.
    ///   - plan: how much load.
    ///   - products: how many products are written to.
    ///   - database: for the online oracle; without one it does not run.
    ///   - path: a file that the history is recorded in.
    /// - Throws: ``CheckerFailure`` when the shop cannot be made.
    package init(
        targets: [Target],
        key: String,
        tenant: Int64,
        plan: WorkloadPlan,
        products: Int = 8,
        database: (any CoherenceDatabase)? = nil,
        recordingTo path: String? = nil
    ) async throws {
        guard let first = targets.first else { throw CheckerFailure("no instance to check") }
        self.targets = targets
        self.tenant = tenant
        self.plan = plan
        self.database = database
        clients = targets.map { HTTPClient(port: $0.port) }
        shop = try await CheckedShop.make(client: HTTPClient(port: first.port), key: key, products: products)
        judge = try CoherenceJudge(recordingTo: path)
    }

    /// Runs load until `faults` returns, then waits for the end state.
    ///
    /// - Parameter faults: makes faults, or waits; reports them by ``faultBegan(_:)`` and ``faultEnded(_:detail:isCounted:at:)``.
    /// - Returns: what was found, also if `faults` throws: what was read until then was judged all the same.
    /// - Throws: what kept the load from ending.
    package func run(_ faults: @Sendable (CoherenceRun) async throws -> Void) async throws -> CoherenceReport {
        let workload = CoherenceWorkload(
            shop: shop,
            ports: targets.map(\.port),
            judge: judge,
            plan: plan,
            onViolation: { [weak self] violation, path in self?.explain(violation, path) }
        )
        self.workload.withLock { $0 = workload }
        workload.start(instances: targets.map(\.name))
        let online = database.map { database in
            OnlineOracle(shop: shop, tenant: tenant, ports: targets.map(\.port), database: database, judge: judge)
        }
        let following = online.map { online in Task { await online.run() } }
        let result: Result<Void, any Error>
        do {
            result = .success(try await faults(self))
        } catch {
            result = .failure(error)
        }
        judge.stop()
        try await workload.finish()
        if case .success = result { await settle() }
        following?.cancel()
        await following?.value
        for explanation in state.withLock({ $0.explanations }) { await explanation.value }
        judge.close()
        var report = CoherenceReport(summary: judge.summary, seed: plan.seed, instances: targets.count)
        state.withLock { state in
            report.faults = state.faults
            report.recoveries = state.recoveries
            report.slow = state.slow
            report.remarks = state.remarks
        }
        if case .failure(let error) = result { report.failure = "\(error)" }
        if let online {
            report.online = (await online.compared, await online.cached, await online.mismatches)
        }
        return report
    }

    // MARK: - Faults

    /// Notes that a fault is about to be in force.
    package func faultBegan(_ name: String) {
        judge.fault(true, "\(name) begins")
    }

    /// Notes that a fault is over.
    package func faultEnded(_ name: String, detail: String, isCounted: Bool = true, at time: ContinuousClock.Instant) {
        state.withLock { state in
            if isCounted { state.faults[name, default: 0] += 1 }
            state.endedAt = (detail.isEmpty ? name : "\(name) (\(detail))", time)
        }
        judge.fault(true, "\(name) ends: \(detail)")
    }

    /// Waits until every instance serves from its caches, and notes how long that took since the last fault ended.
    package func becomeCalm(within limit: Duration = .seconds(30)) async {
        guard let ended = state.withLock({ $0.endedAt }) else { return }
        let end = ContinuousClock.now + limit
        var waiting = Set(targets.indices)
        while !waiting.isEmpty, .now < end {
            for target in waiting where await isUsable(target) { waiting.remove(target) }
            if !waiting.isEmpty { try? await Task.sleep(for: .milliseconds(10)) }
        }
        let parts = ended.at.duration(to: .now).components
        let microseconds = parts.seconds * 1_000_000 + parts.attoseconds / 1_000_000_000_000
        state.withLock { state in
            state.endedAt = nil
            state.recoveries.add(microseconds)
            if Double(microseconds) > Double(CoherenceReport.promisedRecovery / .microseconds(1)) {
                state.slow.append((ended.name, Double(microseconds) / 1_000_000))
            }
        }
        if !waiting.isEmpty {
            let names = waiting.sorted().map { targets[$0].name }.joined(separator: ", ")
            state.withLock { $0.remarks.append("after \(ended.name) not usable within \(limit): \(names)") }
        }
        judge.fault(false, "calm")
    }

    /// Adds a sentence to the report.
    package func remark(_ text: String) {
        state.withLock { $0.remarks.append(text) }
    }

    /// Whether an instance says that it serves from its caches.
    private func isUsable(_ target: Int) async -> Bool {
        guard let answer = try? await clients[target].send("GET", "/health/cache"), answer.status == 200 else {
            return false
        }
        return answer.json["usable"] == .bool(true)
    }

    /// The database is being replaced by an earlier state: to be called while it is down.
    package func historyIsReplaced() {
        judge.replacing()
    }

    /// Waits until the database answers again, reads where it stands, and lets writers and judge go on.
    package func adoptHistory(within limit: Duration = .seconds(60)) async throws {
        guard let workload = workload.withLock({ $0 }) else { return }
        try await eventually(within: limit, every: .milliseconds(5), "the writers wait") {
            workload.areWritersWaiting
        }
        var revisions: [(subject: Int, revision: Int64)] = []
        for subject in 0...shop.seriesSubject {
            let path = subject == shop.seriesSubject ? shop.seriesPath : subject
            var revision: Int64?
            try await eventually(within: limit, every: .milliseconds(50), "the database says where it stands") {
                revision = await present(path)
                return revision != nil
            }
            if let revision { revisions.append((subject, revision)) }
        }
        // What was cached of the lost history may be served until the lease is over.
        let from = judge.time(of: .now + .milliseconds(1_100))
        judge.replaced(revisions, from: from, uncertain: workload.uncertain)
    }

    private func present(_ path: Int) async -> Int64? {
        for client in clients {
            let answer = try? await client.send(
                "GET",
                shop.paths[path].text,
                headers: ["Authorization": "Bearer \(shop.key)", "Cache-Control": "no-cache"]
            )
            guard let answer, answer.status == 200 else { continue }
            var sightings: [Sighting] = []
            let isWanted = answer.body.withUnsafeBytes { shop.sightings(in: $0, path: path, &sightings) }
            if isWanted, let seen = sightings.first { return seen.revision }
        }
        return nil
    }

    // MARK: - Words to a violation

    /// Asks the instance what it knows of a key it answered wrongly; the first few only.
    private func explain(_ violation: Incoherence, _ path: CheckedShop.Path) {
        let isFirst = state.withLock { state in
            state.explained += 1
            return state.explained <= 5
        }
        guard isFirst, clients.indices.contains(violation.instance) else { return }
        let client = clients[violation.instance]
        let authorization = ["Authorization": "Bearer \(shop.key)"]
        let judge = judge
        let task = Task {
            let answer = try? await client.send(
                "GET",
                "/v1/cache/explain?module=\(path.module)&key=\(path.key)",
                headers: authorization
            )
            judge.explain(violation, "\(path.text); explain: \(answer.map(\.text) ?? "no answer")")
        }
        state.withLock { $0.explanations.append(task) }
    }

    // MARK: - The end state

    /// Load and faults over: within five seconds the outbox is empty and every instance has applied the whole log.
    private func settle() async {
        let limit = Duration.seconds(5)
        do {
            try await eventually(within: limit, every: .milliseconds(20), "the end state is reached") {
                await self.unsettled() == nil
            }
        } catch {
            let now = judge.now
            judge.report(
                Incoherence(
                    rule: .unsettled,
                    start: now,
                    end: now,
                    instance: -1,
                    subject: -1,
                    required: 0,
                    seen: 0,
                    source: .other,
                    detail: "\(limit) after the end of load and faults: " + (await unsettled() ?? "settled just now")
                )
            )
        }
    }

    /// What is not as it should be in the end; nil if all is.
    private func unsettled() async -> String? {
        if let database {
            guard let rows = try? await database.outboxRows() else { return "the database does not answer" }
            if rows > 0 { return "\(rows) rows in the outbox" }
        }
        for (target, client) in zip(targets, clients) {
            let answer = try? await client.send(
                "GET",
                "/v1/cache/explain?module=products&key=any",
                headers: ["Authorization": "Bearer \(shop.key)"]
            )
            guard let answer, answer.status == 200 else {
                return "\(target.name) does not say how it is: \(answer?.status ?? 0)"
            }
            let cache = answer.json["lane"]
            guard cache["usable"] == .bool(true), cache["hole"] == .bool(false), let applied = cache["applied"].int,
                applied == cache["head"].int
            else { return "\(target.name): \(answer.text)" }
        }
        return nil
    }
}
