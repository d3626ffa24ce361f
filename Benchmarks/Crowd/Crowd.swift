import BlockingClient
import Foundation

/// As many clients of each instance as are wanted, each with a connection of its own, that ask for the same thing at the same moment.
///
/// usage: crowd COUNT PATH TOKEN PORT...; prints what was answered and from where. All connections are open before the first request is
/// sent, and all requests are sent before the first answer is read. Each instance's crowd is a process of its own, as descriptors are limited.
@main
struct Crowd {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 5, let count = Int(arguments[1]), count > 0 else {
            FileHandle.standardError.write(Data("usage: crowd COUNT PATH TOKEN PORT...\n".utf8))
            exit(64)
        }
        let ports = arguments[4...]
        if ports.count == 1, let port = UInt16(arguments[4]) {
            try Crowd(count: count, path: arguments[2], token: arguments[3], port: port).run()
            return
        }
        var crowds: [(process: Process, start: Pipe, output: Pipe)] = []
        for port in ports {
            let crowd = (process: Process(), start: Pipe(), output: Pipe())
            crowd.process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            crowd.process.arguments = [String(count), arguments[2], arguments[3], port]
            crowd.process.standardInput = crowd.start
            crowd.process.standardOutput = crowd.output
            try crowd.process.run()
            crowds.append(crowd)
        }
        for crowd in crowds {
            guard !crowd.output.fileHandleForReading.availableData.isEmpty else {
                throw Failure(text: "a crowd did not come together")
            }
        }
        for crowd in crowds { crowd.start.fileHandleForWriting.write(Data("go\n".utf8)) }
        for crowd in crowds {
            FileHandle.standardOutput.write(try crowd.output.fileHandleForReading.readToEnd() ?? Data())
            crowd.process.waitUntilExit()
            guard crowd.process.terminationStatus == 0 else { throw Failure(text: "a crowd got no answer") }
        }
    }

    let count: Int
    let path: String
    let token: String
    let port: UInt16

    /// One instance's crowd: gathers, says so, waits for a line, asks, and tells what it got.
    private func run() throws {
        let connections = try (0..<count).map { _ in try Connection(port: port) }
        FileHandle.standardOutput.write(Data("ready\n".utf8))
        _ = readLine()
        let request = Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(token)\r\n\r\n".utf8)
        let start = ContinuousClock.now
        for connection in connections { try connection.ask(request) }
        let sent = ContinuousClock.now
        var kinds: [String: Int] = [:]
        var bodies: Set<String> = []
        for connection in connections {
            let (head, body) = try connection.answer()
            kinds[Self.kind(head), default: 0] += 1
            bodies.insert(body)
        }
        let end = ContinuousClock.now
        let list = kinds.sorted { $0.key < $1.key }.map { "\($0.value) x \($0.key)" }.joined(separator: ", ")
        let times = "sent in \(sent - start), answered in \(end - start)"
        print("port \(port): \(list); \(bodies.count) different bodies; \(times)")
    }

    /// The status of an answer, and which cache it came from, without what changes with time.
    private static func kind(_ head: String) -> String {
        let lines = head.split(separator: "\r\n")
        let status = lines.first?.split(separator: " ").dropFirst().first ?? "?"
        let field = lines.first { $0.lowercased().hasPrefix("cache-status:") } ?? ""
        let words = field.drop { $0 != " " }.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
        return ([String(status)] + words.filter { !$0.hasPrefix("ttl") }).joined(separator: " ")
    }
}
