import Crypto

/// Writes a tenant's file, a table after the other, and keeps nothing but its figures.
struct TenantFileWriter {
    private var whole = SHA256()
    private var hash = SHA256()
    /// Tables that have ended.
    private(set) var tables = 0
    /// Their rows.
    private(set) var rows = 0

    /// The first line.
    mutating func begin(_ head: TenantFile.Head) -> [UInt8] { kept(head.line) }

    /// What stands before the rows of a table.
    mutating func begin(_ table: String, _ columns: [String]) -> [UInt8] {
        hash = SHA256()
        return kept(TenantFile.opening(table, columns))
    }

    /// Rows of the table, which are written as they are.
    mutating func take(_ portion: [UInt8]) {
        hash.update(data: portion)
        whole.update(data: portion)
    }

    /// What stands behind the rows of a table.
    ///
    /// - Parameter count: How many they were.
    /// - Returns: It.
    mutating func end(rows count: Int) -> [UInt8] {
        tables += 1
        rows += count
        return kept(TenantFile.end + TenantFile.closing(rows: count, hash.finalize()))
    }

    /// The last line.
    func finish() -> [UInt8] { TenantFile.ending(tables: tables, rows: rows, whole.finalize()) }

    private mutating func kept(_ line: [UInt8]) -> [UInt8] {
        whole.update(data: line)
        return line
    }
}
