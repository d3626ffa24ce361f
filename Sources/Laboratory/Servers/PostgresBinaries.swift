import Foundation

/// Where the programs of PostgreSQL are.
package enum PostgresBinaries {
    /// The folder of the newest installed version, as Debian and Ubuntu lay it out; nil elsewhere.
    private static let folder: String? = {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let newest = versions.compactMap { Int($0) }.sorted(by: >)
        return newest.map { "\(root)/\($0)/bin" }.first { access("\($0)/postgres", X_OK) == 0 }
    }()

    /// The path of a program, or its bare name, to be found in PATH.
    package static func path(of program: String) -> String {
        guard let folder else { return program }
        let path = "\(folder)/\(program)"
        return access(path, X_OK) == 0 ? path : program
    }
}
