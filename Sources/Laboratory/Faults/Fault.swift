/// What a fault takes hold of; two faults at a time have none in common.
package enum FaultTarget: String, Sendable, CaseIterable {
    /// Processes of the service.
    case instances
    /// Ways from instances to PostgreSQL.
    case databaseLinks
    /// Ways from instances to Redis, for commands.
    case commandLinks
    /// Ways from instances to Redis, for the bus.
    case busLinks
    /// PostgreSQL itself.
    case postgres
    /// Redis itself.
    case redis
}

/// Something that goes wrong in deployments, and how it is made to.
package struct Fault: Sendable, CustomStringConvertible {
    /// Its name: what reports and `--faults` call it.
    package let name: String
    /// The faults it is chosen together with: `kill`, `pause`, `slow`, `database`, `commands`, `bus`, `redis`, `postgres`.
    package let group: String
    /// What it takes hold of.
    package let targets: Set<FaultTarget>
    /// For how long it lasts, once injected.
    package let durations: ClosedRange<Duration>
    private let begin: @Sendable (Laboratory, FaultRandom) async throws -> InjectedFault

    init(
        _ name: String,
        group: String,
        targets: Set<FaultTarget>,
        durations: ClosedRange<Duration> = .milliseconds(300) ... .seconds(2),
        begin: @escaping @Sendable (Laboratory, FaultRandom) async throws -> InjectedFault
    ) {
        self.name = name
        self.group = group
        self.targets = targets
        self.durations = durations
        self.begin = begin
    }

    /// The name.
    package var description: String { name }

    /// Makes it happen; whoever calls must heal it.
    ///
    /// - Parameters:
    ///   - laboratory: where.
    ///   - random: decides what the fault leaves open: which instance, how much.
    /// - Returns: the fault as it happened.
    /// - Throws: when the laboratory is not in the state faults begin from; ``Laboratory/repair()`` brings it back.
    package func inject(in laboratory: Laboratory, random: FaultRandom) async throws -> InjectedFault {
        try await begin(laboratory, random)
    }
}

/// A fault that has begun.
package struct InjectedFault: Sendable {
    /// What was left open and how it was decided: `i1`, `i0 after_commit:2`.
    package let detail: String
    private let end: @Sendable () async throws -> Void

    init(_ detail: String = "", heal: @escaping @Sendable () async throws -> Void = {}) {
        self.detail = detail
        end = heal
    }

    /// Ends it: everything that was taken away is back when this returns, though perhaps not yet in use.
    package func heal() async throws {
        try await end()
    }
}

/// A fault was named that does not exist.
package struct UnknownFault: Error, CustomStringConvertible {
    /// The name.
    package let name: String
    /// The name, and those that exist.
    package var description: String {
        let names = FaultCatalogue.all.map(\.name).joined(separator: ", ")
        let groups = FaultCatalogue.groups.joined(separator: ", ")
        return "'\(name)' is no fault; accepted: all, none, the groups \(groups), and \(names)"
    }
}
