import Glibc
import IOLoop
import Synchronization

/// A pair of connected, non-blocking stream sockets.
struct SocketPair {
    let ours: CInt
    let theirs: CInt

    init() {
        var descriptors: [CInt] = [0, 0]
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        precondition(socketpair(AF_UNIX, type, 0, &descriptors) == 0)
        ours = descriptors[0]
        theirs = descriptors[1]
    }

    func sendToUs(_ text: String = "x") {
        _ = write(theirs, text, text.utf8.count)
    }

    func close() {
        _ = Glibc.close(ours)
        _ = Glibc.close(theirs)
    }
}

/// Notes what the loop tells it.
final class Recorder: ReadinessHandler, TimerCallback {
    let name: String
    let log: Log
    var onReadable: (() -> Void)?
    var onWritable: (() -> Void)?
    var onFlush: (() -> Void)?
    var onFire: (() -> Void)?

    init(_ name: String = "", log: Log) {
        self.name = name
        self.log = log
    }

    func readable() {
        log.append("\(name)readable")
        onReadable?()
    }

    func writable() {
        log.append("\(name)writable")
        onWritable?()
    }

    func flush() {
        log.append("\(name)flush")
        onFlush?()
    }

    func fire() {
        log.append("\(name)fire")
        onFire?()
    }
}

/// Sentences in the order in which they happened, on any thread.
final class Log: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func append(_ line: String) {
        lines.withLock { $0.append(line) }
    }

    func take() -> [String] {
        lines.withLock { lines in
            defer { lines = [] }
            return lines
        }
    }
}

/// A clock moved by hand.
final class ManualClock: Sendable {
    private let instant = Mutex(ContinuousClock.now)

    var now: ContinuousClock.Instant { instant.withLock { $0 } }

    func advance(by duration: Duration) {
        instant.withLock { $0 = $0.advanced(by: duration) }
    }
}

/// A counter confined to a loop.
actor Counter {
    private let loop: IOLoop
    private(set) var count = 0
    private var seen: [Int] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(_ loop: IOLoop) {
        self.loop = loop
    }

    func increment() {
        loop.checkIsolated()
        count += 1
    }
}
