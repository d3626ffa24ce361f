import Foundation
import TestSupport
import Testing

/// A real load balancer in front of instances, with the configuration that is shipped: nothing but addresses is replaced.
struct Balancer: Sendable {
    /// A program that balances.
    enum Program: String, Sendable, CaseIterable {
        case haproxy
        case nginx

        /// Where it is; nil if it is not installed.
        var path: String? {
            ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"].map { "\($0)/\(rawValue)" }
                .first { access($0, X_OK) == 0 }
        }

        /// The file that is shipped.
        var shipped: String {
            switch self {
            case .haproxy: SourceTree.root + "/scripts/compose/haproxy.cfg"
            case .nginx: SourceTree.root + "/scripts/compose/nginx.conf"
            }
        }
    }

    let process: ChildProcess
    let port: Int

    /// Starts one and waits until it leads to a ready instance.
    static func start(_ program: Program, _ instances: [Int]) async throws -> Balancer {
        let port = try FreePort.next()
        let folder = try ScratchFolder.make(program.rawValue)
        let file = "\(folder)/configuration"
        let shipped = try String(contentsOfFile: program.shipped, encoding: .utf8)
        try addressed(shipped, program, port: port, instances: instances, folder: folder)
            .write(toFile: file, atomically: false, encoding: .utf8)
        let path = try #require(program.path)
        let arguments =
            switch program {
            case .haproxy: ["-db", "-f", file]
            case .nginx:
                ["-p", folder, "-c", file, "-g", "daemon off; pid \(folder)/nginx.pid; error_log stderr;"]
            }
        let process = try ChildProcess.spawn(path, arguments, directory: folder, processIDFile: "\(folder)/pid")
        let balancer = Balancer(process: process, port: port)
        do {
            try await eventually(within: .seconds(20), "\(program.rawValue) leads to an instance") {
                try #require(process.isRunning, "\(process.output.text)")
                return (try? await balancer.client().send("GET", "/health/ready"))?.status == 200
            }
        } catch {
            process.signal(SIGKILL)
            throw error
        }
        return balancer
    }

    /// The shipped text with addresses of this machine; each line of an instance is repeated for as many as there are.
    private static func addressed(
        _ text: String,
        _ program: Program,
        port: Int,
        instances: [Int],
        folder: String
    ) -> String {
        var isFirst = true
        return text.split(separator: "\n", omittingEmptySubsequences: false).flatMap { line -> [String] in
            let words = line.split(separator: " ")
            switch program {
            case .haproxy where words == ["bind", ":8080"]: return ["    bind 127.0.0.1:\(port)"]
            case .haproxy where words.first == "server" && words.count == 3:
                defer { isFirst = false }
                return isFirst ? instances.enumerated().map { "    server i\($0) 127.0.0.1:\($1)" } : []
            case .nginx where words == ["listen", "8080;"]: return ["        listen 127.0.0.1:\(port);"]
            case .nginx where words == ["http", "{"]:
                // Where it would keep long bodies belongs to root, as a rule.
                return ["http {"]
                    + ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(folder)/\($0);" }
            case .nginx where words.first == "server" && words.count > 2:
                defer { isFirst = false }
                let options = words.dropFirst(2).joined(separator: " ")
                return isFirst ? instances.map { "        server 127.0.0.1:\($0) \(options)" } : []
            default: return [String(line)]
            }
        }.joined(separator: "\n")
    }

    /// A client that counts a connection closed under its request as what it is.
    func client(from source: String? = nil) -> HTTPClient {
        HTTPClient(port: port, patience: 10, source: source, forgivesClosing: false)
    }

    /// What it says of the instances' states and of requests that did not end in an answer.
    var troubles: String {
        (process.output.lines + process.errors.lines).filter { !$0.contains(" ---- ") }.joined(separator: "\n")
    }

    /// Ends it.
    func stop() async throws {
        process.signal(SIGTERM)
        try await process.waitForExit(within: .seconds(10))
    }
}
