import Crypto
import Kernel

/// The file that a tenant moves in: lines of JSON, and between them rows as COPY writes them.
///
///     {"format":"stock-tenant","version":1,"schema":291,"tenant":"corner",...}
///     {"table":"sale","columns":["id","register_id",...]}
///     rows, in the text format of COPY
///     \.
///     {"rows":100000,"sha256":"..."}
///     and so on for each table of TenantTables.moved, then
///     {"tables":66,"rows":1234567,"sha256":"..."}
///
/// A row of COPY is a line, and none is `\.` alone, as each backslash of a value is doubled. The checksum behind a table is of its rows, the
/// last one of all that stands before it: they tell a file that was cut off or damaged, and not who made it.
package enum TenantFile {
    /// What the first line names.
    static let format = "stock-tenant"
    /// How the file is laid out.
    static let version = 1
    /// What ends the rows of a table.
    static let end = Array("\\.\n".utf8)

    /// Bytes that a line of JSON may have; those of the largest table have some thousand.
    static let longestLine = 1 << 16
    /// Bytes that a row may have: ours have a megabyte at most, and the server holds a row in memory.
    static let longestRow = 1 << 24

    /// The first line.
    struct Head: Equatable {
        /// The number of the last migration of where it came from.
        var schema: Int32
        var slug: String
        var name: String
        /// When, as RFC 3339.
        var time: String
        /// The number of the last event that the rows reflect.
        var lastEvent: Int64

        var line: [UInt8] {
            TenantFile.line { writer in
                writer.member("format", TenantFile.format)
                writer.member("version", TenantFile.version)
                writer.member("schema", Int(schema))
                writer.member("tenant", slug)
                writer.member("name", name)
                writer.member("exported_at", time)
                writer.member("last_event", Int(lastEvent))
            }
        }

        init(schema: Int32, slug: String, name: String, time: String, lastEvent: Int64) {
            self.schema = schema
            self.slug = slug
            self.name = name
            self.time = time
            self.lastEvent = lastEvent
        }

        init(_ line: [UInt8]) throws(TenantFileFault) {
            guard let object = TenantFile.object(line), object.word("format") == TenantFile.format else {
                throw TenantFileFault("it is no tenant's file; `stock tenant export` writes one")
            }
            guard object.whole("version") == Int64(TenantFile.version) else {
                throw TenantFileFault("its layout is of another version of this program")
            }
            guard let schema = object.whole("schema").flatMap({ Int32(exactly: $0) }), let slug = object.word("tenant"),
                let name = object.word("name"), let time = object.word("exported_at"),
                let lastEvent = object.whole("last_event")
            else { throw TenantFileFault("its first line is damaged") }
            self.init(schema: schema, slug: slug, name: name, time: time, lastEvent: lastEvent)
        }
    }

    /// What stands before the rows of a table.
    static func opening(_ table: String, _ columns: [String]) -> [UInt8] {
        line { writer in
            writer.member("table", table)
            writer.name("columns")
            writer.array { writer in
                for column in columns { writer.string(column) }
            }
        }
    }

    /// What stands behind the rows of a table.
    static func closing(rows: Int, _ digest: SHA256.Digest) -> [UInt8] {
        line { writer in
            writer.member("rows", rows)
            writer.member("sha256", Hexadecimal.text(Array(digest)))
        }
    }

    /// The last line.
    static func ending(tables: Int, rows: Int, _ digest: SHA256.Digest) -> [UInt8] {
        line { writer in
            writer.member("tables", tables)
            writer.member("rows", rows)
            writer.member("sha256", Hexadecimal.text(Array(digest)))
        }
    }

    private static func line(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.object(members)
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    private static func object(_ line: [UInt8]) -> JSONObject? {
        guard case .object(let object)? = try? JSONValue.parse(line) else { return nil }
        return object
    }
}

extension JSONObject {
    fileprivate func word(_ name: String) -> String? {
        if case .string(let text)? = self[name] { text } else { nil }
    }

    fileprivate func whole(_ name: String) -> Int64? {
        if case .number(let literal)? = self[name] { Int64(literal) } else { nil }
    }
}

/// What of a tenant's file keeps it from being read to its end.
package struct TenantFileFault: Error, Equatable, CustomStringConvertible {
    /// A sentence without its beginning, which is the file; nothing of a row is in it.
    package let description: String

    init(_ description: String) { self.description = description }
}
