import ArgumentParser
import Foundation
import IOLoop
import Kernel

/// `stock bench`: bounded load against a running server.
struct Bench: OperatorCommand {
    static let configuration = CommandConfiguration(
        abstract: "Puts bounded load on a running server and prints throughput and percentiles.",
        discussion: """
            Closed loop: each connection sends its next request when the answer is there. With --rate requests start by a \
            fixed schedule instead, and time counts from the planned start, so that a stall shows in full.
            """
    )

    @Option(name: .long, help: "host:port of the server.")
    var server = "127.0.0.1:8080"

    @Option(name: .long, help: "The path to GET.")
    var path: String?

    @Option(name: .long, help: "POSTs sales of one unit of this SKU instead.")
    var sellSku: String?

    @Option(name: .long, help: "The method the sales are paid by.")
    var method = "cash"

    @Option(name: .long, help: "The amount each sale is paid with; by default sales are paid with nothing.")
    var amount: String?

    @Option(name: .long, help: "An access token or API key.")
    var token: String?

    @Option(name: .long, help: "A file that holds it; - is standard input.")
    var tokenFile: String?

    @Option(name: .long, help: "Connections, 1 to 256.")
    var connections = 16

    @Option(name: .long, help: "Seconds, 1 to 300.")
    var seconds = 10

    @Option(name: .long, help: "Requests per second of all connections together: an open loop.")
    var rate: Int?

    @Flag(name: .long, help: "Allows a server that is not on this machine.")
    var remote = false

    @Flag(name: .long, help: "Prints one JSON object.")
    var json = false

    func validate() throws {
        guard (1...256).contains(connections) else { throw ValidationError("--connections is 1 to 256") }
        guard (1...300).contains(seconds) else { throw ValidationError("--seconds is 1 to 300") }
        guard rate.map({ (1...1_000_000).contains($0) }) ?? true else {
            throw ValidationError("--rate is 1 to 1000000")
        }
        guard (path == nil) != (sellSku == nil) else { throw ValidationError("give either --path or --sell-sku") }
    }

    func execute() async throws {
        guard let colon = server.lastIndex(of: ":"), let port = Int(server[server.index(after: colon)...]) else {
            throw CommandFailure(.usage, "--server is '\(server)'; accepted: host:port")
        }
        let host = String(server[..<colon])
        guard remote || ["127.0.0.1", "localhost", "::1"].contains(host) else {
            throw CommandFailure(.usage, "\(host) is not this machine; --remote allows that")
        }
        var credential = ""
        if token != nil || tokenFile != nil {
            let secret = try SecretSource.read("token", value: token, file: tokenFile)
            credential = "Authorization: Bearer \(secret)\r\n"
        }
        let load = Load(
            host: host,
            port: port,
            head: head(credential),
            body: body,
            duration: .seconds(seconds),
            interval: rate.map { .seconds(connections) / $0 }
        )
        let start = ContinuousClock.now
        var result = LoadResult()
        let parts = try await withThrowingTaskGroup(of: LoadResult.self) { group in
            for number in 0..<connections {
                group.addTask {
                    try await OSThread.blocking(name: "bench") {
                        Result { try load.run(connection: number, start: start) }
                    }.get()
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        for part in parts { result.merge(part) }
        let elapsed = start.duration(to: .now)
        print(json ? result.json(elapsed) : result.text(elapsed))
        if result.statuses.contains(where: { !(200..<300).contains($0.key) && $0.key != 304 }) {
            throw CommandFailure(.failed, nil)
        }
    }

    private func head(_ credential: String) -> String {
        if let path { return "GET \(path) HTTP/1.1\r\nHost: \(server)\r\n\(credential)" }
        return "POST /v1/sales HTTP/1.1\r\nHost: \(server)\r\n\(credential)Content-Type: application/json\r\n"
    }

    private var body: String? {
        guard let sellSku else { return nil }
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("lines")
            writer.array { writer in
                writer.object { writer in
                    writer.member("sku", sellSku)
                    writer.member("quantity", "1")
                }
            }
            writer.name("payments")
            writer.array { writer in
                guard let amount else { return }
                writer.object { writer in
                    writer.member("method", method)
                    writer.member("amount", amount)
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
