import API
import Coherence
import Foundation
import Postgres
import TestSupport

@testable import Services

/// A statement of the product, as its source says it.
struct SourceStatement: Sendable {
    /// The name it is prepared under.
    let name: String
    let sql: String
    /// The types of its parameters, as SQL calls them.
    let types: [String]
}

/// All statements of the product: those that its services list, and those that only its sources tell of.
///
/// One that is new is among them without anybody adding it.
struct SourceStatements: Sendable {
    let all: [SourceStatement]
    /// What looks like a statement and could not be read, a sentence each.
    let unread: [String]

    /// Reads every Swift file of the product.
    static func read() throws -> SourceStatements {
        let texts = try self.files()
        // The last one is of no service, and is put together, which only the compiler reads.
        var all = (CacheStatements.all + API.statements + [LastEvent.self]).map { type in
            SourceStatement(name: type.name, sql: type.sql.text, types: type.parameterTypes.map(Self.sqlName))
        }
        let listed = Set(all.map(\.name))
        var unread: [String] = []
        for (file, text) in texts {
            let declarations = text.matches(
                of:
                    /(?:struct|enum) (\w+)(<[^>\n]*>)?: [^{\n]*\b(Statement|Invariant|Document|Resource|Record|ListedByName)\b[^{\n]*\{\n/
            )
            for declaration in declarations {
                let type = String(declaration.output.1)
                let body = text[declaration.range.upperBound...].prefix(upTo: "\n}\n")
                // What is made for each kind of record or document is listed for each.
                if declaration.output.2 != nil { continue }
                guard
                    let name = body.firstMatch(of: /static let name(?:: \w+)? = "([^"]+)"/).map({ String($0.output.1) })
                else {
                    unread.append("\(file): \(type) has no name that can be read")
                    continue
                }
                if listed.contains(name) { continue }
                guard ["Statement", "Invariant"].contains(declaration.output.3) else {
                    // A command may leave nothing behind.
                    if name != "core.nothing", !listed.contains(where: { $0.hasPrefix("\(name).") }) {
                        unread.append(
                            "\(file): nothing that is listed reads or answers \(type); is it a record of an area in Routes.areas?"
                        )
                    }
                    continue
                }
                // Found by itself it would only be prepared late; those of operators and imports have sessions of their own.
                if file.hasPrefix("Services/"), !Self.unlisted.contains(where: file.hasPrefix) {
                    unread.append("\(file): \(type) is listed by no service and no record")
                }
                guard let sql = Self.sql(in: body) else {
                    unread.append("\(file): the SQL of \(type) is not one literal")
                    continue
                }
                guard let types = Self.types(in: body, type: type, texts.map(\.1)) else {
                    unread.append("\(file): the parameter types of \(type) can not be read")
                    continue
                }
                all.append(SourceStatement(name: name, sql: sql, types: types))
            }
            // A count that does not go by the form of declarations, against statements the expression above overlooks.
            let count = text.matches(of: /static let sql: SQL/).count
            let bare = declarations.filter { $0.output.2 != nil || ["Record", "ListedByName"].contains($0.output.3) }
                .count
            if count > declarations.count || count < declarations.count - bare {
                unread.append("\(file): \(count) SQL texts in \(declarations.count) statements")
            }
        }
        return SourceStatements(all: all, unread: unread)
    }

    /// The text of every file that may name something of the database.
    static func text() throws -> String { try self.files().map(\.1).joined(separator: "\n") }

    private static func files() throws -> [(String, String)] {
        try FileManager.default.subpathsOfDirectory(atPath: SourceTree.root + "/Sources").sorted()
            .filter { $0.hasSuffix(".swift") && $0 != "Postgres/Statement/Statement.swift" }
            .map { ($0, try String(contentsOfFile: "\(SourceTree.root)/Sources/\($0)", encoding: .utf8)) }
    }

    /// Where statements are that no connection of an instance prepares.
    private static let unlisted = [
        "Services/Imports/", "Services/Exports/", "Services/Operations/", "Services/Catalog/BatchStatements",
    ]

    private static func sql(in body: Substring) -> String? {
        guard let start = body.firstMatch(of: /static let sql: SQL =\s*"/) else { return nil }
        let text = body[body.index(before: start.range.upperBound)...]
        let literal =
            text.hasPrefix("\"\"\"\n")
            ? text.dropFirst(4).prefix(upTo: "\n        \"\"\"")
            : text.dropFirst().firstMatch(of: /^((?:[^"\\]|\\.)*)"/)?.output.1
        // What is put into it is known to the compiler alone.
        guard let literal, literal.firstMatch(of: /(?:^|[^\\])\\\(/) == nil else { return nil }
        return unescaped(literal)
    }

    private static func unescaped(_ text: Substring) -> String {
        text.replacingOccurrences(of: "\\\\", with: "\u{0}")
            .replacingOccurrences(of: "\\\"", with: "\"")
            .replacingOccurrences(of: "\u{0}", with: "\\")
    }

    /// The types: a list, another type's list, or both added up.
    private static func types(in body: Substring, type: String, _ texts: [String]) -> [String]? {
        guard let start = body.firstMatch(of: /static (?:let|var) parameterTypes(?:: \[PostgresType\])? ?=? ?/) else {
            return []
        }
        let expression = body[start.range.upperBound...]
        guard let whole = expression.prefixMatch(of: /(?:\[[^\]]*\]|\w+\.\w+)(?: \+ (?:\[[^\]]*\]|\w+\.\w+))*/) else {
            return nil
        }
        var types: [String] = []
        for part in whole.output.matches(of: /\[[^\]]*\]|(\w+)\.(\w+)/) {
            if part.output.0.hasPrefix("[") {
                for name in part.output.0.matches(of: /\.(\w+)/) { types.append(sqlName(String(name.output.1))) }
            } else if let owner = part.output.1, let member = part.output.2 {
                guard let found = list(String(owner), String(member), texts) else { return nil }
                types += found
            }
        }
        return types
    }

    private static func list(_ owner: String, _ member: String, _ texts: [String]) -> [String]? {
        for text in texts {
            guard let place = text.range(of: "(?:struct|enum) \(owner)\\b[^{\\n]*\\{\n", options: .regularExpression)
            else { continue }
            let body = text[place.upperBound...].prefix(upTo: "\n}\n")
            guard let start = body.range(of: "static let \(member): [PostgresType] = ") else { return nil }
            guard let list = body[start.upperBound...].prefixMatch(of: /\[[^\]]*\]/) else { return nil }
            return list.output.matches(of: /\.(\w+)/).map { sqlName(String($0.output.1)) }
        }
        return nil
    }

    /// What SQL calls a type of parameters.
    private static func sqlName(_ type: PostgresType) -> String {
        let names = [
            16: "boolean", 17: "bytea", 20: "bigint", 21: "smallint", 23: "integer", 25: "text", 114: "json",
            3802: "jsonb",
            1082: "date", 1184: "timestamptz", 1700: "numeric", 2950: "uuid", 5038: "pg_snapshot", 5069: "xid8",
            1000: "boolean[]", 1001: "bytea[]", 1005: "smallint[]", 1007: "integer[]", 1009: "text[]", 1016: "bigint[]",
            1182: "date[]", 1185: "timestamptz[]", 1231: "numeric[]", 2951: "uuid[]", 199: "json[]",
        ]
        return names[Int(type.oid)] ?? "oid \(type.oid)"
    }

    /// What SQL calls a `PostgresType`.
    private static func sqlName(_ name: String) -> String {
        if name.hasSuffix("Array") { return sqlName(String(name.dropLast(5))) + "[]" }
        return switch name {
        case "bool": "boolean"
        case "int2": "smallint"
        case "int4": "integer"
        case "int8": "bigint"
        case "pgSnapshot": "pg_snapshot"
        default: name
        }
    }
}

extension Substring {
    /// What comes before a text; all of it if that does not occur.
    fileprivate func prefix(upTo end: String) -> Substring {
        range(of: end).map { self[..<$0.lowerBound] } ?? self
    }
}
