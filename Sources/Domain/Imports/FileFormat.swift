/// How the rows of a file are written, of an import as of an export.
package enum FileFormat: String, Sendable, CaseIterable {
    /// RFC 4180, with a header.
    case csv
    /// A JSON object to a line, with a member for each column (ndjson.org).
    case ndjson
}
