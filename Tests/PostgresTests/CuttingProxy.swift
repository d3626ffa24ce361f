import Glibc
import Synchronization

/// A unix socket in front of a server that cuts its first connections at a message of the server.
///
/// `@unchecked Sendable` because everything is constant after the start but the counter, which is atomic.
final class CuttingProxy: @unchecked Sendable {
    enum Place: CaseIterable {
        case before
        case inside
    }

    /// The folder to give as `host`.
    let folder: String
    private let listener: CInt
    private let target: String
    private let cutAt: Int
    private let place: Place
    private let connectionsLeftToCut: Atomic<Int>

    init(target: String, cutAt: Int, place: Place, connections: Int) throws {
        var template = Array("/tmp/stock-cut-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw POSIXFailure(code: errno) }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.target = target
        self.cutAt = cutAt
        self.place = place
        connectionsLeftToCut = Atomic(connections)
        listener = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        let bound = Self.withAddress(folder + "/.s.PGSQL.5432") { [listener] in bind(listener, $0, $1) }
        precondition(bound == 0 && listen(listener, 64) == 0)
        Self.thread { self.acceptAll() }
    }

    struct POSIXFailure: Error {
        let code: CInt
    }

    func stop() {
        shutdown(listener, CInt(SHUT_RDWR))
        unlink(folder + "/.s.PGSQL.5432")
        rmdir(folder)
    }

    private func acceptAll() {
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { break }
            let server = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
            guard Self.withAddress(target, { connect(server, $0, $1) }) == 0 else {
                close(client)
                close(server)
                continue
            }
            let left = connectionsLeftToCut.subtract(1, ordering: .relaxed).oldValue
            let cut = left > 0 ? cutAt : Int.max
            Self.thread {
                Self.pump(client, server)
                shutdown(server, CInt(SHUT_RDWR))
            }
            Self.thread {
                self.pumpMessages(server, client, cut)
                shutdown(client, CInt(SHUT_RDWR))
                shutdown(server, CInt(SHUT_RDWR))
            }
        }
        close(listener)
    }

    private static func pump(_ from: CInt, _ to: CInt) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(from, &buffer, buffer.count)
            guard count > 0, writeAll(to, buffer[..<count]) else { return }
        }
    }

    private func pumpMessages(_ from: CInt, _ to: CInt, _ cut: Int) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var pending: [UInt8] = []
        var messages = 0
        while true {
            let count = read(from, &buffer, buffer.count)
            guard count > 0 else { return }
            pending += buffer[..<count]
            while pending.count >= 5 {
                let length = 1 + pending[1..<5].reduce(0) { $0 << 8 | Int($1) }
                guard pending.count >= length else { break }
                if messages == cut {
                    if place == .inside { _ = Self.writeAll(to, pending[..<(length / 2 + 1)]) }
                    return
                }
                guard Self.writeAll(to, pending[..<length]) else { return }
                pending.removeFirst(length)
                messages += 1
            }
        }
    }

    private static func writeAll(_ to: CInt, _ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(to, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private static func withAddress<Value>(
        _ path: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Value
    ) -> Value {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func thread(_ body: @escaping @Sendable () -> Void) {
        final class Box {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var thread = pthread_t()
        let box = Unmanaged.passRetained(Box(body)).toOpaque()
        let code = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            },
            box
        )
        precondition(code == 0)
        pthread_detach(thread)
    }
}
