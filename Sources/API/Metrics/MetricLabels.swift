/// The labels of a series as they are written: sorted by name, escaped, in braces.
struct MetricLabels: Hashable, Comparable, Sendable {
    /// `name="value",name="value"`; empty for none.
    let text: String

    init(_ dimensions: [(String, String)]) {
        var pairs: [String: String] = [:]
        for (name, value) in dimensions { pairs[Self.name(name)] = value }
        text = pairs.sorted { $0.key < $1.key }
            .map { "\($0.key)=\"\(Self.escaped($0.value, quote: true))\"" }
            .joined(separator: ",")
    }

    static func < (left: MetricLabels, right: MetricLabels) -> Bool { left.text < right.text }

    /// A name as the format allows it: `[a-zA-Z_:][a-zA-Z0-9_:]*`; every other byte becomes `_`.
    static func metricName(_ name: String) -> String {
        Self.plain(name, allowsColon: true)
    }

    /// The name of a label, which has no colon; `le` belongs to histograms, names that begin with `__` to Prometheus.
    private static func name(_ name: String) -> String {
        let plain = Self.plain(name, allowsColon: false)
        return plain == "le" || plain.hasPrefix("__") ? "label_\(plain)" : plain
    }

    private static func plain(_ name: String, allowsColon: Bool) -> String {
        var bytes = name.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                byte
            case UInt8(ascii: ":") where allowsColon: byte
            default: UInt8(ascii: "_")
            }
        }
        if let first = bytes.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) {
            bytes.insert(UInt8(ascii: "_"), at: 0)
        }
        return bytes.isEmpty ? "_" : String(decoding: bytes, as: UTF8.self)
    }

    /// A text in which backslash, line feed and, in labels, the quote are escaped.
    static func escaped(_ text: String, quote: Bool) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quote: escaped += "\\\""
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}
