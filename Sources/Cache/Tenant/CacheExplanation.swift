/// Why one key would be answered from where it would be, for people.
///
/// Made without filling or refreshing anything.
package struct CacheExplanation: Sendable, Equatable {
    /// Where a read would be answered from now.
    package enum Source: String, Sendable {
        case l1
        case l2
        case database
    }

    /// The answer in this instance's memory.
    package struct FirstLevel: Sendable, Equatable {
        package var isPresent = false
        package var age: Duration?
        package var bytes: Int?
        package var etag: String?
        package var snapshot: Snapshot?
    }

    /// The value in Redis.
    package struct SecondLevel: Sendable, Equatable {
        package var isPresent = false
        package var isTrusted = false
        package var doesGenerationMatch = false
        package var timeToLive: Duration?
    }

    /// One bump of the scope.
    package struct Bump: Sendable, Equatable {
        /// The log row, if it was one.
        package var sequence: Int64?
        package var xids: [UInt64]
        package var via: BumpSource
        /// How long ago.
        package var age: Duration
    }

    /// The scope.
    package struct Scope: Sendable, Equatable {
        package var version: UInt64 = 0
        package var generation: String?
        /// Writes of this instance not yet seen in the log.
        package var own: [UInt64] = []
        /// The last bumps, newest last.
        package var recent: [Bump] = []
    }

    /// The lane.
    package struct Lane: Sendable, Equatable {
        package var isUsable = false
        package var freshAge: Duration?
        package var applied: Int64?
        package var head: Int64 = 0
        package var watermark: Int64?
        package var hasHole = true
        package var ns: String?
    }

    /// Where a read would be answered from.
    package var wouldServe: Source
    /// Why not from further up.
    package var because: [String]
    package var l1: FirstLevel
    package var l2: SecondLevel
    package var scope: Scope
    package var lane: Lane
}

/// How this instance learned that a scope was written.
package enum BumpSource: String, Sendable {
    /// It wrote itself.
    case own
    /// A writer's hint on the bus.
    case hint
    /// A numbered message of the bus.
    case bus
    /// A probe of the log.
    case follow
}
