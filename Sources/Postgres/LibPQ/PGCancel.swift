import CLibPQ

/// The key by which a running command is cancelled from outside its connection.
///
/// `@unchecked Sendable` because a PGcancel is never changed after it is made, and PQcancel is documented as callable
/// from any thread.
@safe
final class PGCancel: @unchecked Sendable {
    private let handle: OpaquePointer

    /// Takes over a key.
    ///
    /// - Parameter handle: What PQgetCancel returned.
    init(taking handle: OpaquePointer) {
        unsafe self.handle = handle
    }

    deinit {
        unsafe PQfreeCancel(handle)
    }

    /// Asks the server to cancel; blocks while it connects, so only on a thread made for that.
    func cancel() {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { message in
            // What fails here shows on the connection itself, which is closed after its grace.
            _ = unsafe PQcancel(handle, message.baseAddress, CInt(truncatingIfNeeded: message.count))
        }
    }
}
