import Foundation
import Synchronization

/// A pipe whose ends no child inherits by accident.
///
/// `pipe2` with O_CLOEXEC is hidden from Swift, so the flag is set a moment later; a lock keeps every spawn of these tests out of that moment.
struct Pipe {
    private static let making = Mutex(())

    let readEnd: CInt
    let writeEnd: CInt

    static func make() throws -> Pipe {
        try making.withLock { _ in
            var ends: [CInt] = [-1, -1]
            guard pipe(&ends) == 0 else { throw SpawnError(command: "pipe", errno: errno) }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            return Pipe(readEnd: ends[0], writeEnd: ends[1])
        }
    }

    static func whileNoneIsMade<Value>(_ body: () -> Value) -> Value {
        making.withLock { _ in body() }
    }
}
