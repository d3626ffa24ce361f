import Dispatch

/// Threads for the two calls that block: resolving a name, and PQcancel.
///
/// Never the cooperative pool, which has as many threads as cores, and never the I/O loop.
enum BlockingWork {
    private static let queue = DispatchQueue(label: "stock-postgres-blocking", attributes: .concurrent)

    /// Runs a body that may block.
    ///
    /// - Parameter body: The body.
    static func run(_ body: @escaping @Sendable () -> Void) {
        queue.async(execute: body)
    }
}
