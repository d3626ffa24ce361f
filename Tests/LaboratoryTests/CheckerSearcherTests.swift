import Foundation
import TestSupport
import Testing

@testable import Laboratory

@Suite("Searches of the checker")
struct CheckerSearcherTests {
    @Test("an answer that is not the database's is a violation, an equal one is not", arguments: [true, false])
    func compared(isEqual: Bool) async throws {
        let cached = try FixedAnswers(body: #"{"data":[]}"#)
        let database = try FixedAnswers(body: isEqual ? #"{"data":[]}"# : #"{"data":[{}]}"#)
        let judge = try CoherenceJudge()
        let searcher = CheckerSearcher(
            text: CheckedText(category: "c"),
            key: "k",
            ports: [cached.port, database.port],
            judge: judge
        )
        var random = CheckerRandom(seed: 1)
        #expect(searcher.compare(searcher.path(&random), from: 0, with: 1))
        #expect(judge.summary.searches == 1)
        #expect(judge.summary.rules == (isEqual ? [:] : [.search: 1]))
    }

    @Test("questions differ in case, blanks, composition and order, and are always well-formed")
    func questions() {
        var random = CheckerRandom(seed: 7)
        let text = CheckedText(category: "c")
        let questions = (0..<2_000).map { _ in text.path(text.question(&random), &random) }
        let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/?&=%")
        #expect(questions.allSatisfy { $0.allSatisfy(allowed.contains) })
        #expect(Set(questions).count > 1_000)
        for start in ["/v1/products?", "/v1/stock?", "/v1/customers?", "/v1/products/lookup?code="] {
            #expect(questions.contains { $0.hasPrefix(start) })
        }
        // A decomposed mark, a no-break space, and a question that begins with its text and one that ends with it.
        #expect(questions.contains { $0.contains("%CC%81") || $0.contains("%cc%81") })
        #expect(questions.contains { $0.uppercased().contains("%C2%A0") })
        #expect(questions.contains { $0.contains("?q=") } && questions.contains { $0.contains("&q=") })
    }
}

/// A server on a free port that gives every request the same answer, until it is let go.
private final class FixedAnswers: Sendable {
    let port: Int
    private let listener: CInt

    init(body: String) throws {
        port = try FreePort.next()
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        let isBound = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isBound, listen(listener, 8) == 0 else { throw SpawnError(command: "listen", errno: errno) }
        let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8)
        Thread.detachNewThread {
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else {
                    // Here and nowhere else: closed before, its number could be another listener's by now, and be accepted from.
                    close(listener)
                    return
                }
                var buffer = [UInt8](repeating: 0, count: 4_096)
                // One request in one packet, as the checker sends it.
                while recv(client, &buffer, buffer.count, 0) > 0 {
                    _ = answer.withUnsafeBytes { send(client, $0.baseAddress, $0.count, 0) }
                }
                close(client)
            }
        }
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }
}
