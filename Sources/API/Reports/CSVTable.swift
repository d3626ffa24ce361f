import Kernel
import NIOCore

/// A JSON body as a table (RFC 4180): its list, one line for each member below a line of names, or itself as the only line.
///
/// Which columns there are follows from the documented shape, so that a table of nothing has them as well. A text that a spreadsheet
/// would take for a formula gets an apostrophe in front, as OWASP has it ("CSV Injection"); figures stay what they are.
struct CSVTable: Sendable {
    /// The member that has the lines; nil for a body that is one line.
    private let list: String?
    private let columns: [String]

    /// The table of bodies of a shape; nil for what is no object.
    init?(of schema: Schema) {
        guard case .object(let members) = schema.resolved else { return nil }
        for member in members {
            if case .array(let element, _) = member.schema.resolved, case .object(let columns) = element.resolved {
                list = member.name
                self.columns = columns.map(\.name)
                return
            }
        }
        list = nil
        columns = members.map(\.name)
    }

    /// Writes a body.
    ///
    /// - Parameter body: JSON of the shape.
    /// - Returns: The table, and the cursor of the page behind it.
    /// - Throws: `internal_error` if the body is not of the shape.
    func write(_ body: ByteBuffer) throws(Problem) -> (table: ByteBuffer, next: String?) {
        guard case .object(let object)? = try? JSONValue.parse(Array(body.readableBytesView)) else {
            throw Problem(.internalError, "What is kept is no table.")
        }
        var lines: [JSONObject] = []
        if let list {
            if case .array(let members)? = object[list] {
                lines = members.compactMap { if case .object(let line) = $0 { line } else { nil } }
            }
        } else {
            lines = [object]
        }
        var text: [UInt8] = []
        text.reserveCapacity(body.readableBytes)
        Self.write(columns.map { Substring($0) }, to: &text)
        for line in lines {
            Self.write(columns.map { Self.text(of: line[$0]) }, to: &text)
        }
        var next: String?
        if case .string(let cursor)? = object["next_cursor"] { next = cursor }
        return (ByteBuffer(bytes: text), next)
    }

    private static func text(of value: JSONValue?) -> Substring {
        switch value {
        case .string(let text): Substring(Self.isFormula(text) ? "'" + text : text)
        case .number(let text): Substring(text)
        case .bool(let flag): flag ? "true" : "false"
        default: ""
        }
    }

    /// Whether a spreadsheet would compute a text: it begins like a formula, and is no figure of ours.
    private static func isFormula(_ text: String) -> Bool {
        guard let first = text.utf8.first else { return false }
        switch first {
        case UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "@"), 0x09, 0x0D: return true
        case UInt8(ascii: "-"):
            let rest = text.utf8.dropFirst()
            let isFigure = !rest.isEmpty && rest.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }
            return !isFigure
        default: return false
        }
    }

    private static func write(_ cells: [Substring], to text: inout [UInt8]) {
        for (place, cell) in cells.enumerated() {
            if place > 0 { text.append(UInt8(ascii: ",")) }
            let isQuoted = cell.utf8.contains {
                $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: ",") || $0 == 0x0A || $0 == 0x0D
            }
            guard isQuoted else {
                text += cell.utf8
                continue
            }
            text.append(UInt8(ascii: "\""))
            for byte in cell.utf8 {
                if byte == UInt8(ascii: "\"") { text.append(byte) }
                text.append(byte)
            }
            text.append(UInt8(ascii: "\""))
        }
        text += [0x0D, 0x0A]
    }
}

extension Schema {
    /// The schema behind names and what may be null.
    fileprivate var resolved: Schema {
        switch self {
        case .reference(let name): Schemas.named[name]?.resolved ?? self
        case .named(_, let schema), .nullable(let schema): schema.resolved
        default: self
        }
    }
}

extension Route {
    /// The same route, which whoever accepts `text/csv` rather than JSON is answered as a table.
    var tabular: Route {
        var output = gives
        output.table = gives.answer.flatMap { CSVTable(of: $0) }
        output.others.append((.csv, .string(description: "Lines as RFC 4180 has them, below one of names.")))
        return Route(
            method,
            path,
            name,
            summary,
            area: area,
            access: access,
            throttle: throttle,
            takes: takes,
            gives: output,
            service: service
        )
    }
}
