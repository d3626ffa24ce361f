/// Which part of a list is asked for.
package struct Page: Sendable, Equatable {
    /// 1 to 200 members.
    package var limit: Int
    /// Where the page before ended; opaque.
    package var cursor: String?

    /// Makes a page.
    package init(limit: Int = 50, cursor: String? = nil) {
        self.limit = min(max(limit, 1), 200)
        self.cursor = cursor
    }
}
