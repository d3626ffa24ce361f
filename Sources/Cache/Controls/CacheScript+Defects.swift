#if COHERENCE_CONTROLS
import Redis

extension CacheScript {
    /// One guard: in which scripts it stands, its text there, and what stands there without it.
    private struct Guard {
        let defect: Defect
        let scripts: Set<String>
        let text: String
        let replacement: String
    }

    private static let guards: [Guard] = [
        Guard(
            defect: .blindStore,
            scripts: ["store"],
            text: "if g == ARGV[1] then",
            replacement: "if g then\n  value = string.sub(value, 1, 34) .. g .. string.sub(value, 67)"
        ),
        // Derived from the write a bump would be the same however often it is done, which makes the ring look needless.
        Guard(
            defect: .reuseGeneration,
            scripts: ["bumpScopes", "apply"],
            text: "if unseen then",
            replacement: "if ids[1] then fresh = string.rep('0', 32 - #ids[1]) .. ids[1] end\n  if true then"
        ),
        Guard(
            defect: .counterGeneration,
            scripts: ["bumpScopes", "apply"],
            text: "if unseen then",
            replacement: """
                local counter = tonumber(string.sub(redis.call('GET', g) or '0', -12), 16)
                fresh = string.format('%032x', counter + 1)
                if unseen then
                """
        ),
        Guard(
            defect: .counterGeneration,
            scripts: ["lease"],
            text: "local fresh = ARGV[1]",
            replacement: "local fresh = string.format('%032x', 1)"
        ),
        Guard(
            defect: .watermarkInMemory,
            scripts: ["apply"],
            text: "if wm then wns, wseq = string.match(wm, '^(%x+) (%d+) ') end",
            replacement: "wns, wseq = ARGV[1], ARGV[2] - 1"
        ),
        Guard(
            defect: .watermarkInMemory,
            scripts: ["declareAlive"],
            text: "if wm then wns, wseq, wtag = string.match(wm, '^(%x+) (%d+) (-?%d+)$') end",
            replacement: "wns, wseq, wtag = ARGV[1], ARGV[2], ARGV[3]"
        ),
        Guard(
            defect: .noNamespace,
            scripts: ["apply", "declareAlive"],
            text: "if wns ~= ARGV[1] then return 'NS' end",
            replacement: ""
        ),
        Guard(
            defect: .noNamespace,
            scripts: ["lease"],
            text: "if header == 'S1' .. ARGV[3] .. g then",
            replacement: "if string.sub(header, 35) == g then"
        ),
        Guard(
            defect: .noTag,
            scripts: ["declareAlive"],
            text: "if wtag ~= ARGV[3] then return 'GAP' end",
            replacement: ""
        ),
    ]

    /// A script with guards left out, under a name of its own.
    static func variant(_ name: String, _ source: String, without defects: Defects) -> RedisScript {
        var name = name
        var source = source
        for entry in Self.guards where defects.contains(entry.defect) && entry.scripts.contains(name) {
            precondition(source.contains(entry.text), "the guard \(entry.text) has changed in \(name)")
            source = source.replacing(entry.text, with: entry.replacement)
        }
        let names = Set(Self.guards.filter { $0.scripts.contains(name) && defects.contains($0.defect) }.map(\.defect))
        name += names.map { "!" + $0.rawValue }.sorted().joined()
        return RedisScript(name: name, source: source)
    }
}
#endif
