import Foundation
import Glibc
import IOLoop
import Synchronization

/// A server on a unix socket that says what the test tells it to, right or wrong.
final class FakeServer: Sendable {
    /// What to do about one command.
    enum Reaction: Sendable {
        case reply(String)
        /// Sends the bytes one by one, each in a write of its own.
        case drip(String)
        /// Sends the bytes, then closes.
        case cut(String)
        /// Says nothing, and nothing any more on this connection.
        case silence
    }

    typealias Script = @Sendable (_ command: [String], _ connection: Int) -> Reaction

    let path: String
    private let listener: CInt
    private let script: Script
    private let connections = Mutex<[CInt]>([])
    private let subscribers = Mutex<[CInt]>([])
    private let received = Mutex<[[String]]>([])

    var url: String { "unix://\(path)" }

    /// All commands so far.
    var commands: [[String]] { received.withLock { $0 } }

    /// Answers the handshake as a server does.
    static func handshake(_ command: [String]) -> Reaction? {
        switch command.first {
        case "CLIENT", "AUTH", "SELECT": .reply("+OK\r\n")
        case "INFO": .reply("$14\r\nrun_id:abcdef\n\r\n")
        case "SCRIPT": .reply("$3\r\nsha\r\n")
        case "SUBSCRIBE": .reply(confirmation(of: command[1]))
        default: nil
        }
    }

    static func confirmation(of channel: String) -> String {
        "*3\r\n$9\r\nsubscribe\r\n$\(channel.utf8.count)\r\n\(channel)\r\n:1\r\n"
    }

    init(_ script: @escaping Script) throws {
        self.script = script
        // Short: the path of a unix socket may have 107 bytes.
        path = "/tmp/stock-fake-\(UUID().uuidString.prefix(13)).sock"
        listener = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0, listen(listener, 16) == 0 else { throw POSIXError(.EADDRINUSE) }
        OSThread.detached(name: "fake-accept") { [listener, weak self] in
            var number = 0
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0, let self else { return }
                number += 1
                self.connections.withLock { $0.append(descriptor) }
                OSThread.detached(name: "fake-serve") { [number] in
                    self.serve(descriptor, number)
                }
            }
        }
    }

    func stop() {
        shutdown(listener, CInt(SHUT_RDWR))
        for descriptor in connections.withLock({ $0 }) {
            shutdown(descriptor, CInt(SHUT_RDWR))
        }
        unlink(path)
    }

    /// Sends bytes to every connection that has subscribed.
    func push(_ text: String) {
        for descriptor in subscribers.withLock({ $0 }) {
            send(text, to: descriptor)
        }
    }

    /// Closes every connection that has subscribed.
    func closeSubscribers() {
        for descriptor in subscribers.withLock({ $0 }) {
            shutdown(descriptor, CInt(SHUT_RDWR))
        }
    }

    /// How many connections have subscribed so far.
    var subscriptions: Int { subscribers.withLock { $0.count } }

    private func serve(_ descriptor: CInt, _ connection: Int) {
        var buffer: [UInt8] = []
        var isSilent = false
        while true {
            while let command = Self.takeCommand(from: &buffer) {
                received.withLock { $0.append(command) }
                if isSilent { continue }
                switch script(command, connection) {
                case .reply(let text):
                    send(text, to: descriptor)
                    if command[0] == "SUBSCRIBE" {
                        subscribers.withLock { if !$0.contains(descriptor) { $0.append(descriptor) } }
                    }
                case .drip(let text):
                    for byte in text.utf8 {
                        _ = [byte].withUnsafeBytes { write(descriptor, $0.baseAddress, 1) }
                        sched_yield()
                    }
                case .cut(let text):
                    send(text, to: descriptor)
                    shutdown(descriptor, CInt(SHUT_RDWR))
                case .silence:
                    isSilent = true
                }
            }
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            buffer.append(contentsOf: chunk.prefix(count))
        }
        // Left open: the number must not be reused while `stop` may still shut it down.
    }

    private func send(_ text: String, to descriptor: CInt) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                write(descriptor, $0.baseAddress?.advanced(by: sent), bytes.count - sent)
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    private static func takeCommand(from buffer: inout [UInt8]) -> [String]? {
        var position = 0
        func number() -> Int? {
            guard let end = buffer[position...].firstIndex(of: 10) else { return nil }
            let text = String(decoding: buffer[(position + 1)..<(end - 1)], as: UTF8.self)
            position = end + 1
            return Int(text)
        }
        guard let count = number() else { return nil }
        var command: [String] = []
        for _ in 0..<count {
            guard let length = number(), position + length + 2 <= buffer.count else { return nil }
            command.append(String(decoding: buffer[position..<(position + length)], as: UTF8.self))
            position += length + 2
        }
        buffer.removeFirst(position)
        return command
    }
}
