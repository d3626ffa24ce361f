import Foundation

/// Places in the repository this was built from.
package enum SourceTree {
    /// The folder of Package.swift.
    package static let root: String = {
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(4)  // Sources/Laboratory/Servers/SourceTree.swift
        return parts.joined(separator: "/")
    }()

    /// The folder of the migrations.
    package static var sqlFolder: String { root + "/sql" }

    /// The numbered migrations, in order.
    package static func migrations() throws -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: sqlFolder)) ?? []
        return names.filter { $0.hasSuffix(".sql") && $0.prefix(4).allSatisfy(\.isNumber) && $0.count > 8 }
            .sorted()
            .map { "\(sqlFolder)/\($0)" }
    }
}
