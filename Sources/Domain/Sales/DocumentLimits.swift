/// How much one document may hold, by whichever door it comes.
///
/// A document is one transaction, which holds the levels of its goods and its number until it ends.
package enum DocumentLimits {
    /// Lines of a sale, a return, a purchase, a transfer or a count, and movements that are made at once.
    package static let lines = 1_000

    /// Payments that come with it.
    package static let tenders = 20
}
