/// What the second level returned for one key: everything needed to judge it, read in one round trip.
package struct SecondLevelAnswer: Sendable {
    /// The watermark, raw.
    package var watermark: [UInt8]?
    /// The declaration of being up to date, raw.
    package var alive: [UInt8]?
    /// The scope's generation, raw.
    package var generation: [UInt8]?
    /// The value, raw.
    package var value: [UInt8]?
    /// The run id of the server on this connection; nil if it may not be asked for.
    package var runID: String?

    /// Makes an answer.
    package init(
        watermark: [UInt8]?,
        alive: [UInt8]?,
        generation: [UInt8]?,
        value: [UInt8]?,
        runID: String?
    ) {
        self.watermark = watermark
        self.alive = alive
        self.generation = generation
        self.value = value
        self.runID = runID
    }
}

/// Who fills: the process run, and which of its flights.
package struct FillOwner: Sendable, Equatable {
    /// The process run; its liveness is a key of its own.
    package let instance: String
    /// The flight.
    package let nonce: String

    /// Makes an owner.
    package init(instance: String, nonce: String) {
        self.instance = instance
        self.nonce = nonce
    }

    /// The text kept in a lease, `<instance>/<nonce>`.
    package var text: String { "\(instance)/\(nonce)" }
}

/// What the LEASE script answered.
package enum LeaseAnswer: Sendable, Equatable {
    /// There is a value of this namespace and generation by now.
    case hit(generation: [UInt8], value: [UInt8])
    /// Somebody else fills under this generation.
    case wait(generation: [UInt8], lease: [UInt8])
    /// The caller fills; the lease is its own.
    case fill(generation: [UInt8])
}

/// What somebody who waits for another's fill finds, in one round trip.
package struct PollAnswer: Sendable {
    /// As for a look-up.
    package var answer: SecondLevelAnswer
    /// The lease as it is now; nil if there is none.
    package var lease: [UInt8]?
    /// Whether the instance that held the lease waited for is alive.
    package var isOwnerAlive: Bool

    /// Makes an answer.
    package init(answer: SecondLevelAnswer, lease: [UInt8]?, isOwnerAlive: Bool) {
        self.answer = answer
        self.lease = lease
        self.isOwnerAlive = isOwnerAlive
    }
}

/// Redis, as the cache sees it.
///
/// An error is a miss and never reaches a reader.
package protocol SecondLevel: Sendable {
    /// Whether it is worth asking.
    var isAvailable: Bool { get }
    /// Reads watermark, declaration, generation and value in one round trip; nil on an error.
    func look(_ key: CacheKey) async -> SecondLevelAnswer?
    /// Asks for the right to fill; nil on an error.
    ///
    /// `renews` passes over a value that is there: it is about to expire and is filled anew in time.
    func lease(_ key: CacheKey, ns: String, owner: FillOwner, renews: Bool) async -> LeaseAnswer?
    /// Looks again while somebody else fills: `lease` is what that one holds; nil on an error.
    func poll(_ key: CacheKey, lease: [UInt8]) async -> PollAnswer?
    /// Takes over the lease of somebody who is gone, if it is still the one seen; nil on an error.
    func steal(_ key: CacheKey, seen: [UInt8], generation: [UInt8], owner: FillOwner) async -> Bool?
    /// Stores a value if the scope's generation is still the captured one, and frees the owner's lease either way.
    ///
    /// Returns whether it was stored; nil on an error.
    func store(
        _ key: CacheKey,
        value: [UInt8],
        generation: [UInt8],
        owner: FillOwner?,
        lifetime: Duration
    ) async -> Bool?
    /// Frees a lease whose fill failed or cannot be stored.
    func release(_ key: CacheKey, generation: [UInt8], owner: FillOwner) async
    /// Gives a value back.
    func unlink(_ key: CacheKey) async
    /// The writer's own bump; best effort.
    func bump(_ writes: [CommittedWrite], ns: String) async
    /// How long a value has left; nil if there is none, or on an error.
    func timeToLive(_ key: CacheKey) async -> Duration?
    /// Says that the fills of an instance are alive.
    func beat(instance: String) async
}
