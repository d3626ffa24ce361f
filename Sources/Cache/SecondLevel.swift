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

/// Redis, as the cache sees it.
///
/// An error is a miss and never reaches a reader.
package protocol SecondLevel: Sendable {
    /// Whether it is worth asking.
    var isAvailable: Bool { get }
    /// Reads watermark, declaration, generation and value in one round trip; nil on an error.
    func look(_ key: CacheKey) async -> SecondLevelAnswer?
    /// The scope's generation, made if there is none; nil on an error.
    func capture(tenant: Int64, module: Module) async -> [UInt8]?
    /// Stores a value if the scope's generation is still the captured one. Returns whether it was stored; nil on an error.
    func store(_ key: CacheKey, value: [UInt8], generation: [UInt8], lifetime: Duration) async -> Bool?
    /// Gives a value back.
    func unlink(_ key: CacheKey) async
    /// The writer's own bump; best effort.
    func bump(_ writes: [CommittedWrite], ns: String) async
}
