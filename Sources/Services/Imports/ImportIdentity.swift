import Crypto
import Domain
import Kernel
import Postgres

/// Makes the ids of what an import writes from what the file says.
///
/// A run that was killed and repeated gives every row the id an undisturbed run gives it. The ids are UUIDv7 in form:
/// the time of the document leads, so that rows of a file that is in order go into their indexes in order; the rest
/// comes from SHA-256 over the tenant's seed and the document's name.
///
/// The seed moves with the tenant, whose number does not: a file that is given again where the tenant has moved to is
/// known there.
struct ImportIdentity {
    /// What a row of a document is, in the id's last bits.
    enum Part: UInt64 {
        case payment = 1
        case ledgerEntry = 2
        case line = 3
        case movement = 4
    }

    private let seed: Int64

    /// Asks for the seed of a tenant.
    ///
    /// - Parameter session: Of the tenant.
    /// - Throws: ``ImportFailure``, `PostgresError`.
    init(of session: ImportSession) async throws {
        seed = try await session.one(ImportSeed()).value
    }

    func document(_ document: SaleGrouping.Document) -> EntityID {
        make("document/\(document.kind.rawValue)/", document.externalID, at: Self.microseconds(document.time))
    }

    func product(sku: [UInt8], at time: TimeFormat.Reading) -> EntityID {
        make("product/", sku, at: Self.microseconds(time))
    }

    /// What was done once, by what the file calls it: whenever it was, as that may be corrected.
    func entry(_ kind: String, named name: String) -> EntityID {
        make("\(kind)/", Array(name.utf8), at: 0)
    }

    /// The import of a file, the same for every run of it.
    func job(kind: String, fileHash: [UInt8]) -> EntityID {
        make("job/\(kind)/", fileHash, at: 0)
    }

    /// A row that belongs to a document.
    ///
    /// - Parameters:
    ///   - part: what the row is.
    ///   - index: which one, in the order of the file.
    ///   - document: the document's id.
    /// - Returns: the row's id.
    static func part(_ part: Part, _ index: Int, of document: EntityID) -> EntityID {
        // SplitMix64 (Steele, Lea, Flood 2014): neighbours become unlike, and no two indexes meet.
        var mixed = document.low &+ (UInt64(truncatingIfNeeded: index) << 3 | part.rawValue) &* 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        return EntityID(high: document.high, low: mixed & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }

    private static func microseconds(_ time: TimeFormat.Reading) -> Int64 {
        switch time {
        case .wallClock(let microseconds), .instant(let microseconds): microseconds
        }
    }

    private func make(_ kind: String, _ name: [UInt8], at microseconds: Int64) -> EntityID {
        var hash = SHA256()
        hash.update(data: Array("\(seed)/\(kind)".utf8))
        hash.update(data: name)
        var high: UInt64 = 0
        var low: UInt64 = 0
        for (index, byte) in hash.finalize().enumerated().prefix(10) {
            if index < 2 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
        }
        let milliseconds = UInt64(max(0, microseconds / 1_000)) & 0xFFFF_FFFF_FFFF
        return EntityID(
            high: milliseconds << 16 | 0x7000 | high & 0x0FFF,
            low: low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        )
    }
}

/// What ids of imported rows are made of beside the file: the number that the tenant had where it was made.
private struct ImportSeed: Statement {
    static let name = "imports.seed"
    static let sql: SQL =
        "SELECT coalesce(t.import_seed, t.id) FROM stock.tenant t WHERE t.id = stock.current_tenant()"
    typealias Row = SingleColumn<Int64>
}
