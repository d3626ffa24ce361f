import Crypto
import FoundationEssentials
import Kernel

/// One numbered file of `sql/`.
package struct Migration: Sendable, Equatable {
    /// The number its name begins with.
    package let version: Int32

    /// The name of the file without number and ending: `0004_stock.sql` is `stock`.
    package let name: String

    /// SHA-256 of the file, in hexadecimal digits.
    package let checksum: String

    /// The statements.
    package let sql: String

    /// `0004_stock.sql`.
    package var fileName: String {
        String(repeating: "0", count: max(0, 4 - "\(version)".count)) + "\(version)_\(name).sql"
    }
}

/// The folder `sql/`: numbered migrations, `roles.sql` and the tenancy audit.
package struct MigrationFolder: Sendable {
    /// The migrations in order.
    package let migrations: [Migration]

    /// What makes roles and schema; run by a role that may.
    package let roles: String

    /// The catalog checks of tenancy, one statement without what only psql understands.
    package let tenancyAudit: String

    /// Where the folder is, for messages.
    package let path: String

    /// Reads a folder.
    ///
    /// - Parameter path: Where it is.
    /// - Throws: ``OperationsError`` if a file is missing, misnamed or numbered twice.
    package init(path: String) throws(OperationsError) {
        self.path = path
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        } catch {
            throw .folder("\(path) can not be read. Name the folder that holds the numbered .sql files.")
        }
        var migrations: [Migration] = []
        for name in names where name.hasSuffix(".sql") && name.utf8.first.map(Self.isDigit) == true {
            let digits = name.prefix { $0.utf8.first.map(Self.isDigit) == true }
            let rest = name.dropFirst(digits.count)
            let title = rest.dropFirst().dropLast(4)
            guard let version = Int32(digits), rest.first == "_", !title.isEmpty,
                title.utf8.allSatisfy({ Self.isDigit($0) || $0 == UInt8(ascii: "_") || Self.isLowercase($0) })
            else { throw .folder("\(path)/\(name) is not named like 0001_name.sql, in lower case.") }
            guard migrations.last?.version != version else {
                throw .folder("\(path) has two files numbered \(digits).")
            }
            let sql = try Self.read("\(path)/\(name)")
            migrations.append(
                Migration(
                    version: version,
                    name: String(title),
                    checksum: Hexadecimal.text(SHA256.hash(data: Array(sql.utf8))),
                    sql: sql
                )
            )
        }
        guard !migrations.isEmpty else { throw .folder("\(path) holds no numbered .sql files.") }
        self.migrations = migrations
        roles = try Self.read("\(path)/roles.sql")
        let audit = try Self.read("\(path)/audit/tenancy_audit.sql")
        let lines = audit.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.hasPrefix("\\") }
        let text = lines.joined(separator: "\n")
        // What follows the statement's end would be a second one.
        tenancyAudit = text.lastIndex(of: ";").map { String(text[..<$0]) } ?? text
    }

    private static func read(_ path: String) throws(OperationsError) -> String {
        guard let data = FileManager.default.contents(atPath: path), let text = String(validating: data, as: UTF8.self)
        else { throw .folder("\(path) can not be read as UTF-8 text.") }
        return text
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isLowercase(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
}

/// Why an operator's command could not do its work; the description says what to do.
package enum OperationsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The folder of migrations is not as it must be.
    case folder(String)

    /// An applied migration is not the file any more.
    case changed(String)

    /// Roles or schema are missing and this role may not make them.
    case roles(String)

    /// Something else holds the database.
    case locked(String)

    /// A statement failed.
    case failed(String)

    package var description: String {
        switch self {
        case .folder(let text), .changed(let text), .roles(let text), .locked(let text), .failed(let text): text
        }
    }
}
