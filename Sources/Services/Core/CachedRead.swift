import Cache
import Kernel
import Postgres

/// One cached read: under which key its answer lies, and the statement that makes it.
///
/// A service makes both of one query value, which was brought into its one form when it was made: the key is text made of its
/// fields, the statement binds the same fields, and neither has seen the request. So an answer cannot be that of another
/// question; a test compares what statements bind wherever keys are equal.
struct CachedRead: Sendable {
    /// Where the answer lies.
    let key: CacheKey
    /// What makes it.
    let fill: Fill

    enum Fill: Sendable {
        /// A body with its tag.
        case body(any Statement<BodyRow>)
        /// A page; `next` makes the cursor of the page behind it from the sort values of its last row.
        case page(any Statement<PageRow>, next: @Sendable ([String]) -> String)
    }
}

extension Store {
    /// The answer to a read, from memory where it lies there.
    ///
    /// - Parameters:
    ///   - read: What is read; its key's tenant must be the caller's.
    ///   - context: Who asks.
    /// - Returns: The answer, found in memory without suspending.
    /// - Throws: As ``read(_:_:on:fill:)``.
    func answer(_ read: CachedRead, _ context: CallContext) async throws(Problem) -> CachedAnswer {
        switch read.fill {
        case .body(let statement):
            return try await self.read(read.key, context, fill: statement)
        case .page(let statement, let next):
            return try await self.page(read.key, context, cursor: next, fill: statement)
        }
    }
}
