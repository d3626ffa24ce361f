import Kernel

/// Reads `Accept` (RFC 9110, 12.5.1): the one home of what form an answer takes that can be had in several.
enum Accept {
    /// The type that a client likes best.
    ///
    /// A type counts by the weight of the narrowest range that names it: itself, then `text/*`, then `*/*`. Parameters of ranges
    /// other than weights mean nothing, as our types are told apart by their names; malformed members count for nothing.
    ///
    /// - Parameters:
    ///   - offered: What can be had; of equal weights the first goes.
    ///   - header: The value, several fields joined by commas; without one, or with nothing that can be read, anything will do.
    /// - Returns: One of the offered.
    /// - Throws: 406 `not_acceptable`, which lists what can be had.
    static func choose(among offered: [ContentType], by header: String?) throws(Problem) -> ContentType {
        let ranges = header.map { Self.ranges(of: $0) } ?? []
        var best: (type: ContentType, weight: Int)?
        for type in offered {
            let weight = ranges.isEmpty ? Weight.full : Self.weight(of: type, among: ranges)
            if weight > best?.weight ?? 0 { best = (type, weight) }
        }
        guard let best else {
            let names = offered.map(\.mediaType)
            throw Problem(
                .notAcceptable,
                "Accept names nothing that this can be had as: \(names.joined(separator: ", ")).",
                errors: names.map { FieldError("", .offered, $0) }
            )
        }
        return best.type
    }

    /// A range of media types: one, all of a kind, or all.
    private struct Range {
        let type: Substring.UTF8View
        let subtype: Substring.UTF8View
        let weight: Int

        /// How narrowly it names a type: 0 not at all, 3 itself.
        func narrowness(for name: Substring.UTF8View) -> Int {
            let parts = name.split(separator: UInt8(ascii: "/"), maxSplits: 1)
            guard parts.count == 2 else { return 0 }
            let all = CollectionOfOne(UInt8(ascii: "*"))
            let isAnySubtype = Weight.equal(subtype, all)
            if Weight.equal(type, all) { return isAnySubtype ? 1 : 0 }
            guard Weight.equal(type, parts[0]) else { return 0 }
            if isAnySubtype { return 2 }
            return Weight.equal(subtype, parts[1]) ? 3 : 0
        }
    }

    private static func ranges(of header: String) -> [Range] {
        header.utf8.split(separator: UInt8(ascii: ",")).compactMap { member in
            let parts = member.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
                .map { Weight.trimmed($0) }
            guard let name = parts.first?.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false),
                name.count == 2, !name[0].isEmpty, !name[1].isEmpty
            else { return nil }
            var weight = Weight.full
            if let said = parts.dropFirst().first(where: { Weight.isWeight($0) }) {
                guard let read = Weight.read(said) else { return nil }
                weight = read
            }
            return Range(type: name[0], subtype: name[1], weight: weight)
        }
    }

    private static func weight(of type: ContentType, among ranges: [Range]) -> Int {
        let name = Substring(type.mediaType).utf8
        var best = (narrowness: 0, weight: 0)
        for range in ranges {
            let narrowness = range.narrowness(for: name)
            // Of two that name it alike, the better one.
            if narrowness > 0, (narrowness, range.weight) > best { best = (narrowness, range.weight) }
        }
        return best.weight
    }
}
