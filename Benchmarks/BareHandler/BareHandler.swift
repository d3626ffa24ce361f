import Foundation
import HTTPTypes
import Hummingbird

/// The limit a cached read is held against: Hummingbird answering the same bytes and headers from memory, and doing nothing else.
///
/// usage: bare-handler PORT ANSWER, where ANSWER is a file with the head and body of an HTTP answer, as `curl -i` writes it.
@main
struct BareHandler {
    /// Headers that Hummingbird writes by itself.
    private static let written: Set<String> = ["content-length", "date", "server", "connection", "transfer-encoding"]

    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 3, let port = Int(arguments[1]) else {
            FileHandle.standardError.write(Data("usage: bare-handler PORT ANSWER\n".utf8))
            exit(64)
        }
        let answer = try Data(contentsOf: URL(filePath: arguments[2]))
        guard let end = answer.firstRange(of: Data("\r\n\r\n".utf8)) else {
            FileHandle.standardError.write(Data("\(arguments[2]): no end of the head\n".utf8))
            exit(65)
        }
        var headers = HTTPFields()
        let head = String(decoding: answer[..<end.lowerBound], as: UTF8.self)
        for line in head.split(separator: "\r\n").dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, !written.contains(parts[0].lowercased()),
                let name = HTTPField.Name(String(parts[0]))
            else { continue }
            headers[name] = parts[1].drop { $0 == " " }.description
        }
        let fields = headers
        let body = ByteBuffer(bytes: answer[end.upperBound...])

        let router = Router()
        router.get("**") { _, _ in
            Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: body))
        }
        let application = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: port))
        )
        try await application.runService()
    }
}
