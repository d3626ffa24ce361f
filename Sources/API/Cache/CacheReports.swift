import Cache
import Kernel

/// What the cache says of itself, as JSON and as schemas of the OpenAPI document.
enum CacheReports {
    private typealias Field = Schema.Member

    // MARK: Statistics

    private static let rate = Schema.nullable(.number)
    private static let count = Schema.integer(minimum: 0)

    /// The numbers of one module, or of all.
    private static let numbers: [Schema.Member] = [
        Field.required("l1_hits", count), Field.required("l2_hits", count), Field.required("misses", count),
        Field.required("bypasses", count), Field.required("l1_hit_rate", rate), Field.required("l2_hit_rate", rate),
        Field.required("entries", count), Field.required("bytes", count), Field.required("evictions", count),
        Field.required("refused_stores", count), Field.required("stale", count), Field.required("token_misses", count),
    ]

    /// The schema of `GET /v1/cache/stats`.
    static let statistics = Schema.object([
        Field.required("tenant", .integer(minimum: 1)),
        Field.required("usable", .boolean),
        Field.required("lag", count),
        Field.required("hole", .boolean),
        Field.required("holes", count),
        Field.required("fresh_age_ms", rate),
        Field.required("redis", .boolean),
        Field.required("totals", .object(numbers)),
        Field.required(
            "modules",
            .array(
                .object(
                    [Field.required("module", .choice(Module.allCases.map(\.rawValue)))] + numbers
                        + [Field.required("version", count)]
                )
            )
        ),
    ])

    /// Numbers that add up.
    private struct Numbers {
        var l1Hits = 0
        var l2Hits = 0
        var misses = 0
        var bypasses = 0
        var entries = 0
        var bytes = 0
        var evictions = 0
        var refusedStores = 0
        var stale = 0
        var tokenMisses = 0

        init() {}

        init(_ module: CacheStatistics.ModuleStatistics) {
            l1Hits = Int(clamping: module.l1Hits)
            l2Hits = Int(clamping: module.l2Hits)
            misses = Int(clamping: module.misses)
            bypasses = Int(clamping: module.bypasses)
            entries = module.entries
            bytes = module.bytes
            evictions = Int(clamping: module.evictions)
            refusedStores = Int(clamping: module.refusedStores)
            stale = Int(clamping: module.stale)
            tokenMisses = Int(clamping: module.tokenMisses)
        }

        static func += (left: inout Numbers, right: Numbers) {
            left.l1Hits += right.l1Hits
            left.l2Hits += right.l2Hits
            left.misses += right.misses
            left.bypasses += right.bypasses
            left.entries += right.entries
            left.bytes += right.bytes
            left.evictions += right.evictions
            left.refusedStores += right.refusedStores
            left.stale += right.stale
            left.tokenMisses += right.tokenMisses
        }

        func write(to writer: inout JSONWriter) {
            writer.member("l1_hits", l1Hits)
            writer.member("l2_hits", l2Hits)
            writer.member("misses", misses)
            writer.member("bypasses", bypasses)
            // Each level by the reads that came to it; those that asked for the database came to none.
            writer.member("l1_hit_rate", l1Hits, of: l1Hits + l2Hits + misses)
            writer.member("l2_hit_rate", l2Hits, of: l2Hits + misses)
            writer.member("entries", entries)
            writer.member("bytes", bytes)
            writer.member("evictions", evictions)
            writer.member("refused_stores", refusedStores)
            writer.member("stale", stale)
            writer.member("token_misses", tokenMisses)
        }
    }

    /// The answer of `GET /v1/cache/stats`.
    static func reply(_ statistics: CacheStatistics, _ health: CacheHealth, tenant: TenantID) -> Reply {
        var totals = Numbers()
        for module in statistics.modules { totals += Numbers(module) }
        return .json { writer in
            writer.object { writer in
                writer.member("tenant", Int(tenant.rawValue))
                writer.member("usable", statistics.isUsable)
                writer.member("lag", Int(statistics.lag))
                writer.member("hole", health.hasHole)
                writer.member("holes", Int(clamping: statistics.holes))
                writer.member("fresh_age_ms", milliseconds: health.freshAge)
                writer.member("redis", statistics.isSecondLevelAvailable)
                writer.name("totals")
                writer.object { totals.write(to: &$0) }
                writer.name("modules")
                writer.array { writer in
                    for module in statistics.modules {
                        writer.object { writer in
                            writer.member("module", module.module.rawValue)
                            Numbers(module).write(to: &writer)
                            writer.member("version", Int(clamping: module.version))
                        }
                    }
                }
            }
        }
    }

    // MARK: Explanation

    /// The schema of `GET /v1/cache/explain`.
    static let explanation = Schema.object([
        Field.required("would_serve", .choice(["l1", "l2", "database"])),
        Field.required("because", .array(.text)),
        Field.required(
            "l1",
            .object([
                Field.required("present", .boolean), Field.required("age_ms", rate),
                Field.required("bytes", .nullable(count)), Field.required("etag", .nullable(.text)),
                Field.required("snapshot", .nullable(.text)),
            ])
        ),
        Field.required(
            "l2",
            .object([
                Field.required("present", .boolean), Field.required("trusted", .boolean),
                Field.required("generation_matches", .boolean), Field.required("ttl_ms", rate),
            ])
        ),
        Field.required(
            "scope",
            .object([
                Field.required("version", count), Field.required("generation", .nullable(.text)),
                Field.required("own", .array(count)), Field.required("recent", .array(bump, maximum: 32)),
            ])
        ),
        Field.required(
            "lane",
            .object([
                Field.required("usable", .boolean), Field.required("fresh_age_ms", rate),
                Field.required("applied", .nullable(count)), Field.required("head", count),
                Field.required("wm", .nullable(count)), Field.required("hole", .boolean),
                Field.required("ns", .nullable(.text)),
            ])
        ),
    ])
    private static let bump = Schema.object([
        Field.required("seq", .nullable(count)), Field.required("xids", .array(count)),
        Field.required("via", .choice(["own", "hint", "bus", "follow"])), Field.required("ms_ago", .number),
    ])

    /// The answer of `GET /v1/cache/explain`.
    static func reply(_ explanation: CacheExplanation) -> Reply {
        .json { writer in
            writer.object { writer in
                writer.member("would_serve", explanation.wouldServe.rawValue)
                writer.name("because")
                writer.array { writer in
                    for reason in explanation.because { writer.string(reason) }
                }
                writer.name("l1")
                writer.object { Self.write(explanation.l1, to: &$0) }
                writer.name("l2")
                writer.object { writer in
                    writer.member("present", explanation.l2.isPresent)
                    writer.member("trusted", explanation.l2.isTrusted)
                    writer.member("generation_matches", explanation.l2.doesGenerationMatch)
                    writer.member("ttl_ms", milliseconds: explanation.l2.timeToLive)
                }
                writer.name("scope")
                writer.object { Self.write(explanation.scope, to: &$0) }
                writer.name("lane")
                writer.object { Self.write(explanation.lane, to: &$0) }
            }
        }
    }

    private static func write(_ level: CacheExplanation.FirstLevel, to writer: inout JSONWriter) {
        writer.member("present", level.isPresent)
        writer.member("age_ms", milliseconds: level.age)
        writer.member("bytes", level.bytes)
        writer.member("etag", level.etag)
        writer.member("snapshot", level.snapshot?.text)
    }

    private static func write(_ scope: CacheExplanation.Scope, to writer: inout JSONWriter) {
        writer.member("version", Int(clamping: scope.version))
        writer.member("generation", scope.generation)
        writer.name("own")
        writer.array { writer in
            for xid in scope.own { writer.integer(xid) }
        }
        writer.name("recent")
        writer.array { writer in
            for bump in scope.recent {
                writer.object { writer in
                    writer.member("seq", bump.sequence.map { Int($0) })
                    writer.name("xids")
                    writer.array { writer in
                        for xid in bump.xids { writer.integer(xid) }
                    }
                    writer.member("via", bump.via.rawValue)
                    writer.member("ms_ago", milliseconds: bump.age)
                }
            }
        }
    }

    private static func write(_ lane: CacheExplanation.Lane, to writer: inout JSONWriter) {
        writer.member("usable", lane.isUsable)
        writer.member("fresh_age_ms", milliseconds: lane.freshAge)
        writer.member("applied", lane.applied.map { Int($0) })
        writer.member("head", Int(lane.head))
        writer.member("wm", lane.watermark.map { Int($0) })
        writer.member("hole", lane.hasHole)
        writer.member("ns", lane.ns)
    }
}

extension Snapshot {
    /// As PostgreSQL writes a `pg_snapshot`; a question mark for running transactions that are not known.
    fileprivate var text: String {
        let running = xip.map { $0.map { String($0) }.joined(separator: ",") } ?? "?"
        return "\(xmin):\(xmax):\(running)"
    }
}

extension JSONWriter {
    /// Writes a duration in milliseconds with three decimals, or null.
    fileprivate mutating func member(_ name: String, milliseconds duration: Duration?) {
        self.name(name)
        guard let duration else {
            null()
            return
        }
        decimal(thousandths: duration.nanoseconds / 1000)
    }

    /// Writes a part of a whole as a number from 0 to 1 with three decimals; null where there is no whole.
    fileprivate mutating func member(_ name: String, _ part: Int, of whole: Int) {
        self.name(name)
        guard whole > 0 else {
            null()
            return
        }
        decimal(thousandths: Int64(part) * 1000 / Int64(whole))
    }

    private mutating func decimal(thousandths: Int64) {
        let magnitude = thousandths.magnitude
        let decimals = String(magnitude % 1000)
        let zeros = String(repeating: "0", count: 3 - decimals.count)
        raw("\(thousandths < 0 ? "-" : "")\(magnitude / 1000).\(zeros)\(decimals)".utf8)
    }
}
