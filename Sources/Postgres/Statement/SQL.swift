/// The text of a statement: literals of the program, put together with other such text.
///
/// Interpolation takes this type and nothing else, so that no value can ever become SQL; values are parameters.
package struct SQL: Sendable, Hashable {
    /// The text.
    package let text: String

    /// The place of a parameter: `$1` for 1.
    package static func parameter(_ position: Int) -> SQL { SQL(text: "$\(position)") }

    private init(text: String) { self.text = text }
}

extension SQL: ExpressibleByStringInterpolation {
    /// Text as it stands in the source.
    package init(stringLiteral text: StaticString) { self.init(text: "\(text)") }

    package init(stringInterpolation: StringInterpolation) { self.init(text: stringInterpolation.text) }

    /// Puts literals and SQL together.
    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        package init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity + 64 * interpolationCount)
        }

        package mutating func appendLiteral(_ literal: StaticString) {
            literal.withUTF8Buffer { unsafe text += String(decoding: $0, as: UTF8.self) }
        }

        /// Appends SQL.
        package mutating func appendInterpolation(_ sql: SQL) { text += sql.text }
    }
}

extension Sequence<SQL> {
    /// The parts with a separator between them.
    package func joined(separator: SQL) -> SQL {
        var parts = makeIterator()
        guard var joined = parts.next() else { return "" }
        while let part = parts.next() { joined = "\(joined)\(separator)\(part)" }
        return joined
    }
}
