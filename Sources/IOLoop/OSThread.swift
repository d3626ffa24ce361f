internal import CEpoll
internal import Glibc

/// Threads of the operating system, for what must not run on the cooperative pool.
package enum OSThread {
    /// What a new thread runs; travels through C as a retained pointer.
    private final class Start {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts a thread that has to be joined.
    static func start(name: String, _ body: @escaping @Sendable () -> Void) -> pthread_t {
        var thread = pthread_t()
        let start = unsafe Unmanaged.passRetained(Start(name: name, body: body))
        let result = unsafe pthread_create(
            &thread,
            nil,
            { pointer in
                guard let pointer = unsafe pointer else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(pointer).takeRetainedValue()
                // The kernel keeps 15 bytes and refuses a longer name.
                _ = unsafe pthread_setname_np(pthread_self(), String(start.name.prefix(15)))
                start.body()
                return nil
            },
            start.toOpaque()
        )
        precondition(result == 0, "the system refused a thread: errno \(result)")
        return thread
    }

    static func join(_ thread: pthread_t) {
        _ = pthread_join(thread, nil)
    }

    /// Runs a blocking call on a thread of its own that nobody waits for.
    ///
    /// - Parameters:
    ///   - name: The thread's name, of which Linux keeps 15 bytes.
    ///   - body: What blocks.
    package static func detached(name: String = "stock-blocking", _ body: @escaping @Sendable () -> Void) {
        _ = pthread_detach(start(name: name, body))
    }

    /// Runs a blocking call on a thread of its own, so that neither a loop nor the cooperative pool waits for it.
    ///
    /// For rare calls: resolving a name, cancelling a query. The call cannot be interrupted; the caller waits for its end.
    ///
    /// - Parameters:
    ///   - name: The thread's name, of which Linux keeps 15 bytes.
    ///   - body: What blocks.
    /// - Returns: What the body returned.
    package static func blocking<Result: Sendable>(
        name: String = "stock-blocking",
        _ body: @escaping @Sendable () -> Result
    ) async -> Result {
        await withCheckedContinuation { continuation in
            detached(name: name) {
                continuation.resume(returning: body())
            }
        }
    }
}
