import Synchronization

extension CoherenceRun {
    /// Makes the faults of a schedule in a laboratory, each round followed by calm, until it is time to end.
    ///
    /// - Parameters:
    ///   - schedule: which faults; none means that nothing happens.
    ///   - laboratory: the instances under check.
    ///   - isOver: asked before each round of faults.
    /// - Throws: what kept the laboratory from being repaired.
    package func inject(
        _ schedule: FaultSchedule,
        in laboratory: Laboratory,
        until isOver: @Sendable () -> Bool
    ) async throws {
        guard !schedule.faults.isEmpty else { return try await wait(until: isOver) }
        let adoptions = Mutex<[Task<Void, any Error>]>([])
        await laboratory.onHistoryReplaced { _ in
            // PostgreSQL is down, and started when this returns: what it says then is waited for beside.
            self.historyIsReplaced()
            let task = Task { try await self.adoptHistory() }
            adoptions.withLock { $0.append(task) }
        }
        _ = try await schedule.run(in: laboratory, until: isOver) { event in
            switch event {
            case .began(let fault, _):
                self.faultBegan(fault.name)
            case .ended(let fault, let detail, _, let time):
                self.faultEnded(fault.name, detail: detail, at: time)
            case .failed(let fault, let reason, let time):
                self.remark("\(fault.name) could not be made: \(reason)")
                self.faultEnded(fault.name, detail: "could not be made", isCounted: false, at: time)
            case .calm:
                await self.becomeCalm()
                // Time to warm up, and to see how fast news travel when nothing is wrong.
                try? await Task.sleep(for: .milliseconds(200))
                for task in adoptions.withLock({ tasks in
                    defer { tasks = [] }
                    return tasks
                }) {
                    do {
                        try await task.value
                    } catch {
                        self.remark("after the database was replaced: \(error)")
                    }
                }
            }
        }
        try await laboratory.repair()
        await becomeCalm()
    }

    /// Makes no faults until it is time to end.
    package func wait(until isOver: @Sendable () -> Bool) async throws {
        while !isOver() { try await Task.sleep(for: .milliseconds(20)) }
    }
}
