import Foundation
import Glibc
import IOLoop
import Synchronization

/// A proxy between unix sockets that forwards, until it is told to swallow: connections stay open, and nothing passes.
final class BlackHoleProxy: Sendable {
    /// What is swallowed.
    enum Hole: Sendable {
        case nothing
        /// What the server says; what is said to it arrives.
        case replies
        case everything
    }

    let path: String
    private let target: String
    private let listener: CInt
    private let hole = Mutex(Hole.nothing)
    private let descriptors = Mutex<[CInt]>([])

    var url: String { "unix://\(path)" }

    init(to target: String) throws {
        self.target = target
        path = "/tmp/stock-proxy-\(UUID().uuidString.prefix(13)).sock"
        listener = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        let bound = Self.withAddress(path) { bind(listener, $0, $1) }
        guard bound == 0, listen(listener, 16) == 0 else { throw POSIXError(.EADDRINUSE) }
        OSThread.detached(name: "proxy-accept") { [listener, weak self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0, let self else { return }
                self.connect(client)
            }
        }
    }

    /// Decides what is swallowed from now on, on connections there are and on new ones.
    func swallow(_ hole: Hole) {
        self.hole.withLock { $0 = hole }
    }

    func stop() {
        shutdown(listener, CInt(SHUT_RDWR))
        for descriptor in descriptors.withLock({ $0 }) {
            shutdown(descriptor, CInt(SHUT_RDWR))
        }
        unlink(path)
    }

    private func connect(_ client: CInt) {
        let server = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard Self.withAddress(target, { Glibc.connect(server, $0, $1) }) == 0 else {
            close(server)
            close(client)
            return
        }
        // Left open: the numbers must not be reused while `stop` may still shut them down.
        descriptors.withLock { $0 += [client, server] }
        OSThread.detached(name: "proxy-there") { self.pump(from: client, to: server) { $0 == .everything } }
        OSThread.detached(name: "proxy-back") { self.pump(from: server, to: client) { $0 != .nothing } }
    }

    private func pump(from source: CInt, to sink: CInt, isSwallowed: (Hole) -> Bool) {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(source, &chunk, chunk.count)
            guard count > 0 else { break }
            if isSwallowed(hole.withLock({ $0 })) { continue }
            var sent = 0
            while sent < count {
                let written = chunk.withUnsafeBytes {
                    Glibc.send(sink, $0.baseAddress?.advanced(by: sent), count - sent, CInt(MSG_NOSIGNAL))
                }
                guard written > 0 else { return }
                sent += written
            }
        }
        shutdown(sink, CInt(SHUT_RDWR))
    }

    private static func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
